"""The audit log, read-only."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin.display import ReadOnlyAdmin
from accounts.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Audit entries, newest first."""

    list_display = ("created_at", "actor", "action", "target", "status", "remote_address", "detail", "request_id")
    list_filter = ("action",)
    search_fields = ("actor", "action", "target", "detail", "remote_address", "request_id")
    date_hierarchy = "created_at"
