"""Feeds in the admin: their list with what came of the last imports, their form, an import now, and a look at the file."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from accounts.admin.display import Badge, badges
from accounts.models import User
from catalog.admin.feed_forms import FeedForm
from catalog.admin.import_forms import DraftForm
from catalog.admin.imports import IMPORT_PERMISSIONS
from catalog.errors import FeedNotFound
from catalog.importers.drafts import begin_draft_of_feed, delete_draft
from catalog.importers.feeds import FeedAddress
from catalog.importers.scheduled_feeds import (
    NOT_CHANGED,
    failures_in_a_row,
    get_feed,
    jobs_of,
    save_feed,
    submit_feed,
)
from catalog.models import Feed
from catalog.models.feeds import FeedSchedule
from jobs.admin import JOB_VARIANTS, job_url
from jobs.errors import JobInProgress
from jobs.facts import in_words, worded
from jobs.models import Job
from jobs.states import JobState
from product_files.rows import InvalidSource

JOBS_SHOWN = 20
_READING = tuple(name for name in DraftForm.reading_fields if name != "set")


@admin.register(Feed)
class FeedAdmin(ModelAdmin):
    """The feeds. Who may import may see and change them."""

    form = FeedForm
    list_display = ("name", "address_shown", "schedule_shown", "state_label", "last_run", "next_run_at")
    list_filter = ("active",)
    list_select_related = ("last_job",)
    search_fields = ("name", "address")
    change_form_outer_before_template = "admin/catalog/feed.html"
    warn_unsaved_form = True

    class Media:
        css = {"all": ("accounts/admin.css", "catalog/admin.css", "jobs/admin.css")}

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(IMPORT_PERMISSIONS)

    def has_view_permission(self, request: HttpRequest, obj: Feed | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perms(IMPORT_PERMISSIONS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(IMPORT_PERMISSIONS)

    def has_change_permission(self, request: HttpRequest, obj: Feed | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perms(IMPORT_PERMISSIONS)

    def has_delete_permission(self, request: HttpRequest, obj: Feed | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perms(IMPORT_PERMISSIONS)

    def get_fieldsets(self, request: HttpRequest, obj: Feed | None = None) -> Any:  # noqa: ARG002
        """The address with what opens it, when it is imported, what becomes of its products, and how the file is read."""
        removal = ("remove_password",) if obj is not None and obj.credentials else ()
        return (
            (None, {"fields": ("name", "address", "user", "password", *removal)}),
            (_("When it is imported"), {"fields": ("active", "schedule", ("every_hours", "at_hour"))}),
            (
                _("What becomes of its products"),
                {"fields": ("source", "deactivate_missing", "withdraw_many", "update_only", "fetch", "currency")},
            ),
            (_("Columns"), {"fields": ("map", "automatic", "set")}),
            (
                _("How the file is read"),
                {"fields": _READING, "classes": ("collapse",)},
            ),
        )

    def save_model(self, request: HttpRequest, obj: Feed, form: FeedForm, change: bool) -> None:  # noqa: ARG002
        save_feed(obj, form.options(), credentials=form.credentials(), keep_credentials=form.keeps_credentials())

    def get_urls(self) -> list[URLPattern]:
        views = {"import": self.import_view, "try": self.try_view}
        own = [
            path(f"<int:feed_id>/{name}/", self.admin_site.admin_view(view), name=f"catalog_feed_{name}")
            for name, view in views.items()
        ]
        urls: list[URLPattern] = super().get_urls()
        return [*own, *urls]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form of a feed, below its last imports."""
        feed = self.get_object(request, object_id)
        context = {} if feed is None else _page_context(feed)
        try:
            page: HttpResponse = super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
        except FeedNotFound:
            # Deleted while it was saved.
            page = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return page

    @method_decorator(require_POST)
    def import_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """Import a feed now, whether it has changed or not, and show the progress."""
        feed = self._feed(request, feed_id)
        try:
            job = submit_feed(feed)
        except JobInProgress as error:
            messages.error(request, worded(str(error)))
            return redirect("admin:catalog_feed_change", feed.pk)
        self.log_change(request, feed, gettext("Imported."))
        return redirect(job_url(job))

    @method_decorator(require_POST)
    def try_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """Look at a feed, and try its import out, in a job; its page leads on to the columns and the first products."""
        feed = self._feed(request, feed_id)
        draft = begin_draft_of_feed(cast("User", request.user), feed)
        try:
            job = submit_feed(feed, dry_run=True, draft_id=draft.pk)
        except JobInProgress as error:
            delete_draft(draft)
            messages.error(request, worded(str(error)))
            return redirect("admin:catalog_feed_change", feed.pk)
        self.log_change(request, feed, gettext("Tried out."))
        return redirect(job_url(job))

    def _feed(self, request: HttpRequest, feed_id: int) -> Feed:
        if not self.has_change_permission(request):
            raise PermissionDenied
        try:
            return get_feed(feed_id)
        except FeedNotFound as error:
            raise Http404(str(error)) from error

    @admin.display(description=_("address"), ordering="address")
    def address_shown(self, feed: Feed) -> str:
        """Where it is, without what may be secret."""
        try:
            return str(FeedAddress.parse(feed.address))
        except InvalidSource:
            return ""

    @admin.display(description=_("imported"))
    def schedule_shown(self, feed: Feed) -> str:
        """How often it is imported by itself."""
        if not feed.active:
            return gettext("by hand only")
        if feed.schedule == FeedSchedule.DAILY:
            return gettext("daily at %(hour)d:00") % {"hour": feed.at_hour}
        return ngettext("every hour", "every %d hours", feed.every_hours) % feed.every_hours

    @admin.display(description=_("last result"))
    def state_label(self, feed: Feed) -> SafeString | str:
        """What came of the last import, and why it has failed."""
        if feed.last_job is None:
            return ""
        failures = failures_in_a_row(feed)
        text = ngettext("failed", "failed %d times in a row", failures) % failures if failures > 1 else ""
        return badges([_badge(feed.last_job, text)])

    @admin.display(description=_("last import"), ordering="last_job__created_at")
    def last_run(self, feed: Feed) -> SafeString | str:
        """When it was imported last, with a link to the job."""
        job = feed.last_job
        return "" if job is None else format_html('<a class="text-link" href="{}">{}</a>', job_url(job), _time(job))


def _page_context(feed: Feed) -> dict[str, Any]:
    """What the template admin/catalog/feed.html shows."""
    jobs: QuerySet[Job] = jobs_of(feed.pk)
    shown = [
        {"url": job_url(job), "time": _time(job), "state": badges([_badge(job)]), "text": _came_of(job)}
        for job in jobs[:JOBS_SHOWN]
    ]
    return {
        "feed": feed,
        "feed_jobs": shown,
        "feed_next": date_format(localtime(feed.next_run_at), "DATETIME_FORMAT") if feed.next_run_at else "",
        "all_jobs_url": reverse("admin:jobs_job_changelist", query={"q": feed.name})
        if len(shown) == JOBS_SHOWN
        else "",
    }


def _badge(job: Job, text: str = "") -> Badge:
    state = JobState(job.state)
    if state == JobState.SUCCEEDED and (job.result or {}).get(NOT_CHANGED):
        return Badge(gettext("not changed"), "default")
    if state == JobState.SUCCEEDED and (job.result or {}).get("not_withdrawn"):
        return Badge(gettext("nothing was withdrawn"), "warning", _why_not_withdrawn(job))
    return Badge(text or str(state.label), JOB_VARIANTS.get(state, "info"), job.error_in_words)


def _came_of(job: Job) -> str:
    """What came of a job, in a line."""
    result = job.result or {}
    if not result:
        return job.error_in_words
    if result.get(NOT_CHANGED):
        return ""
    parts = [gettext("dry run")] if result["dry_run"] else []
    parts.append(
        gettext("%(created)d new, %(updated)d changed, %(unchanged)d unchanged, %(rejected)d rejected")
        % {name: result[name] for name in ("created", "updated", "unchanged", "rejected")}
    )
    if result["withdrawn"]:
        parts.append(gettext("%(withdrawn)d withdrawn") % result)
    if result["not_withdrawn"]:
        parts.append(f"{gettext('nothing was withdrawn')}: {_why_not_withdrawn(job)}")
    return "; ".join(parts)


def _why_not_withdrawn(job: Job) -> str:
    result = job.result or {}
    return in_words(result.get("not_withdrawn_fact"), result["not_withdrawn"])


def _time(job: Job) -> str:
    return date_format(localtime(job.created_at), "DATETIME_FORMAT")
