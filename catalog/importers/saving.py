"""The one loop that saves what the sources of catalogues yield.

The rules of the loop, the same for every source:

- Rows are saved a few hundred at a time, in one transaction; where the database refuses it, each of them in one of its own.
  So a bad row never stops the rest. Whoever asks the loop to stop finds all rows before that saved; a process that is killed
  loses the rows in hand. Imported again, rows that are there are unchanged; so the way to go on is to start again.
- A row whose sku was imported from an earlier line of the same source is rejected.
- A photo that is refused is reported, and the product is imported without it (unless the source is made of photos).
- Photos that left a product's row are removed, but only when every photo that the row names could be taken:
  a folder that is not mounted must not empty a shop. A source that names no photos at all leaves them alone.
  A photo that is left out on purpose is neither reported nor a reason to remove one.
- Where the source has a name, its products that it no longer has can be withdrawn in the end; a product that it has again
  comes back. Nothing is withdrawn unless the source was read to its end with fewer than half of its rows rejected: half a
  feed must not empty a shop. A row that is rejected still says that its product is there.
- A product that was merged into another one stays as it is, and the photos that the other one took over from it stay there.
- Where something cannot be kept, for want of room say, the import ends there: that is no fault of the row in hand.
- A dry run goes through the same motions and rolls them back; no file is written.
- What the loop keeps in mind does not grow with the rows: a source may have millions.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, reset_queries, transaction

from catalog.importers.rows import (
    PROBLEMS_KEPT,
    ImportReport,
    ImportStopped,
    OnRejected,
    PhotoLeftOut,
    Problem,
    Row,
    RowRejected,
)
from catalog.models import Category, Product, ProductImage
from catalog.photos import ImageRejected, Photo
from catalog.selectors import merged_skus
from catalog.services import (
    Outcome,
    arrange_images,
    attach_image,
    note_source,
    remove_images,
    save_products,
    transaction_with_files,
    withdraw_missing,
)
from jobs.storage import StorageUnavailable, database_storage_errors

_WITHDRAWN_AT_ONCE = 500
# Rows are saved when there are so many of them, so many bytes, or when the first of them has waited so long.
_BATCH_ROWS = 250
_BATCH_BYTES = 8 * 1024 * 1024
_BATCH_S = 0.5
# Of the store of skus, no more than this is held in memory.
_SEEN_CACHE_KIB = 1024


def import_rows(
    rows: Iterable[Row],
    *,
    dry_run: bool = False,
    on_progress: Callable[[ImportReport], None] | None = None,
    on_rejected: OnRejected | None = None,
    stop: Callable[[], bool] | None = None,
    source: str = "",
    withdraw: bool = False,
) -> ImportReport:
    """Save these rows. `stop` is asked after each row whether to end here.

    on_progress: is told whenever rows were saved. source: its name, where the products are to be known as its own.
    withdraw: its products that are missing. Raises ImportStopped where something cannot be kept.
    """
    with closing(_Seen()) as seen:
        run = _Import(dry_run, seen, on_progress, on_rejected, source, withdraw=withdraw)
        try:
            with database_storage_errors():
                for row in rows:
                    run.take(row)
                    if stop is not None and stop():
                        run.report.interrupted = True
                        break
                run.save_taken()
                if withdraw:
                    run.withdraw_missing()
        except StorageUnavailable as error:
            raise ImportStopped(run.report, error) from error
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


class _Seen:
    """The skus so far and their lines, in a database that lies on the disk and is gone with it."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_SEEN_CACHE_KIB}"):
            self._database.execute(f"PRAGMA {setting}")
        # line: NULL where all that is known is that the source has the sku.
        self._database.execute("CREATE TABLE seen (sku BLOB PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def line_of(self, sku: str) -> int | None:
        """Where this sku was imported from."""
        row: tuple[int | None] | None = self._database.execute(
            "SELECT line FROM seen WHERE sku = ?", (_key(sku),)
        ).fetchone()
        return row[0] if row else None

    def has(self, sku: str) -> bool:
        """Whether any row had it."""
        return self._database.execute("SELECT 1 FROM seen WHERE sku = ?", (_key(sku),)).fetchone() is not None

    def note(self, rows: Iterable[Row]) -> None:
        """These were imported."""
        self._write("INSERT OR REPLACE INTO seen VALUES (?, ?)", ((_key(row.sku), row.line) for row in rows))

    def note_rejected(self, rows: Iterable[Row]) -> None:
        """The source has these, though they were not imported."""
        self._write("INSERT OR IGNORE INTO seen VALUES (?, NULL)", ((_key(row.sku),) for row in rows))

    def close(self) -> None:
        self._database.close()

    def _write(self, statement: str, values: Iterable[tuple[object, ...]]) -> None:
        with database_storage_errors(
            "the list of what was imported so far, in the folder for temporary files (TMPDIR),"
        ):
            self._database.executemany(statement, values)


def _key(sku: str) -> bytes:
    # Of a row that could not be decoded the sku may hold what no UTF-8 has.
    return sku.encode("utf-8", errors="surrogatepass")


@dataclass(slots=True)
class _Taken:
    """A row in hand. problems: those of its photos. rejected: why it is not imported, "" where it is."""

    row: Row
    photos: _PhotoPlan = _NO_PHOTOS
    problems: list[Problem] = field(default_factory=list)
    outcome: Outcome | None = None
    rejected: str = ""

    @property
    def bytes(self) -> int:
        """About how much memory it holds."""
        text = sum(len(cell) for cells in self.row.cells for cell in cells)
        if self.row.product is not None:
            text += len(self.row.product.description)
        return text + sum(len(photo.content) for photo, _ in self.photos.added.values())


class _Import:
    """One run of the loop: the rows in hand, and its report."""

    def __init__(
        self,
        dry_run: bool,
        seen: _Seen,
        on_progress: Callable[[ImportReport], None] | None,
        on_rejected: OnRejected | None,
        source: str,
        *,
        withdraw: bool,
    ) -> None:
        self.report = ImportReport(dry_run=dry_run)
        self._seen = seen
        self._on_progress = on_progress
        self._on_rejected = on_rejected
        self._source = source
        self._withdraw = withdraw
        self._categories: dict[tuple[str, ...], Category] = {}
        self._merged = merged_skus()
        self._in_hand: list[_Taken] = []
        self._skus_in_hand: set[str] = set()
        self._bytes_in_hand = 0
        self._save_at = 0.0

    def withdraw_missing(self) -> None:
        """Withdraw the products of this source that no row spoke of."""
        report = self.report
        report.not_withdrawn = _why_not_to_withdraw(report)
        if report.not_withdrawn:
            return
        products = Product.objects.filter(source_entry__source=self._source, active=True).values_list("pk", "sku")
        missing = [pk for pk, sku in products.iterator() if not self._seen.has(sku)]
        report.withdrawn = len(missing)
        if not report.dry_run:
            for start in range(0, len(missing), _WITHDRAWN_AT_ONCE):
                withdraw_missing(missing[start : start + _WITHDRAWN_AT_ONCE])

    def take(self, row: Row) -> None:
        """Read the row's photos, and save the rows in hand when it is time."""
        if row.product is not None and row.sku in self._skus_in_hand:
            # Whether it is there already is known when its first row is saved.
            self.save_taken()
        taken = self._taken(row)
        if not self._in_hand:
            self._save_at = time.monotonic() + _BATCH_S
        self._in_hand.append(taken)
        if not taken.rejected:
            self._skus_in_hand.add(row.sku)
        self._bytes_in_hand += taken.bytes
        full = len(self._in_hand) >= _BATCH_ROWS or self._bytes_in_hand >= _BATCH_BYTES
        if full or time.monotonic() >= self._save_at:
            self.save_taken()

    def save_taken(self) -> None:
        """Save the rows in hand, and report them."""
        if not self._in_hand:
            return
        batch, self._in_hand, self._skus_in_hand, self._bytes_in_hand = self._in_hand, [], set(), 0
        self._save([taken for taken in batch if not taken.rejected])
        for taken in batch:
            self._count(taken)
        self._seen.note(taken.row for taken in batch if not taken.rejected)
        if self._withdraw:
            self._seen.note_rejected(taken.row for taken in batch if taken.rejected)
        if settings.DEBUG:
            # Django keeps the text of thousands of statements, each of hundreds of rows.
            reset_queries()
        if self._on_progress is not None:
            self._on_progress(self.report)

    def _taken(self, row: Row) -> _Taken:
        taken = _Taken(row)
        former = self._seen.line_of(row.sku) if row.product is not None else None
        if row.product is None:
            taken.rejected = row.error
        elif former is not None:
            taken.rejected = f"the sku {row.sku} is already on line {former}"
        else:
            # Photos are read and decoded before the transaction, which then holds its locks for milliseconds.
            try:
                taken.photos = self._plan_photos(row, taken.problems)
            except RowRejected as error:
                taken.rejected = str(error)
        return taken

    def _save(self, batch: Sequence[_Taken]) -> None:
        """Save these rows in one transaction, or else each in one of its own."""
        if not batch:
            return
        try:
            with transaction_with_files():
                outcomes = self._write(batch)
                if self.report.dry_run:
                    transaction.set_rollback(True)
        except (IntegrityError, DataError) as error:
            self._categories.clear()
            if len(batch) == 1:
                batch[0].rejected = f"the database refuses it: {error}"
                return
            for taken in batch:
                self._save([taken])
            return
        if self.report.dry_run:
            self._categories.clear()
        for taken, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, ValidationError):
                taken.rejected = _reason(outcome)
            else:
                taken.outcome = outcome

    def _write(self, batch: Sequence[_Taken]) -> list[Outcome | ValidationError]:
        wanted = [(taken.row.product, taken.row.fields) for taken in batch if taken.row.product is not None]
        saved = save_products(wanted, categories=self._categories)
        products = [each[0] for each in saved if not isinstance(each, ValidationError)]
        back = self._note_source(batch, products)
        outcomes: list[Outcome | ValidationError] = []
        for taken, each in zip(batch, saved, strict=True):
            if isinstance(each, ValidationError):
                outcomes.append(each)
                continue
            product, outcome = each
            if product.pk in back or (outcome is Outcome.UNCHANGED and taken.photos.changes):
                outcome = Outcome.UPDATED
            outcomes.append(outcome)
            if not self.report.dry_run:
                _change_photos(product, taken.photos)
        return outcomes

    def _note_source(self, batch: Sequence[_Taken], products: Sequence[Product]) -> set[int]:
        """Which products were missing in this source, and are active again."""
        if not self._source:
            return set()
        silent = {taken.row.sku for taken in batch if taken.row.fields is not None and "active" not in taken.row.fields}
        return note_source(products, self._source, bring_back={p.pk for p in products if p.sku in silent})

    def _count(self, taken: _Taken) -> None:
        report, photos = self.report, taken.photos
        report.last_line = taken.row.line
        report.broken_off = report.broken_off or taken.row.breaks_off
        problems = taken.problems
        if taken.rejected:
            report.rejected += 1
            problems = [*problems, Problem(taken.row.line, taken.row.sku, taken.rejected)]
        else:
            report.photos_added += len(photos.added)
            report.photos_removed += len(photos.removed)
            report.photos_unchanged += photos.unchanged
        match taken.outcome:
            case Outcome.CREATED:
                report.created += 1
            case Outcome.UPDATED:
                report.updated += 1
            case Outcome.UNCHANGED:
                report.unchanged += 1
        report.problems += problems[: max(PROBLEMS_KEPT - len(report.problems), 0)]
        if problems and self._on_rejected is not None:
            self._on_rejected(taken.row, problems)

    def _plan_photos(self, row: Row, problems: list[Problem]) -> _PhotoPlan:
        if row.photos is None or row.sku in self._merged:
            return _NO_PHOTOS
        images = ProductImage.objects.filter(product__sku=row.sku).values_list("sha256", "id", "position", "taken_over")
        stored = {sha256: (image_id, position) for sha256, image_id, position, _ in images}
        own = {sha256 for sha256, _, _, taken_over in images if not taken_over}
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
                problems.append(Problem(row.line, row.sku, str(error), photo=source.name))
                continue
            sha256 = taken.sha256
            if taken.photo is not None and sha256 not in stored and sha256 not in seen:
                added[position] = (taken.photo, source.alt)
            if sha256 in stored and sha256 not in seen and stored[sha256][1] != position:
                moved[stored[sha256][0]] = position
            seen.add(sha256)
        gone = own - seen
        removed = [stored[sha256][0] for sha256 in gone] if whole else []
        return _PhotoPlan(added, moved, removed, unchanged=len(seen & stored.keys()))


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
