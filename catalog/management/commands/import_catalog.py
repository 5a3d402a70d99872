"""Bring a shop's catalogue in: a table or feed, a folder of photos, or a zip of either."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalog.importers.archive import Interrupted
from catalog.importers.csv_file import ENCODINGS
from catalog.importers.mapping import FIELDS, load_mapping
from catalog.importers.rows import ImportReport, ImportStopped, UnusableSource
from catalog.importers.run import ImportOptions, clean_stop, run_import
from catalog.importers.sources import FORMATS
from jobs.storage import StorageUnavailable

logger = logging.getLogger(__name__)

_PROBLEMS_SHOWN = 20
_LOG_EVERY_S = 10.0


class Command(BaseCommand):
    help = (
        "Import products and their photos. PATH is a table in CSV (first line: names of the columns), a Google Merchant "
        "feed in XML or TSV, a product export of Shopify, a file with a JSON object a line, a folder of photos (folder = "
        "category), or a zip of one of these. Rows are known by their sku: run it again at any time, and only what changed "
        "is written. Exit status: 0 when the source was read to its end, rejected rows included; 1 when nothing could be "
        "read, or something not be kept for want of room; 130 when interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="a file, or a folder of photos")
        parser.add_argument(
            "--format", choices=FORMATS, help="what PATH (or the zip) holds; default: told from its content"
        )
        parser.add_argument("--images", type=Path, metavar="DIR", help="a table's photos; default: images/ beside it")
        parser.add_argument("--mapping", type=Path, metavar="FILE.toml", help="which columns feed which fields")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN",
            help=f"a field's column (category, tags, image: several). Fields: {', '.join(FIELDS)}, attribute.NAME",
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="FIELD=TEXT",
            help="a fixed text for a field, e.g. currency=USD; {COLUMN} in it is the row's value of that column",
        )
        parser.add_argument("--encoding", help=f"of the CSV: {', '.join(ENCODINGS)} (default: utf-8)")
        parser.add_argument("--delimiter", help="of the CSV: , ; | or tab (default: told from the first line)")
        parser.add_argument("--decimal", help="the decimal mark of every price: . or , (default: told from each)")
        parser.add_argument("--category-separator", metavar="MARK", help="between levels of a category (default: >)")
        parser.add_argument("--image-separator", metavar="MARK", help="between photos in one column (default: |)")
        parser.add_argument("--no-fetch", action="store_true", help="leave out photos that are links")
        parser.add_argument("--source", metavar="NAME", default="", help="know the products as those of this source")
        parser.add_argument(
            "--deactivate-missing",
            action="store_true",
            help="withdraw the products of --source that it no longer has; they come back with it",
        )
        parser.add_argument("--dry-run", action="store_true", help="write nothing, report the same")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument(
            "--report",
            type=Path,
            metavar="FILE.csv",
            help="write rejected rows to this file, with reasons, to be mended and imported",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        started = time.monotonic()
        with ExitStack() as stack:
            stop = stack.enter_context(clean_stop())
            on_progress = stack.enter_context(_progress())
            try:
                report = run_import(
                    options["path"],
                    _options(options),
                    mapping=load_mapping(options["mapping"]) if options["mapping"] else None,
                    images=options["images"],
                    rejected=options["report"],
                    on_progress=on_progress,
                    stop=stop,
                )
            except ImportStopped as error:
                self._tell(options, error.report, time.monotonic() - started)
                raise CommandError(str(error)) from error
            except (UnusableSource, StorageUnavailable) as error:
                raise CommandError(str(error)) from error
            except Interrupted:
                raise CommandError("Interrupted before the first row: nothing was imported.", returncode=130) from None
        self._tell(options, report, time.monotonic() - started)
        if report.interrupted:
            raise CommandError(
                f"Interrupted after line {report.last_line}. The {report.rows} rows before are done; "
                "run the same command again to go on.",
                returncode=130,
            )

    def _tell(self, options: dict[str, Any], report: ImportReport, elapsed_s: float) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(options["path"], report), ensure_ascii=False, indent=2))
        else:
            self._print(options["path"], report, elapsed_s)

    def _print(self, path: Path, report: ImportReport, elapsed_s: float) -> None:
        verb = "Would import (dry run)" if report.dry_run else "Imported"
        self.stdout.write(f"{verb} {path}: {report.rows} rows in {elapsed_s:.1f} s")
        for name in ("created", "updated", "unchanged", "rejected"):
            self.stdout.write(f"  {name:<10}{getattr(report, name):>8}")
        self.stdout.write(
            f"  photos: {report.photos_added} added, {report.photos_unchanged} unchanged, "
            f"{report.photos_removed} removed, {report.photos_rejected} rejected, {report.photos_left_out} left out"
        )
        if report.withdrawn:
            self.stdout.write(f"  withdrawn {report.withdrawn:>8}  (no longer in the source)")
        if report.not_withdrawn:
            self.stdout.write(f"  nothing was withdrawn: {report.not_withdrawn}")
        shown = report.problems[:_PROBLEMS_SHOWN]
        if shown:
            width = max(len("sku"), *(len(problem.sku[:30]) for problem in shown))
            self.stdout.write(f"\n  {'line':>7}  {'sku':<{width}}  reason")
        for problem in shown:
            about = f"photo {problem.photo}: " if problem.photo else ""
            self.stdout.write(f"  {problem.line:>7}  {problem.sku[:30]:<{width}}  {about}{problem.reason}")
        left_out = report.rejected + report.photos_rejected - len(shown)
        if left_out:
            self.stdout.write(f"  ... and {left_out} more: --report FILE.csv writes them all")


def _options(options: dict[str, Any]) -> ImportOptions:
    given = ("format", "encoding", "delimiter", "decimal", "category_separator", "image_separator")
    return ImportOptions(
        dry_run=options["dry_run"],
        source=options["source"].strip(),
        deactivate_missing=options["deactivate_missing"],
        fetch=not options["no_fetch"],
        map=tuple(options["map"]),
        set=tuple(options["set"]),
        **{name: options[name] or "" for name in given},
    )


@contextmanager
def _progress() -> Iterator[Callable[[ImportReport, int], None]]:
    """A bar on a terminal; elsewhere a log line now and then."""
    said_at = time.monotonic()
    with tqdm(unit="row", disable=not sys.stderr.isatty()) as bar:

        def show(report: ImportReport, total: int) -> None:
            nonlocal said_at
            if not bar.disable:
                bar.total = total or None
                bar.update(report.rows - bar.n)
            elif time.monotonic() - said_at > _LOG_EVERY_S:
                said_at = time.monotonic()
                logger.info("%d of about %d rows, %d rejected", report.rows, total, report.rejected)

        yield show


def _as_json(path: Path, report: ImportReport) -> dict[str, Any]:
    return {"path": str(path), "rows": report.rows, **asdict(report)}
