"""Catalogues from the back office: a file is sent, tried out, and then imported, without a command line."""

from __future__ import annotations

import logging
from typing import Any, BinaryIO, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from catalog.importers.csv_file import ENCODINGS
from catalog.importers.mapping import FIELDS
from catalog.importers.rows import UnusableSource
from catalog.importers.run import SOURCE_CHARACTERS, ImportOptions
from catalog.models import Product
from embeddings.admin.jobs import may_import
from embeddings.admin.photos import EmbeddedProductAdmin
from embeddings.errors import JobUnderWay
from embeddings.models import Job
from embeddings.submissions import submit_import
from jobs.spooling import storage_failure
from jobs.storage import StorageUnavailable, database_storage

logger = logging.getLogger(__name__)

_FORMATS = (
    ("", _("told from the content")),
    ("csv", _("table (CSV)")),
    ("merchant", _("Google Merchant feed (XML or tabs)")),
    ("shopify", _("Shopify export (CSV)")),
    ("jsonl", _("a JSON object a line")),
    ("folder", _("folders of photos, in a zip")),
)


class FileInput(forms.FileInput):
    """Takes a file, chosen or dropped."""

    template_name = "admin/catalog/photos_input.html"


class ImportForm(forms.Form):
    """A catalogue, and what is to be done with it. storage_failure: why what was sent could not be kept."""

    storage_failure: StorageUnavailable | None = None

    file = forms.FileField(
        label=_("File"),
        widget=FileInput(attrs={"class": "admin-photos-input"}),
        help_text=_(
            "Choose it or drop it here: a table (CSV), a product feed, a Shopify export, a file with a JSON object a line,"
            " or a zip of one of these with its photos."
        ),
    )
    format = forms.ChoiceField(label=_("Format"), choices=_FORMATS, required=False, widget=UnfoldAdminSelectWidget)
    source = forms.CharField(
        label=_("Name of the source"),
        max_length=SOURCE_CHARACTERS,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Such as “spring collection”; the products are known as those of this source."),
    )
    deactivate_missing = forms.BooleanField(
        label=_("Withdraw products of this source that the file does not have"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("They are not shown or recommended any more, and come back with a file that has them again."),
    )
    fetch = forms.BooleanField(
        label=_("Fetch photos behind links"), required=False, initial=True, widget=UnfoldBooleanWidget
    )
    map = forms.CharField(
        label=_("Columns of fields"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "placeholder": "sku = ArtNo\ntitle = Name"}),
        help_text=_(
            "A line each, field = column. A field takes the column of its own name unless one is named here. Fields:"
        )
        + f" {', '.join(FIELDS)}, attribute.NAME",
    )
    set = forms.CharField(
        label=_("Fixed texts of fields"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "currency = CHF"}),
        help_text=_("A line each, field = text. {column} in it is the row\u2019s value of that column."),
    )
    encoding = forms.ChoiceField(
        label=_("Encoding of the table"),
        choices=(("", "utf-8"), *((name, name) for name in ENCODINGS if name != "utf-8")),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    delimiter = forms.ChoiceField(
        label=_("Delimiter of the table"),
        choices=(("", _("told from the first line")), (",", ","), (";", ";"), ("|", "|"), ("tab", _("tab"))),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    decimal = forms.ChoiceField(
        label=_("Decimal mark of prices"),
        choices=(("", _("told from each price")), (".", "."), (",", ",")),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    always_shown = ("file", "format", "source", "deactivate_missing", "fetch")

    def basic(self) -> list[forms.BoundField]:
        """What everybody has to look at."""
        return [self[name] for name in self.always_shown]

    def advanced(self) -> list[forms.BoundField]:
        """For tables that call things by other names."""
        return [self[name] for name in self.fields if name not in self.always_shown]

    def advanced_used(self) -> bool:
        """Whether any of those was filled in, or is wrong."""
        return any(field.errors or field.value() for field in self.advanced())

    def clean(self) -> dict[str, Any]:
        """Refuse what does not go together, and a file that did not arrive."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.storage_failure is not None:
            # That there is none is not the sender's fault.
            self.errors.pop("file", None)
            self.add_error("file", str(self.storage_failure))
        if cleaned.get("deactivate_missing") and not cleaned.get("source"):
            self.add_error("source", _("Name the source: only the products of that source are withdrawn."))
        return cleaned

    def options(self) -> ImportOptions:
        """What was asked for, as a dry run. Raises UnusableSource."""
        told = {name: value for name, value in self.cleaned_data.items() if name != "file"}
        lines = {name: tuple(line for line in told[name].splitlines() if line.strip()) for name in ("map", "set")}
        return ImportOptions(**{**told, **lines, "dry_run": True})


class ImportingProductAdmin(EmbeddedProductAdmin):
    """Products, with a way to bring many in at once."""

    actions_list = ("import_catalogue", *EmbeddedProductAdmin.actions_list)

    def has_import_permission(self, request: HttpRequest) -> bool:
        """Who may import."""
        return may_import(request)

    @action(description=_("Import"), icon="upload_file", url_path="import", permissions=["import"])  # type: ignore[untyped-decorator]
    def import_catalogue(self, request: HttpRequest) -> HttpResponse:
        """The page that takes a file; sent, it is tried out as a job, whose page shows what would be imported."""
        if not may_import(request):
            raise PermissionDenied
        form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
        form.storage_failure = storage_failure(request)
        if request.method == "POST" and form.is_valid():
            job = _submitted(form)
            if job is not None:
                self.log_addition(request, job, [{"added": {}}])
                return redirect("admin:embeddings_job_change", job.pk)
        if form.storage_failure is not None:
            logger.error("%s: %s", request.path, form.storage_failure)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Import products"),
            "form": form,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/embeddings/import.html", context)


def _submitted(form: ImportForm) -> Job | None:
    """The job; None where there is none, and then the form says why."""
    file = form.cleaned_data["file"]
    try:
        with database_storage():
            return submit_import(cast("BinaryIO", file), form.options(), file_name=file.name)
    except StorageUnavailable as error:
        form.storage_failure = error
        form.add_error("file", str(error))
        return None
    except (UnusableSource, JobUnderWay) as error:
        form.add_error("file" if isinstance(error, UnusableSource) else None, str(error))
        return None


admin.site.unregister(Product)
admin.site.register(Product, ImportingProductAdmin)
