"""manage.py widget_files: the widget's files with version and hash, for pages that pin them and for a shop's own CDN."""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs import arguments
from recommender.widget import FILES, FOLDER, integrity, release_name


class Command(BaseCommand):
    help = (
        "Print the addresses of exactly this release of the widget, with the hashes by which browsers check them (Subresource "
        "Integrity), as the lines of a page. With --output, copy the files into a folder of that name, for a CDN."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--base",
            type=arguments.address,
            default=settings.PUBLIC_URL,
            metavar="URL",
            help="where the files are: the recommender's address, or with --output the folder's. Default: PUBLIC_URL",
        )
        parser.add_argument(
            "--output", type=arguments.path, metavar="FOLDER", help="copy the files into FOLDER/<version>-<hash>/"
        )

    def handle(self, **options: Any) -> None:
        output: Path | None = options["output"]
        release = release_name()
        base = options["base"].rstrip("/")
        address = f"{base}/{release}" if output else f"{base}/widget/{release}"
        if output:
            self._copy(output / release)
        for name in FILES:
            data = (FOLDER / name).read_bytes()
            size = len(gzip.compress(data, 9, mtime=0))
            self.stdout.write(f"{release}/{name:16} {size:6,} bytes gzipped  {integrity(name)}")
        # The files that another one loads are checked by the import map.
        loaded = {f"{address}/{name}": integrity(name) for name in FILES if name.endswith(".js")}
        self.stdout.write(
            f'\n<script type="importmap">{json.dumps({"integrity": loaded})}</script>\n'
            f'<script type="module" src="{address}/similar.js" integrity="{integrity("similar.js")}" crossorigin></script>\n'
            f'<link rel="stylesheet" href="{address}/similar.css" integrity="{integrity("similar.css")}" crossorigin>'
        )

    def _copy(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                shutil.copyfile(FOLDER / name, folder / name)
        except OSError as error:
            raise CommandError(f"cannot write to {folder}: {error.strerror}") from error
