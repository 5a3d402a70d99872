"""manage.py export_collection: write all requests of the API as a collection for Postman or Bruno."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from jobs import arguments
from lookalike.clients.openapi import schema_document
from lookalike.clients.requests import FORMATS
from lookalike.clients.writing import write_files


class Command(BaseCommand):
    help = (
        "Write all requests of this API as a collection for Postman or Bruno, made from its OpenAPI schema: a folder for each "
        "tag, and variables for the address, the API key and what paths name."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--format", choices=FORMATS, required=True, help="the program that opens it")
        parser.add_argument(
            "--out", type=arguments.path, required=True, metavar="DIR", help="its folder; its files are replaced"
        )
        parser.add_argument(
            "--base",
            type=arguments.address,
            default=settings.PUBLIC_URL or "http://127.0.0.1:8000",
            metavar="URL",
            help="the recommender's address. Default: PUBLIC_URL, or that of the demo",
        )

    def handle(self, **options: Any) -> None:
        files = FORMATS[options["format"]](schema_document(), options["base"].rstrip("/"))
        write_files(options["out"], files)
        self.stdout.write(f"{options['out']}: {len(files)} files; open it in {options['format'].title()}")
