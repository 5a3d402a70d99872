"""The app `jobs`."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """Long work: jobs, their leases, files and progress. The apps that own the work register its kinds."""

    name = "jobs"
    verbose_name = _("Jobs")

    def ready(self) -> None:
        """Have the audit log name jobs in words."""
        from accounts import audit_words
        from jobs.selectors import jobs_in_words

        audit_words.name_subjects(jobs_in_words)
