"""The form of a product, with the photos to add to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from catalog.admin.photos import ChosenPhoto, PhotosField, PhotosInput
from catalog.admin.suggestions import VIEW as SUGGESTIONS_VIEW
from catalog.models import Product
from catalog.money import plain_price, smallest_unit
from jobs.facts import worded
from jobs.storage import StorageUnavailable
from pictures.photos import SUFFIXES

if TYPE_CHECKING:
    _ProductModelForm = forms.ModelForm[Product]
else:
    _ProductModelForm = forms.ModelForm

# Visible lines of text fields.
_ROWS = {"description": 5, "tags": 2, "attributes": 3}


class _JsonInput(UnfoldAdminTextareaWidget):
    """A text field with JSON, which product-form.js replaces. `texts`: what it says there."""

    texts: dict[str, Promise]
    mark: str

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["widget"]["attrs"] |= {
            self.mark: "",
            "data-suggest-url": reverse(f"admin:{SUGGESTIONS_VIEW}"),
            **{f"data-{key}": text for key, text in self.texts.items()},
        }
        return context


class TagsInput(_JsonInput):
    """Tags as chips."""

    mark = "data-chips"
    texts = {
        "hint": _("Enter or a comma adds a tag. A tag with a comma is put in quotes."),
        "remove": _("Remove the tag %s"),
        "added": _("Added: %s"),
        "removed": _("Removed: %s"),
        "present": _("Already there: %s"),
    }


class AttributesInput(_JsonInput):
    """Attributes as rows of name and value."""

    mark = "data-attributes"
    texts = {
        "add": _("Add an attribute"),
        "name": _("Name of the attribute"),
        "value": _("Value of %s"),
        "remove": _("Remove the attribute %s"),
        "unnamed": _("Enter the name of this attribute."),
        "twice": _("This name is used twice: change or remove one of them."),
    }

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        rows = _attribute_rows(value)
        if rows is not None:
            context["widget"]["attrs"]["data-rows"] = json.dumps(rows, ensure_ascii=False)
        return context


def _attribute_rows(text: str | None) -> list[tuple[str, str, bool]] | None:
    """Names, values in JSON, and whether a value is a text; None for a text that is not a mapping."""
    try:
        attributes = json.loads(text or "{}")
    except ValueError:
        return None
    if attributes is None:
        return []
    if not isinstance(attributes, dict):
        return None
    return [(name, json.dumps(value, ensure_ascii=False), isinstance(value, str)) for name, value in attributes.items()]


class ProductForm(_ProductModelForm):
    """A product, and photos to add to it.

    Attributes:
        storage_failure: error while the request's files were stored.
        user_id: of the user who edits it.
    """

    class Meta:
        widgets = {"tags": TagsInput, "attributes": AttributesInput}

    storage_failure: StorageUnavailable | None = None
    user_id: int | None = None

    new_photos = PhotosField(
        label=_("Photos to add"),
        required=False,
        widget=PhotosInput(attrs={"accept": ",".join(sorted(SUFFIXES)), "class": "admin-photos-input"}),
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
        if isinstance(photos := self.fields.get("new_photos"), PhotosField):
            photos.user_id = self.user_id
        currency = self.initial.get("currency", "")
        for name in ("price", "list_price"):
            if name in self.fields:
                self.fields[name].widget.attrs["step"] = str(smallest_unit(currency))
                if (price := self.initial.get(name)) is not None:
                    self.initial[name] = plain_price(price, currency)

    def sent_photos(self) -> list[ChosenPhoto]:
        """The photos that were sent, also with a form that has mistakes."""
        field = self.fields.get("new_photos")
        if not isinstance(field, PhotosField):
            return []
        return field.chosen(self["new_photos"].data)

    def show_kept(self, photos: Sequence[ChosenPhoto]) -> None:
        """Show photos that are kept until the form is sent again."""
        cast("PhotosInput", self.fields["new_photos"].widget).kept = photos

    def clean(self) -> dict[str, Any] | None:
        """Report files that could not be stored."""
        cleaned = super().clean()
        if self.storage_failure is not None:
            self.add_error("new_photos" if "new_photos" in self.fields else None, worded(str(self.storage_failure)))
        return cleaned

    def clean_tags(self) -> list[str]:
        """An empty field means no tags."""
        tags = self.cleaned_data["tags"]
        return [] if tags is None else tags

    def clean_attributes(self) -> dict[str, Any]:
        """An empty field means no attributes."""
        attributes = self.cleaned_data["attributes"]
        return {} if attributes is None else attributes
