"""manage.py learn: learn the order of strips from visitor events, and look at the A/B tests."""

from __future__ import annotations

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from embeddings import versions
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.models import Collection
from embeddings.selectors import active_versions
from jobs import execution
from jobs.models import Job
from jobs.progress import ProgressCallback, stage_bars
from recommender.learning import experiments
from recommender.learning.experiments import in_words
from recommender.learning.service import Report, learn


class Command(BaseCommand):
    help = (
        "Learn from visitor events which results are clicked, replay the learned order on hours kept aside, have it shown where it "
        "was found better (with LEARNING=on), and look at the running A/B tests. A periodic task does so every night."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--collection", help="slug; default: all with an active encoder version")
        parser.add_argument("--job", type=UUID, help=argparse.SUPPRESS)

    def handle(self, *, collection: str | None, job: UUID | None, **_: Any) -> None:
        if job is not None:
            execution.execute(job, _run_job, failures=(EmbeddingsError,))
            return
        try:
            with stage_bars() as on_progress:
                reports = _learn(collection, on_progress)
        except EmbeddingsError as error:
            raise command_error(error) from error
        for report in reports:
            self.stdout.write(_sentence(report))
        for test in experiments.check_all():
            self.stdout.write(in_words(test))


def _learn(slug: str | None, on_progress: ProgressCallback) -> list[Report]:
    collections: list[Collection] = (
        [version.collection for version in active_versions()] if slug is None else [versions.find_collection(slug)]
    )
    return [learn(collection, on_progress) for collection in collections]


def _run_job(_: Job, on_progress: ProgressCallback) -> dict[str, Any]:
    """The result of a job, for JSON."""
    reports = _learn(None, on_progress)
    return {
        "impressions": sum(report.impressions for report in reports),
        "clicks": sum(report.clicks for report in reports),
        "pairs": sum(report.pairs for report in reports),
        "found": "; ".join(map(_sentence, reports)),
        "tests": "; ".join(in_words(test) for test in experiments.check_all()),
    }


def _sentence(report: Report) -> str:
    state = "live" if report.is_live else "not live"
    return (
        f"{report.collection}: {report.clicks:,} clicks on {report.impressions:,} strips, {report.pairs:,} pairs; the learned order"
        f" is {state}: {report.reason}"
    )
