"""The app `jobs`."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Long work: jobs, their leases, files and progress. The apps that own the work register its kinds."""

    name = "jobs"
