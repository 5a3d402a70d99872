"""Submits activations, reindexes and searches for near-duplicates as jobs."""

from __future__ import annotations

from embeddings.duplicates import COLLECTION as COMPARED
from embeddings.job_kinds import ACTIVATE, DUPLICATES, REINDEX
from embeddings.models import Collection, EncoderVersion
from jobs.models import Job
from jobs.services import create_job


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


def submit_duplicate_search() -> Job:
    """Submit a search for near-duplicates in the whole catalogue.

    Returns:
        The queued job.

    Raises:
        JobInProgress: one is queued or running.
    """
    return create_job(DUPLICATES, collection=COMPARED)
