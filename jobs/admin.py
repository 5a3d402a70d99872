"""Jobs in the admin: their progress while one looks, their results, and a way to cancel them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.admin.display import Badge, PeriodFilter, ReadOnlyAdmin, badges, table
from jobs import services
from jobs.errors import JobEnded, JobNotFound
from jobs.models import Job
from jobs.registry import kinds
from jobs.selectors import get_job
from jobs.states import JobState

JOB_VARIANTS = {JobState.SUCCEEDED: "success", JobState.FAILED: "danger", JobState.CANCELLED: "default"}


@dataclass(frozen=True, slots=True)
class JobResultView:
    """What the page shows of a job that has ended.

    Attributes:
        tables: headings and tables.
        template: included below them; "" for none.
        context: its variable `kind_context`.
    """

    tables: Sequence[tuple[str, SafeString]] = ()
    template: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs: their state, their results, and a way to cancel them."""

    list_display = (
        "created_at",
        "title_label",
        "submitted_by",
        "state_label",
        "stage_label",
        "progress",
        "finished_at",
    )
    list_display_links = ("created_at", "title_label")
    list_filter = ("state", "kind", "collection", ("created_at", PeriodFilter))
    list_filter_submit = True
    search_fields = ("parameters__file", "collection", "submitted_by")
    search_help_text = _("File, kind, collection or who submitted it")
    fields = ("kind", "collection", "submitted_by", "parameter_list", "created_at", "started_at", "finished_at", "id")
    actions = ("cancel",)
    change_form_outer_before_template = "admin/jobs/job.html"

    def has_view_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """All jobs for those who may see jobs; those of some kinds for those who may do what these kinds do."""
        own = _own_kinds(request)
        return (bool(own) if obj is None else obj.kind in own) or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_cancel_permission(self, request: HttpRequest, job: Job | None = None) -> bool:
        """Who may cancel a job."""
        if job is not None and job.kind in _own_kinds(request):
            return True
        return request.user.has_perm("jobs.change_job")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        queryset: QuerySet[Job] = super().get_queryset(request)
        if super().has_view_permission(request):
            return queryset
        return queryset.filter(kind__in=_own_kinds(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Jobs by their fields, and by the kind as pages name it."""
        found, has_duplicates = super().get_search_results(request, queryset, search_term)
        text = search_term.strip().casefold()
        named = [kind.name for kind in kinds if text and text in str(kind.label).casefold()]
        return found | queryset.filter(kind__in=named), has_duplicates

    def get_urls(self) -> list[URLPattern]:
        views = {"state": self.state_view, "cancel": self.cancel_view}
        own = [
            path(f"<uuid:job_id>/{name}/", self.admin_site.admin_view(view), name=f"jobs_job_{name}")
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
        """The job's page, which keeps its progress up to date."""
        job = self.get_object(request, object_id)
        context = {} if job is None else job_page_context(request, job, self)
        page: HttpResponse = super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
        return page

    @method_decorator(require_safe)
    def state_view(self, request: HttpRequest, job_id: UUID) -> JsonResponse:
        """The progress of a job, polled by its page."""
        job = visible_job(request, job_id, self)
        return JsonResponse(
            {
                "state": str(JobState(job.state).label),
                "stage": _stage(job),
                "done": job.done,
                "total": job.total,
                "started": job.started_at is not None,
                "ended": job.ended,
            }
        )

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """Cancel the job and show it."""
        job = visible_job(request, job_id, self)
        if not self.has_cancel_permission(request, job):
            raise PermissionDenied
        try:
            services.cancel(job.pk)
        except JobEnded:
            messages.warning(request, _ended_already(job))
        return redirect(job_url(job))

    @admin.display(description=_("job"), ordering="kind")
    def title_label(self, job: Job) -> str:
        """What it does, e.g. with which file."""
        return job.title

    @admin.display(description=_("state"), ordering="state")
    def state_label(self, job: Job) -> SafeString:
        """The state, and the reason of a failure."""
        state = JobState(job.state)
        return badges([Badge(str(state.label), JOB_VARIANTS.get(state, "info"), job.error_in_words)])

    @admin.display(description=_("stage"), ordering="stage")
    def stage_label(self, job: Job) -> str:
        """The current stage."""
        return _stage(job)

    @admin.display(description=_("progress"))
    def progress(self, job: Job) -> str:
        """The progress of the stage."""
        if job.ended or not job.total:
            return ""
        return f"{job.done:,} / {job.total:,} ({min(job.done / job.total, 1):.0%})"

    @admin.display(description=_("parameters"))
    def parameter_list(self, job: Job) -> SafeString:
        """The parameters of the job."""
        return table((), labelled_rows(job.parameters, job.parameters, job.registered_kind.page.labels))

    @admin.action(description=_("Cancel"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Cancel queued and running jobs."""
        cancelled = 0
        for job in queryset:
            try:
                services.cancel(job.pk)
            except JobEnded:
                messages.warning(request, _ended_already(job))
            else:
                cancelled += 1
        if cancelled:
            text = ngettext("%d job was cancelled.", "%d jobs were cancelled.", cancelled)
            messages.success(request, text % cancelled)

    class Media:
        css = {"all": ("jobs/admin.css",)}


def visible_job(request: HttpRequest, job_id: UUID, job_admin: JobAdmin | None = None) -> Job:
    """A job for a view of the admin.

    Args:
        request: of a member of staff.
        job_id: the job.
        job_admin: the admin of jobs; None: the default site's.

    Returns:
        The job as it is now.

    Raises:
        Http404: there is no such job.
        PermissionDenied: the user may not see it.
    """
    try:
        job = get_job(job_id)
    except JobNotFound as error:
        raise Http404(str(error)) from error
    if not (job_admin or admin.site.get_model_admin(Job)).has_view_permission(request, job):
        raise PermissionDenied
    return job


def job_page_context(request: HttpRequest, job: Job, job_admin: JobAdmin | None = None) -> dict[str, Any]:
    """What the template admin/jobs/job.html shows of a job; the page loads jobs/admin.css.

    Args:
        request: of a member of staff who may see the job.
        job: the job.
        job_admin: the admin of jobs; None: the default site's.

    Returns:
        The context.
    """
    shown = job_admin or cast("JobAdmin", admin.site.get_model_admin(Job))
    return {
        "job": job,
        "state_label": shown.state_label(job),
        "stage": _stage(job),
        "result": _result_view(request, job),
        "may_cancel": not job.ended and shown.has_cancel_permission(request, job),
    }


def notify_submitted(request: HttpRequest, job: Job, text: str) -> None:
    """Show a message that a job was submitted, with a link to its page.

    Args:
        request: whose user has submitted it.
        job: the job.
        text: what the job will do.
    """
    link = format_html('{} <a class="underline" href="{}">{}</a>', text, job_url(job), _("Show progress"))
    messages.success(request, link)


def job_url(job: Job) -> str:
    """The URL of the job's page."""
    return reverse("admin:jobs_job_change", args=[job.pk])


def labelled_rows(
    values: Mapping[str, Any], names: Sequence[str] | Mapping[str, Any], labels: Mapping[str, Promise]
) -> list[tuple[str, str]]:
    """Rows of a table of values.

    Args:
        values: by name, plain JSON.
        names: of the values that are shown; empty ones are left out.
        labels: by name; a name without one is shown as it is.

    Returns:
        Label and text of each.
    """
    return [(_label(name, labels), _text(values[name])) for name in names if values[name] not in ("", None)]


def _own_kinds(request: HttpRequest) -> list[str]:
    """Kinds whose jobs the user may see and cancel by the permissions that the kind names."""
    return [kind.name for kind in kinds if kind.permissions and request.user.has_perms(kind.permissions)]


def _ended_already(job: Job) -> str:
    job.refresh_from_db()
    return gettext("“%(job)s” has ended already: %(state)s.") % {"job": job.title, "state": job.get_state_display()}


def _stage(job: Job) -> str:
    if job.stage == "starting":
        return gettext("starting")
    return str(job.registered_kind.page.stages.get(job.stage, job.stage))


def _result_view(request: HttpRequest, job: Job) -> JobResultView:
    page = job.registered_kind.page
    if job.state != JobState.SUCCEEDED:
        known = page.unsuccessful_context(request, job) if job.ended and page.unsuccessful_context else None
        return JobResultView() if known is None else JobResultView((), page.template, known)
    result: Mapping[str, Any] = job.result or {}
    tables: list[tuple[str, SafeString]] = []
    if shown := [name for name in page.result_members if name in result]:
        tables.append((gettext("Result"), table((), labelled_rows(result, shown, page.labels))))
    if page.result_tables is not None:
        tables += page.result_tables(job)
    return JobResultView(tables, page.template, page.context(request, job) if page.context else {})


def _label(name: str, labels: Mapping[str, Promise]) -> str:
    text = str(labels.get(name, name.replace("_", " ")))
    return text[:1].upper() + text[1:]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
