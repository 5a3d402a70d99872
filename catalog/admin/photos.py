"""Photos in the admin: thumbnails, the field for several files, the photos of a product, and adding new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, cast

from django import forms
from django.contrib import admin, messages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline

from accounts.admin.display import Badge, badges
from catalog import services
from catalog.models import Product, ProductImage
from catalog.photos import ImageRejected, read_photo
from catalog.thumbnails import thumbnail_url


def thumbnail(image: ProductImage | None) -> SafeString:
    """HTML of a small picture for a table cell. image: None for an empty cell."""
    if image is None:
        return format_html('<span class="admin-thumbnail">{}</span>', "")
    return format_html(
        '<img class="admin-thumbnail" src="{}" width="40" height="40" loading="lazy" alt="">',
        thumbnail_url(str(image.file.name), 96),
    )


def photo_remarks(image: ProductImage, *, products: int) -> list[Badge]:
    """What is to be known of a photo.

    Args:
        image: the photo.
        products: number of products that have it.

    Returns:
        Its finding, how many products share it, and whether its file is missing; nothing for a usual photo.
    """
    remarks = [
        Badge(image.get_finding_display() if image.finding else "", "warning"),
        Badge(ngettext("in %d product", "in %d products", products) % products if products > 1 else "", "info"),
        Badge(str(_("file missing")) if image.file_missing else "", "danger"),
    ]
    return [remark for remark in remarks if remark.text]


class PhotosInput(forms.FileInput):
    """A file input for several files, chosen or dropped."""

    allow_multiple_selected = True
    template_name = "admin/catalog/photos_input.html"


class PhotosField(forms.FileField):
    """Any number of files. Each is validated when it is attached, so that a bad file does not reject the others."""

    widget = PhotosInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:  # noqa: ARG002
        """The uploaded files."""
        return list(data or ())

    def has_changed(self, initial: Any, data: Any) -> bool:  # noqa: ARG002
        """Whether there is any file."""
        return bool(data)


class ProductImageInline(TabularInline):
    """The photos of a product. Users who may change the product may change them."""

    model = ProductImage
    extra = 0
    ordering_field = "position"
    hide_title = True
    verbose_name_plural = _("photos")
    fields: Sequence[str] = ("preview", "position", "alt", "size", "remarks")
    readonly_fields: Sequence[str] = ("preview", "size", "remarks")

    @admin.display(description=_("photo"))
    def preview(self, image: ProductImage) -> SafeString:
        """A thumbnail that links to the full photo."""
        return format_html(
            '<a href="{}" target="_blank" rel="noopener" aria-label="{}">{}</a>',
            image.file.url,
            _("Open the full photo"),
            thumbnail(image),
        )

    @admin.display(description=_("size"))
    def size(self, image: ProductImage) -> str:
        """Width and height in pixels."""
        return f"{image.width} × {image.height}"  # noqa: RUF001

    @admin.display(description=_("remarks"))
    def remarks(self, image: ProductImage) -> SafeString:
        """What makes the photo useless or ambiguous, and whether its file is missing."""
        return badges(photo_remarks(image, products=getattr(image, "products_with_it", 1)))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProductImage]:
        """The photos, each with the number of products that have it."""
        queryset: QuerySet[ProductImage] = super().get_queryset(request)
        same = ProductImage.objects.filter(sha256=OuterRef("sha256")).order_by().values("sha256")
        counted = same.annotate(products=Count("product", distinct=True)).values("products")
        return queryset.annotate(products_with_it=Subquery(counted))

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field, with its column's name for screen readers."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.widget.attrs["aria-label"] = field.label
        return field

    def has_add_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        """Photos are added with the field for several files."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("catalog.view_product") or request.user.has_perm("catalog.change_product")

    def has_change_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("catalog.change_product")

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("catalog.change_product")


def attach_uploads(request: HttpRequest, product: Product, uploads: Sequence[UploadedFile[bytes]]) -> bool:
    """Attach uploaded files to a product, one in memory at a time, with a message for each.

    Args:
        request: gets the messages.
        product: gets the photos.
        uploads: the files.

    Returns:
        Whether all files are usable photos.
    """
    attached, all_usable = 0, True
    for upload in uploads:
        try:
            photo = read_photo(cast("BinaryIO", upload))
        except ImageRejected as error:
            all_usable = False
            messages.error(request, _("%(file)s was not added: %(reason)s.") % {"file": upload.name, "reason": error})
            continue
        _image, is_new = services.attach_image(product, photo)
        attached += is_new
        if not is_new:
            messages.info(request, _("%(file)s is already one of the product's photos.") % {"file": upload.name})
    if attached:
        messages.success(request, ngettext("%d photo was added.", "%d photos were added.", attached) % attached)
    return all_usable
