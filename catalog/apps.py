"""The catalogue service: products, their photos and categories."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Owns the truth that every other service derives from."""

    name = "catalog"
    default_auto_field = "django.db.models.BigAutoField"
