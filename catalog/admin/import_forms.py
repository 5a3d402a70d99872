"""The forms of an import: the file, and how it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from catalog.importers.preview import CataloguePreview, ColumnPreview
from catalog.importers.run import SOURCE_CHARACTERS, ImportOptions
from catalog.models import ImportMapping
from jobs.facts import worded
from jobs.storage import StorageUnavailable
from product_files.containers.encodings import ENCODINGS
from product_files.json_files.api_products import API_SYSTEMS
from product_files.mapping import ATTRIBUTE_PREFIX, FIELDS, MULTI_COLUMN_FIELDS, required_fields
from product_files.product_data import DEFAULT_CURRENCY
from product_files.tables.shipped_mappings import shipped_mappings
from product_files.values.row_prices import SALE_PRICE
from product_files.xml_files.comparison_feed import COMPARISON_SITES
from product_files.xml_files.salesforce_updates import FORMAT as SALESFORCE_UPDATES

# Whose columns are mapped one by one; the columns of other formats are known.
MAPPED_FORMATS = frozenset({"csv", "jsonl", "xml"})

FORMAT_LABELS: Mapping[str, Promise | str] = {
    "csv": _("table (CSV)"),
    "merchant": _("Google Merchant feed (XML or a table)"),
    "shopify": _("export of Shopify (CSV)"),
    "shopify_json": _("products of Shopify (JSON)"),
    "woocommerce": _("export of WooCommerce (CSV)"),
    "magento": _("export of Magento or Adobe Commerce (CSV)"),
    "magento_1": format_lazy(_("export of {system} (CSV)"), system="Magento 1"),
    "idosell": format_lazy(_("export of {system} (CSV)"), system="IdoSell"),
    **{slug: format_lazy(_("export of {system} (CSV)"), system=each.name) for slug, each in shipped_mappings().items()},
    "marqo": _("documents of Marqo (JSON)"),
    **{slug: format_lazy(_("products of {system} (JSON)"), system=each.name) for slug, each in API_SYSTEMS.items()},
    "vision": _("bulk import of Google Product Search (CSV)"),
    **{slug: format_lazy(_("feed for {site} (XML)"), site=each.name) for slug, each in COMPARISON_SITES.items()},
    "commerceml": _("catalogue of 1C (CommerceML)"),
    "bmecat": _("catalogue of a supplier (BMEcat)"),
    "gdsn": format_lazy(_("feed for {site} (XML)"), site="GS1 (GDSN 3)"),
    "onix": _("books (ONIX 3, XML)"),
    "salesforce": _("catalogue of Salesforce Commerce Cloud (XML)"),
    SALESFORCE_UPDATES: _("prices or stocks of Salesforce Commerce Cloud (XML)"),
    "iof": _("offer of IdoSell (IOF, XML)"),
    "xml": _("XML with an element for each product"),
    "jsonl": _("JSON: a list of objects, or one a line"),
    "folder": _("folders of photos, in a zip"),
}
FIELD_LABELS: Mapping[str, Promise] = {
    "sku": _("SKU (article number)"),
    "title": _("title"),
    "description": _("description"),
    "category": _("category"),
    "brand": _("brand"),
    "price": _("price"),
    "list_price": _("list price (before a reduction)"),
    SALE_PRICE: _("price of a sale (where it is lower)"),
    "currency": _("currency"),
    "available": _("available (stock)"),
    "active": _("active (shown in the shop)"),
    "tags": _("tags"),
    "family": _("family (variants of one product)"),
    "image": _("photos"),
}
_ATTRIBUTE = "attribute"


class FileInput(forms.FileInput):
    """A file, chosen or dropped."""

    template_name = "admin/catalog/photos_input.html"


class ColumnSelect(UnfoldAdminSelectWidget):
    """What a column becomes. A file may have hundreds of columns: a template for each option would take most of the page's time."""

    template_name = "admin/catalog/column_select.html"


class UploadForm(forms.Form):
    """The file. `storage_failure`: why it could not be stored."""

    storage_failure: StorageUnavailable | None = None

    file = forms.FileField(
        label=_("File"),
        widget=FileInput(attrs={"class": "admin-photos-input"}),
        help_text=_(
            "Choose it or drop it here: the export of a shop's system, a table, a product feed, JSON, or a zip of one of these"
            " with its photos."
        ),
    )

    def clean(self) -> dict[str, Any]:
        """Say that a file could not be stored, rather than that it is missing."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.storage_failure is not None:
            self.errors.pop("file", None)
            self.add_error("file", worded(str(self.storage_failure)))
        return cleaned


_UPDATE_ONLY = _("Only change products that there are")
# Options of an import that have a field of the same name, beside those of reading the file.
_OWN_OPTIONS = ("source", "deactivate_missing", "withdraw_many", "update_only", "fetch")


class DraftForm(forms.Form):
    """How a file is read: its columns, its format, and what becomes of products that it does not have."""

    source = forms.CharField(
        label=_("Name of the source"),
        max_length=SOURCE_CHARACTERS,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("For example “spring collection”. The imported products are attributed to this source."),
    )
    deactivate_missing = forms.BooleanField(
        label=_("Withdraw products of this source that the file does not have"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("They are no longer shown or recommended, until a file contains them again."),
    )
    withdraw_many = forms.BooleanField(
        label=_("Withdraw them even if they are most of the source"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("Otherwise nothing is withdrawn where a file has lost so many products that it may be cut short."),
    )
    update_only = forms.BooleanField(
        label=_UPDATE_ONLY,
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("For files of prices and stocks: no title is needed, and rows of other SKUs are left out."),
    )
    fetch = forms.BooleanField(label=_("Download photos from links"), required=False, widget=UnfoldBooleanWidget)
    currency = forms.RegexField(
        r"^[A-Za-z]{3}$",
        label=_("Currency of prices that name none"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": DEFAULT_CURRENCY, "maxlength": 3}),
        error_messages={"invalid": _("Three letters, as in EUR.")},
    )
    format = forms.ChoiceField(
        label=_("Read the file as"),
        choices=(("", _("what it looks like")), *FORMAT_LABELS.items()),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    encoding = forms.ChoiceField(
        label=_("Encoding"),
        choices=(("", _("as detected")), *((name, name) for name in ENCODINGS)),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    delimiter = forms.ChoiceField(
        label=_("Delimiter"),
        choices=(("", _("as detected")), (",", ","), (";", ";"), ("|", "|"), ("tab", _("tab"))),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    decimal = forms.ChoiceField(
        label=_("Decimal sign of prices"),
        choices=(("", _("as detected")), (".", "."), (",", ",")),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    category_separator = forms.CharField(
        label=_("Between the levels of a category"),
        max_length=10,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("as detected")}),
    )
    image_separator = forms.CharField(
        label=_("Between photos in one cell"),
        max_length=10,
        required=False,
        strip=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("as detected")}),
    )
    item = forms.CharField(
        label=_("Of XML: the element that is a product"),
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("as detected")}),
    )
    table = forms.CharField(
        label=_("Of a zip with several tables: the one to import"),
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "products.csv"}),
    )
    set = forms.CharField(
        label=_("Fixed values"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "brand = Harbour"}),
        help_text=_("One a line: field = text. {column} in the text is replaced by the row\u2019s value. Fields:")
        + f" {', '.join(FIELDS)}, attribute.NAME",
    )
    save_as = forms.CharField(
        label=_("Keep this mapping as"),
        max_length=80,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("A name, under which it is offered for files with the same columns."),
    )

    basic_fields = ("source", "deactivate_missing", "withdraw_many", "update_only", "fetch", "currency")
    reading_fields = (
        *(
            "format",
            "encoding",
            "delimiter",
            "decimal",
            "category_separator",
            "image_separator",
            "item",
            "table",
            "set",
        ),
    )

    def __init__(self, *args: Any, preview: CataloguePreview | None = None, **kwargs: Any) -> None:
        """A form with a choice for each column.

        Args:
            *args: as for a Form.
            preview: of the file; None where it cannot be read with its present options.
            **kwargs: as for a Form.
        """
        super().__init__(*args, **kwargs)
        mapped = preview is not None and preview.format in MAPPED_FORMATS
        self.columns = list(preview.columns) if preview is not None and mapped else []
        for number, column in enumerate(self.columns):
            self.fields[f"column_{number}"] = forms.ChoiceField(
                label=column.name, choices=_field_choices(column), required=False, widget=ColumnSelect
            )
            self.initial.setdefault(f"column_{number}", _ATTRIBUTE if _has_its_name(column) else column.field)

    def basic(self) -> list[forms.BoundField]:
        """What is asked of every file."""
        return [self[name] for name in self.basic_fields]

    def reading(self) -> list[forms.BoundField]:
        """How the file is read."""
        return [self[name] for name in self.reading_fields]

    def reading_used(self) -> bool:
        """Whether any of those has a value or an error."""
        return any(field.errors or field.value() for field in self.reading())

    def column_choices(self) -> list[tuple[Any, forms.BoundField]]:
        """Each column with its choice."""
        return [(column, self[f"column_{number}"]) for number, column in enumerate(self.columns)]

    def clean(self) -> dict[str, Any]:
        """Refuse options that exclude each other, and two columns for a field that takes one."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("deactivate_missing") and not cleaned.get("source"):
            self.add_error("source", _("Name the source: only the products of that source are withdrawn."))
        chosen = Counter(cleaned.get(f"column_{number}") for number in range(len(self.columns)))
        for number in range(len(self.columns)):
            name = cleaned.get(f"column_{number}")
            if name and name != _ATTRIBUTE and name not in MULTI_COLUMN_FIELDS and chosen[name] > 1:
                self.add_error(
                    f"column_{number}", gettext("%s takes one column: choose it only once.") % FIELD_LABELS[name]
                )
        for name in required_fields(update_only=bool(cleaned.get("update_only"))) if self.columns else ():
            if not chosen[name] and name not in self._fixed_fields(cleaned):
                self.add_error(None, choose_column(name))
        if cleaned.get("save_as") and ImportMapping.objects.filter(name=cleaned["save_as"]).exists():
            self.add_error("save_as", _("There is a mapping of this name: choose another."))
        return cleaned

    def options(self) -> ImportOptions:
        """The options, of a dry run.

        Returns:
            The options.

        Raises:
            InvalidSource: they contradict each other.
        """
        return replace(options_of(self.cleaned_data, automatic=not self.columns), map=self._map(), dry_run=True)

    def _fixed_fields(self, cleaned: Mapping[str, Any]) -> Collection[str]:
        return {line.partition("=")[0].strip() for line in (cleaned.get("set") or "").splitlines()}

    def _map(self) -> tuple[str, ...]:
        pairs = []
        for number, column in enumerate(self.columns):
            name = self.cleaned_data[f"column_{number}"]
            if name == _ATTRIBUTE:
                name = f"{ATTRIBUTE_PREFIX}{column.name.removeprefix(ATTRIBUTE_PREFIX).replace('=', ' ')}"
            if name:
                pairs.append(f"{name}={column.name}")
        return tuple(pairs)


def options_of(cleaned: Mapping[str, Any], *, automatic: bool) -> ImportOptions:
    """The options in a form, without the columns.

    Args:
        cleaned: values of the fields of DraftForm.
        automatic: as in ImportOptions.

    Returns:
        The options.

    Raises:
        InvalidSource: they contradict each other.
    """
    names = (*_OWN_OPTIONS, *DraftForm.reading_fields)
    values: dict[str, Any] = {name: cleaned[name] for name in names if name != "set"}
    constants = [line.strip() for line in cleaned["set"].splitlines() if line.strip()]
    if cleaned["currency"]:
        constants.append(f"currency={cleaned['currency'].upper()}")
    return ImportOptions(**values, set=tuple(constants), automatic=automatic)


def initial_values(options: ImportOptions) -> dict[str, Any]:
    """What the form shows of options.

    Args:
        options: of a draft.

    Returns:
        Values by field, without those of the columns, which the preview has.
    """
    names = (*_OWN_OPTIONS, *DraftForm.reading_fields)
    values: dict[str, Any] = {name: getattr(options, name) for name in names if name != "set"}
    constants = [(pair.partition("=")[0].strip(), pair) for pair in options.set]
    currency = [pair.partition("=")[2].strip() for name, pair in constants if name == "currency"]
    values["currency"] = currency[-1] if currency else ""
    values["set"] = "\n".join(pair for name, pair in constants if name != "currency")
    return values


def choose_column(name: str) -> str:
    """What to do about a required field that no column becomes."""
    if name not in required_fields(update_only=True):
        texts = {"field": FIELD_LABELS[name], "option": _UPDATE_ONLY}
        return gettext("Choose the column that becomes: %(field)s, or tick “%(option)s”.") % texts
    return gettext("Choose the column that becomes: %s.") % FIELD_LABELS[name]


def column_key(columns: Sequence[str]) -> str:
    """What files with the same columns have in common, for ImportMapping.columns."""
    return "\n".join(sorted(column.casefold() for column in columns))


def _field_choices(column: ColumnPreview) -> list[tuple[str, Any]]:
    choices: list[tuple[str, Any]] = [
        ("", _("(not used)")),
        *FIELD_LABELS.items(),
        (_ATTRIBUTE, _("an attribute of this name")),
    ]
    if column.field.startswith(ATTRIBUTE_PREFIX) and not _has_its_name(column):
        name = column.field.removeprefix(ATTRIBUTE_PREFIX)
        choices.append((column.field, gettext("the attribute %s") % name))
    return choices


def _has_its_name(column: ColumnPreview) -> bool:
    return column.field == f"{ATTRIBUTE_PREFIX}{column.name.removeprefix(ATTRIBUTE_PREFIX)}"
