"""Jobs: how far each is, what came of it, and how to end one."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from embeddings import jobs
from embeddings.admin.display import Badge, ReadOnlyAdmin, badges
from embeddings.errors import JobEnded
from embeddings.models import Job

_VARIANTS = {Job.State.SUCCEEDED: "success", Job.State.FAILED: "danger", Job.State.CANCELLED: "default"}


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Long work: where it stands, what came of it, and a way to end it."""

    list_display = ("created_at", "kind", "collection", "state_shown", "stage", "progress", "finished_at")
    list_filter = ("state", "collection")
    list_select_related = ("collection",)
    fields = (
        "id",
        "kind",
        "collection",
        "state_shown",
        "stage",
        "progress",
        "parameters",
        "result",
        "created_at",
        "started_at",
        "finished_at",
    )
    actions = ("cancel",)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Who may end a job."""
        return request.user.has_perm("embeddings.change_job")

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, job: Job) -> SafeString:
        """The state, and why it failed."""
        state = Job.State(job.state)
        return badges([Badge(str(state.label), _VARIANTS.get(state, "info"), job.error)])

    @admin.display(description=_("progress"))
    def progress(self, job: Job) -> str:
        """How far the stage is."""
        if job.ended or not job.total:
            return ""
        return f"{job.done:,} / {job.total:,} ({min(job.done / job.total, 1):.0%})"

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
