"""The audit log: who changed what, by the admin or the API, from where, and what came of it. A line of the log, and a row."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError, InterfaceError
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts.addresses import remote_address
from accounts.models import AuditEntry

logger = logging.getLogger("lookalike.audit")

NOBODY = "nobody"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_ROWS_NAMED = 20
_PRUNE_EVERY_S = 3600.0

# What Django's admin says that it did in this request.
_said: ContextVar[list[str] | None] = ContextVar("audit_said", default=None)
_pruned_at = float("-inf")
_lock = threading.Lock()


def record(request: HttpRequest, action: str, response: HttpResponseBase, *, actor: str, detail: str = "") -> None:
    """One change that was asked for. Where the database does not answer, the line of the log is all there is, and says so."""
    entry = AuditEntry(
        actor=(actor or NOBODY)[:200],
        action=action[:120],
        target=request.path[:300],
        detail=detail,
        status=response.status_code,
        remote_address=remote_address(request),
        request_id=getattr(request, "request_id", ""),
    )
    logger.info(
        "%s: %s %s: %s %s", entry.actor, entry.action, entry.target, entry.status, detail,
        extra={"actor": entry.actor, "action": entry.action, "remote_address": entry.remote_address},
    )  # fmt: skip
    try:
        entry.save(force_insert=True)
        _prune_now_and_then()
    except (DatabaseError, InterfaceError):
        logger.exception("the audit log's row could not be written")


class AuditMiddleware:
    """Records what users change by the admin: every request that is not safe, and of its form only which rows it was about."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and record."""
        if request.method in _SAFE:
            return self._get_response(request)
        said: list[str] = []
        token = _said.set(said)
        try:
            # Asked before, too: whoever signs out is nobody afterwards.
            before = _user_in_admin(request)
            response = self._get_response(request)
        finally:
            _said.reset(token)
        match = request.resolver_match
        if match is not None and "admin" in match.app_names and (actor := _user_in_admin(request) or before):
            record(request, match.view_name, response, actor=actor, detail="; ".join([*_chosen(request), *said]))
        return response


@receiver(post_save, sender=LogEntry, dispatch_uid="accounts.audit")
def _take_what_was_said(instance: LogEntry, **_: Any) -> None:
    said = _said.get()
    if said is not None:
        said.append(f"{instance.content_type} {instance.object_id}: {instance}")


def _user_in_admin(request: HttpRequest) -> str:
    """The name of a user who may sign in to the admin, or ""."""
    if not request.path_info.startswith("/admin/"):
        return ""
    user = request.user
    return user.get_username() if user.is_authenticated and user.is_staff else ""


def _chosen(request: HttpRequest) -> list[str]:
    """The action of a list, and the rows that it was for."""
    action = request.POST.get("action", "")
    if not action:
        return []
    if request.POST.get("select_across") == "1":
        return [f"{action[:80]}: all rows that the list finds"]
    rows = request.POST.getlist("_selected_action")
    more = f" and {len(rows) - _ROWS_NAMED} more" if len(rows) > _ROWS_NAMED else ""
    return [f"{action[:80]}: rows {', '.join(row[:40] for row in rows[:_ROWS_NAMED])}{more}"]


def _prune_now_and_then() -> None:
    """Forget what is older than AUDIT_KEEP_DAYS."""
    global _pruned_at
    with _lock:
        now = time.monotonic()
        if now - _pruned_at < _PRUNE_EVERY_S:
            return
        _pruned_at = now
    AuditEntry.objects.filter(created_at__lt=timezone.now() - timedelta(days=settings.AUDIT_KEEP_DAYS)).delete()
