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
from recommender.learning.map_service import MIN_PREFERENCES, MapReport, learn_version
from recommender.learning.service import Report, learn


class Command(BaseCommand):
    help = (
        "Learn from visitor events which results are clicked, replay the learned order on hours kept aside, have it shown where it "
        "was found better (with LEARNING=on), and look at the running A/B tests. A periodic task does so every night."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--collection", help="slug; default: all with an active encoder version")
        parser.add_argument(
            "--map",
            action="store_true",
            help="learn a linear map of the embeddings instead, and register it as an encoder version if it is better",
        )
        parser.add_argument("--job", type=UUID, help=argparse.SUPPRESS)

    def handle(self, *, collection: str | None, job: UUID | None, **options: Any) -> None:
        if job is not None:
            execution.execute(job, _run_job, failures=(EmbeddingsError,))
            return
        try:
            with stage_bars() as on_progress:
                if options["map"]:
                    self._report_maps([(each, learn_version(each, on_progress)) for each in _collections(collection)])
                    return
                reports = _learn(collection, on_progress)
        except EmbeddingsError as error:
            raise command_error(error) from error
        for report in reports:
            self.stdout.write(_sentence(report))
        for test in experiments.check_all():
            self.stdout.write(in_words(test))

    def _report_maps(self, reports: list[tuple[Collection, MapReport]]) -> None:
        for collection, report in reports:
            self.stdout.write(f"{collection.slug}: {report.preferences:,} preferences: {_found(report)}")
            if report.version is not None:
                self.stdout.write(f"To use it: manage.py activate_encoder {report.version.label}")


def _found(report: MapReport) -> str:
    outcome = report.outcome
    if outcome is None:
        return f"too few to learn a map from; it takes {MIN_PREFERENCES}, and clicks in several hours"
    if report.version is None:
        return f"the replay of the best map found {outcome.in_words}: no version, as that may be chance"
    return f"the replay found {outcome.in_words}: registered as {report.version}"


def _collections(slug: str | None) -> list[Collection]:
    if slug is None:
        return [version.collection for version in active_versions()]
    return [versions.find_collection(slug)]


def _learn(slug: str | None, on_progress: ProgressCallback) -> list[Report]:
    return [learn(collection, on_progress) for collection in _collections(slug)]


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
