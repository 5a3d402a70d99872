"""manage.py rollback_ranker: make the previous ranker of a collection the active one again, at once."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from embeddings import versions
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.ranker_versions import roll_back_ranker


class Command(BaseCommand):
    help = (
        "Make the previous ranker of a collection the active one again; before the first one, words alone said the order. Run twice"
        " it changes nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--collection", default="all", help="slug (default: %(default)s)")

    def handle(self, *, collection: str, **_: Any) -> None:
        try:
            version = roll_back_ranker(versions.find_collection(collection))
        except EmbeddingsError as error:
            raise command_error(error) from error
        self.stdout.write(
            f"searches of {collection} are in the order of the words again, without a ranker"
            if version is None
            else f"{version.label} is active again"
        )
