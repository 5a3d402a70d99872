"""The form of a product, with the photos to add to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.admin.photos import PhotosField, PhotosInput
from catalog.models import Product
from jobs.storage import StorageUnavailable

if TYPE_CHECKING:
    _ProductModelForm = forms.ModelForm[Product]
else:
    _ProductModelForm = forms.ModelForm

# Visible lines of text fields.
_ROWS = {"description": 5, "tags": 2, "attributes": 3}


class ProductForm(_ProductModelForm):
    """A product, and photos to add to it.

    Attributes:
        storage_failure: error while the request's files were stored.
    """

    storage_failure: StorageUnavailable | None = None

    new_photos = PhotosField(
        label=_("Photos to add"),
        required=False,
        widget=PhotosInput(attrs={"accept": "image/jpeg,image/png,image/webp", "class": "admin-photos-input"}),
        help_text=_(
            "JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF, several at once: choose them or drop them here."
            " Unusable files are reported; the others are added."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in _ROWS.items():
            if name in self.fields:
                self.fields[name].widget.attrs["rows"] = rows
                # Changes are detected by comparison with the row, not with a copy in the page.
                self.fields[name].show_hidden_initial = False

    def clean(self) -> dict[str, Any] | None:
        """Report files that could not be stored."""
        cleaned = super().clean()
        if self.storage_failure is not None:
            self.add_error("new_photos" if "new_photos" in self.fields else None, str(self.storage_failure))
        return cleaned

    def clean_tags(self) -> list[str]:
        """An empty field means no tags."""
        tags = self.cleaned_data["tags"]
        return [] if tags is None else tags

    def clean_attributes(self) -> dict[str, Any]:
        """An empty field means no attributes."""
        attributes = self.cleaned_data["attributes"]
        return {} if attributes is None else attributes
