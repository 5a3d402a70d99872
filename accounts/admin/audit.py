"""The audit log, read-only, in words."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.display import Badge, PeriodFilter, ReadOnlyAdmin, SelectFilter, badges
from accounts.audit_words import action_in_words, detail_in_words, outcome_in_words, subjects_in_words
from accounts.models import AuditEntry


class ActionFilter(SelectFilter):
    """By what was done, in words."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[AuditEntry]) -> list[tuple[str, str]]:  # noqa: ARG002
        actions = AuditEntry.objects.order_by().values_list("action", flat=True).distinct()
        named = [(action, action_in_words(AuditEntry(action=action))) for action in actions]
        return sorted(named, key=lambda each: each[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:  # noqa: ARG002
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Audit entries, newest first: in words in the list, with all that was recorded on the page of an entry."""

    list_display = ("created_at", "actor", "what", "about", "outcome", "remote_address")
    list_display_links = ("created_at", "what")
    list_filter = (ActionFilter, ("created_at", PeriodFilter))
    list_filter_submit = True
    search_fields = ("actor", "action", "target", "detail", "remote_address", "request_id")
    date_hierarchy = "created_at"
    fields = (
        "created_at",
        "actor",
        "what",
        "about",
        "outcome",
        "detail",
        "action",
        "target",
        "status",
        "remote_address",
        "request_id",
    )

    def prefetch_rows(self, rows: Sequence[AuditEntry]) -> None:
        subjects = subjects_in_words(rows)
        for row in rows:
            vars(row)["subjects"] = subjects

    @admin.display(description=_("what"), ordering="action")
    def what(self, entry: AuditEntry) -> str:
        """What was done."""
        return action_in_words(entry)

    @admin.display(description=_("about"))
    def about(self, entry: AuditEntry) -> str:
        """Which rows or which job."""
        if "subjects" not in vars(entry):
            self.prefetch_rows([entry])
        return detail_in_words(entry, vars(entry)["subjects"])

    @admin.display(description=_("outcome"), ordering="status")
    def outcome(self, entry: AuditEntry) -> SafeString:
        """What came of it."""
        return badges([Badge(*outcome_in_words(entry))])
