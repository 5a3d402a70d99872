"""manage.py export_edge: write a collection into a folder that answers without a server."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from embeddings.errors import EmbeddingsError, UnknownCollection
from embeddings.management.errors import command_error
from embeddings.selectors import DUE_STATES, active_rows, live_collection
from jobs import arguments
from jobs.progress import stage_bars
from recommender.edge.build import EdgeOptions, NoPage, export_edge
from recommender.queries import DEFAULT_COLLECTION


class Command(BaseCommand):
    help = (
        'Write the model, the vectors and the cards of a collection into a folder that answers "what looks like this photo?" '
        "with no server: similar.py in it asks Qdrant Edge, and with --web page/index.html runs in a browser."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--out", type=arguments.path, required=True, metavar="DIR", help="the folder; made where it is missing"
        )
        parser.add_argument(
            "--collection", default=DEFAULT_COLLECTION, metavar="SLUG", help="whose products (default: %(default)s)"
        )
        parser.add_argument("--photos", action="store_true", help="with a small photo of each product")
        parser.add_argument(
            "--web",
            type=arguments.path,
            metavar="DIR",
            help="with a page for browsers; DIR is the folder @litertjs of `npm install @litertjs/core`",
        )
        parser.add_argument(
            "--force", action="store_true", help="replace a folder that is not empty, with everything that is in it"
        )

    def handle(self, *, out: Path, collection: str, photos: bool, web: Path | None, force: bool, **_: Any) -> None:
        out = out.absolute()
        _check(out, force=force)
        try:
            live = live_collection(collection)
            with stage_bars() as on_progress:
                about = export_edge(out, live, EdgeOptions(photos, web), on_progress)
        except UnknownCollection as error:
            raise CommandError(f"--collection: {error}") from error
        except NoPage as error:
            raise CommandError(f"--web: {error}") from error
        except EmbeddingsError as error:
            raise command_error(error) from error
        except OSError as error:
            raise CommandError(f"{error.filename or out} cannot be written: {error.strerror or error}") from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. The folder is as it was.", returncode=130) from None
        waiting = active_rows().filter(version=live.version_id, state__in=DUE_STATES).count()
        if waiting:
            self.stderr.write(f"{waiting} photos wait to be indexed: the next export has what they change")
        self.stdout.write(f"{out}: {about['products']} products, {about['photos']} photos, {about['encoder']}")
        self.stdout.write(f"To ask it: pip install -r {out}/requirements.txt; python {out}/similar.py PHOTO")
        if web is not None:
            self.stdout.write(f"The page: python -m http.server --directory {out}, then /page/")


def _check(out: Path, *, force: bool) -> None:
    """Raises CommandError where the folder may not be replaced."""
    if out.exists() and not out.is_dir():
        raise CommandError(f"--out: {out} is a file")
    if Path.cwd().is_relative_to(out):
        raise CommandError(f"--out: {out} has the folder in it that the command runs in")
    if out.exists() and any(out.iterdir()) and not force:
        raise CommandError(f"--out: {out} is not empty; --force replaces it with everything that is in it")
