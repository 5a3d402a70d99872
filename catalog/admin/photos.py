"""Photos in the admin: thumbnails, the field for several files, the photos of a product, and adding new ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.forms.widgets import Script
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin.display import Badge, badges
from catalog import services
from catalog.kept_photos import KeptPhoto, KeptPhotoExpired, keep_photo, kept_photo
from catalog.models import Product, ProductImage
from catalog.thumbnails import thumbnail_url
from jobs.facts import worded
from pictures.photos import ImageRejected, Photo, read_photo, validate_photo

if TYPE_CHECKING:
    _PhotoModelForm = forms.ModelForm[ProductImage]
else:
    _PhotoModelForm = forms.ModelForm


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
        Its finding, whether it is compared, how many products share it, and whether its file is missing; nothing for a usual photo.
    """
    remarks = [
        Badge("" if image.role in ProductImage.COMPARED else str(_("not compared")), "info"),
        Badge(image.get_finding_display() if image.finding else "", "warning"),
        Badge(ngettext("in %d product", "in %d products", products) % products if products > 1 else "", "info"),
        Badge(str(_("file missing")) if image.file_missing else "", "danger"),
    ]
    return [remark for remark in remarks if remark.text]


@dataclass(frozen=True, slots=True)
class ChosenPhoto:
    """A photo that is to be added to a product.

    Attributes:
        file_name: as its sender calls it.
        source: the upload; None for one that was kept.
        alt: alternative text.
        position: in display order; None for the end.
        kept: if it was sent before, with a form that had a mistake.
    """

    file_name: str
    source: UploadedFile[bytes] | None
    alt: str = ""
    position: int | None = None
    kept: KeptPhoto | None = None

    def read(self) -> Photo:
        """Read and validate it. Raises ImageRejected, and for one that was kept StorageUnavailable."""
        if self.source is None:
            return validate_photo(cast("KeptPhoto", self.kept).content())
        self.source.seek(0)
        return read_photo(cast("BinaryIO", self.source))


@dataclass(frozen=True, slots=True)
class SentPhotos:
    """What the field has sent: each file and each token with its text and its position."""

    uploads: Sequence[tuple[UploadedFile[bytes], str, int | None]] = ()
    tokens: Sequence[tuple[str, str, int | None]] = ()


class PhotosInput(forms.FileInput):
    """A file input for several files, chosen or dropped, with tiles of those that were sent before.

    Attributes:
        kept: the photos that were sent before, with their texts and positions.
    """

    allow_multiple_selected = True
    template_name = "admin/catalog/product/new_photos.html"
    kept: Sequence[ChosenPhoto] = ()

    class Media:
        js = (Script("catalog/photo-tiles.js", type="module"),)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> SentPhotos:
        """The files and tokens; those that are marked for removal are left out."""
        removed = set(data.getlist(f"{name}_removed")) if hasattr(data, "getlist") else set()
        uploads = files.getlist(name) if hasattr(files, "getlist") else files.get(name, [])
        tokens = _sent(data, f"{name}_kept")
        return SentPhotos(
            [*zip(uploads, *_details(data, name, len(uploads)), strict=True)],
            [
                each
                for each in zip(tokens, *_details(data, f"{name}_kept", len(tokens)), strict=True)
                if each[0] not in removed
            ],
        )

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in files and f"{name}_kept" not in data

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["kept"] = self.kept
        return context


def _sent(data: Any, name: str) -> list[str]:
    """All values of a name in the form's data."""
    return data.getlist(name) if hasattr(data, "getlist") else list(data.get(name, []))


def _details(data: Any, name: str, number: int) -> tuple[list[str], list[int | None]]:
    """Texts and positions that were sent beside files; a page without scripts sends none."""
    texts, positions = _sent(data, f"{name}_alt"), _sent(data, f"{name}_position")
    if len(texts) != number or len(positions) != number:
        return [""] * number, [None] * number
    return texts, [int(each) if each.isdecimal() and int(each) <= _MAX_POSITION else None for each in positions]


_MAX_POSITION = 32_767


class PhotosField(forms.FileField):
    """Any number of files. Each is validated when it is attached, so that a bad file does not reject the others.

    Attributes:
        user_id: whose tokens are taken.
    """

    widget = PhotosInput
    user_id: int | None = None

    def clean(self, data: Any, initial: Any = None) -> list[ChosenPhoto]:  # noqa: ARG002
        """The chosen photos.

        Args:
            data: what the field has sent.
            initial: nothing.

        Returns:
            New ones and those that were sent before.

        Raises:
            ValidationError: one that was sent before is no longer kept.
        """
        photos = self.chosen(data)
        expired = len(data.tokens) - sum(photo.kept is not None for photo in photos) if data else 0
        if expired:
            raise ValidationError(
                ngettext(
                    "%d photo that was sent before is no longer kept: choose it again.",
                    "%d photos that were sent before are no longer kept: choose them again.",
                    expired,
                )
                % expired
            )
        return photos

    def chosen(self, data: SentPhotos | None) -> list[ChosenPhoto]:
        """The photos that are there. data: what the field has sent."""
        if not data:
            return []
        photos = []
        for token, alt, position in data.tokens:
            with suppress(KeptPhotoExpired):
                kept = kept_photo(self.user_id or 0, token)
                photos.append(ChosenPhoto(kept.file_name, None, alt[:_MAX_ALT], position, kept))
        photos += [
            ChosenPhoto(str(upload.name), upload, alt[:_MAX_ALT], position) for upload, alt, position in data.uploads
        ]
        return photos

    def has_changed(self, initial: Any, data: Any) -> bool:  # noqa: ARG002
        """Whether there is any photo."""
        return bool(data and (data.uploads or data.tokens))


_MAX_ALT = 300


class PhotoForm(_PhotoModelForm):
    """A photo of a product, with its role."""

    chosen_role = forms.ChoiceField(
        label=_("role"), required=False, widget=UnfoldAdminSelectWidget, help_text=ProductImage.role.field.help_text
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        image, field = self.instance, cast("forms.ChoiceField", self.fields["chosen_role"])
        is_chosen = image.role_source == ProductImage.RoleSource.CHOSEN
        found = _("found by itself") if is_chosen else _("found: %s") % image.get_role_display()
        field.choices = [("", found), *ProductImage.Role.choices]
        field.initial = image.role if is_chosen else ""


class ProductImageInline(TabularInline):
    """The photos of a product. Users who may change the product may change them."""

    model = ProductImage
    form = PhotoForm
    template = "admin/catalog/product/photo_tiles.html"
    in_tabs = True
    extra = 0
    verbose_name_plural = _("photos")
    fields: Sequence[str] = ("preview", "position", "alt", "chosen_role", "size", "remarks")
    readonly_fields: Sequence[str] = ("preview", "role_shown", "size", "remarks")

    def get_fields(self, request: HttpRequest, obj: Product | None = None) -> Sequence[str]:
        """The fields; to who may only view, the role as a text."""
        if self.has_change_permission(request, obj):
            return self.fields
        return ["role_shown" if name == "chosen_role" else name for name in self.fields]

    @admin.display(description=_("role"))
    def role_shown(self, image: ProductImage) -> str:
        """What the photo is for."""
        return str(image.get_role_display())

    @admin.display(description=_("photo"))
    def preview(self, image: ProductImage) -> SafeString:
        """A thumbnail that links to the full photo."""
        return format_html(
            '<a href="{}" target="_blank" rel="noopener" aria-label="{}" draggable="false">'
            '<img src="{}" alt="" loading="lazy" draggable="false"></a>',
            image.file.url,
            _("Open the full photo"),
            thumbnail_url(str(image.file.name), 320),
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

    def has_add_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        """Photos are added with the field for several files."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("catalog.view_product") or request.user.has_perm("catalog.change_product")

    def has_change_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("catalog.change_product")

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("catalog.change_product")


def attach_photos(request: HttpRequest, product: Product, photos: Sequence[ChosenPhoto]) -> bool:
    """Attach chosen photos to a product, one in memory at a time, with a message for each that is not added.

    Args:
        request: gets the messages.
        product: gets the photos.
        photos: uploads, and those that were sent before.

    Returns:
        Whether all of them are usable.
    """
    attached, all_usable = 0, True
    for chosen in photos:
        photo = _read(request, chosen)
        if photo is None:
            all_usable = False
            continue
        _image, is_new = services.attach_image(product, photo, alt=chosen.alt, position=chosen.position)
        attached += is_new
        if not is_new:
            messages.info(request, _("%(file)s is already one of the product's photos.") % {"file": chosen.file_name})
        if chosen.kept is not None:
            transaction.on_commit(chosen.kept.discard)
    if attached:
        messages.success(request, ngettext("%d photo was added.", "%d photos were added.", attached) % attached)
    return all_usable


def keep_photos(request: HttpRequest, photos: Sequence[ChosenPhoto]) -> list[ChosenPhoto]:
    """Keep chosen photos until the form is sent again, with a message for each that is not usable.

    Args:
        request: of the form.
        photos: uploads, and those that are kept already.

    Returns:
        The photos that are kept.

    Raises:
        StorageUnavailable: the disk does not take one.
    """
    kept = []
    for chosen in photos:
        if chosen.kept is not None:
            kept.append(chosen)
        elif _read(request, chosen) is not None:
            upload = cast("BinaryIO", chosen.source)
            upload.seek(0)
            photo = keep_photo(cast("int", request.user.pk), upload, chosen.file_name)
            kept.append(replace(chosen, source=None, kept=photo))
    return kept


def _read(request: HttpRequest, chosen: ChosenPhoto) -> Photo | None:
    try:
        return chosen.read()
    except ImageRejected as error:
        text = _("%(file)s was not added: %(reason)s.") % {
            "file": chosen.file_name,
            "reason": worded(str(error)),
        }
        messages.error(request, text)
        return None
