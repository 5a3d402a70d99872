"""The app `jobs`."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Long work: jobs, their leases and uploads."""

    name = "jobs"
