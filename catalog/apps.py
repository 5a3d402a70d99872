"""The app `catalog`."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Products, photos, categories, families and importers."""

    name = "catalog"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the kind of job."""
        from catalog.job_kinds import register_kinds

        register_kinds()
