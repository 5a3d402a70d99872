"""The audit log: who changed what through the admin or the API, from where, with which result. A log line and a database row."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core.cache import caches
from django.db import DatabaseError, InterfaceError
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts.addresses import client_ip
from accounts.models import AuditEntry
from rest.idempotency import REPLAYED

logger = logging.getLogger("lookalike.audit")

ANONYMOUS = "nobody"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_MAX_ROWS_LISTED = 20
_PRUNE_EVERY_S = 3600.0
_PRUNED = "audit.pruned"
_EXPECTED, _DETAIL, _SKIPPED = "audit_change", "audit_detail", "audit_skipped"

# The request with an unsafe method that is being answered, and the entries of Django's own admin log that it made.
_changing: ContextVar[HttpRequest | None] = ContextVar("audit_request", default=None)
_log_entries: ContextVar[list[str] | None] = ContextVar("audit_log_entries", default=None)


class _Change(NamedTuple):
    action: str
    actor: str


def expect_change(request: HttpRequest, action: str, *, actor: str) -> None:
    """Have the middleware record this request once it is answered, unless its method is safe.

    Args:
        request: A request that has the permission for a change.
        action: What it does, e.g. "api:train".
        actor: Who sent it; "" for a client without a key.
    """
    setattr(request, _EXPECTED, _Change(action, actor))


def skip(request: HttpRequest) -> None:
    """Do not record this request: it is a part of a change that is recorded once, such as a part of an upload.

    Args:
        request: a request to the admin with an unsafe method.
    """
    setattr(request, _SKIPPED, True)


def describe_change(request: HttpRequest, detail: str) -> None:
    """Say which rows or which job a change is about.

    Args:
        request: The request that is recorded once it is answered.
        detail: For AuditEntry.detail.
    """
    setattr(request, _DETAIL, detail)


def current_actor() -> str:
    """Who sent the change that is being answered.

    Returns:
        A user's name or "key sk_…" as in AuditEntry; "" outside of a request, and for a client without a key.
    """
    request = _changing.get()
    if request is None:
        return ""
    change: _Change | None = getattr(request, _EXPECTED, None)
    return change.actor if change is not None else _admin_username(request)


def log_change(request: HttpRequest, action: str, response: HttpResponseBase, *, actor: str, detail: str = "") -> None:
    """Record one requested change. If the database fails, the log line is all there is, and an error is logged.

    Args:
        request: The request.
        action: What it does, e.g. "admin:catalog_product_change".
        response: The response, for its status.
        actor: Who sent it; "" for a client without a key.
        detail: Which rows or which job it is about; never what was typed into a form.
    """
    entry = AuditEntry(
        actor=(actor or ANONYMOUS)[:200],
        action=action[:120],
        target=_storable(request.path)[:300],
        detail=_storable(detail),
        status=response.status_code,
        remote_address=client_ip(request),
        request_id=getattr(request, "request_id", ""),
    )
    logger.info(
        "%s: %s %s: %s %s", entry.actor, entry.action, entry.target, entry.status, detail,
        extra={"actor": entry.actor, "action": entry.action, "remote_address": entry.remote_address},
    )  # fmt: skip
    try:
        entry.save(force_insert=True)
        _prune_periodically()
    except (DatabaseError, InterfaceError):
        logger.exception("could not write the audit entry")


def _storable(text: str) -> str:
    """A text from a request, without NUL characters, which PostgreSQL does not store."""
    return text.replace("\0", "\\0")


class AuditMiddleware:
    """Records changes: those that the API's permissions announce, and every request with an unsafe method to the admin."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Respond, and record the change."""
        if request.method in _SAFE_METHODS:
            return self._get_response(request)
        entries: list[str] = []
        token, changing = _log_entries.set(entries), _changing.set(request)
        try:
            # Read before as well: after a sign-out there is no user.
            before = _admin_username(request)
            response = self._get_response(request)
        finally:
            _log_entries.reset(token)
            _changing.reset(changing)
        match = request.resolver_match
        change: _Change | None = getattr(request, _EXPECTED, None)
        if change is not None:
            log_change(request, change.action, response, actor=change.actor, detail=_detail_of(request, response))
        elif getattr(request, _SKIPPED, False):
            return response
        elif match is not None and "admin" in match.app_names and (actor := _admin_username(request) or before):
            detail = "; ".join([*_selected_rows(request), *entries])
            log_change(request, match.view_name, response, actor=actor, detail=detail)
        return response


@receiver(post_save, sender=LogEntry, dispatch_uid="accounts.audit")
def _collect_log_entry(instance: LogEntry, **_: Any) -> None:
    entries = _log_entries.get()
    if entries is not None:
        entries.append(f"{instance.content_type} {instance.object_id}: {instance}")


def _detail_of(request: HttpRequest, response: HttpResponseBase) -> str:
    """What `describe_change` got; nothing was changed where an earlier answer is repeated."""
    return "repeated" if response.has_header(REPLAYED) else str(getattr(request, _DETAIL, ""))


def _admin_username(request: HttpRequest) -> str:
    """The name of a signed-in user with access to the admin, or ""."""
    if not request.path_info.startswith("/admin/"):
        return ""
    user = request.user
    return user.get_username() if user.is_authenticated and user.is_staff else ""


def _selected_rows(request: HttpRequest) -> list[str]:
    """The action of a changelist, and the rows that it was applied to."""
    action = request.POST.get("action", "")
    if not action:
        return []
    if request.POST.get("select_across") == "1":
        return [f"{action[:80]}: all rows that the list finds"]
    rows = request.POST.getlist("_selected_action")
    more = f" and {len(rows) - _MAX_ROWS_LISTED} more" if len(rows) > _MAX_ROWS_LISTED else ""
    return [f"{action[:80]}: rows {', '.join(row[:40] for row in rows[:_MAX_ROWS_LISTED])}{more}"]


def prune() -> int:
    """Delete entries older than AUDIT_KEEP_DAYS.

    Returns:
        How many were deleted.
    """
    oldest = timezone.now() - timedelta(days=settings.AUDIT_KEEP_DAYS)
    return AuditEntry.objects.filter(created_at__lt=oldest).delete()[0]


def _prune_periodically() -> None:
    """Delete old entries, in each process at most once in _PRUNE_EVERY_S."""
    if caches["process"].add(_PRUNED, True, _PRUNE_EVERY_S):
        prune()
