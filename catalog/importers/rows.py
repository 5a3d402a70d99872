"""What every source of a catalogue yields, and what comes of it: rows with their photos, problems, and the report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from catalog.photos import Photo
from catalog.services import ProductData
from jobs.storage import StorageUnavailable

# More than this many problems are counted and told to `on_rejected`, but not kept in memory.
PROBLEMS_KEPT = 1000


class UnusableSource(ValueError):
    """Nothing can be imported from this source at all: a wrong path, a missing column. The message says what to do."""


class ImportStopped(Exception):
    """The import cannot go on: the message says why and what to do. report: what was imported before that."""

    def __init__(self, report: ImportReport, cause: StorageUnavailable) -> None:
        begun = "Nothing was imported"
        if report.rows:
            begun = f"Stopped after line {report.last_line}. The {report.rows} rows before are done"
        super().__init__(f"{begun}: {cause}. What is done stays as it is, so import the same again to go on.")
        self.report = report


class RowRejected(ValueError):
    """This row cannot become a product. The message is the reason in the report."""


class PhotoLeftOut(Exception):
    """This photo is not to be read in this import."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A photo that passed the gate, by the hash of its content. photo: None where that content was known before."""

    sha256: str
    photo: Photo | None = None


class PhotoSource(Protocol):
    """A photo that a row names."""

    @property
    def name(self) -> str:
        """As the row names it."""

    @property
    def alt(self) -> str:
        """What it shows, for those who cannot see it; empty where the row does not say."""

    def take(self, known: Collection[str]) -> Taken:
        """The photo; ImageRejected where there is none, PhotoLeftOut where it is not wanted. known: hashes of content
        that need not be read or checked again.
        """


@dataclass(frozen=True, slots=True)
class Row:
    """One product as a source tells it.

    line: where it stands in the source. product: None where the row is bad; `error` says why. photos: in display order;
    None where the source does not speak of photos. fields: those that the source speaks of, None for all.
    photo_required: no product without its photo. breaks_off: the source cannot be read behind this (bad) row.
    cells: in a table, its line as it stands there; several where a product has several.
    """

    line: int
    sku: str
    product: ProductData | None = None
    error: str = ""
    photos: tuple[PhotoSource, ...] | None = None
    fields: frozenset[str] | None = None
    photo_required: bool = False
    breaks_off: bool = False
    cells: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """A rejected row, or a photo (then `photo` names it) that was refused while its product was imported."""

    line: int
    sku: str
    reason: str
    photo: str = ""


@dataclass(slots=True)
class ImportReport:
    """What an import did; it grows while the import runs. `problems` holds the first PROBLEMS_KEPT of them.

    not_withdrawn: why missing products were not withdrawn, where that was asked for.
    """

    dry_run: bool = False
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    photos_added: int = 0
    photos_unchanged: int = 0
    photos_removed: int = 0
    photos_rejected: int = 0
    photos_left_out: int = 0
    withdrawn: int = 0
    not_withdrawn: str = ""
    last_line: int = 0
    interrupted: bool = False
    broken_off: bool = False
    problems: list[Problem] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self.created + self.updated + self.unchanged + self.rejected


# Is told of each row of which something could not be taken, in the order of the source, with everything that was wrong.
OnRejected = Callable[[Row, Sequence[Problem]], None]
