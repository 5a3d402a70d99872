"""The first part of a feed's job: the file is downloaded into the store of uploads, and is imported from there as any upload."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import transaction

from catalog import facts
from catalog.importers.feeds import OnProgress, Validators, downloaded
from catalog.importers.report import ImportReport
from catalog.importers.run import ImportOptions
from catalog.importers.scheduled_feeds import BASE, FEED, NOT_CHANGED, ONLY_IF_CHANGED, address_of, import_options
from catalog.importers.submission import UPLOAD_SUFFIX
from catalog.models import ImportDraft
from catalog.models.feeds import ETAG_LENGTH, LAST_MODIFIED_LENGTH, Feed
from jobs import storage_facts
from jobs.files import delete_stored
from jobs.models import Job
from jobs.states import JobState
from jobs.storage import storage_errors
from product_files.containers.zipped_catalogue import ImportInterrupted
from product_files.rows import InvalidSource
from product_files.sources import validate_upload
from stores import base as stores


class Arrived(NamedTuple):
    """What is known of the file of a feed that has arrived: where it was, and what the next request is made with."""

    address: str
    validators: Validators


def needs_download(job: Job) -> bool:
    """Whether an import is of a feed whose file has not arrived yet."""
    return FEED in job.parameters and not job.upload


def fetch_feed(job: Job, on_progress: OnProgress) -> Arrived:
    """Download the file of a feed's job, and make it the upload of the job.

    Args:
        job: a running one that needs it; gets its upload.
        on_progress: called while it arrives.

    Returns:
        What is kept once the file is imported.

    Raises:
        FeedNotChanged: its server says that it is the file that was imported last.
        InvalidSource: the feed is gone, or nothing that can be imported came from there.
        StorageUnavailable: there is no space for it.
        ImportInterrupted: the process is asked to end, or the job was cancelled.
    """
    feed = Feed.objects.filter(pk=job.parameters[FEED]).first()
    if feed is None:
        raise InvalidSource(facts.FEED_GONE())
    known = Validators(feed.etag, feed.last_modified) if job.parameters.get(ONLY_IF_CHANGED) else Validators()
    options = ImportOptions.from_parameters(job.parameters)
    store, name = stores.uploads(), f"{uuid4()}{UPLOAD_SUFFIX}"
    with downloaded(address_of(feed), known=known, on_progress=on_progress) as arrived:
        if not options.dry_run:
            # If this import breaks off, the next one has to be whole.
            Feed.objects.filter(pk=feed.pk).update(etag="", last_modified="")
        if draft_id := job.parameters.get("draft"):
            _fill_draft(draft_id, arrived.path)
        validate_upload(arrived.path, options.mapping(), format=options.format, table=options.table)
        with storage_errors(storage_facts.WHAT_WAS_SENT(), store.place):
            store.take(name, arrived.path)
        parameters = {**job.parameters, BASE: arrived.base.partition("?")[0]}
        running = Job.objects.filter(pk=job.pk, state=JobState.RUNNING)
        if not running.update(upload=name, parameters=parameters):
            delete_stored(name)
            raise ImportInterrupted
        job.upload, job.parameters = name, parameters
        return Arrived(feed.address, arrived.validators)


def keep_validators(job: Job, arrived: Arrived, report: ImportReport) -> None:
    """Keep what says that a feed has not changed, if its file was imported whole, with all photos.

    Args:
        job: of the feed.
        arrived: the file.
        report: of its import.
    """
    if report.dry_run or report.photos_rejected or report.not_withdrawn or report.broken_off:
        return
    validators = arrived.validators
    if len(validators.etag) > ETAG_LENGTH or len(validators.last_modified) > LAST_MODIFIED_LENGTH:
        return
    with transaction.atomic():
        # Somebody may have changed it meanwhile.
        feed = Feed.objects.select_for_update().filter(pk=job.parameters[FEED], address=arrived.address).first()
        if feed is not None and import_options(feed) == ImportOptions.from_parameters(job.parameters):
            feed.etag, feed.last_modified = validators.etag, validators.last_modified
            feed.save(update_fields=["etag", "last_modified"])


def not_changed_result() -> dict[str, Any]:
    """The result of a job whose feed has not changed."""
    return {"rows": 0, **asdict(ImportReport()), NOT_CHANGED: True, "note_facts": [], "rejected_file": False}


def _fill_draft(draft_id: str, path: Path) -> None:
    """Give a draft the file, so that its page shows how it is read."""
    draft = ImportDraft.objects.filter(pk=draft_id).first()
    if draft is None:
        return
    store = stores.uploads()
    with (
        storage_errors(storage_facts.WHAT_WAS_SENT(), store.place),
        TemporaryDirectory(prefix="lookalike-import-") as folder,
    ):
        copy = Path(folder) / "feed"
        shutil.copyfile(path, copy)
        store.take(draft.upload, copy)
    draft.size, draft.complete = path.stat().st_size, True
    draft.save()
