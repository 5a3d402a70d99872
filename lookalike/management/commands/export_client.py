"""manage.py export_client: write a Python package that is a client of the API."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs import arguments
from lookalike.clients.openapi import operations, schema_document
from lookalike.clients.python_package import PACKAGE, python_package
from lookalike.clients.writing import write_files
from recommender.widget import version


class Command(BaseCommand):
    help = (
        "Write a Python package that is a client of this API, typed and without dependencies, made from its OpenAPI schema. "
        "`pip install DIR` installs it."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--out", type=arguments.path, required=True, metavar="DIR", help="its folder; its files are replaced"
        )

    def handle(self, **options: Any) -> None:
        out: Path = options["out"]
        if (out / "pyproject.toml").exists() and not (out / PACKAGE).is_dir():
            raise CommandError(
                f"--out: {out} is the folder of another package, whose files would be replaced: name another"
            )
        document = schema_document()
        write_files(out, python_package(document, version()))
        self.stdout.write(
            f"{out}: a client with {len(operations(document))} operations; install it with `pip install {out}`"
        )
