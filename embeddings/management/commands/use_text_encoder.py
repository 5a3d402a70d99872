"""manage.py use_text_encoder: have a collection's texts found by their meaning, too, or by their words alone again."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from embeddings import background
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from embeddings.text_encoders import use_text_encoder
from embeddings.versions import find_collection
from jobs.progress import stage_bars


class Command(BaseCommand):
    help = (
        "Find a collection's products by what their texts mean, too: encode all texts, build a new index beside the live one and "
        "switch to it. export_text_encoder makes the encoder. Can be interrupted and run again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("name", nargs="?", help="a folder in ENCODERS_ROOT, as export_text_encoder prints it")
        which.add_argument("--off", action="store_true", help="find texts by their words alone again")
        parser.add_argument("--collection", default="all", help="its slug (default: %(default)s)")

    def handle(self, *, name: str | None, collection: str, **_: Any) -> None:
        try:
            with stage_bars() as on_progress:
                texts = use_text_encoder(find_collection(collection), name or "", on_progress)
        except EmbeddingsError as error:
            raise command_error(error) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted: searches go on as before. Run it again to finish.", returncode=130
            ) from None
        # What changed in the catalogue meanwhile is in the outbox.
        background.wake_outbox()
        background.process_pending_outbox()
        how = f"by words and by meaning ({name})" if name else "by words alone"
        self.stdout.write(f"{collection}: {texts} texts are found {how}")
