"""The URLs of trainings, below /api."""

from __future__ import annotations

from django.urls import path

from training.api import TrainView

urlpatterns = [path("collections/<slug:slug>/train", TrainView.as_view(), name="train")]
