"""manage.py check_media: compare the photos in the database with the files in the media storage."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.timesince import timesince

from catalog import unused_files
from catalog.media_check import MediaMissing, MediaReport, check_media
from jobs.storage import os_error_message
from stores import base as stores

# Files that are named on a terminal.
_NAMED = 20


class Command(BaseCommand):
    help = (
        "Compare the photos in the database with the files in the media storage: rows without a file, which the next import or"
        " upload of the photo stores again, and files without a row, with thumbnails. Deletes the files of deleted photos"
        " whose time has come. Exit status: 0 if every photo has its file, 1 if not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--delete-orphans",
            action="store_true",
            help="delete files without a row that are older than DELETED_PHOTOS_KEEP_MINUTES, and thumbnails without a photo",
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            swept = unused_files.sweep()
            report = check_media(delete_unused=options["delete_orphans"])
        except MediaMissing as error:
            remedy = "mount the disk of" if stores.photos().is_local else "look at"
            raise CommandError(f"{error}: {remedy} {stores.photos().place}, then try again") from error
        except OSError as error:
            raise CommandError(
                f"the media storage {stores.photos().place} fails: {os_error_message(error)}, then try again"
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps({**report.as_json(), "swept": swept}, indent=2))
        else:
            self._print(report, swept)
        if report.missing_count:
            sys.exit(1)

    def _print(self, report: MediaReport, swept: int) -> None:
        self.stdout.write(f"{report.photos:,} photos, {report.files:,} files")
        if report.missing_count:
            self.stdout.write(f"{report.missing_count:,} photos without a file; import or upload them again:")
            self._name([f"{sku}: {name}" for sku, name in report.missing], report.missing_count)
        if report.unused_count:
            age = timesince(report.oldest_unused or timezone.now())
            self.stdout.write(
                f"{report.unused_count:,} files without a photo, {report.unused_bytes:,} bytes, the oldest of {age} ago:"
            )
            self._name(report.unused, report.unused_count)
        if report.thumbnails_unused:
            self.stdout.write(f"{report.thumbnails_unused:,} thumbnails without a photo")
        if swept or report.deleted:
            self.stdout.write(f"{swept + report.deleted:,} files deleted")

    def _name(self, names: list[str], count: int) -> None:
        for name in names[:_NAMED]:
            self.stdout.write(f"  {name}")
        if count > _NAMED:
            self.stdout.write(f"  and {count - _NAMED:,} more")
