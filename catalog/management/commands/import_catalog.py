"""manage.py import_catalog: import a table or feed, a folder of photos, or a zip of either, also from an address."""

from __future__ import annotations

import json
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalog import facts as catalog_facts
from catalog.importers.feeds import FeedAddress, downloaded
from catalog.importers.report import ImportAborted, ImportReport
from catalog.importers.run import ImportOptions, graceful_interrupt, run_import
from jobs import arguments
from jobs.facts import Fact
from jobs.storage import StorageUnavailable
from product_files import row_facts
from product_files.containers.zipped_catalogue import ImportInterrupted
from product_files.mapping import FIELDS
from product_files.mapping_file import load_mapping
from product_files.rows import ChoiceNeeded, InvalidSource, NoColumn
from product_files.sources import FORMATS, check_images

logger = logging.getLogger(__name__)

_MAX_PROBLEMS_PRINTED = 20
_MAX_NAMES_PRINTED = 20
_LOG_EVERY_S = 10.0


class Command(BaseCommand):
    help = (
        "Import products and their photos. SOURCE is a table (CSV or an Excel workbook), a Google Merchant feed in XML or "
        "as a table, a product export of Shopify, WooCommerce or Magento, other XML, JSON, a folder of photos (folder = category), "
        "or a zip of one of these; or the http(s) address of such a file. A file may be packed with gzip. Rows are matched by "
        "SKU: importing again writes only what changed. Exit status: 0 if the source was read to its end, even with rejected "
        "rows; 1 if nothing could be read, or something could not be stored; 130 if interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.epilog = f"Formats: {', '.join(FORMATS)}."
        parser.add_argument(
            "path",
            type=arguments.path_or_address,
            metavar="SOURCE",
            help="a file, a folder of photos, or the address of a file; https://USER:PASSWORD@host/path signs in",
        )
        parser.add_argument(
            "--format",
            type=arguments.one_of(FORMATS),
            metavar="FORMAT",
            help="format of SOURCE, or of the content of a zip (default: detected); they are listed below",
        )
        parser.add_argument(
            "--images",
            type=arguments.path,
            metavar="DIR",
            help="folder of a table's photos (default: images/ beside the table)",
        )
        parser.add_argument(
            "--mapping", type=arguments.path, metavar="FILE.toml", help="a mapping of columns to fields"
        )
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN",
            help=f"column of a field (category, tags, image: several). Fields: {', '.join(FIELDS)}, attribute.NAME",
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="FIELD=TEXT",
            help="constant of a field, e.g. currency=USD; {COLUMN} is replaced by the row's value of that column",
        )
        parser.add_argument(
            "--encoding", help="of a text file, as Python names it: cp1250, mac_roman, ... (default: detected)"
        )
        parser.add_argument("--delimiter", help="of the CSV: , ; | or tab (default: detected from the first lines)")
        parser.add_argument("--decimal", help="decimal separator of all prices: . or , (default: detected per price)")
        parser.add_argument(
            "--category-separator",
            metavar="MARK",
            help="between levels of a category in one column (default: detected)",
        )
        parser.add_argument(
            "--image-separator", metavar="MARK", help="between photos in one column (default: detected)"
        )
        parser.add_argument(
            "--item", metavar="NAME", help="of XML: the element that is a product, e.g. product (default: detected)"
        )
        parser.add_argument(
            "--table",
            metavar="NAME",
            help="of a zip or workbook with several tables: the one to import, by its name or path",
        )
        parser.add_argument("--no-fetch", action="store_true", help="skip photos given as links")
        parser.add_argument("--source", metavar="NAME", default="", help="name of the source of these products")
        parser.add_argument(
            "--deactivate-missing",
            action="store_true",
            help="deactivate products of --source that are missing from SOURCE; a later import with them reactivates them",
        )
        parser.add_argument(
            "--withdraw-many",
            action="store_true",
            help="with --deactivate-missing: even if more than IMPORT_MAX_WITHDRAWN_PERCENT of the products of --source are "
            "missing, after which nothing is deactivated otherwise",
        )
        parser.add_argument(
            "--update-only",
            action="store_true",
            help="change the products that there are and add none: rows of other SKUs are left out, and a title is not "
            "needed, as of files of prices and stocks",
        )
        parser.add_argument("--dry-run", action="store_true", help="report what would happen, and write nothing")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument(
            "--report",
            type=arguments.path,
            metavar="FILE.csv",
            help="write rejected rows with their reasons to this file, to correct and import",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        started = time.monotonic()
        with graceful_interrupt() as should_stop:
            try:
                if isinstance(options["path"], str):
                    options["path"] = FeedAddress.parse(options["path"])
                report = self._run(options, should_stop)
            except ImportAborted as error:
                self._report(options, error.report, time.monotonic() - started)
                raise CommandError(str(error)) from error
            except NoColumn as error:
                instead = " To change only products that there are: --update-only." if error.field == "title" else ""
                raise CommandError(
                    f"{error}\nMap a column with --map {error.field}=COLUMN, or with a mapping file (--mapping).{instead}"
                ) from error
            except ChoiceNeeded as error:
                choices = "\n".join(
                    f"  --{error.option} {value}" + (f"  # {sample}" if sample else "")
                    for value, sample in error.choices
                )
                raise CommandError(f"{error}\nOne of these:\n{choices}") from error
            except (InvalidSource, StorageUnavailable) as error:
                raise CommandError(str(error)) from error
            except ImportInterrupted:
                raise CommandError("Interrupted before the first row: nothing was imported.", returncode=130) from None
        self._report(options, report, time.monotonic() - started)
        if report.interrupted:
            raise CommandError(
                f"Interrupted after line {report.last_line}; the {report.rows} rows before it are imported. "
                "Run the same command again to continue.",
                returncode=130,
            )

    def _run(self, options: dict[str, Any], should_stop: Callable[[], bool]) -> ImportReport:
        # What is wrong with the options is said before anything is downloaded.
        import_options = _options(options)
        mapping = load_mapping(options["mapping"]) if options["mapping"] else None
        import_options.mapping(mapping)
        check_images(options["images"])
        with _opened(options["path"]) as (path, base), _progress() as on_progress:
            return run_import(
                path,
                import_options,
                mapping=mapping,
                images=options["images"],
                is_upload=bool(base),
                base=base,
                rejected=options["report"],
                on_progress=on_progress,
                should_stop=should_stop,
            )

    def _report(self, options: dict[str, Any], report: ImportReport, elapsed_s: float) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(options["path"], report), ensure_ascii=False, indent=2))
        else:
            self._print(options, report, elapsed_s)

    def _print(self, options: dict[str, Any], report: ImportReport, elapsed_s: float) -> None:
        verb = "Would import (dry run)" if report.dry_run else "Imported"
        self.stdout.write(f"{verb} {options['path']}: {report.rows} rows in {elapsed_s:.1f} s")
        for name in ("created", "updated", "unchanged", "rejected"):
            self.stdout.write(f"  {name:<10}{getattr(report, name):>8}")
        self.stdout.write(
            f"  photos: {report.photos_added} added, {report.photos_unchanged} unchanged, "
            f"{report.photos_removed} removed, {report.photos_rejected} rejected, {report.photos_left_out} skipped"
        )
        if report.unknown:
            self.stdout.write(f"  left out  {report.unknown:>8}  (no product has their SKU)")
        if report.withdrawn:
            self.stdout.write(f"  withdrawn {report.withdrawn:>8}  (missing in the source)")
        if report.not_withdrawn:
            self.stdout.write(f"  nothing was withdrawn: {report.not_withdrawn}{_remedy(report.not_withdrawn)}")
        if report.warnings:
            self.stdout.write(f"  warnings  {report.warnings:>8}  (values that were left out, or need a look)")
        for line in (*(f"{note}{_remedy(note)}" for note in report.notes), *_found(report)):
            self.stdout.write(f"  {line}")
        if options["images"] and not _names_photos(report) and not any(map(_remedy, report.notes)):
            self.stdout.write("  no row names a photo: --images was not needed")
        self._print_problems(report)

    def _print_problems(self, report: ImportReport) -> None:
        shown = report.problems[:_MAX_PROBLEMS_PRINTED]
        if shown:
            width = max(len("sku"), *(len(problem.sku[:30]) for problem in shown))
            self.stdout.write(f"\n  {'line':>7}  {'sku':<{width}}  reason")
        for problem in shown:
            about = f"photo {problem.photo}: " if problem.photo else "warning: " if problem.is_warning else ""
            self.stdout.write(f"  {problem.line:>7}  {problem.sku[:30]:<{width}}  {about}{problem.reason}")
        of_file = report.rejected + report.photos_rejected
        if left_out := of_file + report.warnings - len(shown):
            hint = ": --report FILE.csv writes those that were rejected" if of_file else ""
            self.stdout.write(f"  ... and {left_out} more{hint}")


def _options(options: dict[str, Any]) -> ImportOptions:
    names = ("format", "encoding", "delimiter", "decimal", "category_separator", "image_separator", "item", "table")
    texts: dict[str, Any] = {name: options[name] or "" for name in names}
    return ImportOptions(
        dry_run=options["dry_run"],
        source=options["source"].strip(),
        deactivate_missing=options["deactivate_missing"],
        update_only=options["update_only"],
        withdraw_many=options["withdraw_many"],
        fetch=not options["no_fetch"],
        map=tuple(options["map"]),
        set=tuple(options["set"]),
        **texts,
    )


@contextmanager
def _opened(source: Path | FeedAddress) -> Iterator[tuple[Path, str]]:
    """The file of a source, and where it comes from, "" if it is here."""
    if isinstance(source, Path):
        yield source, ""
        return
    with ExitStack() as stack:
        with _download_progress() as on_progress:
            feed = stack.enter_context(downloaded(source, on_progress=on_progress))
        yield feed.path, feed.base


@contextmanager
def _download_progress() -> Iterator[Callable[[int, int], None]]:
    """The same as _progress while a file is downloaded."""
    last_logged_at = time.monotonic()
    with tqdm(unit="B", unit_scale=True, disable=not sys.stderr.isatty(), leave=False) as bar:

        def show(received: int, announced: int) -> None:
            nonlocal last_logged_at
            if not bar.disable:
                bar.total = announced or None
                bar.update(received - bar.n)
            elif time.monotonic() - last_logged_at > _LOG_EVERY_S:
                last_logged_at = time.monotonic()
                logger.info("%d of %s bytes have arrived", received, announced or "unknown")

        yield show


@contextmanager
def _progress() -> Iterator[Callable[[ImportReport, int], None]]:
    """A progress bar on a terminal, otherwise a log line every _LOG_EVERY_S."""
    last_logged_at = time.monotonic()
    with tqdm(unit="row", disable=not sys.stderr.isatty()) as bar:

        def show(report: ImportReport, total: int) -> None:
            nonlocal last_logged_at
            if not bar.disable:
                bar.total = total or None
                bar.update(report.rows - bar.n)
            elif time.monotonic() - last_logged_at > _LOG_EVERY_S:
                last_logged_at = time.monotonic()
                logger.info("%d of about %d rows, %d rejected", report.rows, total, report.rejected)

        yield show


def _remedy(note: str) -> str:
    """What to do about photos that are not used, and about products that are not withdrawn."""
    if isinstance(note, Fact) and note.kind is catalog_facts.MANY_MISSING:
        return " (--withdraw-many)"
    if not isinstance(note, Fact) or note.kind not in (row_facts.UNUSED_PHOTOS, row_facts.UNUSED_PHOTO_FILES):
        return ""
    return f" (use one by --map {shlex.quote('image=' + str(note.parameters['first']))})"


def _names_photos(report: ImportReport) -> bool:
    counts = (
        report.photos_added, report.photos_unchanged, report.photos_removed, report.photos_rejected,
        report.photos_left_out,
    )  # fmt: skip
    return any(counts)


def _found(report: ImportReport) -> Iterator[str]:
    """Lines about what the catalogue did not have before, and the currencies."""
    found = {
        "new categories": report.new_categories,
        "new brands": report.new_brands,
        "currencies of the prices": report.currencies,
    }
    for heading, names in found.items():
        if names:
            more = ", ..." if len(names) > _MAX_NAMES_PRINTED else ""
            yield f"{heading}: {', '.join(names[:_MAX_NAMES_PRINTED])}{more}"


def _as_json(source: Path | FeedAddress, report: ImportReport) -> dict[str, Any]:
    return {"path": str(source), "rows": report.rows, **asdict(report)}
