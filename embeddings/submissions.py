"""Submits activations, reindexes, verifications and searches for near-duplicates as jobs."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone

from embeddings.backends import get_vector_index
from embeddings.doctor import COLLECTION as EXAMINED
from embeddings.duplicates import COLLECTION as COMPARED
from embeddings.errors import CollectionNotFound
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.selectors import active_versions
from jobs.errors import JobInProgress
from jobs.models import Job
from jobs.services import create_job

logger = logging.getLogger(__name__)

ACTIVATE, REINDEX, VERIFY = "activate", "reindex", "verify"
DUPLICATES, DOCTOR = "duplicates", "doctor"
# A reindex that fails is not submitted again sooner.
_RETRY_AFTER = timedelta(hours=1)
# An index with a smaller share of its points was lost. It is rebuilt again so soon where that has failed.
_LOST_SHARE = 0.5
_RETRY_LOST_AFTER = timedelta(minutes=5)


def submit_activation(version: EncoderVersion, *, allow_worse: bool = False) -> Job:
    """Submit the activation of a version.

    Args:
        version: of any collection.
        allow_worse: even where its quality is lower than the active version's.

    Returns:
        The queued job.

    Raises:
        JobInProgress: an activation for the collection is queued or running.
    """
    parameters = {"version": version.label, "allow_worse": allow_worse}
    return create_job(ACTIVATE, collection=version.collection.slug, parameters=parameters)


def submit_preparation(version: EncoderVersion) -> Job:
    """Submit the embedding of a version's collection without its activation.

    Args:
        version: of any collection.

    Returns:
        The queued job.

    Raises:
        JobInProgress: an activation for the collection is queued or running.
    """
    parameters = {"version": version.label, "prepare": True}
    return create_job(ACTIVATE, collection=version.collection.slug, parameters=parameters)


def submit_reindex(collection: Collection) -> Job:
    """Submit the rebuild of a collection's index.

    Args:
        collection: one with an active version.

    Returns:
        The queued job.

    Raises:
        JobInProgress: a reindex of it is queued or running.
    """
    return create_job(REINDEX, collection=collection.slug)


def submit_verification(collection: Collection) -> Job:
    """Submit the comparison of a collection's live index with the database.

    Args:
        collection: one with an active version.

    Returns:
        The queued job.

    Raises:
        JobInProgress: a comparison of it is queued or running.
    """
    return create_job(VERIFY, collection=collection.slug)


def submit_outdated_reindexes() -> list[Job]:
    """Submit the rebuild of each live index that was lost, or made before a field by which products are filtered today.

    Returns:
        The queued jobs; none for a collection that has had one within the last minutes (lost) or hour.

    Raises:
        IndexUnavailable: the vector index does not respond.
    """
    jobs = []
    for version in active_versions():
        slug = version.collection.slug
        reason, retry_after = _reason_to_rebuild(version)
        recent = Job.objects.filter(kind=REINDEX, collection=slug, created_at__gte=timezone.now() - retry_after)
        if not reason or recent.exists():
            continue
        logger.warning("the index of %s is rebuilt, as %s", slug, reason)
        try:
            jobs.append(submit_reindex(version.collection))
        except JobInProgress as error:
            logger.info("%s", error)
    return jobs


def _reason_to_rebuild(version: EncoderVersion) -> tuple[str, timedelta]:
    """Why a live index has to be built again, and how long to wait after a rebuild; "" for no reason."""
    index, name = get_vector_index(), version.index_collection().name
    indexed = ImageEmbedding.objects.filter(version=version, state=ImageEmbedding.State.INDEXED).count()
    try:
        missing = index.missing_fields(name)
        # Who writes a change to a lost index would create it again, with nothing else in it.
        points = index.count(name) if indexed else 0
    except CollectionNotFound:
        return ("it is gone" if indexed else ""), _RETRY_LOST_AFTER
    if points < indexed * _LOST_SHARE:
        return f"it has {points:,} points and should have {indexed:,}", _RETRY_LOST_AFTER
    return (f"it was made before: {', '.join(sorted(missing))}" if missing else ""), _RETRY_AFTER


def submit_duplicate_search() -> Job:
    """Submit a search for near-duplicates in the whole catalogue.

    Returns:
        The queued job.

    Raises:
        JobInProgress: one is queued or running.
    """
    return create_job(DUPLICATES, collection=COMPARED)


def submit_examination() -> Job:
    """Submit an examination of the whole catalogue by the catalogue doctor.

    Returns:
        The queued job.

    Raises:
        JobInProgress: one is queued or running.
    """
    return create_job(DOCTOR, collection=EXAMINED)
