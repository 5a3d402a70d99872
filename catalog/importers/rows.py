"""What every source of a catalogue yields, and the one loop that saves it.

The rules of the loop, the same for every source:

- One transaction a row: a bad row never stops the rest, and after an interruption all rows before it are there.
  Imported again, they are unchanged; so the way to go on is to start again.
- A row whose sku was imported from an earlier line of the same source is rejected.
- A photo that is refused is reported, and the product is imported without it (unless the source is made of photos).
- Photos that left a product's row are removed, but only when every photo that the row names could be taken:
  a folder that is not mounted must not empty a shop. A source that names no photos at all leaves them alone.
- A dry run goes through the same motions and rolls each row back; no file is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from catalog.models import Product, ProductImage
from catalog.photos import ImageRejected, Photo, check_photo
from catalog.services import Outcome, ProductData, arrange_images, attach_image, remove_images, save_product

# More than this many problems are counted and told to `on_problem`, but not kept in memory.
PROBLEMS_KEPT = 1000


class UnusableSource(ValueError):
    """Nothing can be imported from this source at all: a wrong path, a missing column. The message says what to do."""


class RowRejected(ValueError):
    """This row cannot become a product. The message is the reason in the report."""


class PhotoSource(Protocol):
    """A photo that a row names."""

    @property
    def name(self) -> str:
        """As the row names it."""

    def read(self) -> bytes:
        """The content, not checked yet; ImageRejected where there is nothing to read."""


@dataclass(frozen=True, slots=True)
class Row:
    """One product as a source tells it.

    line: where it stands in the source. product: None where the row is bad; `error` says why. photos: in display order;
    None where the source does not speak of photos. fields: those that the source speaks of, None for all.
    photo_required: no product without its photo.
    """

    line: int
    sku: str
    product: ProductData | None = None
    error: str = ""
    photos: tuple[PhotoSource, ...] | None = None
    fields: frozenset[str] | None = None
    photo_required: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """A rejected row, or a photo (then `photo` names it) that was refused while its product was imported."""

    line: int
    sku: str
    reason: str
    photo: str = ""


@dataclass(slots=True)
class ImportReport:
    """What an import did; it grows while the import runs. `problems` holds the first PROBLEMS_KEPT of them."""

    dry_run: bool = False
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    photos_added: int = 0
    photos_unchanged: int = 0
    photos_removed: int = 0
    photos_rejected: int = 0
    last_line: int = 0
    interrupted: bool = False
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
) -> ImportReport:
    """Save these rows, each in a transaction of its own. `stop` is asked after each row whether to end here."""
    run = _Import(dry_run, on_problem)
    for row in rows:
        run.take(row)
        run.report.last_line = row.line
        if on_progress is not None:
            on_progress(run.report)
        if stop is not None and stop():
            run.report.interrupted = True
            break
    return run.report


@dataclass(frozen=True, slots=True)
class _PhotoPlan:
    """What will become of a product's photos: new ones by position, positions by image id, image ids."""

    added: dict[int, Photo]
    moved: dict[int, int]
    removed: list[int]
    unchanged: int = 0

    @property
    def changes(self) -> bool:
        return bool(self.added or self.moved or self.removed)


_NO_PHOTOS = _PhotoPlan({}, {}, [])


class _Import:
    """One run of the loop: its report, and the line of each sku so far (as a hash, for there may be a million)."""

    def __init__(self, dry_run: bool, on_problem: Callable[[Problem], None] | None) -> None:
        self.report = ImportReport(dry_run=dry_run)
        self._on_problem = on_problem
        self._lines: dict[int, int] = {}

    def take(self, row: Row) -> None:
        report = self.report
        try:
            outcome, photos = self._save(row)
        except RowRejected as error:
            report.rejected += 1
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
        added: dict[int, Photo] = {}
        moved: dict[int, int] = {}
        seen: set[str] = set()
        refused = False
        for position, source in enumerate(row.photos):
            try:
                content = source.read()
                sha256 = hashlib.sha256(content).hexdigest()
                if sha256 not in stored and sha256 not in seen:
                    added[position] = check_photo(content)
            except ImageRejected as error:
                if row.photo_required:
                    raise RowRejected(str(error)) from error
                refused = True
                self.report.photos_rejected += 1
                self._tell(Problem(row.line, row.sku, str(error), photo=source.name))
                continue
            if sha256 in stored and sha256 not in seen and stored[sha256][1] != position:
                moved[stored[sha256][0]] = position
            seen.add(sha256)
        gone = stored.keys() - seen
        removed = [] if refused else [stored[sha256][0] for sha256 in gone]
        return _PhotoPlan(added, moved, removed, unchanged=len(seen & stored.keys()))

    def _tell(self, problem: Problem) -> None:
        if len(self.report.problems) < PROBLEMS_KEPT:
            self.report.problems.append(problem)
        if self._on_problem is not None:
            self._on_problem(problem)


def _change_photos(product: Product, plan: _PhotoPlan) -> None:
    if plan.removed:
        remove_images(plan.removed)
    if plan.moved:
        arrange_images(plan.moved)
    for position, photo in plan.added.items():
        attach_image(product, photo, position=position)


def _reason(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return "; ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
