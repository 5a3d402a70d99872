"""The result of an import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jobs.storage import StorageUnavailable
from product_files.rows import Row, RowProblem

# Problems kept in a report; the others are counted and passed to `on_rejected`.
MAX_PROBLEMS = 1000
# Names of new categories, of new brands, and of currencies in a report.
MAX_NEW = 100


class ImportAborted(Exception):
    """A storage error ended the import.

    Attributes:
        report: of the rows before the error.
    """

    def __init__(self, report: ImportReport, cause: StorageUnavailable) -> None:
        done = "Nothing was imported"
        if report.rows:
            done = f"Stopped after line {report.last_line}; the {report.rows} rows before it are imported"
        super().__init__(f"{done}: {cause}. Import the same source again to continue.")
        self.report = report


@dataclass(slots=True)
class ImportReport:
    """The result of an import, updated while it runs.

    Attributes:
        unknown: number of rows whose SKU no product has, of an import that only changes products.
        warnings: number of values that could not be used, of rows that were imported.
        not_withdrawn: why missing products were not withdrawn, if that was requested; a fact.
        notes: what was found about the source as a whole: its encoding, columns that were not used.
        new_categories: the first MAX_NEW that the catalogue did not have, `Home > Throws`.
        new_brands: the same of brands.
        currencies: of the prices, the first MAX_NEW.
        problems: the first MAX_PROBLEMS problems.
    """

    dry_run: bool = False
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    unknown: int = 0
    photos_added: int = 0
    photos_unchanged: int = 0
    photos_removed: int = 0
    photos_rejected: int = 0
    photos_left_out: int = 0
    warnings: int = 0
    withdrawn: int = 0
    not_withdrawn: str = ""
    last_line: int = 0
    interrupted: bool = False
    broken_off: bool = False
    problems: list[RowProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    new_categories: list[str] = field(default_factory=list)
    new_brands: list[str] = field(default_factory=list)
    currencies: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Number of rows read."""
        return self.created + self.updated + self.unchanged + self.rejected + self.unknown


# Called for each row with problems, in the order of the source.
OnRejected = Callable[[Row, Sequence[RowProblem]], None]

# Called with the report so far, and the places of rows that have a product and were not saved, counted from 0.
OnSaved = Callable[[ImportReport, Sequence[int]], None]
