"""The app `jobs`."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """Long work: jobs, their leases, files and progress. The apps that own the work register its kinds."""

    name = "jobs"
    verbose_name = _("Jobs")
