"""Imports in the admin: a file is uploaded, a dry run shows the result, and then it is imported."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from accounts.admin.display import table
from catalog.errors import DryRunFileExpired, NoRejectedRows
from catalog.importers.csv_file import ENCODINGS
from catalog.importers.mapping import FIELDS
from catalog.importers.rows import InvalidSource
from catalog.importers.run import SOURCE_CHARACTERS, ImportOptions
from catalog.importers.submission import (
    can_import_dry_run,
    rejected_file,
    rejected_path,
    submit_dry_run_import,
    submit_import,
)
from catalog.models import Product
from jobs.admin import job_url, labelled_rows, visible_job
from jobs.errors import JobInProgress
from jobs.models import Job
from jobs.storage import StorageUnavailable, database_storage_errors
from jobs.temporary_uploads import get_storage_error

logger = logging.getLogger(__name__)

# Who may add and change products may import them, and see and cancel imports.
IMPORT_PERMISSIONS = ("catalog.add_product", "catalog.change_product")

_FORMATS = (
    ("", _("detected")),
    ("csv", _("table (CSV)")),
    ("merchant", _("Google Merchant feed (XML or tabs)")),
    ("shopify", _("Shopify export (CSV)")),
    ("jsonl", _("a JSON object a line")),
    ("folder", _("folders of photos, in a zip")),
)


class FileInput(forms.FileInput):
    """A file, chosen or dropped."""

    template_name = "admin/catalog/photos_input.html"


class ImportForm(forms.Form):
    """A catalogue and the options of its import. `storage_failure`: why the file could not be stored."""

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
        help_text=_("For example “spring collection”. The imported products are attributed to this source."),
    )
    deactivate_missing = forms.BooleanField(
        label=_("Withdraw products of this source that the file does not have"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("They are no longer shown or recommended, until a file contains them again."),
    )
    fetch = forms.BooleanField(
        label=_("Download photos from links"), required=False, initial=True, widget=UnfoldBooleanWidget
    )
    map = forms.CharField(
        label=_("Column mapping"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "placeholder": "sku = ArtNo\ntitle = Name"}),
        help_text=_(
            "One mapping per line: field = column. By default a field uses the column of the same name. Fields:"
        )
        + f" {', '.join(FIELDS)}, attribute.NAME",
    )
    set = forms.CharField(
        label=_("Constants"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "currency = CHF"}),
        help_text=_("One per line: field = text. {column} is replaced by the row\u2019s value."),
    )
    encoding = forms.ChoiceField(
        label=_("Encoding of the table"),
        choices=(("", "utf-8"), *((name, name) for name in ENCODINGS if name != "utf-8")),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    delimiter = forms.ChoiceField(
        label=_("Delimiter of the table"),
        choices=(("", _("detected from the first line")), (",", ","), (";", ";"), ("|", "|"), ("tab", _("tab"))),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    decimal = forms.ChoiceField(
        label=_("Decimal separator of prices"),
        choices=(("", _("detected per price")), (".", "."), (",", ",")),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    always_shown = ("file", "format", "source", "deactivate_missing", "fetch")

    def basic(self) -> list[forms.BoundField]:
        """The fields that are always shown."""
        return [self[name] for name in self.always_shown]

    def advanced(self) -> list[forms.BoundField]:
        """The fields for tables with other column names."""
        return [self[name] for name in self.fields if name not in self.always_shown]

    def advanced_used(self) -> bool:
        """Whether any of those has a value or an error."""
        return any(field.errors or field.value() for field in self.advanced())

    def clean(self) -> dict[str, Any]:
        """Reject options that exclude each other, and a file that could not be stored."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.storage_failure is not None:
            # That it is missing is not the user's fault.
            self.errors.pop("file", None)
            self.add_error("file", str(self.storage_failure))
        if cleaned.get("deactivate_missing") and not cleaned.get("source"):
            self.add_error("source", _("Name the source: only the products of that source are withdrawn."))
        return cleaned

    def options(self) -> ImportOptions:
        """The options of a dry run. Raises InvalidSource."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "file"}
        lines = {name: tuple(line for line in values[name].splitlines() if line.strip()) for name in ("map", "set")}
        return ImportOptions(**{**values, **lines, "dry_run": True})


class ImportCatalogueMixin(ModelAdmin):
    """For the admin of products: a page that takes a catalogue, and what can be done after a dry run."""

    actions_list: Sequence[str] = ("import_catalogue",)

    def has_import_permission(self, request: HttpRequest) -> bool:
        """Who may import."""
        return request.user.has_perms(IMPORT_PERMISSIONS)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"import/<uuid:job_id>/{name}/", self.admin_site.admin_view(view), name=f"catalog_import_{name}")
            for name, view in (("run", self.import_dry_run_view), ("rejected", self.rejected_rows_view))
        ]
        urls: list[URLPattern] = super().get_urls()
        return [*own, *urls]

    @action(description=_("Import"), icon="upload_file", url_path="import", permissions=["import"])  # type: ignore[untyped-decorator]
    def import_catalogue(self, request: HttpRequest) -> HttpResponse:
        """The page that takes a file; the dry run is a job, whose page shows what would be imported."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
        form.storage_failure = get_storage_error(request)
        if request.method == "POST" and form.is_valid():
            job = _submit(form)
            if job is not None:
                self.log_addition(request, job, [{"added": {}}])
                return redirect(job_url(job))
        if form.storage_failure is not None:
            logger.error("%s: %s", request.path, form.storage_failure)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Import products"),
            "form": form,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/catalog/import.html", context)

    @method_decorator(require_POST)
    def import_dry_run_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """Import the file of a dry run, and show the progress."""
        job = visible_job(request, job_id)
        if not self.has_import_permission(request):
            raise PermissionDenied
        try:
            job = submit_dry_run_import(job.pk)
        except (DryRunFileExpired, JobInProgress) as error:
            messages.error(request, str(error))
        else:
            self.log_addition(request, job, [{"added": {}}])
        return redirect(job_url(job))

    @method_decorator(require_safe)
    def rejected_rows_view(self, request: HttpRequest, job_id: UUID) -> StreamingHttpResponse:
        """The rejected rows of an import, as a table to correct."""
        try:
            file_of_rows = rejected_file(visible_job(request, job_id))
        except NoRejectedRows as error:
            raise Http404(str(error)) from error

        def content() -> Iterator[bytes]:
            # Without this mark a spreadsheet on Windows takes the file for one in another encoding.
            yield codecs.BOM_UTF8
            with file_of_rows.open("rb") as file:
                while chunk := file.read(64 * 1024):
                    yield chunk

        disposition = f'attachment; filename="rejected-{job_id}.csv"'
        return StreamingHttpResponse(
            content(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
        )


def _submit(form: ImportForm) -> Job | None:
    """The job; None where there is none, and then the form says why."""
    file = form.cleaned_data["file"]
    try:
        with database_storage_errors():
            return submit_import(cast("BinaryIO", file), form.options(), file_name=file.name)
    except StorageUnavailable as error:
        form.storage_failure = error
        form.add_error("file", str(error))
        return None
    except (InvalidSource, JobInProgress) as error:
        form.add_error("file" if isinstance(error, InvalidSource) else None, str(error))
        return None


# Of a result: counts that are always shown, and those that are shown where they are not zero.
_MAIN_COUNTS = {
    "created": _("products created"),
    "updated": _("products updated"),
    "unchanged": _("products unchanged"),
    "rejected": _("rows rejected"),
}
_OTHER_COUNTS = {
    "photos_added": _("photos added"),
    "photos_unchanged": _("photos unchanged"),
    "photos_removed": _("photos removed"),
    "photos_rejected": _("photos rejected"),
    "photos_left_out": _("photos skipped"),
    "withdrawn": _("products withdrawn"),
    "not_withdrawn": _("nothing was withdrawn"),
}


def result_tables(job: Job) -> Sequence[tuple[str, SafeString]]:
    """What the page of an import shows.

    Args:
        job: an import that has succeeded.

    Returns:
        Headings and tables: the counts, and the first problems.
    """
    result: Mapping[str, Any] = job.result or {}
    names = [*_MAIN_COUNTS, *(name for name in _OTHER_COUNTS if result[name])]
    counts = table((), labelled_rows(result, names, {**_MAIN_COUNTS, **_OTHER_COUNTS}))
    tables = [(gettext("Would be imported") if result["dry_run"] else gettext("Imported"), counts)]
    if result["problems"]:
        shown = [(str(each["line"]), each["sku"], each["photo"], each["reason"]) for each in result["problems"]]
        headers = (gettext("Line"), gettext("SKU"), gettext("Photo"), gettext("Reason"))
        total = result["rejected"] + result["photos_rejected"]
        heading = ngettext("%(all)d problem", "%(all)d problems", total)
        if len(shown) < total:
            heading = gettext("The first %(shown)d problems of %(all)d")
        tables.append((heading % {"shown": len(shown), "all": total}, table(headers, shown)))
    return tables


def page_context(request: HttpRequest, job: Job) -> dict[str, Any]:
    """What can be done with an import that has succeeded, for `admin/catalog/import_result.html`.

    Args:
        request: of whoever looks at its page.
        job: the import.

    Returns:
        `rejected_url`, `import_url` and `products_url`, "" where there is nothing to download, to import or to see; `rows`
        that would be imported.
    """
    result: Mapping[str, Any] = job.result or {}
    has_rejected = result["rejected_file"] and rejected_path(job).is_file()
    can_import = can_import_dry_run(job) and request.user.has_perms(IMPORT_PERMISSIONS)
    rows = result["rows"] - result["rejected"] if can_import else 0
    has_products = not result["dry_run"] and request.user.has_perm("catalog.view_product")
    products_url = f"{reverse('admin:catalog_product_changelist')}?import_id={job.pk}"
    return {
        "products_url": products_url if has_products and Product.objects.filter(import_id=job.pk).exists() else "",
        "rejected_url": reverse("admin:catalog_import_rejected", args=[job.pk]) if has_rejected else "",
        "import_url": reverse("admin:catalog_import_run", args=[job.pk]) if rows else "",
        "rows": rows,
        "formatted_rows": f"{rows:,}",
    }
