"""manage.py fit_matcher: fit the matcher on the shop's decisions about near-duplicates."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.match_fitting import fit_on_decisions
from embeddings.models import MatchCoefficients


class Command(BaseCommand):
    help = (
        "Fit the probability of matches on the decisions about near-duplicates: merged products are the same, variants and "
        "different ones are not. The default coefficients are the prior, so that few decisions change little."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--default", action="store_true", help="go back to the default coefficients")

    def handle(self, **options: Any) -> None:
        if options["default"]:
            MatchCoefficients.objects.all().delete()
            self.stdout.write("matches use the default coefficients")
            return
        try:
            report = fit_on_decisions()
        except EmbeddingsError as error:
            raise command_error(error) from error
        self.stdout.write(
            f"fitted on {report.same} pairs of one product and {report.different} others: "
            f"log loss {report.log_loss_before:.3f} before, {report.log_loss_after:.3f} now"
        )
