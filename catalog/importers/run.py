"""An import from beginning to end, the same for the command and for a job."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from catalog.fetching import Fetcher
from catalog.importers.links import fetched
from catalog.importers.mapping import FieldMapping
from catalog.importers.rejected import rejected_rows
from catalog.importers.rows import ImportReport, Row, UnusableSource
from catalog.importers.saving import import_rows
from catalog.importers.sources import opened

SOURCE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What an import is asked for, in plain values. Raises UnusableSource where they do not go together.

    format: one of FORMATS, "" to tell it from the content. source: the name of the source that the products are known as
    those of. deactivate_missing: withdraw those that it no longer has. fetch: photos behind links, too. map: FIELD=COLUMN;
    set: FIELD=TEXT. The others are those of FieldMapping, "" for its defaults.
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

    def __post_init__(self) -> None:
        if self.deactivate_missing and not self.source:
            raise UnusableSource(
                "to withdraw what is missing, name the source: only the products of that source are withdrawn"
            )
        if len(self.source) > SOURCE_CHARACTERS:
            raise UnusableSource(f"the name of the source has more than {SOURCE_CHARACTERS} characters")

    def as_parameters(self) -> dict[str, Any]:
        """Those that were asked for, as plain JSON."""
        return {
            field.name: _plain(value) for field in fields(self) if (value := getattr(self, field.name)) != field.default
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> ImportOptions:
        """What `as_parameters` gave; other keys are passed over."""
        known = {field.name for field in fields(cls)}
        told: dict[str, Any] = {name: value for name, value in parameters.items() if name in known}
        told |= {name: tuple(value) for name, value in told.items() if isinstance(value, list)}
        return cls(**told)

    def mapping(self, base: FieldMapping | None = None) -> FieldMapping:
        """How columns become fields; what is not said here is as in `base`. Raises UnusableSource."""
        mapping = (base or FieldMapping()).with_columns([_pair(text, "FIELD=COLUMN") for text in self.map])
        mapping = mapping.with_values(dict(_pair(text, "FIELD=TEXT") for text in self.set))
        names = ("encoding", "delimiter", "decimal", "category_separator", "image_separator")
        return replace(mapping, **{name: getattr(self, name) for name in names if getattr(self, name)})


def run_import(
    path: Path,
    options: ImportOptions,
    *,
    mapping: FieldMapping | None = None,
    images: Path | None = None,
    alone: bool = False,
    rejected: Path | None = None,
    on_progress: Callable[[ImportReport, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import what lies there. Raises UnusableSource, and Interrupted when `stop` says so before the first row; where something
    cannot be kept, StorageUnavailable before the first row and ImportStopped from there on.

    mapping: what the options build upon. images, alone: as in `opened`. rejected: the file that is written with all that
    could not be taken. on_progress: is told the report so far, and about how many rows there are (0: nobody knows).
    """
    with ExitStack() as stack:
        catalogue = stack.enter_context(
            opened(path, options.mapping(mapping), kind=options.format, images=images, alone=alone, stop=stop)
        )
        rows: Iterable[Row] = catalogue
        on_rejected = stack.enter_context(rejected_rows(rejected, catalogue.headers)) if rejected else None
        if options.fetch:
            rows = stack.enter_context(closing(fetched(catalogue, Fetcher(), remember=not options.dry_run)))

        def tell(report: ImportReport) -> None:
            if on_progress is not None:
                on_progress(report, catalogue.total)

        tell(ImportReport(dry_run=options.dry_run))
        return import_rows(
            rows,
            dry_run=options.dry_run,
            on_progress=tell,
            on_rejected=on_rejected,
            stop=stop,
            source=options.source,
            withdraw=options.deactivate_missing,
        )


@contextmanager
def clean_stop() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether to stop: the first Ctrl-C (or SIGTERM) lets the rows in hand finish.

    A second one stops at once and loses those rows.
    """
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


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _pair(text: str, usage: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UnusableSource(f"{text!r} is not of the form {usage}")
    return name.strip(), value.strip()
