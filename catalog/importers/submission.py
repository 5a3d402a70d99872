"""Submits imports as jobs: a catalogue is checked before a job exists, and a refusal leaves nothing behind."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import BinaryIO
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from catalog.errors import DryRunFileExpired, NoRejectedRows
from catalog.importers.run import ImportOptions
from jobs import storage_facts
from jobs.errors import JobNotFound
from jobs.facts import replaced
from jobs.files import delete_stored, file_name, store_upload
from jobs.models import Job
from jobs.services import check_not_active, create_job
from jobs.storage import storage_error, storage_errors
from product_files import file_facts
from product_files.rows import InvalidSource
from product_files.sources import validate_upload
from stores import base as stores
from stores.errors import StoreError

# The name of the kind of job.
IMPORT = "import"
UPLOAD_SUFFIX = ".import"
REJECTED_SUFFIX = ".rejected.csv"


def check_import_allowed() -> None:
    """Check that an import may be submitted, before a large upload is read.

    Raises:
        JobInProgress: an import is queued or running.
    """
    check_not_active(IMPORT)


def submit_import(upload: BinaryIO, options: ImportOptions, *, file_name: str = "") -> Job:
    """Submit a catalogue to import: a table, a feed, or a zip of either or of photos.

    Args:
        upload: seekable. One with a `temporary_file_path`, as Django's uploads have it, is moved, not copied.
        options: a dry run that succeeds keeps the file for IMPORT_UPLOAD_KEEP_HOURS, for `submit_dry_run_import`.
        file_name: as its sender calls it.

    Returns:
        The queued job.

    Raises:
        JobInProgress: an import is queued or running.
        InvalidSource: nothing can be imported from it, or it is too large.
        StorageUnavailable: the disk does not take it.
    """
    check_import_allowed()
    if upload.seek(0, os.SEEK_END) > settings.IMPORT_MAX_BYTES:
        raise too_large(settings.IMPORT_MAX_BYTES)
    upload.seek(0)
    return create_import(store_upload(upload, UPLOAD_SUFFIX), options, file_name=file_name)


def too_large(limit: int) -> InvalidSource:
    """The error of a file that is too large. limit: in bytes."""
    return InvalidSource(file_facts.UPLOAD_TOO_LARGE(limit=limit))


def create_import(name: str, options: ImportOptions, *, file_name: str, draft_id: UUID | None = None) -> Job:
    """Create the job of a stored file; the file is deleted if there is none.

    Args:
        name: of the file in the store of uploads.
        options: of the import.
        file_name: as its sender calls it.
        draft_id: the draft that the file is of.

    Returns:
        The queued job.

    Raises:
        JobInProgress: an import is queued or running.
        InvalidSource: nothing can be imported from it.
        StorageUnavailable: the store is away.
    """
    store = stores.uploads()
    parameters = {**options.as_parameters(), "file": file_name, **({"draft": str(draft_id)} if draft_id else {})}
    try:
        with storage_errors(storage_facts.WHAT_WAS_SENT(), store.place), store.local(name) as path:
            try:
                validate_upload(path, options.mapping(), format=options.format, table=options.table)
            except InvalidSource as error:
                raise InvalidSource(replaced(str(error), str(path), file_name or file_facts.THE_FILE())) from error
        return create_job(IMPORT, upload=name, parameters=parameters)
    except BaseException:
        delete_stored(name)
        raise


def submit_dry_run_import(dry_run_id: UUID) -> Job:
    """Submit the import of the file of a dry run, with the same options.

    Args:
        dry_run_id: the job of the dry run.

    Returns:
        The queued job, which takes over the file.

    Raises:
        JobNotFound: there is no such job.
        DryRunFileExpired: it is not a dry run whose file is still stored.
        JobInProgress: an import is queued or running.
    """
    with transaction.atomic():
        dry_run = Job.objects.select_for_update().filter(pk=dry_run_id).first()
        if dry_run is None:
            raise JobNotFound(f"there is no job {dry_run_id}")
        if not can_import_dry_run(dry_run):
            raise DryRunFileExpired(
                file_facts.DRY_RUN_EXPIRED(job=str(dry_run_id), hours=settings.IMPORT_UPLOAD_KEEP_HOURS)
            )
        upload, dry_run.upload = dry_run.upload, ""
        dry_run.save(update_fields=["upload"])
        return create_job(IMPORT, upload=upload, parameters={**dry_run.parameters, "dry_run": False})


def can_import_dry_run(job: Job) -> bool:
    """Whether the job is a dry run whose file is still stored, so that `submit_dry_run_import` takes it.

    Args:
        job: any job.

    Returns:
        True for such a dry run.
    """
    return (
        job.kind == IMPORT
        and job.state == Job.State.SUCCEEDED
        and bool(job.parameters.get("dry_run"))
        and _is_stored(job.upload)
    )


def rejected_name(job: Job) -> str:
    """The name of the file of an import's rejected rows. Whether there are any is known when it has succeeded."""
    return file_name(job, REJECTED_SUFFIX)


def has_rejected_file(job: Job) -> bool:
    """Whether `open_rejected` opens the file of an import's rejected rows; False while the store is away."""
    return job.kind == IMPORT and job.state == Job.State.SUCCEEDED and _is_stored(rejected_name(job))


def open_rejected(job: Job) -> File[bytes]:
    """The file of an import's rejected rows, open for reading.

    Args:
        job: any job.

    Returns:
        The file.

    Raises:
        NoRejectedRows: the job has none.
        StorageUnavailable: the store is away.
    """
    store = stores.uploads()
    try:
        if job.kind == IMPORT and job.state == Job.State.SUCCEEDED:
            file: File[bytes] = store.open(rejected_name(job))
            return file
    except FileNotFoundError:
        # As one that has none.
        pass
    except OSError as error:
        raise storage_error(error, storage_facts.REJECTED_TABLE(), store.place) from error
    raise NoRejectedRows(
        f"job {job.pk} has no file of rejected rows: nothing was rejected, it is no import that has succeeded,"
        f" or it ended more than {settings.IMPORT_REJECTED_KEEP_DAYS} days ago"
    )


def _is_stored(name: str) -> bool:
    try:
        return bool(name) and stores.uploads().exists(name)
    except StoreError:
        return False


def retained_files() -> set[str]:
    """List the files in the store of uploads that are still needed, and clear the uploads of dry runs whose file has expired.

    Returns:
        File names: uploads of recent dry runs, and rejected rows of recent imports.
    """
    now = timezone.now()
    succeeded = Job.objects.filter(kind=IMPORT, state=Job.State.SUCCEEDED)
    dry_runs = succeeded.exclude(upload="")
    upload_expires = timedelta(hours=settings.IMPORT_UPLOAD_KEEP_HOURS)
    dry_runs.filter(finished_at__lte=now - upload_expires).update(upload="")
    recent = succeeded.filter(finished_at__gt=now - timedelta(days=settings.IMPORT_REJECTED_KEEP_DAYS))
    rejected = {f"{job_id}{REJECTED_SUFFIX}" for job_id in recent.values_list("pk", flat=True)}
    return rejected | set(dry_runs.values_list("upload", flat=True))
