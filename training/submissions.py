"""Submits trainings as jobs. A refusal leaves nothing behind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, BinaryIO

from django.conf import settings

from embeddings.dataset import classes_in
from embeddings.errors import UnknownCollection, UnusablePhotos
from embeddings.models import Collection
from jobs.files import delete_stored, store_upload
from jobs.models import Job
from jobs.services import check_not_active, create_job
from product_files.containers.archives import ArchiveRejected, ArchiveRejectionReason, SafeArchive
from training.config import job_options
from training.errors import TrainingUnavailable
from training.job_kinds import ARCHIVE_SUFFIX, TRAIN
from training.readiness import MIN_CLASSES, MIN_PHOTOS_PER_CLASS, photo_readiness


def check_training_allowed(collection_slug: str, kind: str = TRAIN) -> Collection:
    """Check that a training may be submitted, before a large upload is read.

    Args:
        collection_slug: the collection to train for.
        kind: the kind of job: what is trained.

    Returns:
        The collection.

    Raises:
        UnknownCollection: there is none with this slug.
        TrainingUnavailable: nothing can train here.
        JobInProgress: such a training for it is queued or running.
    """
    collection = Collection.objects.filter(slug=collection_slug).first()
    if collection is None:
        raise UnknownCollection.named(collection_slug, Collection.objects.values_list("slug", flat=True))
    if not settings.CELERY_BROKER_URL and find_spec("tensorflow") is None:
        raise TrainingUnavailable(
            "TensorFlow is not installed here: install the extra `train` (make setup),"
            " or name a broker whose workers have it (CELERY_BROKER_URL)"
        )
    check_not_active(kind, collection_slug)
    return collection


def submit_training(collection_slug: str, upload: BinaryIO, parameters: Mapping[str, Any]) -> Job:
    """Submit an archive of photos (folder = class) to train an encoder on.

    Args:
        collection_slug: the collection that the encoder is for.
        upload: seekable. One with a `temporary_file_path`, as Django's uploads have it, is moved, not copied.
        parameters: by names of `config.api_knobs`, and `activate`, which activates the new version at the end.

    Returns:
        The queued job.

    Raises:
        UnknownCollection, TrainingUnavailable, JobInProgress: as `check_training_allowed`.
        ArchiveRejected: the archive is damaged, unsafe or too large.
        UnusablePhotos: it has too few photos or classes.
        StorageUnavailable: the disk does not take it.
    """
    check_training_allowed(collection_slug)
    _validate_training_archive(upload)
    name = store_upload(upload, ARCHIVE_SUFFIX)
    options = job_options({"activate": False, **parameters})
    try:
        return create_job(TRAIN, collection=collection_slug, upload=name, parameters=options)
    except BaseException:
        delete_stored(name)
        raise


def submit_catalogue_training(collection_slug: str) -> Job:
    """Submit a training on the collection's own photos, its categories being the classes.

    The new version embeds the collection at the end, so that its strips can be compared with those of the active one.

    Args:
        collection_slug: the collection that the encoder is for.

    Returns:
        The queued job.

    Raises:
        UnknownCollection, TrainingUnavailable, JobInProgress: as `check_training_allowed`.
        UnusablePhotos: it has too few photos or categories.
    """
    readiness = photo_readiness(check_training_allowed(collection_slug))
    if not readiness.is_ready:
        raise UnusablePhotos(
            f"at least {MIN_CLASSES} categories with {MIN_PHOTOS_PER_CLASS} photos each are needed, and {readiness.usable} of"
            f" {len(readiness.categories)} are so: import more photos, or give products their categories"
        )
    return create_job(TRAIN, collection=collection_slug, parameters=job_options({"activate": False, "prepare": True}))


def archive_too_large(limit: int) -> ArchiveRejected:
    """The error of an archive that is too large.

    Args:
        limit: bytes.

    Returns:
        The error, to be raised.
    """
    return ArchiveRejected(
        ArchiveRejectionReason.TOO_LARGE, f"the archive is larger than {limit:,} bytes: send fewer or smaller photos"
    )


def _validate_training_archive(upload: BinaryIO) -> None:
    limit = settings.TRAIN_ARCHIVE_MAX_BYTES
    if upload.seek(0, os.SEEK_END) > limit:
        raise archive_too_large(limit)
    upload.seek(0)
    with SafeArchive(upload) as archive:
        _check_class_counts(classes_in(member.name for member in archive.members))
        archive.verify()
    upload.seek(0)


def _check_class_counts(classes: Counter[str]) -> None:
    enough = [label for label, photos in classes.items() if photos >= MIN_PHOTOS_PER_CLASS]
    if len(enough) >= MIN_CLASSES:
        return
    raise UnusablePhotos(
        f"at least {MIN_CLASSES} folders with {MIN_PHOTOS_PER_CLASS} photos each are needed, and {len(enough)} of"
        f" {len(classes)} are so: a folder is a class, and its JPEG, PNG and WebP files are its photos"
    )
