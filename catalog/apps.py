"""The app `catalog`."""

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from PIL import Image


class CatalogConfig(AppConfig):
    """Products, photos, categories, families and importers."""

    name = "catalog"
    verbose_name = _("Catalogue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the kind of job and the stamped tables, and let Pillow open what the limits of photos allow."""
        from catalog.job_kinds import register_kinds
        from catalog.models import Category, Product, ProductImage
        from catalog.stamps import Topic, watch

        register_kinds()
        watch(Topic.CATALOGUE, Product, ProductImage, Category, Product.other_categories.through)
        # Photos are checked against the limits before Pillow decodes them; its own limit is lower, and warns.
        Image.MAX_IMAGE_PIXELS = settings.PHOTO_MAX_SIDE**2
