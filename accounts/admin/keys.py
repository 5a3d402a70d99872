"""API keys; a key is shown once, when it is created."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from accounts import keys
from accounts.admin.display import Badge, badges
from accounts.models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Keys are created and revoked. The kind of a key cannot change, and it is never deleted, because the audit log names it."""

    list_display = ("name", "kind", "prefix_label", "state", "last_used", "created_at", "expires_at")
    list_filter = ("kind",)
    search_fields = ("name", "prefix")
    fields = ("name", "kind", "origins", "may_import", "may_train", "requests_per_minute", "expires_at")
    actions = ["revoke_keys"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        return () if obj is None else ("kind",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """With a smaller field for the origins, of which a shop has few."""
        form = super().get_form(request, *args, **kwargs)
        # Who may only view has no fields.
        if (origins := form.base_fields.get("origins")) is not None:
            origins.widget.attrs["rows"] = 3
        return form

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Save a change, or create a key and show it."""
        if change:
            super().save_model(request, obj, form, change)
            keys.invalidate(obj)
            return
        obj.created_by_id = request.user.pk
        text = keys.create(obj).text
        messages.warning(
            request,
            format_html(
                "{} <code>{}</code>",
                gettext("Copy the key now: it is not shown again. Anyone who has it can use its permissions:"),
                text,
            ),
        )

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Make the selected keys invalid."""
        chosen = list(queryset)
        for key in chosen:
            keys.revoke(key)
            self.log_change(request, key, "Revoked.")
        message = ngettext("%d key is revoked.", "%d keys are revoked.", len(chosen)) % len(chosen)
        self.message_user(request, message, messages.SUCCESS)

    @admin.display(description=_("prefix"), ordering="prefix")
    def prefix_label(self, key: ApiKey) -> str:
        """Enough to find the key in a program's settings."""
        return f"{key.prefix}…"

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> SafeString:
        """Valid, expired or revoked."""
        if key.revoked_at is not None:
            return badges([Badge(gettext("revoked"), "default")])
        return badges([Badge(gettext("valid"), "success") if key.is_valid else Badge(gettext("expired"), "warning")])

    @admin.display(description=_("last used"), ordering="last_used_at")
    def last_used(self, key: ApiKey) -> date | str:
        """The day of the last use."""
        return key.last_used_at.date() if key.last_used_at else gettext("never")

    class Media:
        css = {"all": ("accounts/admin.css",)}
