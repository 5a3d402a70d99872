"""API keys; the text of a key is shown once, when it is made."""

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
    """Keys are made and revoked; one that was made keeps its kind, and is never deleted, for the audit log names it."""

    list_display = ("name", "kind", "begins_with", "state", "last_used", "created_at", "expires_at")
    list_filter = ("kind",)
    search_fields = ("name", "prefix")
    fields = ("name", "kind", "origins", "may_import", "may_train", "requests_per_minute", "expires_at")
    actions = ["revoke_keys"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        return () if obj is None else ("kind",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """A shop has few origins."""
        form = super().get_form(request, *args, **kwargs)
        form.base_fields["origins"].widget.attrs["rows"] = 3
        return form

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """A new key is told, once."""
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
                gettext("Copy the key now, it is shown this once. Whoever has it has what it may do:"),
                text,
            ),
        )

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Nobody can use them any more."""
        chosen = list(queryset)
        for key in chosen:
            keys.revoke(key)
            self.log_change(request, key, "Revoked.")
        told = ngettext("%d key is revoked.", "%d keys are revoked.", len(chosen)) % len(chosen)
        self.message_user(request, told, messages.SUCCESS)

    @admin.display(description=_("begins with"), ordering="prefix")
    def begins_with(self, key: ApiKey) -> str:
        """Enough to find it in a program's settings."""
        return f"{key.prefix}…"

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> SafeString:
        """Whether it is taken."""
        if key.revoked_at is not None:
            return badges([Badge(gettext("revoked"), "default")])
        return badges([Badge(gettext("good"), "success") if key.is_good else Badge(gettext("expired"), "warning")])

    @admin.display(description=_("last used"), ordering="last_used_at")
    def last_used(self, key: ApiKey) -> date | str:
        """To the day, which is enough to know whether it is used at all."""
        return key.last_used_at.date() if key.last_used_at else gettext("never")

    class Media:
        css = {"all": ("accounts/admin.css",)}
