"""manage.py train_ranker: train rankers for searches by words on judgements, and say which is better."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.ranker_versions import activate_ranker
from jobs import arguments, execution
from jobs.progress import stage_bars
from recommender import ranker_training
from recommender.click_judgements import judgements_of_clicks
from recommender.judged_queries import judgements_of_file


class Command(BaseCommand):
    help = (
        "Train rankers, which put the 50 best of a search by words in a better order, on judgements: boosted trees and DeepRank."
        " Both are measured beside the order of the text search on queries kept aside, and registered as ranker versions of the"
        " collection. None is active until it is activated; an interrupted training changes nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--collection", default="all", help="slug (default: %(default)s)")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--job", type=UUID, help=argparse.SUPPRESS)
        source.add_argument(
            "--judgements",
            type=arguments.path,
            help="CSV with the columns query, sku and grade (0: does not fit; the higher, the better)",
        )
        source.add_argument(
            "--clicks", action="store_true", help="learn from events after searches by words, which name the query"
        )
        parser.add_argument("--only", choices=ranker_training.KINDS, help="train this kind alone")
        parser.add_argument(
            "--seed",
            type=arguments.whole_number(0, 2**32 - 1),
            default=0,
            help="of the split and of the training (default: %(default)s)",
        )
        parser.add_argument(
            "--activate", action="store_true", help="activate the best, if it is better than the text order"
        )

    def handle(self, *, job: UUID | None, **options: Any) -> None:
        if job is not None:
            execution.execute(job, ranker_training.execute, failures=(EmbeddingsError,))
            return
        try:
            self._train(**options)
        except EmbeddingsError as error:
            raise command_error(error) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted: searches are ranked as before. Run it again to train.", returncode=130
            ) from None

    def _train(
        self, *, collection: str, judgements: Path | None, only: str | None, activate: bool, seed: int, **_: Any
    ) -> None:
        with stage_bars() as on_progress:
            learned = judgements_of_clicks(collection) if judgements is None else judgements_of_file(judgements)
            kinds = [only] if only else ranker_training.KINDS
            report = ranker_training.train(collection, learned, kinds, on_progress, seed=seed)
        self._print(report)
        best = report.best
        if activate and best is not None:
            activate_ranker(best)
            self.stdout.write(f"{best.label} is active")
        elif best is not None:
            self.stdout.write(f"To use it: manage.py activate_ranker {best.label}")

    def _print(self, report: Any) -> None:
        self.stdout.write(f"trained on {report.trained_on} queries, measured on {report.kept_aside} kept aside")
        self.stdout.write(f"{'':<14} {'nDCG@10':>8} {'95% interval':>17} {'against the text order':>34}")
        for each in report.measured:
            line = f"{each.name:<14} {each.ndcg.mean:>8.4f} {f'{each.ndcg.low:.4f} to {each.ndcg.high:.4f}':>17}"
            if (by := each.difference) is not None:
                line += f" {f'{by.mean:+.4f} ({by.low:+.4f} to {by.high:+.4f})':>34}"
            self.stdout.write(line)
        for version in report.versions:
            self.stdout.write(f"{version.label}: {version.get_kind_display()}")
        self.stdout.write(f"{report.verdict}.")
