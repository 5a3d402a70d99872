"""Jobs: how far each is while one looks, what came of it, how to end one, and how to go on after a dry run."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.admin.display import Badge, ReadOnlyAdmin, badges, table
from embeddings import jobs
from embeddings.admin.display import JOB_VARIANTS
from embeddings.errors import JobEnded, JobNotFound, JobUnderWay, NoRejectedRows, NothingToImport
from embeddings.evaluation.metrics import METRICS
from embeddings.models import Job
from embeddings.submissions import submit_import_of

# What workers call the stages of their work, for those who read another language. Their own names are English.
_STAGES = {
    "starting": _("starting"),
    "unpacking": _("unpacking"),
    "importing": _("importing"),
    "backbone": _("loading the backbone"),
    "features": _("computing features"),
    "head": _("training"),
    "unfrozen": _("fine-tuning"),
    "export": _("exporting"),
    "evaluation": _("evaluating"),
    "report": _("writing the report"),
    "embedding": _("embedding photos"),
    "comparison": _("comparing"),
    "index": _("building the index"),
    "indexing": _("building the index"),
    "indexing what changed": _("indexing what changed meanwhile"),
    "looking at photos": _("looking at photos"),
    "reading vectors": _("reading vectors"),
    "comparing photos": _("comparing photos"),
}
# What a job was asked for and what came of it, by the names that the database has.
_NAMES = {
    "file": _("file"),
    "format": _("format"),
    "dry_run": _("dry run"),
    "source": _("source"),
    "deactivate_missing": _("withdraw what is missing"),
    "fetch": _("fetch photos behind links"),
    "map": _("columns"),
    "set": _("fixed texts"),
    "encoding": _("encoding"),
    "delimiter": _("delimiter"),
    "decimal": _("decimal mark"),
    "category_separator": _("between levels of a category"),
    "image_separator": _("between photos in one column"),
    "version": _("version"),
    "allow_worse": _("even where it is worse"),
    "activate": _("activate afterwards"),
    "loss": _("loss"),
    "backbone": _("backbone"),
    "epochs": _("epochs"),
    "encoder": _("encoder version"),
    "dim": _("dimensions"),
    "activated": _("activated"),
    "not_activated": _("not activated"),
    "points": _("points in the index"),
    "failed": _("photos that failed"),
    "photos": _("photos compared"),
    "pairs": _("pairs of products to decide on"),
    "new": _("of them new"),
    "dropped": _("that no longer hold"),
    "left_out": _("photos left out, as too many products share them"),
    "unreadable": _("photos that cannot be read"),
    "created": _("products created"),
    "updated": _("products updated"),
    "unchanged": _("products unchanged"),
    "rejected": _("rows rejected"),
    "photos_added": _("photos added"),
    "photos_unchanged": _("photos unchanged"),
    "photos_removed": _("photos removed"),
    "photos_rejected": _("photos rejected"),
    "photos_left_out": _("photos left out"),
    "withdrawn": _("products withdrawn"),
    "not_withdrawn": _("nothing was withdrawn"),
}
# Always shown of an import; its other figures where they are not zero.
_MAIN_COUNTS = ("created", "updated", "unchanged", "rejected")
_OTHER_COUNTS = (
    *("photos_added", "photos_unchanged", "photos_removed", "photos_rejected", "photos_left_out"),
    *("withdrawn", "not_withdrawn"),
)
_WORTH_TELLING = (
    *("encoder", "dim", "activated", "not_activated", "points", "failed"),
    *("photos", "pairs", "new", "dropped", "left_out", "unreadable"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the page shows of a job that has succeeded: tables with their headings, and what can be done next.

    rejected: whether there is a file of rejected rows. rows: how many a dry run's import would take, 0 where none can start.
    """

    tables: Sequence[tuple[str, SafeString]] = ()
    rejected: bool = False
    rows: int = 0

    @property
    def rows_shown(self) -> str:
        """That number as people write it."""
        return f"{self.rows:,}"


def may_import(request: HttpRequest) -> bool:
    """Who may add and change products may import them, see how that goes, and end it."""
    return request.user.has_perms(("catalog.add_product", "catalog.change_product"))


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Long work: where it stands, what came of it, and a way to end it."""

    list_display = ("created_at", "kind", "collection", "state_shown", "stage_shown", "progress", "finished_at")
    list_filter = ("state", "kind", "collection")
    list_select_related = ("collection",)
    fields = ("id", "kind", "collection", "parameters_shown", "created_at", "started_at", "finished_at")
    actions = ("cancel",)
    change_form_outer_before_template = "admin/embeddings/job.html"

    def has_view_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """All jobs for those who may see jobs; imports for those who may import."""
        of_imports = may_import(request) and (obj is None or obj.kind == Job.Kind.IMPORT)
        return of_imports or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_cancel_permission(self, request: HttpRequest, job: Job | None = None) -> bool:
        """Who may end a job."""
        if job is not None and job.kind == Job.Kind.IMPORT and may_import(request):
            return True
        return request.user.has_perm("embeddings.change_job")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        queryset: QuerySet[Job] = super().get_queryset(request)
        if super().has_view_permission(request):
            return queryset
        return queryset.filter(kind=Job.Kind.IMPORT)

    def get_urls(self) -> list[URLPattern]:
        views = {
            "state": self.state_view,
            "cancel": self.cancel_view,
            "import": self.import_view,
            "rejected": self.rejected_view,
        }
        own = [
            path(f"<uuid:job_id>/{name}/", self.admin_site.admin_view(view), name=f"embeddings_job_{name}")
            for name, view in views.items()
        ]
        urls: list[URLPattern] = super().get_urls()
        return [*own, *urls]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The job's page, which goes on telling how far it is."""
        job = self.get_object(request, object_id)
        told: dict[str, Any] = {}
        if job is not None:
            told = {
                "job": job,
                "state_shown": self.state_shown(job),
                "stage": _stage(job),
                "outcome": _outcome(job),
                "may_cancel": not job.ended and self.has_cancel_permission(request, job),
                "may_import": may_import(request),
            }
        page: HttpResponse = super().change_view(request, object_id, form_url, {**told, **(extra_context or {})})
        return page

    @method_decorator(require_safe)
    def state_view(self, request: HttpRequest, job_id: UUID) -> JsonResponse:
        """How far a job is, for its page to ask again and again."""
        job = self._job(request, job_id)
        told = {
            "state": str(Job.State(job.state).label),
            "stage": _stage(job),
            "done": job.done,
            "total": job.total,
            "started": job.started_at is not None,
            "ended": job.ended,
        }
        return JsonResponse(told)

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """End the job, and show it."""
        job = self._job(request, job_id)
        if not self.has_cancel_permission(request, job):
            raise PermissionDenied
        try:
            jobs.cancel(job.pk)
        except JobEnded as error:
            messages.warning(request, str(error))
        return redirect(_page(job))

    @method_decorator(require_POST)
    def import_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """Import what a dry run has read, and show how far that is."""
        job = self._job(request, job_id)
        if not may_import(request):
            raise PermissionDenied
        try:
            job = submit_import_of(job.pk)
        except (NothingToImport, JobUnderWay) as error:
            messages.error(request, str(error))
        else:
            self.log_addition(request, job, [{"added": {}}])
        return redirect(_page(job))

    @method_decorator(require_safe)
    def rejected_view(self, request: HttpRequest, job_id: UUID) -> StreamingHttpResponse:
        """What an import could not take, as a table to mend."""
        try:
            place = jobs.rejected_file(self._job(request, job_id))
        except NoRejectedRows as error:
            raise Http404(str(error)) from error

        def content() -> Iterator[bytes]:
            # Without this mark a spreadsheet on Windows takes the file for one in another encoding.
            yield codecs.BOM_UTF8
            with place.open("rb") as file:
                while chunk := file.read(64 * 1024):
                    yield chunk

        disposition = f'attachment; filename="rejected-{job_id}.csv"'
        return StreamingHttpResponse(
            content(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
        )

    def _job(self, request: HttpRequest, job_id: UUID) -> Job:
        """Raises Http404, PermissionDenied."""
        try:
            job = jobs.get_job(job_id)
        except JobNotFound as error:
            raise Http404(str(error)) from error
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        return job

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, job: Job) -> SafeString:
        """The state, and why it failed."""
        state = Job.State(job.state)
        return badges([Badge(str(state.label), JOB_VARIANTS.get(state, "info"), job.error)])

    @admin.display(description=_("stage"), ordering="stage")
    def stage_shown(self, job: Job) -> str:
        """What is being done."""
        return _stage(job)

    @admin.display(description=_("progress"))
    def progress(self, job: Job) -> str:
        """How far the stage is."""
        if job.ended or not job.total:
            return ""
        return f"{job.done:,} / {job.total:,} ({min(job.done / job.total, 1):.0%})"

    @admin.display(description=_("asked for"))
    def parameters_shown(self, job: Job) -> SafeString:
        """What the job was asked for."""
        return table((), _rows(job.parameters, job.parameters))

    @admin.action(description=_("Cancel"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """End those that wait or are under way."""
        cancelled = 0
        for job_id in queryset.values_list("pk", flat=True):
            try:
                jobs.cancel(job_id)
            except JobEnded as error:
                messages.warning(request, str(error))
            else:
                cancelled += 1
        if cancelled:
            text = ngettext("%d job was cancelled.", "%d jobs were cancelled.", cancelled)
            messages.success(request, text % cancelled)

    class Media:
        css = {"all": ("embeddings/admin.css",)}


def tell_of(request: HttpRequest, job: Job, text: str) -> None:
    """Say that a job was taken in, with a link to its page."""
    link = format_html('{} <a class="underline" href="{}">{}</a>', text, _page(job), _("See how far it is"))
    messages.success(request, link)


def _page(job: Job) -> str:
    return reverse("admin:embeddings_job_change", args=[job.pk])


def _stage(job: Job) -> str:
    return str(_STAGES.get(job.stage, job.stage))


def _outcome(job: Job) -> Outcome:
    """Of a job that has succeeded; nothing of another."""
    result: Mapping[str, Any] = job.result or {}
    if job.state != Job.State.SUCCEEDED:
        return Outcome()
    if job.kind != Job.Kind.IMPORT:
        tables = [(gettext("Result"), table((), _rows(result, [name for name in _WORTH_TELLING if name in result])))]
        if figures := result.get("figures"):
            tables.append((gettext("Quality"), _figures(figures)))
        if result.get("problems"):
            problems = [(str(number), text) for number, text in enumerate(result["problems"], start=1)]
            tables.append((gettext("Problems"), table((), problems)))
        return Outcome(tables)
    names = [*_MAIN_COUNTS, *(name for name in _OTHER_COUNTS if result[name])]
    tables = [
        (gettext("Would be imported") if result["dry_run"] else gettext("Imported"), table((), _rows(result, names)))
    ]
    if result["problems"]:
        told = [(str(each["line"]), each["sku"], each["photo"], each["reason"]) for each in result["problems"]]
        headers = (gettext("Line"), gettext("SKU"), gettext("Photo"), gettext("Reason"))
        all_of_them = result["rejected"] + result["photos_rejected"]
        heading = ngettext("%(all)d problem", "%(all)d problems", all_of_them)
        if len(told) < all_of_them:
            heading = gettext("The first %(shown)d problems of %(all)d")
        tables.append((heading % {"shown": len(told), "all": all_of_them}, table(headers, told)))
    rows = result["rows"] - result["rejected"] if jobs.importable(job) else 0
    return Outcome(tables, result["rejected_file"] and jobs.rejected_path(job).is_file(), rows)


def _figures(figures: Mapping[str, Mapping[str, float]]) -> SafeString:
    names = [name for name in METRICS if all(values.get(name) is not None for values in figures.values())]
    headers = [gettext("encoder"), *(METRICS[name] for name in names)]
    return table(headers, [[told, *(f"{values[name]:.3f}" for name in names)] for told, values in figures.items()])


def _rows(values: Mapping[str, Any], names: Sequence[str] | Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(_named(name), _text(values[name])) for name in names if values[name] not in ("", None)]


def _named(name: str) -> str:
    text = str(_NAMES.get(name, name.replace("_", " ")))
    return text[:1].upper() + text[1:]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
