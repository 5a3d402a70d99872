"""The URLs of the endpoints of jobs, below `/api/`."""

from __future__ import annotations

from django.urls import path

from jobs.api import JobListView, JobView

urlpatterns = [
    path("jobs", JobListView.as_view(), name="jobs"),
    path("jobs/<uuid:job_id>", JobView.as_view(), name="job"),
]
