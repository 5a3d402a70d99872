"""manage.py ab_test: start, stop and look at A/B tests of encoder versions, of the learned order and of rule sets."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from embeddings import versions
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from recommender.learning import experiments
from recommender.learning.experiments import in_words
from recommender.models import Experiment

_RULES = "rules:"


class Command(BaseCommand):
    help = "Compare two encoder versions, two rule sets, or the learned and the visual order, by a share of products and hours."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        start = actions.add_parser("start", help="start a test; it counts from the next hour on")
        start.add_argument(
            "candidate",
            help="the version to try, such as all-v2: the active or the previous one; or: learned; or: rules:NAME, a rule set",
        )
        start.add_argument("--share", type=float, default=0.5, help="above 0 and below 1 (default: %(default)s)")
        start.add_argument(
            "--collection", default="all", help="of the learned order or the rules (default: %(default)s)"
        )
        actions.add_parser("check", help="look at the running tests, as the periodic task does")
        stop = actions.add_parser("stop", help="end the tests of a collection without a result")
        stop.add_argument("--collection", default="all", help="slug (default: %(default)s)")

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            match action:
                case "start":
                    self._start(**options)
                case "check":
                    self._report(experiments.check_all())
                case "stop":
                    self._stop(options["collection"])
        except EmbeddingsError as error:
            raise command_error(error) from error

    def _start(self, *, candidate: str, share: float, collection: str, **_: Any) -> None:
        if settings.LEARNING == "off":
            raise CommandError("LEARNING is off, so every request gets the active version: set it to measure or on.")
        if candidate == "learned":
            test = experiments.start_order_test(versions.find_collection(collection), share)
        elif candidate.startswith(_RULES):
            rule_set = candidate.removeprefix(_RULES)
            test = experiments.start_rules_test(versions.find_collection(collection), rule_set, share)
        else:
            test = experiments.start_encoder_test(versions.find_version(candidate), share)
        self._report([test])

    def _stop(self, collection: str) -> None:
        running = Experiment.objects.filter(
            collection=versions.find_collection(collection), state=Experiment.State.RUNNING
        ).select_related("collection", "control__collection", "candidate__collection")
        for test in running:
            experiments.stop(test, "stopped by manage.py ab_test")
            self._report([test])

    def _report(self, tests: list[Experiment]) -> None:
        for test in tests:
            self.stdout.write(in_words(test))
        if not tests:
            self.stdout.write("no A/B test is running")
