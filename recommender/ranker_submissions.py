"""Submits trainings of rankers as jobs. A refusal leaves nothing behind."""

from __future__ import annotations

from typing import BinaryIO

from jobs.files import delete_stored, store_upload
from jobs.models import Job
from jobs.services import create_job
from recommender.judged_queries import judgements_of_content
from training.submissions import check_training_allowed

# The kind of job.
TRAIN_RANKER = "train-ranker"
JUDGEMENTS_SUFFIX = ".csv"
# Some 400,000 judgements; the admin's forms and the proxy take it, too.
MAX_JUDGEMENTS_BYTES = 16 * 1024**2


def check_ranker_training_allowed(collection_slug: str) -> None:
    """Check that a training of rankers may be submitted, before a file is read.

    Args:
        collection_slug: the collection to train for.

    Raises:
        UnknownCollection: there is none with this slug.
        TrainingUnavailable: nothing can train here.
        JobInProgress: one for it is queued or running.
    """
    check_training_allowed(collection_slug, TRAIN_RANKER)


def submit_ranker_training(
    collection_slug: str, upload: BinaryIO | None, *, file_name: str = "", only: str = "", activate: bool = False
) -> Job:
    """Submit a training of rankers.

    Args:
        collection_slug: the collection that the rankers are for.
        upload: judgements, a CSV file of at most MAX_JUDGEMENTS_BYTES, seekable; None to learn from visitors' clicks.
        file_name: of the upload, for messages.
        only: the kind to train, a value of `RankerVersion.Kind`; "" for all.
        activate: whether the best becomes the active one, if it is better than the text order.

    Returns:
        The queued job.

    Raises:
        UnknownCollection, TrainingUnavailable, JobInProgress: as `check_ranker_training_allowed`.
        InvalidJudgements: the file has errors, or names no product that there is.
        StorageUnavailable: the disk does not take it.
    """
    check_ranker_training_allowed(collection_slug)
    parameters = {"file": file_name, "only": only, "activate": activate}
    if upload is None:
        return create_job(TRAIN_RANKER, collection=collection_slug, parameters=parameters)
    judgements_of_content(upload.read(), f"the file {file_name}")
    upload.seek(0)
    name = store_upload(upload, JUDGEMENTS_SUFFIX)
    try:
        return create_job(TRAIN_RANKER, collection=collection_slug, upload=name, parameters=parameters)
    except BaseException:
        delete_stored(name)
        raise
