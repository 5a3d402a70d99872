"""Photos of products, and what is known of files of photos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.media import PHOTOS
from catalog.models.products import Product
from pictures import photos


def photo_path(image: ProductImage, filename: str) -> str:
    """The path of a photo in the media storage: its content's hash, so that the same photo is stored once."""
    return f"{PHOTOS}/{image.sha256[:2]}/{image.sha256}{PurePosixPath(filename).suffix}"


class ProductImageQuerySet(models.QuerySet["ProductImage"]):
    """Which photos: those that are compared, and the first one of each product."""

    def compared(self) -> ProductImageQuerySet:
        """Photos that show their product: the only ones that are embedded, asked and found."""
        return self.filter(role__in=ProductImage.COMPARED)


class ProductImage(models.Model):
    """One photo of a product. `sha256`, `width` and `height` describe the stored file."""

    class Role(models.TextChoices):
        """What a photo is for."""

        PRODUCT = "product", _("product")
        DETAIL = "detail", _("detail")
        CHART = "chart", _("chart")
        PLACEHOLDER = "placeholder", _("placeholder")
        IGNORED = "ignored", _("ignored")

    class RoleSource(models.TextChoices):
        """Where the role comes from."""

        PENDING = "", _("not looked at yet")
        FOUND = "found", _("found")
        CHOSEN = "chosen", _("chosen by hand")

    class Finding(models.TextChoices):
        """What makes the photo useless for recommendations; the same as `pictures.photos.Finding`."""

        NONE = "", _("none")
        BLANK = photos.Finding.BLANK.value, _("one colour only")
        TINY = photos.Finding.TINY.value, _("too small")

    # Of photos that are embedded, asked and found.
    COMPARED = (Role.PRODUCT, Role.DETAIL)
    # Of pictures that stand for no product of their own.
    SHARED = (Role.CHART, Role.PLACEHOLDER)
    ROLES_OF_FINDINGS: Mapping[str, Role] = {Finding.BLANK: Role.PLACEHOLDER, Finding.TINY: Role.IGNORED}

    product = models.ForeignKey(Product, verbose_name=_("product"), on_delete=models.CASCADE, related_name="images")
    file = models.ImageField(
        _("file"), upload_to=photo_path, width_field="width", height_field="height", max_length=200
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, editable=False, db_index=True)
    width = models.PositiveIntegerField(_("width"), editable=False)
    height = models.PositiveIntegerField(_("height"), editable=False)
    alt = models.CharField(_("alternative text"), max_length=300, blank=True)
    source_sha256 = models.CharField(
        _("SHA-256 of the source"),
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("Of the file as it came, by which the next import recognises it."),
    )
    finding = models.CharField(
        _("finding"),
        max_length=12,
        choices=Finding.choices,
        blank=True,
        editable=False,
        help_text=_("What makes the photo useless for recommendations."),
    )
    file_missing = models.BooleanField(
        _("file missing"),
        default=False,
        editable=False,
        help_text=_("The file was not in the media storage when it was last looked for."),
    )
    perceptual_hash = models.BigIntegerField(
        _("perceptual hash"),
        null=True,
        editable=False,
        help_text=_("Perceptual hash of the photo; empty until computed."),
    )
    role = models.CharField(
        _("role"),
        max_length=12,
        choices=Role.choices,
        default=Role.PRODUCT,
        help_text=_("Only photos of the product and of its details are compared with others."),
    )
    role_source = models.CharField(
        _("source of the role"), max_length=6, choices=RoleSource.choices, blank=True, editable=False
    )
    from_merged_product = models.BooleanField(
        _("from a merged product"),
        default=False,
        editable=False,
        help_text=_("From a merged product; imports do not remove it."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = ProductImageQuerySet.as_manager()

    class Meta:
        verbose_name = _("product image")
        verbose_name_plural = _("product images")
        ordering = ("position", "id")
        indexes = [
            models.Index(fields=("product", "position"), name="image_by_product"),
            models.Index(fields=("perceptual_hash",), name="image_by_perceptual_hash"),
            models.Index(fields=("id",), name="image_role_pending", condition=models.Q(role_source="")),
            models.Index(
                fields=("perceptual_hash",),
                name="image_not_compared",
                condition=models.Q(role__in=("chart", "placeholder")),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=("product", "sha256"), name="image_once_per_product"),
            models.CheckConstraint(condition=models.Q(sha256__length=64), name="image_sha256_whole"),
            models.CheckConstraint(condition=models.Q(width__gt=0, height__gt=0), name="image_has_area"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}/{self.position}"


class FetchedPhoto(models.Model):
    """ETag and Last-Modified of a photo behind a link, so that the next import fetches it only if it changed."""

    link_sha256 = models.CharField(_("SHA-256 of the link"), max_length=64, primary_key=True)
    resource_sha256 = models.CharField(_("SHA-256 of the final URL"), max_length=64)
    etag = models.CharField(_("ETag"), max_length=200, blank=True)
    last_modified = models.CharField(_("Last-Modified"), max_length=200, blank=True)
    sha256 = models.CharField(_("SHA-256 of the photo"), max_length=64)
    fetched_at = models.DateTimeField(_("fetched"), auto_now=True)

    class Meta:
        verbose_name = _("fetched photo")
        verbose_name_plural = _("fetched photos")

    def __str__(self) -> str:
        return self.link_sha256


class UnusedFile(models.Model):
    """A photo's file that no row needed any more; `catalog.unused_files` deletes it later, if that is still so."""

    name = models.CharField(_("file"), max_length=200, primary_key=True)
    unused_since = models.DateTimeField(_("unused since"), db_index=True)

    class Meta:
        verbose_name = _("unused file")
        verbose_name_plural = _("unused files")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
