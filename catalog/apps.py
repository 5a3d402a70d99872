"""The catalogue service: products, their photos and categories."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Owns the data that the other services derive theirs from."""

    name = "catalog"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the kind of job."""
        from catalog.job_kinds import register_kinds

        register_kinds()
