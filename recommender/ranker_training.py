"""Trains the rankers of a collection: what the command and its jobs do. `ranker_submissions` submits such jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from embeddings import versions
from embeddings.models import RankerVersion
from embeddings.ranker_versions import activate_ranker
from jobs.files import local_upload
from jobs.models import Job
from jobs.progress import ProgressCallback
from recommender.click_judgements import judgements_of_clicks
from recommender.judged_queries import Judgements, judged_queries, judgements_of_file, titles_of
from training.management.tensorflow import require_tensorflow

if TYPE_CHECKING:
    from training.rankers import TrainingReport

KINDS: Sequence[str] = RankerVersion.Kind.values


def train(
    collection_slug: str, judgements: Judgements, kinds: Sequence[str], on_progress: ProgressCallback, *, seed: int = 0
) -> TrainingReport:
    """Train rankers on judged queries, and register each as a version. None is active until it is activated.

    Args:
        collection_slug: of the versions.
        judgements: grade by product id, by query.
        kinds: values of `RankerVersion.Kind`.
        on_progress: called with the stages of `judged_queries` and `train_rankers`.
        seed: of the split and of the training.

    Returns:
        What came of it.

    Raises:
        TrainingUnavailable: TensorFlow is not installed.
        UnknownCollection: there is no such collection, or it has no active version.
        InvalidJudgements: there are too few queries.
        EncoderUnavailable: the files of the collection's text encoder are missing or damaged.
    """
    require_tensorflow()
    from training.rankers import train_rankers

    collection = versions.find_collection(collection_slug)
    queries = judged_queries(collection.slug, judgements, on_progress)
    titles = titles_of(collection.slug) if RankerVersion.Kind.DEEPRANK in kinds else []
    return train_rankers(collection, queries, titles, kinds, on_progress, seed=seed)


def execute(job: Job, on_progress: ProgressCallback) -> dict[str, Any]:
    """The training of a job.

    Args:
        job: from `submit_ranker_training`.
        on_progress: as in `train`.

    Returns:
        Its result, plain JSON.

    Raises:
        EmbeddingsError: as in `train`.
        StorageUnavailable, OSError: the store of uploads does not give the judgements.
    """
    if job.upload:
        with local_upload(job) as path:
            judgements = judgements_of_file(path, f"the file {job.parameters['file']}")
    else:
        judgements = judgements_of_clicks(job.collection)
    report = train(
        job.collection, judgements, [job.parameters["only"]] if job.parameters["only"] else KINDS, on_progress
    )
    result = result_of(report)
    if job.parameters["activate"] and report.best is not None:
        activate_ranker(report.best)
        result["activated"] = True
    return result


def result_of(report: TrainingReport) -> dict[str, Any]:
    """A report as the result of a job, plain JSON.

    Args:
        report: of a training.

    Returns:
        `trained_on` and `kept_aside` (queries), `figures` (nDCG@10 by what orders the results), `rankers` (labels of the new
        versions), `best` (of them; None where the text order is as good), `is_certain` and `activated`.
    """
    return {
        "trained_on": report.trained_on,
        "kept_aside": report.kept_aside,
        "figures": {
            each.name: {**asdict(each.ndcg), "difference": None if each.difference is None else asdict(each.difference)}
            for each in report.measured
        },
        "rankers": [version.label for version in report.versions],
        "best": None if report.best is None else report.best.label,
        "is_certain": report.is_certain,
        "activated": False,
    }
