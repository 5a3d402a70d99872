"""The files of jobs in the store of uploads: stored before a job exists, deleted when no job needs them any more."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from django.core.files.base import File
from django.utils import timezone

from jobs import storage_facts
from jobs.models import Job
from jobs.registry import kinds
from jobs.states import ACTIVE_STATES
from jobs.storage import storage_errors
from stores import base as stores
from stores.errors import StoreError

logger = logging.getLogger(__name__)

# A file without a job is one that is being stored, or was when its process died.
UPLOAD_GRACE = timedelta(hours=1)

_PART = ".part"


def has_upload(job: Job) -> bool:
    """Whether the uploaded file of the job is there. Raises OSError where the store is away."""
    return bool(job.upload) and stores.uploads().exists(job.upload)


def open_upload(job: Job) -> File[bytes]:
    """The uploaded file of the job, open for reading. Raises OSError."""
    file: File[bytes] = stores.uploads().open(job.upload)
    return file


def local_upload(job: Job) -> AbstractContextManager[Path]:
    """The uploaded file of the job on a disk of this machine, to be read until the block ends. Raises OSError."""
    return stores.uploads().local(job.upload)


def file_name(job: Job, suffix: str) -> str:
    """The name of a file that the job's command writes, in the store of uploads.

    Args:
        job: whose file.
        suffix: one of the kind's `JobFiles.suffixes`.

    Returns:
        A name, whether there is such a file or not. The file is kept as long as the job is active.
    """
    return f"{job.pk}{suffix}"


def store_upload(upload: BinaryIO, suffix: str) -> str:
    """Store an uploaded file under a name of its own; afterwards it is there whole or not at all.

    Args:
        upload: seekable, at its beginning. One with a `temporary_file_path`, as Django's uploads have it, is moved, not copied.
        suffix: of the name.

    Returns:
        The name, for `Job.upload`.

    Raises:
        StorageUnavailable: the store does not take it.
    """
    name = f"{uuid4()}{suffix}"
    store = stores.uploads()
    temporary = getattr(upload, "temporary_file_path", None)
    with storage_errors(storage_facts.WHAT_WAS_SENT(), store.place):
        if temporary is not None:
            store.take(name, Path(temporary()))
        else:
            store.put(name, upload)
    return name


def delete_stored(name: str) -> None:
    """Delete what `store_upload` has stored. Where the store is away now, it is deleted with the expired files."""
    try:
        stores.uploads().delete(name)
    except StoreError as error:
        logger.warning("%s is not deleted yet: %s", name, error)


def delete_upload(job: Job) -> None:
    """Delete the job's upload, if it has one."""
    if job.upload:
        delete_stored(job.upload)
        Job.objects.filter(pk=job.pk).update(upload="")
        job.upload = ""


def delete_upload_if_ended(job: Job) -> None:
    """Delete the job's upload once the job has ended, unless its kind keeps it.

    Args:
        job: the row as it was when it was claimed. By now the upload may belong to another job, so the row is read again.
    """
    now = Job.objects.filter(pk=job.pk).first()
    if now is None:
        delete_upload(job)
        return
    files = now.registered_kind.files
    if now.ended and not (files and files.keeps_upload and files.keeps_upload(now)):
        delete_upload(now)


def delete_expired_files() -> None:
    """Delete files that killed processes have left and files past their time, once they are older than UPLOAD_GRACE.

    Raises:
        OSError: the store fails; the next call goes on.
    """
    store = stores.uploads()
    before = timezone.now() - UPLOAD_GRACE
    files = [kind.files for kind in kinds if kind.files]
    suffixes = (_PART, *(suffix for each in files for suffix in each.suffixes))
    active = Job.objects.filter(state__in=ACTIVE_STATES)
    retained = {name for each in files if each.retained for name in each.retained()}
    retained |= set(active.values_list("upload", flat=True))
    active_ids = tuple(str(job_id) for job_id in active.values_list("pk", flat=True))
    for stored in list(store.walk()):
        if not stored.name.endswith(suffixes) or stored.name in retained or stored.name.startswith(active_ids):
            continue
        if stored.modified_at < before:
            store.delete(stored.name)
