"""Deletes the files of photos that no product has any more: after a while, when the database says so again.

Products share the files of identical photos, so the file of a deleted photo may be one that another product is getting at the same
moment. Whoever attaches a photo takes its file from the list of unused files in the transaction of its row (`take`), and the sweep
holds the file's entry while it looks for rows and deletes the file. So one waits for the other: an attached photo either keeps its
file, or finds it gone and writes it again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from pathlib import PurePosixPath

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone

from catalog.models import ProductImage, UnusedFile
from catalog.thumbnails import delete_thumbnails
from stores.errors import StoreError

logger = logging.getLogger(__name__)

_BATCH_SIZE = 1000


def note(names: Collection[str]) -> None:
    """Have files deleted after DELETED_PHOTOS_KEEP_MINUTES, unless a photo uses them then.

    Args:
        names: paths in the media storage.
    """
    now = timezone.now()
    UnusedFile.objects.bulk_create(
        (UnusedFile(name=name, unused_since=now) for name in sorted(names)),
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["unused_since"],
    )


def take(names: Collection[str]) -> None:
    """Keep files for photos whose rows are saved in this transaction; waits for a sweep that is deleting one of them.

    Args:
        names: paths in the media storage.
    """
    UnusedFile.objects.filter(name__in=names).delete()


def sweep() -> int:
    """Delete the files that have been unused for DELETED_PHOTOS_KEEP_MINUTES, with their thumbnails.

    Several processes may do so at the same time.

    Returns:
        Number of files deleted.

    Raises:
        StoreError: the whole storage fails; the next sweep goes on.
        OSError: the storage does not delete some file. All others are deleted, and it is tried again by the next sweep.
    """
    due = UnusedFile.objects.filter(unused_since__lte=timezone.now() - keep_time()).order_by("name")
    deleted, last = 0, ""
    refused: list[OSError] = []
    while names := list(due.filter(name__gt=last).values_list("name", flat=True)[:_BATCH_SIZE]):
        last = names[-1]
        for name in names:
            try:
                deleted += _delete(name)
            except StoreError:
                raise
            except OSError as error:
                refused.append(error)
    if deleted:
        logger.info("deleted the files of %d photos that no product has", deleted)
    if refused:
        raise refused[0]
    return deleted


def keep_time() -> timedelta:
    """How long a file is kept that no photo uses."""
    return timedelta(minutes=settings.DELETED_PHOTOS_KEEP_MINUTES)


@transaction.atomic
def delete_now(names: Collection[str]) -> int:
    """Delete files that no photo uses, without waiting.

    Args:
        names: paths in the media storage.

    Returns:
        Number of files deleted.

    Raises:
        OSError: the storage does not delete a file.
    """
    _wait_for_attaching()
    return sum(_delete_if_unused(name) for name in names)


def used(names: Collection[str]) -> set[str]:
    """Those of the files that a photo uses.

    Args:
        names: paths in the media storage.

    Returns:
        Paths.
    """
    # The column of hashes has an index.
    hashes = [PurePosixPath(name).stem for name in names]
    found = ProductImage.objects.filter(sha256__in=hashes).values_list("file", flat=True)
    return set(found) & set(names)


@transaction.atomic
def _delete(name: str) -> bool:
    # Deleting the entry locks it until the end of the transaction; on SQLite, the database.
    taken, _ = UnusedFile.objects.filter(name=name).delete()
    return bool(taken) and _delete_if_unused(name)


def _delete_if_unused(name: str) -> bool:
    if used([name]):
        return False
    default_storage.delete(name)
    delete_thumbnails(name)
    return True


def _wait_for_attaching() -> None:
    """Wait for the transactions that are attaching photos, and let later ones wait: each deletes from this table."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                f"LOCK TABLE {connection.ops.quote_name(UnusedFile._meta.db_table)} IN SHARE ROW EXCLUSIVE MODE"
            )
    else:
        # On SQLite, whoever writes waits for all others who do.
        UnusedFile.objects.filter(name="").delete()
