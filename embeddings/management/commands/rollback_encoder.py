"""manage.py rollback_encoder: make the previous version of a collection the active one again, at once."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from embeddings import background, versions
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error


class Command(BaseCommand):
    help = "Make the previous encoder version of a collection the active one again. Run twice, it changes nothing."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--collection", default="all", help="slug (default: %(default)s)")

    def handle(self, *, collection: str, **_: Any) -> None:
        try:
            version = versions.roll_back(versions.find_collection(collection))
        except EmbeddingsError as error:
            raise command_error(error) from error
        self.stdout.write(f"{version.label} is active again")
        # What changed in the catalogue meanwhile is in the outbox.
        background.wake_outbox()
        background.process_pending_outbox()
