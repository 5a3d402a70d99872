"""Transactions of the catalogue: their locks, what becomes of their files of photos, and when they are done again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.models import Q

from catalog import unused_files
from catalog.models import Product
from jobs.storage import database_storage_errors

logger = logging.getLogger(__name__)

_ATTEMPTS = 8
# Of PostgreSQL: a foreign key or unique violation, a serialization failure and a deadlock.
_CONFLICT_STATES = frozenset({"23503", "23505", "40001", "40P01"})
# Key of an advisory lock, which all programs of a database share: the letters "families".
_FAMILIES_KEY = int.from_bytes(b"families")

_written_files: ContextVar[set[str] | None] = ContextVar("written", default=None)

Result = TypeVar("Result")


@contextmanager
def transaction_with_files() -> Iterator[None]:
    """A transaction whose new files of photos are swept later, if it is rolled back.

    Raises:
        StorageUnavailable: the disk of the database is full or read-only.
    """
    written: set[str] = set()
    outer = _written_files.set(written)
    try:
        with database_storage_errors(), transaction.atomic():
            yield
    except BaseException:
        _note_unused(written)
        raise
    finally:
        _written_files.reset(outer)
        if (of_outer := _written_files.get()) is not None:
            # It may be rolled back, too, and with it the note of what this one has left.
            of_outer |= written


def file_was_written(name: str) -> None:
    """Note a file of a photo whose row is saved in the current transaction.

    Args:
        name: path in the media storage.
    """
    if (written := _written_files.get()) is not None:
        written.add(name)


def with_retries(
    write: Callable[[], Result],
    *,
    wait_s: float,
    on_conflict: Callable[[], object] | None = None,
    check_foreign_keys: bool = False,
) -> Result:
    """Write in a transaction with files, and again if another one has written the same products at the same time.

    Args:
        write: what to write; executed once for each attempt.
        wait_s: seconds; at most as long before each further attempt.
        on_conflict: called after each attempt that is rolled back and done again.
        check_foreign_keys: at the end of each attempt. PostgreSQL does so at the end of the transaction, which may be an outer one,
            too late for another attempt.

    Returns:
        What `write` returns.

    Raises:
        DatabaseError: a conflict on each attempt, or another error on one of them.
        StorageUnavailable: the disk of the database is full or read-only.
    """
    for attempt in range(_ATTEMPTS):
        try:
            with transaction_with_files():
                result = write()
                if check_foreign_keys and connection.vendor == "postgresql":
                    connection.check_constraints()
                return result
        except (IntegrityError, OperationalError) as error:
            if attempt == _ATTEMPTS - 1 or not _is_conflict(error):
                raise
            if on_conflict is not None:
                on_conflict()
            # Not at the same moment as the other one again.
            time.sleep(random.uniform(0, wait_s))
    raise AssertionError("the last attempt returns or raises")


def lock_families() -> None:
    """Wait for all who create or delete products, or change their families, and keep them waiting until this transaction ends.

    Families reach over products that nobody has named, so no order of row locks would keep two of these transactions from a
    deadlock. Call it before locking rows. SQLite has one writer at a time by itself.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_FAMILIES_KEY])


def lock_products(skus: Collection[str], *, families: Collection[str] | None) -> set[str]:
    """Lock products until the end of the transaction, in one order for all who do so: then none waits for another in a circle.

    Args:
        skus: of the products.
        families: codes of families that products join, if any may be created or deleted, leave or join one; its other products are
            locked, too. None if only other fields of products change.

    Returns:
        SKUs of those that there are.
    """
    named = Q(sku__in=skus)
    locked = named
    if families is not None:
        lock_families()
        own = Product.objects.filter(named)
        locked |= Q(variant_of__in=own.values("pk")) | Q(pk__in=own.values("variant_of"))
        locked |= Q(family_code__in=[code for code in families if code])
    rows = Product.objects.select_for_update().filter(locked).order_by("pk").values_list("sku", flat=True)
    return set(rows) & set(skus)


def _is_conflict(error: DatabaseError) -> bool:
    """Whether a transaction failed because of a deadlock, or of a row that another one has just created or deleted."""
    return getattr(error.__cause__, "sqlstate", None) in _CONFLICT_STATES


def _note_unused(names: set[str]) -> None:
    """Have the files of a transaction that was rolled back swept. An error is logged; `check_media` finds the files."""
    if not names:
        return
    try:
        unused_files.note(names)
    except DatabaseError as error:
        logger.error("the files of photos that were not saved stay (%s): %s", error, ", ".join(sorted(names)))
