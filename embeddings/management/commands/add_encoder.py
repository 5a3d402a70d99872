"""manage.py add_encoder: register an encoder that was trained elsewhere, as a new version of a collection."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from embeddings import versions
from embeddings.errors import EmbeddingsError
from embeddings.management.errors import command_error
from jobs import arguments

MODEL = "model.tflite"


class Command(BaseCommand):
    help = (
        "Register a LiteRT file (float32 [1, s, s, 3] in [0, 1] -> float32 [1, dim]) as a new version of a collection; "
        "activate_encoder makes it the active one."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=arguments.path, help="the .tflite file; it is copied")
        parser.add_argument(
            "--collection", default="all", help="slug; made over the whole catalogue where it is missing"
        )

    def handle(self, *, file: Path, collection: str, **_: Any) -> None:
        if not file.is_file():
            raise CommandError(f"There is no file {file}.")
        folder = versions.create_staging_folder()
        row, created = versions.ensure_collection(collection, [])
        try:
            shutil.copyfile(file, folder / MODEL)
            version = versions.register_version(
                row, folder, MODEL, recipe={"file": file.name}, data={}, metrics={}, calibration=None
            )
        except BaseException as error:
            if created:
                row.delete()
            if isinstance(error, EmbeddingsError):
                raise CommandError(str(command_error(error)).replace(str(folder / MODEL), str(file))) from error
            raise
        finally:
            versions.delete_staging_folder(folder)
        self.stdout.write(f"{version.label}: {version.dim} dimensions, model {version.fingerprint[:12]}")
        self.stdout.write(f"To use it: manage.py activate_encoder {version.label}")
