"""manage.py adapt: adapt the active encoder version to the catalogue's own photos, without labels."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from embeddings.adaptation import adapt
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.versions import active_version_of, find_version
from jobs import arguments
from jobs.progress import stage_bars


class Command(BaseCommand):
    help = (
        "Adapt an encoder version to the photos of its collection, without labels, in about a minute: what differs between"
        " photos of one product, and between views of one photo, counts less. The result is a version like any other, and is"
        " judged before it goes live: activate_encoder compares it with the live one."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--collection", default="all", help="its active version is adapted (default: %(default)s)")
        parser.add_argument("--encoder", help="another version instead, such as fashion-v2")
        parser.add_argument(
            "--seed",
            type=arguments.whole_number(0, 2**32 - 1),
            default=0,
            help="of random numbers (default: %(default)s)",
        )

    def handle(self, *, collection: str, encoder: str | None, seed: int, **_: Any) -> None:
        try:
            version = find_version(encoder) if encoder else active_version_of(collection)
            with stage_bars() as on_progress:
                report = adapt(version, on_progress, seed=seed)
        except EmbeddingsError as error:
            raise command_error(error) from error
        self.stdout.write(
            f"{report.version.label}: learned from {report.photos} photos, {report.pairs} products with several and two views of"
            f" {report.views}"
        )
        self.stdout.write(
            f"found first, of {report.held_out} photos kept aside: {report.found_after:.3f}"
            f" ({version.label}: {report.found_before:.3f})"
        )
        if report.is_better:
            self.stdout.write(f"To use it: manage.py activate_encoder {report.version.label}")
        else:
            self.stdout.write(
                f"It finds no more than {version.label}, so there is no reason to activate it. What helps are several photos of"
                " each product (an adaptation learns from them), or a training on categories (manage.py train)."
            )
