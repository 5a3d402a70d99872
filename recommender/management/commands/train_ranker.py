"""manage.py train_ranker: train rankers for searches by words on judgements, and say which is better."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from embeddings import versions
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.models import RankerVersion
from embeddings.ranker_versions import activate_ranker
from jobs.progress import ProgressCallback, stage_bars
from recommender.click_judgements import judgements_of_clicks
from recommender.judged_queries import judged_queries, judgements_of_file, titles_of
from training.management.tensorflow import require_tensorflow

KINDS = RankerVersion.Kind.values


class Command(BaseCommand):
    help = (
        "Train rankers, which put the 50 best of a search by words in a better order, on judgements: boosted trees and DeepRank."
        " Both are measured beside the order of the text search on queries kept aside, and registered as ranker versions of the"
        " collection. None is active until it is activated; an interrupted training changes nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--collection", default="all", help="slug (default: %(default)s)")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument(
            "--judgements",
            type=Path,
            help="CSV with the columns query, sku and grade (0: does not fit; the higher, the better)",
        )
        source.add_argument(
            "--clicks", action="store_true", help="learn from events after searches by words, which name the query"
        )
        parser.add_argument("--only", choices=KINDS, help="train this kind alone")
        parser.add_argument(
            "--seed", type=int, default=0, help="of the split and of the training (default: %(default)s)"
        )
        parser.add_argument(
            "--activate", action="store_true", help="activate the best, if it is better than the text order"
        )

    def handle(self, *, only: str | None, activate: bool, **options: Any) -> None:
        try:
            with stage_bars() as on_progress:
                report = _train(options, [only] if only else KINDS, on_progress)
            self._print(report)
            best = report.best
            if activate and best is not None:
                activate_ranker(best)
                self.stdout.write(f"{best.label} is active")
            elif best is not None:
                self.stdout.write(f"To use it: manage.py activate_ranker {best.label}")
        except EmbeddingsError as error:
            raise command_error(error) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted: searches are ranked as before. Run it again to train.", returncode=130
            ) from None

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


def _train(options: dict[str, Any], kinds: list[str], on_progress: ProgressCallback) -> Any:
    require_tensorflow()
    from training.rankers import train_rankers

    collection = versions.find_collection(options["collection"])
    judgements = (
        judgements_of_clicks(collection.slug) if options["clicks"] else judgements_of_file(options["judgements"])
    )
    queries = judged_queries(collection.slug, judgements, on_progress)
    titles = titles_of(collection.slug) if RankerVersion.Kind.DEEPRANK in kinds else []
    return train_rankers(collection, queries, titles, kinds, on_progress, seed=options["seed"])
