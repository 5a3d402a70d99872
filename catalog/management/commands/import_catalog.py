"""Bring a shop's catalogue in: a CSV with a folder of photos, or a folder of photos."""

from __future__ import annotations

import csv
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalog.importers.csv_file import ENCODINGS, CsvCatalogue
from catalog.importers.folder import FolderCatalogue
from catalog.importers.mapping import FIELDS, FieldMapping, load_mapping
from catalog.importers.rows import ImportReport, Problem, UnusableSource, import_rows

logger = logging.getLogger(__name__)

_PROBLEMS_SHOWN = 20
_LOG_EVERY_S = 10.0


class Command(BaseCommand):
    help = (
        "Import products and their photos. PATH is a CSV file (first line: names of the columns) or a folder of photos "
        "(folder = category). Rows are known by their sku: run it again at any time, and only what changed is written. "
        "Exit status: 0 when the source was read to its end, rejected rows included; 1 when nothing could be read; "
        "130 when interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="a CSV file, or a folder of photos")
        parser.add_argument("--images", type=Path, metavar="DIR", help="the CSV's photos; default: images/ beside it")
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
        parser.add_argument("--dry-run", action="store_true", help="write nothing, report the same")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--report", type=Path, metavar="FILE.csv", help="write every problem to this file")

    def handle(self, *_args: Any, **options: Any) -> None:
        started = time.monotonic()
        with ExitStack() as stack:
            try:
                source = _source(options)
                on_problem = stack.enter_context(_problem_file(options["report"]))
            except UnusableSource as error:
                raise CommandError(str(error)) from error
            on_progress = stack.enter_context(_progress(source.total))
            stop = stack.enter_context(_clean_stop())
            report = import_rows(
                source, dry_run=options["dry_run"], on_progress=on_progress, on_problem=on_problem, stop=stop
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
            f"{report.photos_removed} removed, {report.photos_rejected} rejected"
        )
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


def _source(options: dict[str, Any]) -> CsvCatalogue | FolderCatalogue:
    mapping = load_mapping(options["mapping"]) if options["mapping"] else FieldMapping()
    mapping = mapping.with_columns([_pair(text, "--map FIELD=COLUMN") for text in options["map"]])
    mapping = mapping.with_values(dict(_pair(text, "--set FIELD=TEXT") for text in options["set"]))
    given = ("encoding", "delimiter", "decimal", "category_separator", "image_separator")
    mapping = replace(mapping, **{name: options[name] for name in given if options[name] is not None})
    path: Path = options["path"]
    if path.is_dir():
        return FolderCatalogue(path, mapping)
    if not path.exists():
        raise UnusableSource(f"there is no file or folder {path}")
    if not path.is_file():
        raise UnusableSource(f"{path} is neither a file nor a folder")
    return CsvCatalogue(path, mapping, images=options["images"])


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
