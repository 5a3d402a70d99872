"""The URLs of the endpoint of jobs, below `/api/`."""

from __future__ import annotations

from django.urls import path

from jobs.api import JobView

urlpatterns = [path("jobs/<uuid:job_id>", JobView.as_view(), name="job")]
