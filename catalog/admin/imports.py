"""Imports in the admin: a file is uploaded, a dry run shows the result, and then it is imported."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, BinaryIO, cast
from uuid import UUID

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
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from unfold.admin import ModelAdmin
from unfold.decorators import action

from accounts.admin.display import table
from accounts.models import User
from catalog.admin.import_draft import DraftPage, sample_photo_response
from catalog.admin.import_forms import UploadForm
from catalog.admin.import_uploads import begin_upload, continue_upload, draft_url
from catalog.errors import DryRunFileExpired, NoRejectedRows
from catalog.importers.drafts import DraftNotFound, get_draft, store_draft
from catalog.importers.scheduled_feeds import NOT_CHANGED
from catalog.importers.submission import (
    can_import_dry_run,
    has_rejected_file,
    open_rejected,
    submit_dry_run_import,
)
from catalog.models import ImportDraft, Product
from jobs.admin import job_url, labelled_rows, visible_job
from jobs.errors import JobInProgress
from jobs.facts import in_words, worded
from jobs.models import Job
from jobs.storage import StorageUnavailable, database_storage_errors
from jobs.temporary_uploads import get_storage_error
from product_files.rows import InvalidSource

logger = logging.getLogger(__name__)

# Drafts on the page that takes a file.
RECENT_DRAFTS = 5
# Who may add and change products may import them, and see and cancel imports.
IMPORT_PERMISSIONS = ("catalog.add_product", "catalog.change_product")


class ImportCatalogueMixin(ModelAdmin):
    """For the admin of products: a page that takes a catalogue, and what can be done after a dry run."""

    actions_list: Sequence[str] = ("import_catalogue",)

    def has_import_permission(self, request: HttpRequest) -> bool:
        """Who may import."""
        return request.user.has_perms(IMPORT_PERMISSIONS)

    def get_urls(self) -> list[URLPattern]:
        views = {
            "uploads/": ("uploads", self.begin_upload_view),
            "uploads/<uuid:draft_id>/": ("upload", self.continue_upload_view),
            "drafts/<uuid:draft_id>/": ("draft", self.draft_view),
            "drafts/<uuid:draft_id>/photos/<int:number>/": ("photo", self.sample_photo_view),
            "<uuid:job_id>/run/": ("run", self.import_dry_run_view),
            "<uuid:job_id>/rejected/": ("rejected", self.rejected_rows_view),
        }
        own = [
            path(f"import/{route}", self.admin_site.admin_view(view), name=f"catalog_import_{name}")
            for route, (name, view) in views.items()
        ]
        urls: list[URLPattern] = super().get_urls()
        return [*own, *urls]

    @action(description=_("Import"), icon="upload_file", url_path="import", permissions=["import"])  # type: ignore[untyped-decorator]
    def import_catalogue(self, request: HttpRequest) -> HttpResponse:
        """The page that takes a file. Without scripts the form brings it whole."""
        self._check_import_permission(request)
        form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
        form.storage_failure = get_storage_error(request)
        if request.method == "POST" and form.is_valid() and (draft := _store(request, form)) is not None:
            return redirect(draft_url(draft))
        if form.storage_failure is not None:
            logger.error("%s: %s", request.path, form.storage_failure)
        drafts = ImportDraft.objects.filter(owner=_user(request), complete=True)[:RECENT_DRAFTS]
        return self._import_page(request, "admin/catalog/import.html", {"form": form, "drafts": drafts})

    @method_decorator(require_POST)
    def begin_upload_view(self, request: HttpRequest) -> HttpResponse:
        """Begin the upload of a file in parts."""
        self._check_import_permission(request)
        return begin_upload(request)

    @method_decorator(require_http_methods(["HEAD", "PATCH"]))
    def continue_upload_view(self, request: HttpRequest, draft_id: UUID) -> HttpResponse:
        """Take a part of a file."""
        self._check_import_permission(request)
        return continue_upload(request, draft_id)

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def draft_view(self, request: HttpRequest, draft_id: UUID) -> HttpResponse:
        """The page of a file: what it has, how it is read, and its dry run."""
        self._check_import_permission(request)
        try:
            page = DraftPage(request, get_draft(draft_id, _user(request)))
        except (DraftNotFound, StorageUnavailable) as error:
            messages.error(request, worded(str(error)))
            return redirect("admin:catalog_product_import_catalogue")
        if request.method == "POST" and (job := page.submit()) is not None:
            self.log_addition(request, job, [{"added": {}}])
            return redirect(job_url(job))
        return self._import_page(request, "admin/catalog/import_draft.html", page.context())

    @method_decorator(require_safe)
    def sample_photo_view(self, request: HttpRequest, draft_id: UUID, number: int) -> HttpResponse:
        """A small version of the first photo of one of the first products."""
        self._check_import_permission(request)
        try:
            return sample_photo_response(get_draft(draft_id, _user(request)), number)
        except (DraftNotFound, StorageUnavailable) as error:
            raise Http404(str(error)) from error

    def _check_import_permission(self, request: HttpRequest) -> None:
        if not self.has_import_permission(request):
            raise PermissionDenied

    def _import_page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        request.current_app = self.admin_site.name
        every_page = {**self.admin_site.each_context(request), "title": gettext("Import products")}
        return TemplateResponse(request, template, {**every_page, **context})

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def import_dry_run_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """Import the file of a dry run, and show the progress. GET comes after a sign-in, and shows the dry run."""
        job = visible_job(request, job_id)
        if not self.has_import_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return redirect(job_url(job))
        try:
            job = submit_dry_run_import(job.pk)
        except (DryRunFileExpired, JobInProgress) as error:
            messages.error(request, worded(str(error)))
        else:
            self.log_addition(request, job, [{"added": {}}])
        return redirect(job_url(job))

    @method_decorator(require_safe)
    def rejected_rows_view(self, request: HttpRequest, job_id: UUID) -> StreamingHttpResponse:
        """The rejected rows of an import, as a table to correct."""
        try:
            file_of_rows = open_rejected(visible_job(request, job_id))
        except (NoRejectedRows, StorageUnavailable) as error:
            raise Http404(str(error)) from error

        def content() -> Iterator[bytes]:
            # Without this mark a spreadsheet on Windows takes the file for one in another encoding.
            yield codecs.BOM_UTF8
            with file_of_rows as file:
                while chunk := file.read(64 * 1024):
                    yield chunk

        disposition = f'attachment; filename="rejected-{job_id}.csv"'
        return StreamingHttpResponse(
            content(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
        )


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _store(request: HttpRequest, form: UploadForm) -> ImportDraft | None:
    """The draft; None where there is none, and then the form says why."""
    file = form.cleaned_data["file"]
    try:
        with database_storage_errors():
            return store_draft(_user(request), cast("BinaryIO", file), file.name)
    except StorageUnavailable as error:
        form.storage_failure = error
        form.add_error("file", worded(str(error)))
    except InvalidSource as error:
        form.add_error("file", worded(str(error)))
    return None


# Of a result: counts that are always shown, and those that are shown where they are not zero.
_MAIN_COUNTS = {
    "created": _("products created"),
    "updated": _("products updated"),
    "unchanged": _("products unchanged"),
    "rejected": _("rows rejected"),
}
_OTHER_COUNTS = {
    "unknown": _("rows left out: no product has their SKU"),
    "photos_added": _("photos added"),
    "photos_unchanged": _("photos unchanged"),
    "photos_removed": _("photos removed"),
    "photos_rejected": _("photos rejected"),
    "photos_left_out": _("photos skipped"),
    "warnings": _("values left out, or to be looked at"),
    "withdrawn": _("products withdrawn"),
    "not_withdrawn": _("nothing was withdrawn"),
}

_FOUND = {"new_categories": _("new categories"), "new_brands": _("new brands"), "currencies": _("currencies")}


def result_tables(job: Job) -> Sequence[tuple[str, SafeString]]:
    """What the page of an import shows.

    Args:
        job: an import that has succeeded.

    Returns:
        Headings and tables: the counts, and the first problems.
    """
    result: Mapping[str, Any] = job.result or {}
    if result.get(NOT_CHANGED):
        text = gettext("The feed has not changed since its last import: nothing was imported.")
        return [(gettext("Not changed"), table((), [(text,)]))]
    names = [*_MAIN_COUNTS, *(name for name in _OTHER_COUNTS if result.get(name))]
    why_not = in_words(result.get("not_withdrawn_fact"), result.get("not_withdrawn", ""))
    shown_counts = {**result, "not_withdrawn": why_not}
    counts = table((), labelled_rows(shown_counts, names, {**_MAIN_COUNTS, **_OTHER_COUNTS}))
    tables = [(gettext("Would be imported") if result["dry_run"] else gettext("Imported"), counts)]
    if found := [(str(label), ", ".join(result[name])) for name, label in _FOUND.items() if result.get(name)]:
        tables.append((gettext("Found in the file"), table((), found)))
    if notes := result.get("notes"):
        known = result.get("note_facts", [])
        said = [(in_words(fact, note),) for note, fact in zip_longest(notes, known)]
        tables.append((gettext("How it was read"), table((), said)))
    if result["problems"]:
        shown = [
            (str(each["line"]), each["sku"], each["photo"], in_words(each.get("fact"), each["reason"]))
            for each in result["problems"]
        ]
        headers = (gettext("Line"), gettext("SKU"), gettext("Photo"), gettext("Reason"))
        total = result["rejected"] + result["photos_rejected"] + result.get("warnings", 0)
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
        `rejected_url`, `import_url`, `products_url` and `draft_url`, "" where there is nothing to download, to import or to
        see; `rows` that would be imported.
    """
    result: Mapping[str, Any] = job.result or {}
    has_rejected = result["rejected_file"] and has_rejected_file(job)
    can_import = can_import_dry_run(job) and request.user.has_perms(IMPORT_PERMISSIONS)
    rows = result["rows"] - result["rejected"] - result.get("unknown", 0) if can_import else 0
    has_products = not result["dry_run"] and request.user.has_perm("catalog.view_product")
    products_url = f"{reverse('admin:catalog_product_changelist')}?import_id={job.pk}"
    return {
        "draft_url": _draft_url(request, job),
        "products_url": products_url if has_products and Product.objects.filter(import_id=job.pk).exists() else "",
        "rejected_url": reverse("admin:catalog_import_rejected", args=[job.pk]) if has_rejected else "",
        "import_url": reverse("admin:catalog_import_run", args=[job.pk]) if rows else "",
        "rows": rows,
        "formatted_rows": f"{rows:,}",
    }


def unsuccessful_context(request: HttpRequest, job: Job) -> dict[str, Any]:
    """What can be done with an import that has failed or was cancelled.

    Args:
        request: of whoever looks at its page.
        job: the import.

    Returns:
        `draft_url`, as of `page_context`.
    """
    return {"draft_url": _draft_url(request, job)}


def _draft_url(request: HttpRequest, job: Job) -> str:
    """The page where the file of an import can be read in another way, as long as it is kept."""
    draft = ImportDraft.objects.filter(pk=job.parameters.get("draft"), owner=_user(request), complete=True).first()
    return draft_url(draft) if draft is not None else ""
