"""The files of jobs in UPLOADS_ROOT: stored before a job exists, deleted when no job needs them any more."""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from django.conf import settings
from django.core.files.move import file_move_safe

from jobs.models import Job
from jobs.registry import kinds
from jobs.states import ACTIVE_STATES
from jobs.storage import storage_errors

# A file without a job is one that is being stored, or was when its process died.
UPLOAD_GRACE = timedelta(hours=1)

_PART = ".part"
_CHUNK_BYTES = 1024 * 1024


def upload_path(job: Job) -> Path:
    """Where the uploaded file of the job is."""
    return Path(settings.UPLOADS_ROOT) / job.upload


def file_path(job: Job, suffix: str) -> Path:
    """Where a file is that the job's command writes.

    Args:
        job: whose file.
        suffix: one of the kind's `JobFiles.suffixes`.

    Returns:
        A path in UPLOADS_ROOT, whether there is such a file or not. It is kept as long as the job is active.
    """
    return Path(settings.UPLOADS_ROOT) / f"{job.pk}{suffix}"


def store_upload(upload: BinaryIO, suffix: str) -> str:
    """Store an uploaded file under a name of its own in UPLOADS_ROOT; afterwards it is there whole or not at all.

    Args:
        upload: seekable, at its beginning. One with a `temporary_file_path`, as Django's uploads have it, is moved, not copied.
        suffix: of the name.

    Returns:
        The name, for `Job.upload`.

    Raises:
        StorageUnavailable: the disk does not take it.
    """
    name = f"{uuid4()}{suffix}"
    with storage_errors("what was sent", settings.UPLOADS_ROOT):
        _write_upload(upload, Path(settings.UPLOADS_ROOT), name)
    return name


def _write_upload(upload: BinaryIO, root: Path, name: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    part = root / f"{name}{_PART}"
    try:
        temporary = getattr(upload, "temporary_file_path", None)
        if temporary is not None:
            file_move_safe(temporary(), str(part))
        else:
            with part.open("xb") as file:
                while chunk := upload.read(_CHUNK_BYTES):
                    file.write(chunk)
        # A worker may run as another user of the same group; nobody else is to read it.
        part.chmod(0o640)
        part.replace(root / name)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def delete_stored(name: str) -> None:
    """Delete what `store_upload` has stored, where no job came of it."""
    (Path(settings.UPLOADS_ROOT) / name).unlink(missing_ok=True)


def delete_upload(job: Job) -> None:
    """Delete the job's upload, if it has one."""
    if job.upload:
        upload_path(job).unlink(missing_ok=True)
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
    """Delete files that killed processes have left and files past their time, once they are older than UPLOAD_GRACE."""
    root = Path(settings.UPLOADS_ROOT)
    if not root.is_dir():
        return
    before = time.time() - UPLOAD_GRACE.total_seconds()
    files = [kind.files for kind in kinds if kind.files]
    suffixes = (_PART, *(suffix for each in files for suffix in each.suffixes))
    active = Job.objects.filter(state__in=ACTIVE_STATES)
    retained = {name for each in files if each.retained for name in each.retained()}
    retained |= set(active.values_list("upload", flat=True))
    active_ids = tuple(str(job_id) for job_id in active.values_list("pk", flat=True))
    for path in root.iterdir():
        if not path.name.endswith(suffixes) or path.name in retained or path.name.startswith(active_ids):
            continue
        # Its own process may be removing it just now.
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()
