"""What every source of a catalogue yields, and the one loop that saves it.

The rules of the loop, the same for every source:

- One transaction a row: a bad row never stops the rest, and after an interruption all rows before it are there.
  Imported again, they are unchanged; so the way to go on is to start again.
- A row whose sku was imported from an earlier line of the same source is rejected.
- A photo that is refused is reported, and the product is imported without it (unless the source is made of photos).
- Photos that left a product's row are removed, but only when every photo that the row names could be taken:
  a folder that is not mounted must not empty a shop. A source that names no photos at all leaves them alone.
  A photo that is left out on purpose is neither reported nor a reason to remove one.
- Where the source has a name, its products that it no longer has can be withdrawn in the end; a product that it has again
  comes back. Nothing is withdrawn unless the source was read to its end with fewer than half of its rows rejected: half a
  feed must not empty a shop. A row that is rejected still says that its product is there.
- A dry run goes through the same motions and rolls each row back; no file is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from catalog.models import Product, ProductImage
from catalog.photos import ImageRejected, Photo
from catalog.services import (
    Outcome,
    ProductData,
    arrange_images,
    attach_image,
    note_source,
    remove_images,
    save_product,
    withdraw_missing,
)

# More than this many problems are counted and told to `on_problem`, but not kept in memory.
PROBLEMS_KEPT = 1000


_WITHDRAWN_AT_ONCE = 500


class UnusableSource(ValueError):
    """Nothing can be imported from this source at all: a wrong path, a missing column. The message says what to do."""


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
    """

    line: int
    sku: str
    product: ProductData | None = None
    error: str = ""
    photos: tuple[PhotoSource, ...] | None = None
    fields: frozenset[str] | None = None
    photo_required: bool = False
    breaks_off: bool = False


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


def import_rows(
    rows: Iterable[Row],
    *,
    dry_run: bool = False,
    on_progress: Callable[[ImportReport], None] | None = None,
    on_problem: Callable[[Problem], None] | None = None,
    stop: Callable[[], bool] | None = None,
    source: str = "",
    withdraw: bool = False,
) -> ImportReport:
    """Save these rows, each in a transaction of its own. `stop` is asked after each row whether to end here.

    source: its name, where the products are to be known as its own. withdraw: its products that are missing.
    """
    run = _Import(dry_run, on_problem, source, withdraw=withdraw)
    for row in rows:
        run.take(row)
        run.report.last_line = row.line
        run.report.broken_off = run.report.broken_off or row.breaks_off
        if on_progress is not None:
            on_progress(run.report)
        if stop is not None and stop():
            run.report.interrupted = True
            break
    if withdraw:
        run.withdraw_missing()
    return run.report


@dataclass(frozen=True, slots=True)
class _PhotoPlan:
    """What will become of a product's photos: new ones with their alt by position, positions by image id, image ids."""

    added: dict[int, tuple[Photo, str]]
    moved: dict[int, int]
    removed: list[int]
    unchanged: int = 0

    @property
    def changes(self) -> bool:
        return bool(self.added or self.moved or self.removed)


_NO_PHOTOS = _PhotoPlan({}, {}, [])


class _Import:
    """One run of the loop: its report, and the line of each sku so far (as a hash, for there may be a million)."""

    def __init__(
        self, dry_run: bool, on_problem: Callable[[Problem], None] | None, source: str, *, withdraw: bool
    ) -> None:
        self.report = ImportReport(dry_run=dry_run)
        self._on_problem = on_problem
        self._lines: dict[int, int] = {}
        self._source = source
        self._withdraw = withdraw
        self._rejected: set[int] = set()

    def withdraw_missing(self) -> None:
        """Withdraw the products of this source that no row spoke of."""
        report = self.report
        report.not_withdrawn = _why_not_to_withdraw(report)
        if report.not_withdrawn:
            return
        there = self._lines.keys() | self._rejected
        products = Product.objects.filter(source_entry__source=self._source, active=True).values_list("pk", "sku")
        missing = [pk for pk, sku in products.iterator() if hash(sku) not in there]
        report.withdrawn = len(missing)
        if not report.dry_run:
            for start in range(0, len(missing), _WITHDRAWN_AT_ONCE):
                withdraw_missing(missing[start : start + _WITHDRAWN_AT_ONCE])

    def take(self, row: Row) -> None:
        report = self.report
        try:
            outcome, photos = self._save(row)
        except RowRejected as error:
            report.rejected += 1
            if self._withdraw:
                self._rejected.add(hash(row.sku))
            self._tell(Problem(row.line, row.sku, str(error)))
            return
        self._lines[hash(row.sku)] = row.line
        match outcome:
            case Outcome.CREATED:
                report.created += 1
            case Outcome.UPDATED:
                report.updated += 1
            case Outcome.UNCHANGED:
                report.unchanged += 1
        report.photos_added += len(photos.added)
        report.photos_removed += len(photos.removed)
        report.photos_unchanged += photos.unchanged

    def _save(self, row: Row) -> tuple[Outcome, _PhotoPlan]:
        if row.product is None:
            raise RowRejected(row.error)
        former = self._lines.get(hash(row.sku))
        if former is not None:
            raise RowRejected(f"the sku {row.sku} is already on line {former}")
        # Photos are read and decoded before the transaction, which then holds its locks for milliseconds.
        photos = self._plan_photos(row)
        try:
            with transaction.atomic():
                product, outcome = save_product(row.product, only=row.fields)
                bring_back = row.fields is not None and "active" not in row.fields
                if self._source and note_source(product, self._source, bring_back=bring_back):
                    outcome = Outcome.UPDATED
                if self.report.dry_run:
                    transaction.set_rollback(True)
                else:
                    _change_photos(product, photos)
        except ValidationError as error:
            raise RowRejected(_reason(error)) from error
        except (IntegrityError, DataError) as error:
            raise RowRejected(f"the database refuses it: {error}") from error
        if outcome is Outcome.UNCHANGED and photos.changes:
            outcome = Outcome.UPDATED
        return outcome, photos

    def _plan_photos(self, row: Row) -> _PhotoPlan:
        if row.photos is None:
            return _NO_PHOTOS
        images = ProductImage.objects.filter(product__sku=row.sku).values_list("sha256", "id", "position")
        stored = {sha256: (image_id, position) for sha256, image_id, position in images}
        added: dict[int, tuple[Photo, str]] = {}
        moved: dict[int, int] = {}
        seen: set[str] = set()
        whole = True
        for position, source in enumerate(row.photos):
            try:
                taken = source.take(stored.keys() | seen)
            except PhotoLeftOut:
                whole = False
                self.report.photos_left_out += 1
                continue
            except ImageRejected as error:
                if row.photo_required:
                    raise RowRejected(str(error)) from error
                whole = False
                self.report.photos_rejected += 1
                self._tell(Problem(row.line, row.sku, str(error), photo=source.name))
                continue
            sha256 = taken.sha256
            if taken.photo is not None and sha256 not in stored and sha256 not in seen:
                added[position] = (taken.photo, source.alt)
            if sha256 in stored and sha256 not in seen and stored[sha256][1] != position:
                moved[stored[sha256][0]] = position
            seen.add(sha256)
        gone = stored.keys() - seen
        removed = [stored[sha256][0] for sha256 in gone] if whole else []
        return _PhotoPlan(added, moved, removed, unchanged=len(seen & stored.keys()))

    def _tell(self, problem: Problem) -> None:
        if len(self.report.problems) < PROBLEMS_KEPT:
            self.report.problems.append(problem)
        if self._on_problem is not None:
            self._on_problem(problem)


def _why_not_to_withdraw(report: ImportReport) -> str:
    if report.interrupted or report.broken_off:
        return "the source was not read to its end"
    if not report.rows:
        return "the source is empty"
    if report.rejected * 2 >= report.rows:
        return f"{report.rejected} of {report.rows} rows were rejected"
    return ""


def _change_photos(product: Product, plan: _PhotoPlan) -> None:
    if plan.removed:
        remove_images(plan.removed)
    if plan.moved:
        arrange_images(plan.moved)
    for position, (photo, alt) in plan.added.items():
        attach_image(product, photo, position=position, alt=alt)


def _reason(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return "; ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
