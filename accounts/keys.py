"""API keys: made, known again, and withdrawn. The database has their hashes alone."""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.errors import KeyRejected
from accounts.models import ApiKey

logger = logging.getLogger(__name__)

# A key that is withdrawn or changed is known as it was for so long, in each process.
CACHE_S = 10.0
# So that nobody fills the memory: more keys than any shop has.
_CACHED = 10_000

_SECRET_BYTES = 32
_SHOWN_CHARACTERS = 11


class Scope(StrEnum):
    """What a key may be let do, beside reading."""

    IMPORT = "import"
    TRAIN = "train"


WRITES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is good. origins: of the pages that may use it; empty for any. requests_per_minute: None for the server's own."""

    id: int
    prefix: str
    publishable: bool
    scopes: frozenset[Scope]
    origins: frozenset[str]
    requests_per_minute: int | None

    def may(self, wanted: frozenset[Scope]) -> bool:
        """Whether the key has one of these scopes."""
        return not self.scopes.isdisjoint(wanted)


class NewKey(NamedTuple):
    """A key as it is shown once: its text is nowhere afterwards."""

    row: ApiKey
    text: str


def create(row: ApiKey) -> NewKey:
    """Give the unsaved row a key and save it. Raises ValidationError for a row that is none."""
    text = f"{ApiKey.PREFIXES[ApiKey.Kind(row.kind)]}{secrets.token_urlsafe(_SECRET_BYTES)}"
    row.prefix, row.digest = text[:_SHOWN_CHARACTERS], _digest(text)
    row.full_clean()
    row.save()
    return NewKey(row, text)


def revoke(row: ApiKey) -> None:
    """Let nobody use the key any more; within CACHE_S seconds no process takes it. Twice is as good as once."""
    ApiKey.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now())
    forget_known()


def known(text: str) -> Key:
    """The key of this text. Raises KeyRejected for one that is unknown, revoked or expired."""
    digest = _digest(text)
    cached = _known.get(digest)
    if cached is not None and cached[0] > time.monotonic():
        return cached[1]
    # From before it is read: it may be revoked in the same moment.
    until = time.monotonic() + CACHE_S
    key = _read(digest)
    with _lock:
        if len(_known) >= _CACHED:
            _known.clear()
        _known[digest] = (until, key)
    return key


def forget_known() -> None:
    """Read keys afresh in this process."""
    with _lock:
        _known.clear()


def _read(digest: str) -> Key:
    row = ApiKey.objects.filter(digest=digest).first()
    if row is None:
        raise KeyRejected("there is no such key: look for a missing or doubled character, or make a new one")
    now = timezone.now()
    if row.revoked_at is not None:
        raise KeyRejected(f"the key {row.prefix}… was revoked: make a new one")
    if row.expires_at is not None and row.expires_at <= now:
        raise KeyRejected(f"the key {row.prefix}… expired on {row.expires_at:%Y-%m-%d}: make a new one")
    # Not at every request: that would make a write of every read.
    if row.last_used_at is None or row.last_used_at.date() < now.date():
        _note_use(row, now)
    return Key(
        id=row.pk,
        prefix=row.prefix,
        publishable=row.kind == ApiKey.Kind.PUBLISHABLE,
        scopes=_scopes(row),
        origins=frozenset(row.origin_list),
        requests_per_minute=row.requests_per_minute,
    )


def _note_use(row: ApiKey, now: datetime) -> None:
    """Where the database takes it at once; otherwise the next time that the key is read."""
    try:
        with _without_waiting(), transaction.atomic():
            ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)
    except DatabaseError as error:
        logger.info("that the key %s… is used could not be noted yet: %s", row.prefix, error)


@contextmanager
def _without_waiting() -> Iterator[None]:
    """SQLite has one writer at a time, and whoever reads shall not wait for an import. PostgreSQL only locks the key's row."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        [patience_ms] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {patience_ms}")


def _scopes(row: ApiKey) -> frozenset[Scope]:
    given = {Scope.IMPORT: row.may_import, Scope.TRAIN: row.may_train}
    return frozenset(scope for scope, has in given.items() if has)


def _digest(text: str) -> str:
    """SHA-256 is enough for 256 random bits: there is no dictionary to try them from."""
    return hashlib.sha256(text.encode()).hexdigest()


_known: dict[str, tuple[float, Key]] = {}
_lock = threading.Lock()
