"""Runs an import from start to end, for the command and for jobs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from catalog import facts
from catalog.fetching import Fetcher
from catalog.importers.links import fetch_photos
from catalog.importers.report import ImportReport
from catalog.importers.writer import import_rows
from catalog.models import Product
from catalog.outgoing import LIMIT_PATIENCE_S
from product_files import file_facts
from product_files.mapping import FieldMapping
from product_files.rejected import rejected_rows_writer
from product_files.rows import InvalidSource, Row, RowProblem
from product_files.sources import open_catalogue

SOURCE_CHARACTERS = 80
_LOOKED_UP_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import, in plain values. The others are those of FieldMapping, "" for its defaults.

    Attributes:
        format: one of FORMATS, "" to detect it.
        dry_run: report what would happen, and change nothing.
        source: name of the source that the products are attributed to, "" for none.
        deactivate_missing: withdraw the products of the source that are missing.
        fetch: download photos given as links.
        map: FIELD=COLUMN each.
        set: FIELD=TEXT each.
        table: which table of a zip, by its name or path; "" for the only one.
        automatic: as in FieldMapping.
        update_only: change the products that there are, and add none. Rows of other SKUs are left out.
        withdraw_many: withdraw what is missing, even if it is a larger share than IMPORT_MAX_WITHDRAWN_PERCENT.

    Raises:
        InvalidSource: the options contradict each other.
    """

    format: str = ""
    dry_run: bool = False
    source: str = ""
    deactivate_missing: bool = False
    fetch: bool = True
    map: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    category_separator: str = ""
    image_separator: str = ""
    item: str = ""
    table: str = ""
    automatic: bool = True
    update_only: bool = False
    withdraw_many: bool = False

    def __post_init__(self) -> None:
        if self.deactivate_missing and not self.source:
            raise InvalidSource(file_facts.SOURCE_NEEDED())
        if len(self.source) > SOURCE_CHARACTERS:
            raise InvalidSource(file_facts.SOURCE_TOO_LONG(limit=SOURCE_CHARACTERS))

    def as_parameters(self) -> dict[str, Any]:
        """Options that differ from their defaults, as JSON values."""
        return {
            field.name: _json_value(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> ImportOptions:
        """Options from the result of `as_parameters`; other keys are ignored."""
        names = {field.name for field in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in parameters.items() if name in names}
        values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**values)

    def mapping(self, base: FieldMapping | None = None) -> FieldMapping:
        """The mapping of columns to fields.

        Args:
            base: values for everything that these options do not set.

        Returns:
            The mapping.

        Raises:
            InvalidSource: an option is invalid.
        """
        mapping = (base or FieldMapping()).with_columns([_pair(text, "FIELD=COLUMN") for text in self.map])
        mapping = mapping.with_values(dict(_pair(text, "FIELD=TEXT") for text in self.set))
        names = ("encoding", "delimiter", "decimal", "category_separator", "image_separator", "item")
        options = {name: getattr(self, name) for name in names if getattr(self, name)}
        return replace(mapping, **options, automatic=self.automatic and mapping.automatic, update_only=self.update_only)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far an import has come: what it needs to go on in another process.

    Attributes:
        report: of the rows that are saved or rejected, with the first problems.
        rejected_bytes: of the file of rejected rows.
        refused: the places of rows that were read and then not saved, counted from 0, as `import_rows` passes them.
    """

    report: ImportReport
    rejected_bytes: int = 0
    refused: Sequence[int] = ()

    def as_json(self, max_problems: int) -> dict[str, Any]:
        """Plain JSON of it.

        Args:
            max_problems: how many problems are kept.

        Returns:
            The object that `from_json` reads.
        """
        # Not all thousand problems are copied for each batch.
        problems = [problem.as_json() for problem in self.report.problems[:max_problems]]
        report = asdict(replace(self.report, problems=[]))
        return {
            "report": {**report, "problems": problems},
            "rejected_bytes": self.rejected_bytes,
            "refused": list(self.refused),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Checkpoint:
        """The checkpoint of `as_json`."""
        report: dict[str, Any] = dict(content["report"])
        problems = [RowProblem.from_json(problem) for problem in report.pop("problems")]
        report["interrupted"] = False
        # Those of before an update have no `refused`.
        return cls(ImportReport(**report, problems=problems), content["rejected_bytes"], content.get("refused", ()))


def run_import(
    path: Path,
    options: ImportOptions,
    *,
    import_id: UUID | None = None,
    checkpoint: Checkpoint | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
    mapping: FieldMapping | None = None,
    images: Path | None = None,
    is_upload: bool = False,
    base: str = "",
    rejected: Path | None = None,
    on_progress: Callable[[ImportReport, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import a catalogue.

    Args:
        path: a file, or a folder of photos.
        options: of the import.
        import_id: job of the import, which the products that it creates or changes refer to.
        checkpoint: where an interrupted import of the same file goes on; None to begin.
        on_checkpoint: called in the transaction of each batch.
        mapping: what the options build on.
        images: as in `open_catalogue`.
        is_upload: as in `open_catalogue`.
        base: as in `open_catalogue`.
        rejected: file that rejected rows are written to.
        on_progress: called with the report so far and the approximate number of rows (0 if unknown).
        should_stop: called after each row; True interrupts the import.

    Returns:
        The report.

    Raises:
        InvalidSource: there is no usable catalogue.
        ImportInterrupted: `should_stop` returned True before the first row.
        StorageUnavailable: a storage error before the first row.
        ImportAborted: a storage error from the first row on.
    """
    with ExitStack() as stack:
        catalogue = stack.enter_context(
            open_catalogue(
                path,
                options.mapping(mapping),
                format=options.format,
                table=options.table,
                images=images,
                is_upload=is_upload,
                base=base,
                should_stop=should_stop,
            )
        )
        start = checkpoint or Checkpoint(ImportReport(dry_run=options.dry_run))
        every_row = iter(catalogue)
        # Read first: what follows goes on where they end.
        saved = islice(every_row, start.report.rows)
        rows: Iterable[Row] = every_row
        rejected_rows = None
        if rejected is not None:
            rejected_rows = stack.enter_context(
                rejected_rows_writer(rejected, catalogue.headers, keep_bytes=start.rejected_bytes)
            )
        if options.update_only:
            rows = _with_unknown_marked(rows)
        if options.fetch:
            rows = stack.enter_context(
                closing(fetch_photos(rows, Fetcher(patience_s=LIMIT_PATIENCE_S), save_cache=not options.dry_run))
            )

        def report_progress(report: ImportReport) -> None:
            if on_progress is not None:
                on_progress(report, catalogue.total)

        def save_checkpoint(report: ImportReport, refused: Sequence[int]) -> None:
            if on_checkpoint is not None:
                on_checkpoint(Checkpoint(report, rejected_rows.size() if rejected_rows is not None else 0, refused))

        report_progress(start.report)
        report = import_rows(
            rows,
            dry_run=options.dry_run,
            saved=saved,
            refused=start.refused,
            report=start.report,
            import_id=import_id,
            on_saved=save_checkpoint if on_checkpoint is not None else None,
            on_progress=report_progress,
            on_rejected=rejected_rows.write if rejected_rows is not None else None,
            should_stop=should_stop,
            source=options.source,
            withdraw=options.deactivate_missing,
            withdraw_many=options.withdraw_many,
        )
        report.notes += catalogue.notes
        if not report.rows and not report.interrupted:
            report.notes.append(facts.NO_PRODUCTS())
        return report


def _with_unknown_marked(rows: Iterable[Row]) -> Iterator[Row]:
    """Mark rows whose SKU no product has, before their photos are fetched."""
    remaining = iter(rows)
    while chunk := list(islice(remaining, _LOOKED_UP_AT_ONCE)):
        skus = [row.sku for row in chunk if row.product is not None]
        known = set(Product.objects.filter(sku__in=skus).values_list("sku", flat=True))
        for row in chunk:
            is_unknown = row.product is not None and row.sku not in known
            yield replace(row, photos=None, unknown=True) if is_unknown else row


@contextmanager
def graceful_interrupt() -> Iterator[Callable[[], bool]]:
    """Handle Ctrl-C and SIGTERM for the length of the block: the first requests a stop, a second raises KeyboardInterrupt.

    Yields:
        A function that returns whether a stop was requested.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set
        return

    def handle_signal(_signal: int, _frame: object) -> None:
        if requested.is_set():
            raise KeyboardInterrupt
        requested.set()

    with _signals_handled_by(handle_signal):
        yield requested.is_set


@contextmanager
def interrupt_at_once() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt for the length of the block, which may wait for long.

    Yields:
        Nothing.
    """

    def handle_signal(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _signals_handled_by(handle_signal):
        yield


@contextmanager
def _signals_handled_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    previous_handlers = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in previous_handlers.items():
            signal.signal(number, previous)


def _json_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _pair(text: str, usage: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InvalidSource(f"{text!r} is not of the form {usage}")
    return name.strip(), value.strip()
