"""How a job comes in: checked before it exists, stored, and called for. A refusal leaves nothing behind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO
from uuid import UUID, uuid4

from django.conf import settings
from django.core.files.move import file_move_safe
from django.db import IntegrityError, transaction

from catalog.archives import ArchiveRejected, Reason, SafeArchive
from catalog.importers.rows import UnusableSource
from catalog.importers.run import ImportOptions
from catalog.importers.sources import expect_catalogue
from embeddings import background, tasks
from embeddings.dataset import classes_in
from embeddings.duplicates import COLLECTION as COMPARED
from embeddings.errors import (
    JobNotFound,
    JobUnderWay,
    NothingToImport,
    TrainingUnavailable,
    UnknownCollection,
    UnusablePhotos,
)
from embeddings.jobs import UNDER_WAY, importable
from embeddings.models import Collection, EncoderVersion, Job
from embeddings.training.config import job_options
from jobs.storage import keeping

LEAST_CLASSES = 2
LEAST_PHOTOS = 2

_CHUNK_BYTES = 1024 * 1024


def expect_training(collection_slug: str) -> Collection:
    """The collection, if a training for it can be taken now: asked before a large upload is read.

    Raises UnknownCollection, TrainingUnavailable, JobUnderWay.
    """
    collection = Collection.objects.filter(slug=collection_slug).first()
    if collection is None:
        raise UnknownCollection.named(collection_slug, Collection.objects.values_list("slug", flat=True))
    if not settings.CELERY_BROKER_URL and find_spec("tensorflow") is None:
        raise TrainingUnavailable(
            "TensorFlow is not installed here: install the extra `train` (make setup),"
            " or name a broker whose workers have it (CELERY_BROKER_URL)"
        )
    if Job.objects.filter(collection=collection, kind=Job.Kind.TRAIN, state__in=UNDER_WAY).exists():
        raise JobUnderWay(f"a training for {collection_slug!r} is under way: wait until it has ended, or cancel it")
    return collection


def submit_training(collection_slug: str, upload: BinaryIO, parameters: Mapping[str, Any]) -> Job:
    """Take an archive of photos (folder = class) to train an encoder for the collection on. Returns the queued job.

    upload: seekable; one with a `temporary_file_path`, as Django's uploads have it, is moved and not copied.
    parameters: by names of `config.api_knobs`, and `activate`, which puts the new version into use at the end.
    Raises what `expect_training` raises, ArchiveRejected, UnusablePhotos and StorageUnavailable.
    """
    collection = expect_training(collection_slug)
    _refuse_unusable(upload)
    name = _store(upload, ".zip")
    try:
        with transaction.atomic():
            job = Job.objects.create(
                kind=Job.Kind.TRAIN,
                collection=collection,
                upload=name,
                parameters=job_options({"activate": False, **parameters}),
            )
            call_for(job)
    except BaseException as error:
        (Path(settings.UPLOADS_ROOT) / name).unlink(missing_ok=True)
        if isinstance(error, IntegrityError):
            # Another request was faster, and this says so.
            expect_training(collection_slug)
        raise
    return job


def submit_activation(version: EncoderVersion, *, allow_worse: bool = False) -> Job:
    """Take the order to put this version into use. Returns the queued job. Raises JobUnderWay."""
    return _order(Job.Kind.ACTIVATE, version.collection, {"version": version.label, "allow_worse": allow_worse})


def submit_reindex(collection: Collection) -> Job:
    """Take the order to build the collection's index anew. Returns the queued job. Raises JobUnderWay."""
    return _order(Job.Kind.REINDEX, collection)


def submit_duplicate_search() -> Job:
    """Take the order to look for near-duplicates. Returns the queued job. Raises JobUnderWay."""
    return _order(Job.Kind.DUPLICATES, Collection.objects.get(slug=COMPARED))


_ORDERS = {
    Job.Kind.ACTIVATE: "an activation",
    Job.Kind.REINDEX: "a reindex",
    Job.Kind.DUPLICATES: "a search for near-duplicates",
}


def _order(kind: Job.Kind, collection: Collection, parameters: Mapping[str, Any] = MappingProxyType({})) -> Job:
    """A job that nothing is sent for."""
    try:
        with transaction.atomic():
            job = Job.objects.create(kind=kind, collection=collection, parameters=dict(parameters))
            call_for(job)
    except IntegrityError:
        # By its one-at-a-time constraint, unless the collection is gone.
        if not Job.objects.filter(collection=collection, kind=kind, state__in=UNDER_WAY).exists():
            raise
        raise JobUnderWay(
            f"{_ORDERS[kind]} for {collection.slug!r} is under way: wait until it has ended, or cancel it"
        ) from None
    return job


def expect_import() -> None:
    """Asked before a large upload is read. Raises JobUnderWay where an import waits or is under way."""
    if Job.objects.filter(kind=Job.Kind.IMPORT, state__in=UNDER_WAY).exists():
        raise JobUnderWay("an import is under way: wait until it has ended, or cancel it")


def submit_import(upload: BinaryIO, options: ImportOptions, *, file_name: str = "") -> Job:
    """Take a catalogue to import: a table, a feed, or a zip of either or of photos. Returns the queued job.

    upload: as in `submit_training`. file_name: as its sender calls it. A dry run that succeeds keeps what was sent for
    IMPORT_UPLOAD_KEEP_HOURS, for `submit_import_of`. Raises JobUnderWay, UnusableSource where nothing can be imported
    from it or there is too much of it, and StorageUnavailable.
    """
    expect_import()
    limit = settings.IMPORT_MAX_BYTES
    if upload.seek(0, os.SEEK_END) > limit:
        raise UnusableSource(f"the file is larger than {limit:,} bytes: divide it, or run manage.py import_catalog")
    upload.seek(0)
    name = _store(upload, ".import")
    path = Path(settings.UPLOADS_ROOT) / name
    try:
        try:
            expect_catalogue(path, options.mapping(), kind=options.format)
        except UnusableSource as error:
            raise UnusableSource(str(error).replace(str(path), file_name or "the file")) from error
        return _import_job(name, {**options.as_parameters(), "file": file_name})
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def submit_import_of(dry_run_id: UUID) -> Job:
    """Import what a dry run has read, with the same options. Raises JobNotFound, NothingToImport, JobUnderWay."""
    with transaction.atomic():
        dry_run = Job.objects.select_for_update().filter(pk=dry_run_id).first()
        if dry_run is None:
            raise JobNotFound(f"there is no job {dry_run_id}")
        if not importable(dry_run):
            raise NothingToImport(
                f"job {dry_run_id} is no dry run whose file is still kept: send the file again"
                f" (it is kept for {settings.IMPORT_UPLOAD_KEEP_HOURS} hours, and until it is imported)"
            )
        upload, dry_run.upload = dry_run.upload, ""
        dry_run.save(update_fields=["upload"])
        return _import_job(upload, {**dry_run.parameters, "dry_run": False})


def _import_job(upload: str, parameters: dict[str, Any]) -> Job:
    try:
        with transaction.atomic():
            job = Job.objects.create(kind=Job.Kind.IMPORT, upload=upload, parameters=parameters)
            call_for(job)
    except IntegrityError:
        # Another request was faster, and this says so.
        expect_import()
        raise
    return job


def call_for(job: Job) -> None:
    """Once the transaction is committed, have the job worked off. A message that is lost costs time only."""
    job_id: UUID = job.pk
    kind = job.kind

    def send() -> None:
        if settings.CELERY_BROKER_URL:
            tasks.request_job(job_id, kind)
        else:
            background.note_job()

    transaction.on_commit(send, robust=True)


def _refuse_unusable(upload: BinaryIO) -> None:
    limit = settings.TRAIN_ARCHIVE_MAX_BYTES
    if upload.seek(0, os.SEEK_END) > limit:
        raise ArchiveRejected(
            Reason.TOO_LARGE, f"the archive is larger than {limit:,} bytes: send fewer or smaller photos"
        )
    upload.seek(0)
    with SafeArchive(upload) as archive:
        _refuse_too_few(classes_in(member.name for member in archive.members))
        archive.verify()
    upload.seek(0)


def _refuse_too_few(classes: Counter[str]) -> None:
    enough = [label for label, photos in classes.items() if photos >= LEAST_PHOTOS]
    if len(enough) >= LEAST_CLASSES:
        return
    raise UnusablePhotos(
        f"at least {LEAST_CLASSES} folders with {LEAST_PHOTOS} photos each are needed, and {len(enough)} of"
        f" {len(classes)} are so: a folder is a class, and its JPEG, PNG and WebP files are its photos"
    )


def _store(upload: BinaryIO, suffix: str) -> str:
    """Keep what was sent under a name of its own in UPLOADS_ROOT; it is there whole or not at all. Raises StorageUnavailable."""
    name = f"{uuid4()}{suffix}"
    with keeping("what was sent", settings.UPLOADS_ROOT):
        _move_in(upload, Path(settings.UPLOADS_ROOT), name)
    return name


def _move_in(upload: BinaryIO, root: Path, name: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    part = root / f"{name}.part"
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
