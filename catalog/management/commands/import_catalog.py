"""Bring a shop's catalogue in: a table or feed, a folder of photos, or a zip of either."""

from __future__ import annotations

import csv
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalog.fetching import Fetcher
from catalog.importers.archive import Interrupted
from catalog.importers.csv_file import ENCODINGS
from catalog.importers.links import fetched
from catalog.importers.mapping import FIELDS, FieldMapping, load_mapping
from catalog.importers.rows import ImportReport, Problem, Row, UnusableSource, import_rows
from catalog.importers.sources import FORMATS, opened

logger = logging.getLogger(__name__)

_PROBLEMS_SHOWN = 20
_LOG_EVERY_S = 10.0
_SOURCE_CHARACTERS = 80


class Command(BaseCommand):
    help = (
        "Import products and their photos. PATH is a table in CSV (first line: names of the columns), a Google Merchant "
        "feed in XML or TSV, a product export of Shopify, a file with a JSON object a line, a folder of photos (folder = "
        "category), or a zip of one of these. Rows are known by their sku: run it again at any time, and only what changed "
        "is written. Exit status: 0 when the source was read to its end, rejected rows included; 1 when nothing could be "
        "read; 130 when interrupted."
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
        parser.add_argument("--report", type=Path, metavar="FILE.csv", help="write every problem to this file")

    def handle(self, *_args: Any, **options: Any) -> None:
        started = time.monotonic()
        source_name = options["source"].strip()
        if options["deactivate_missing"] and not source_name:
            raise CommandError(
                "--deactivate-missing needs --source NAME: only the products of that source are withdrawn"
            )
        if len(source_name) > _SOURCE_CHARACTERS:
            raise CommandError(f"--source has more than {_SOURCE_CHARACTERS} characters")
        with ExitStack() as stack:
            stop = stack.enter_context(_clean_stop())
            try:
                source = stack.enter_context(
                    opened(
                        options["path"],
                        _mapping(options),
                        kind=options["format"] or "",
                        images=options["images"],
                        stop=stop,
                    )
                )
                on_problem = stack.enter_context(_problem_file(options["report"]))
            except UnusableSource as error:
                raise CommandError(str(error)) from error
            except Interrupted:
                raise CommandError("Interrupted before the first row: nothing was imported.", returncode=130) from None
            on_progress = stack.enter_context(_progress(source.total))
            rows: Iterable[Row] = source
            if not options["no_fetch"]:
                rows = stack.enter_context(closing(fetched(source, Fetcher(), remember=not options["dry_run"])))
            report = import_rows(
                rows,
                dry_run=options["dry_run"],
                on_progress=on_progress,
                on_problem=on_problem,
                stop=stop,
                source=source_name,
                withdraw=options["deactivate_missing"],
            )
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(options["path"], report), ensure_ascii=False, indent=2))
        else:
            self._print(options["path"], report, time.monotonic() - started)
        if report.interrupted:
            raise CommandError(
                f"Interrupted after line {report.last_line}. The {report.rows} rows before are done; "
                "run the same command again to go on.",
                returncode=130,
            )

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


def _mapping(options: dict[str, Any]) -> FieldMapping:
    mapping = load_mapping(options["mapping"]) if options["mapping"] else FieldMapping()
    mapping = mapping.with_columns([_pair(text, "--map FIELD=COLUMN") for text in options["map"]])
    mapping = mapping.with_values(dict(_pair(text, "--set FIELD=TEXT") for text in options["set"]))
    given = ("encoding", "delimiter", "decimal", "category_separator", "image_separator")
    return replace(mapping, **{name: options[name] for name in given if options[name] is not None})


def _pair(text: str, usage: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UnusableSource(f"{text!r} is not of the form {usage}")
    return name.strip(), value.strip()


@contextmanager
def _problem_file(path: Path | None) -> Iterator[Callable[[Problem], None] | None]:
    """Writes each problem to a CSV file as it is met."""
    if path is None:
        yield None
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise UnusableSource(f"the report {path} cannot be written: {error.strerror or error}") from error
    with file:
        writer = csv.writer(file)
        writer.writerow(("line", "sku", "photo", "reason"))
        yield lambda problem: writer.writerow((problem.line, problem.sku, problem.photo, problem.reason))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[ImportReport], None]]:
    """A bar on a terminal; elsewhere a log line now and then."""
    said_at = time.monotonic()
    with tqdm(total=total or None, unit="row", disable=not sys.stderr.isatty()) as bar:

        def show(report: ImportReport) -> None:
            nonlocal said_at
            if not bar.disable:
                bar.update(report.rows - bar.n)
            elif time.monotonic() - said_at > _LOG_EVERY_S:
                said_at = time.monotonic()
                logger.info("%d of about %d rows, %d rejected", report.rows, total, report.rejected)

        yield show


@contextmanager
def _clean_stop() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C (or SIGTERM) lets the row in hand finish; a second one stops at once and loses that row."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(_signal: int, _frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    former = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _as_json(path: Path, report: ImportReport) -> dict[str, Any]:
    return {"path": str(path), "rows": report.rows, **asdict(report)}
