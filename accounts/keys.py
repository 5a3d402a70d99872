"""API keys: created, authenticated and revoked. The database has only their hashes."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.core.cache import caches
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.errors import InvalidApiKey
from accounts.models import ApiKey

logger = logging.getLogger(__name__)

# Each process caches a key for so long, so a key that is revoked or changed elsewhere is valid as it was for so long.
CACHE_S = 10.0
_CACHE = "api_keys"

_SECRET_BYTES = 32
_PREFIX_LENGTH = 11


class Scope(StrEnum):
    """What a secret key may do besides reading."""

    IMPORT = "import"
    TRAIN = "train"


WRITES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class ApiKeyInfo:
    """A valid key.

    Attributes:
        id: Primary key of the ApiKey.
        prefix: Its first characters.
        publishable: Whether it may be visible in a page.
        scopes: What it may do besides reading.
        origins: Origins of the pages that may use it; empty: any.
        requests_per_minute: Its own rate limit; None: the server's.
    """

    id: int
    prefix: str
    publishable: bool
    scopes: frozenset[Scope]
    origins: frozenset[str]
    requests_per_minute: int | None

    def has_scope(self, scopes: Collection[str]) -> bool:
        """Whether the key has one of these scopes."""
        return not self.scopes.isdisjoint(scopes)


class NewKey(NamedTuple):
    """A new key with its text, which is not stored and cannot be shown again."""

    row: ApiKey
    text: str


def create(row: ApiKey) -> NewKey:
    """Generate a key and save it.

    Args:
        row: An unsaved ApiKey.

    Returns:
        The saved row and the text of the key.

    Raises:
        ValidationError: A field of the row is invalid.
    """
    text = f"{ApiKey.PREFIXES[ApiKey.Kind(row.kind)]}{secrets.token_urlsafe(_SECRET_BYTES)}"
    row.prefix, row.digest = text[:_PREFIX_LENGTH], _digest(text)
    row.full_clean()
    row.save()
    return NewKey(row, text)


def revoke(row: ApiKey) -> None:
    """Make a key invalid: in this process at once, in others within CACHE_S seconds. Idempotent.

    Args:
        row: The key.
    """
    ApiKey.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now())
    invalidate(row)


def invalidate(row: ApiKey) -> None:
    """Have this process read a key from the database again, after a change of it.

    Args:
        row: The key.
    """
    caches[_CACHE].delete(row.digest)


def authenticate(text: str) -> ApiKeyInfo:
    """Look up a key by its text.

    Args:
        text: The key as the client sent it.

    Returns:
        The key, as it was at most CACHE_S seconds ago.

    Raises:
        InvalidApiKey: The key is unknown, revoked or expired.
    """
    digest = _digest(text)
    cached: ApiKeyInfo | None = caches[_CACHE].get(digest)
    if cached is not None:
        return cached
    # Its age counts from before the query: it may be revoked in the same moment.
    start = time.monotonic()
    key = _load(digest)
    caches[_CACHE].set(digest, key, CACHE_S - (time.monotonic() - start))
    return key


def _load(digest: str) -> ApiKeyInfo:
    row = ApiKey.objects.filter(digest=digest).first()
    if row is None:
        raise InvalidApiKey("unknown API key: check for missing or duplicate characters, or create a new key")
    now = timezone.now()
    if row.revoked_at is not None:
        raise InvalidApiKey(f"the key {row.prefix}… was revoked: create a new key")
    if row.expires_at is not None and row.expires_at <= now:
        raise InvalidApiKey(f"the key {row.prefix}… expired on {row.expires_at:%Y-%m-%d}: create a new key")
    # Once a day: at every request it would make a write of every read.
    if row.last_used_at is None or row.last_used_at.date() < now.date():
        _update_last_used(row, now)
    return ApiKeyInfo(
        id=row.pk,
        prefix=row.prefix,
        publishable=row.kind == ApiKey.Kind.PUBLISHABLE,
        scopes=_scopes(row),
        origins=frozenset(row.origin_list),
        requests_per_minute=row.requests_per_minute,
    )


def _update_last_used(row: ApiKey, now: datetime) -> None:
    """If the database cannot write at once, the next time that the key is read does it."""
    try:
        with _short_lock_timeout(), transaction.atomic():
            ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)
    except DatabaseError as error:
        logger.info("could not update the last use of the key %s…: %s", row.prefix, error)


@contextmanager
def _short_lock_timeout() -> Iterator[None]:
    """SQLite has one writer at a time, and readers must not wait for an import. PostgreSQL only locks the key's row."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        [timeout_ms] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {timeout_ms}")


def _scopes(row: ApiKey) -> frozenset[Scope]:
    granted = {Scope.IMPORT: row.may_import, Scope.TRAIN: row.may_train}
    return frozenset(scope for scope, is_granted in granted.items() if is_granted)


def _digest(text: str) -> str:
    """SHA-256 is enough for 256 random bits: no dictionary contains them."""
    return hashlib.sha256(text.encode()).hexdigest()
