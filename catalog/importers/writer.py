"""Saves the rows of a catalogue source in batches. The rules are the same for every source.

- Rows are saved a few hundred at a time, in one transaction. If the database refuses it, each row gets a transaction of its own, so
  that a bad row does not stop the others. An interrupted import has saved all rows before the interruption; a killed process
  loses the current batch. Importing the same source again leaves saved rows unchanged, so an import is continued by repeating it.
- Two imports may save the same products at the same time: a batch that the database refuses for that is saved again.
- A row is rejected if an earlier row of the same source has the same SKU.
- A rejected photo is reported, and the product is imported without it (unless the source consists of photos).
- A photo whose file is missing is stored again, and counts as added.
- Photos that a product's row no longer lists are removed, but only if all photos of the row could be read: a folder that is not
  mounted must not empty a shop. Photos stay as they are if the source lists none at all. A skipped photo is neither reported nor
  removed.
- If the source has a name, its products that are missing can be withdrawn at the end; they come back when a later import contains
  them. Nothing is withdrawn if the source was not read to its end, if half of its rows were rejected, or if it has lost more than
  IMPORT_MAX_WITHDRAWN_PERCENT of its products, unless that is allowed. A rejected row still counts as present.
- A product that was merged into another one stays as it is, and so do its photos that the other product received.
- A storage error ends the import: it is not an error of the row.
- A dry run does the same work and rolls it back; it writes no files.
- Memory does not grow with the number of rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, reset_queries, transaction

from catalog import events, facts
from catalog.filters import ProductFilter
from catalog.importers.report import MAX_NEW, MAX_PROBLEMS, ImportAborted, ImportReport, OnRejected, OnSaved
from catalog.importers.seen_skus import SeenSkus
from catalog.media import is_missing
from catalog.models import Category, Product, ProductImage, lineage
from catalog.selectors import merged_skus
from catalog.services import (
    Attachment,
    SaveResult,
    arrange_images,
    attach_images,
    category_path,
    record_source,
    remove_images,
    save_products,
    withdraw_missing,
)
from catalog.transactions import transaction_with_files, with_retries
from jobs.storage import StorageUnavailable, database_storage_errors
from pictures.photos import ImageRejected, Photo
from product_files import row_facts
from product_files.product_data import ProductData
from product_files.rows import PhotoSkipped, Row, RowProblem, RowRejected

_WITHDRAW_BATCH_SIZE = 500
# So few may be withdrawn whatever their share is: of a small shop, half of the products change in a day.
_ALWAYS_WITHDRAWN = 20
# A batch is saved when it has this many rows or bytes, or when its first row is this old.
_BATCH_ROWS = 250
_BATCH_BYTES = 8 * 1024 * 1024
_BATCH_MAX_AGE_S = 0.5
# Places of rows that were not saved, which every batch notes for an import that goes on from there.
_MAX_REFUSED = 1000
# Two imports that save the same new products at the same time: one of them tries again.
_CONFLICT_WAIT_S = 0.2
# Categories and brands that are known to be in the catalogue or in the report.
_KNOWN_NAMES = 10_000


def import_rows(
    rows: Iterable[Row],
    *,
    dry_run: bool = False,
    saved: Iterable[Row] = (),
    refused: Sequence[int] = (),
    report: ImportReport | None = None,
    import_id: UUID | None = None,
    on_saved: OnSaved | None = None,
    on_progress: Callable[[ImportReport], None] | None = None,
    on_rejected: OnRejected | None = None,
    should_stop: Callable[[], bool] | None = None,
    source: str = "",
    withdraw: bool = False,
    withdraw_many: bool = False,
) -> ImportReport:
    """Save rows as products with photos.

    Args:
        rows: of one source, in its order.
        dry_run: report what would happen, and change nothing.
        saved: the rows before these, which an interrupted import of the same source has saved or rejected.
        refused: the places of those that it has not saved although they have a product, counted from 0.
        report: of those; it is continued.
        import_id: job of the import, which the products that it creates or changes refer to.
        on_saved: called in the transaction of each batch with the report so far, and the places of rows to pass as `refused`
            to an import that goes on from there.
        on_progress: called with the report after each batch.
        on_rejected: called for each row with problems.
        should_stop: called after each row; True ends the import there.
        source: name of the source that the products are attributed to; "" for none.
        withdraw: deactivate the source's products that are missing in `rows`.
        withdraw_many: whatever share of them that is.

    Returns:
        The report.

    Raises:
        ImportAborted: something could not be stored.
    """
    with closing(SeenSkus()) as seen:
        report = report or ImportReport(dry_run=dry_run)
        run = _ImportRun(
            report, seen, on_progress, on_rejected, source, withdraw=withdraw, import_id=import_id, on_saved=on_saved
        )
        try:
            with database_storage_errors():
                run.pass_over(saved, refused)
                for row in rows:
                    run.add(row)
                    if should_stop is not None and should_stop():
                        run.report.interrupted = True
                        break
                run.flush()
                if withdraw:
                    run.withdraw_missing(even_many=withdraw_many)
                run.note_emptied_categories()
        except StorageUnavailable as error:
            raise ImportAborted(run.report, error) from error
        return run.report


@dataclass(frozen=True, slots=True)
class _PhotoPlan:
    """Changes of a product's photos: new ones with their alt texts by position, new positions by image id, and image ids."""

    added: dict[int, tuple[Photo, str]]
    moved: dict[int, int]
    removed: list[int]
    unchanged: int = 0

    @property
    def changes(self) -> bool:
        return bool(self.added or self.moved or self.removed)


_NO_PHOTOS = _PhotoPlan({}, {}, [])


@dataclass(slots=True)
class _PendingRow:
    """A row of the current batch.

    Attributes:
        problems: of its photos.
        rejected: why it is not imported, or "".
        is_repeated: whether that is an earlier row with its SKU.
    """

    row: Row
    photos: _PhotoPlan = _NO_PHOTOS
    problems: list[RowProblem] = field(default_factory=list)
    result: SaveResult | None = None
    rejected: str = ""
    is_repeated: bool = False

    @property
    def bytes(self) -> int:
        """Approximate memory size."""
        text = sum(len(cell) for cells in self.row.cells for cell in cells)
        if self.row.product is not None:
            text += len(self.row.product.description)
        return text + sum(len(photo.content) for photo, _ in self.photos.added.values())


class _NewNames:
    """Which categories and brands the catalogue does not have, each looked up once, as long as they are not too many."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._brands: set[str] = set()
        self._new_paths: dict[str, str] = {}
        self._new_brands: set[str] = set()

    def look_at(self, products: Sequence[ProductData]) -> None:
        """Look up the names of a batch, before it is saved. products: of the batch."""
        if len(self._paths) > _KNOWN_NAMES or len(self._brands) > _KNOWN_NAMES:
            self._paths.clear()
            self._brands.clear()
        named = {category_path(names): names for product in products for names in _categories_of(product)}
        paths = {path: names for path, names in named.items() if path not in self._paths}
        known = set(Category.objects.filter(path__in=paths).values_list("path", flat=True)) if paths else set()
        self._paths |= paths.keys()
        for path, names in paths.items():
            if path not in known and len(self._new_paths) < MAX_NEW:
                self._new_paths[path] = " > ".join(names)
        brands = {product.brand for product in products if product.brand} - self._brands
        stored = set(Product.objects.filter(brand__in=brands).values_list("brand", flat=True)) if brands else set()
        self._brands |= brands
        self._new_brands |= set(sorted(brands - stored)[: MAX_NEW - len(self._new_brands)])

    def report(self, product: ProductData, report: ImportReport) -> None:
        """Add the new names of a product that is imported to the report."""
        for names in _categories_of(product):
            if name := self._new_paths.get(category_path(names)):
                _add_new(report.new_categories, name)
        if product.brand in self._new_brands:
            _add_new(report.new_brands, product.brand)
        if product.price is not None:
            _add_new(report.currencies, product.currency)


def _categories_of(product: ProductData) -> Iterator[Sequence[str]]:
    return (names for names in (product.category, *product.other_categories) if names)


def _add_new(names: list[str], name: str) -> None:
    if name not in names and len(names) < MAX_NEW:
        names.append(name)


class _ImportRun:
    """State of an import: the current batch and the report."""

    def __init__(
        self,
        report: ImportReport,
        seen: SeenSkus,
        on_progress: Callable[[ImportReport], None] | None,
        on_rejected: OnRejected | None,
        source: str,
        *,
        withdraw: bool,
        import_id: UUID | None,
        on_saved: OnSaved | None,
    ) -> None:
        self.report = report
        self._import_id = import_id
        self._on_saved = on_saved
        self._seen = seen
        self._on_progress = on_progress
        self._on_rejected = on_rejected
        self._source = source
        self._withdraw = withdraw
        self._categories: dict[tuple[str, ...], Category] = {}
        self._new = _NewNames()
        # Ids of categories that products have left.
        self._left_categories: set[int] = set()
        self._merged = merged_skus()
        self._only_changes = False
        self._refused: list[int] = []
        self._batch: list[_PendingRow] = []
        self._batch_skus: set[str] = set()
        self._batch_bytes = 0
        self._flush_at = 0.0

    def withdraw_missing(self, *, even_many: bool) -> None:
        """Withdraw the products of this source that no row has. even_many: whatever share of them that is."""
        report = self.report
        report.not_withdrawn = _withdrawal_blocker(report, only_changes=self._only_changes)
        if report.not_withdrawn:
            return
        products = Product.objects.filter(product_source__source=self._source, active=True).values_list("pk", "sku")
        missing, known = [], 0
        for pk, sku in products.iterator():
            known += 1
            if not self._seen.has(sku):
                missing.append(pk)
        percent = settings.IMPORT_MAX_WITHDRAWN_PERCENT
        if not even_many and len(missing) > _ALWAYS_WITHDRAWN and len(missing) * 100 > known * percent:
            report.not_withdrawn = facts.MANY_MISSING(missing=len(missing), known=known, percent=percent)
            return
        report.withdrawn = len(missing)
        if not report.dry_run:
            for start in range(0, len(missing), _WITHDRAW_BATCH_SIZE):
                withdraw_missing(missing[start : start + _WITHDRAW_BATCH_SIZE])

    def note_emptied_categories(self) -> None:
        """Note what it means to others that the products of a category have moved elsewhere, as after a rename in the source."""
        left = Category.objects.filter(pk__in=self._left_categories).values_list("path", flat=True)
        candidates = sorted({ancestor for path in left for ancestor in lineage(path)})
        paths = [path for path in candidates if not Product.objects.matching(ProductFilter(category=path)).exists()]
        if paths and not self.report.dry_run:
            answers = events.categories_emptied.send(sender=Category, paths=paths)
            self.report.notes += [text for _, text in answers if text]

    def pass_over(self, rows: Iterable[Row], refused: Sequence[int]) -> None:
        """Note of rows that an interrupted import has saved or rejected their SKUs, and whether they are changes only.

        Args:
            rows: from the first one on.
            refused: as in `import_rows`.
        """
        self._refused = list(refused)
        not_saved = frozenset(refused)
        remaining = enumerate(rows)
        while chunk := list(islice(remaining, _BATCH_ROWS)):
            self._only_changes = self._only_changes or any(row.only_changes for _, row in chunk)
            saved = [row for place, row in chunk if row.product is not None and place not in not_saved]
            for row in saved:
                self._seen.spell(row)
            self._seen.add(saved)
            self._seen.add_rejected(row for place, row in chunk if row.product is None or place in not_saved)

    def add(self, row: Row) -> None:
        """Load the row's photos, add it to the batch, and flush the batch if it is full or old."""
        if row.product is not None and row.sku in self._batch_skus:
            # The first row with this SKU has to be saved before this one is checked.
            self.flush()
        pending = self._load_row(row)
        if not self._batch:
            self._flush_at = time.monotonic() + _BATCH_MAX_AGE_S
        self._batch.append(pending)
        if not pending.rejected:
            self._batch_skus.add(row.sku)
        self._batch_bytes += pending.bytes
        full = len(self._batch) >= _BATCH_ROWS or self._batch_bytes >= _BATCH_BYTES
        if full or time.monotonic() >= self._flush_at:
            self.flush()

    def flush(self) -> None:
        """Save the current batch, and report it."""
        if not self._batch:
            return
        batch, self._batch, self._batch_skus, self._batch_bytes = self._batch, [], set(), 0
        with transaction_with_files() if self._on_saved is not None else nullcontext():
            self._save([pending for pending in batch if not pending.rejected and not pending.row.unknown])
            for pending in batch:
                self._note_refused(pending)
                self._count(pending)
            if self._on_saved is not None:
                self._on_saved(self.report, self._refused)
        self._seen.add(pending.row for pending in batch if not pending.rejected)
        if self._withdraw:
            self._seen.add_rejected(pending.row for pending in batch if pending.rejected)
        if settings.DEBUG:
            # Django would keep the text of every statement.
            reset_queries()
        if self._on_progress is not None:
            self._on_progress(self.report)

    def _note_refused(self, pending: _PendingRow) -> None:
        """Note the place of a row that has a product and is not saved, before it is counted."""
        # Of rows with the same SKU, an import that reads them again takes the first one that is not noted.
        is_refused = pending.rejected and not pending.is_repeated and pending.row.product is not None
        if is_refused and len(self._refused) < _MAX_REFUSED:
            self._refused.append(self.report.rows)

    def _load_row(self, row: Row) -> _PendingRow:
        pending = _PendingRow(row)
        previous_line = self._seen.line_of(row.sku) if row.product is not None else None
        if row.product is None:
            pending.rejected = row.error
        elif previous_line is not None:
            pending.is_repeated = True
            pending.rejected = row_facts.SKU_TWICE(sku=row.sku, line=str(previous_line))
        else:
            # Photos are decoded before the transaction, so that it holds its locks for milliseconds.
            try:
                pending.photos = self._plan_photos(row, pending.problems)
            except RowRejected as error:
                pending.rejected = str(error)
        return pending

    def _save(self, batch: Sequence[_PendingRow]) -> None:
        """Save rows in one transaction; if the database refuses it, each in a transaction of its own."""
        if not batch:
            return
        try:
            results = self._write_in_transaction(batch)
        except (IntegrityError, DataError) as error:
            self._categories.clear()
            if len(batch) == 1:
                batch[0].rejected = facts.REJECTED_BY_DATABASE(error=str(error))
                return
            for pending in batch:
                self._save([pending])
            return
        if self.report.dry_run:
            self._categories.clear()
        for pending, result in zip(batch, results, strict=True):
            if isinstance(result, ValidationError):
                pending.rejected = _error_message(result)
            else:
                pending.result = result

    def _write_in_transaction(self, batch: Sequence[_PendingRow]) -> list[SaveResult | ValidationError]:
        """Write rows, and again if another import has written the same ones at the same time."""

        def write() -> list[SaveResult | ValidationError]:
            results = self._write(batch)
            if self.report.dry_run:
                transaction.set_rollback(True)
            return results

        return with_retries(write, wait_s=_CONFLICT_WAIT_S, on_conflict=self._categories.clear)

    def _write(self, batch: Sequence[_PendingRow]) -> list[SaveResult | ValidationError]:
        batch_products = [pending.row.product for pending in batch if pending.row.product is not None]
        self._new.look_at(batch_products)
        self._forget_changed_categories(batch_products)
        products_to_save = [
            (pending.row.product, pending.row.fields) for pending in batch if pending.row.product is not None
        ]
        saved = save_products(
            products_to_save, categories=self._categories, import_id=self._import_id, left=self._left_categories
        )
        products = [each[0] for each in saved if not isinstance(each, ValidationError)]
        reactivated = self._record_source(batch, products)
        results: list[SaveResult | ValidationError] = []
        attachments: list[Attachment] = []
        for pending, each in zip(batch, saved, strict=True):
            if isinstance(each, ValidationError):
                results.append(each)
                continue
            product, result = each
            if product.pk in reactivated or (result is SaveResult.UNCHANGED and pending.photos.changes):
                result = SaveResult.UPDATED
            results.append(result)
            if not self.report.dry_run:
                attachments += _change_photos(product, pending.photos)
        if attachments:
            attach_images(attachments)
        return results

    def _forget_changed_categories(self, products: Sequence[ProductData]) -> None:
        """Forget those categories of a batch that somebody has deleted, renamed or moved since an earlier batch."""
        known = {
            tuple(names): category
            for product in products
            for names in _categories_of(product)
            if (category := self._categories.get(tuple(names))) is not None
        }
        if not known:
            return
        paths = dict(Category.objects.filter(pk__in={each.pk for each in known.values()}).values_list("pk", "path"))
        for names, category in known.items():
            if paths.get(category.pk) != category.path:
                del self._categories[names]

    def _record_source(self, batch: Sequence[_PendingRow], products: Sequence[Product]) -> set[int]:
        """Record the source of these products. Returns the ids of those that are active again."""
        if not self._source:
            return set()
        unspecified = {
            pending.row.sku
            for pending in batch
            if pending.row.fields is not None and "active" not in pending.row.fields
        }
        return record_source(products, self._source, bring_back={p.pk for p in products if p.sku in unspecified})

    def _count(self, pending: _PendingRow) -> None:
        report, photos = self.report, pending.photos
        report.last_line = pending.row.line
        report.broken_off = report.broken_off or pending.row.is_last_readable
        self._only_changes = self._only_changes or pending.row.only_changes
        problems = pending.problems
        if pending.row.unknown:
            report.unknown += 1
            return
        if pending.rejected:
            report.rejected += 1
            problems = [*problems, RowProblem(pending.row.line, pending.row.sku, pending.rejected)]
        else:
            texts = list(pending.row.warnings)
            if (earlier := self._seen.spell(pending.row)) is not None:
                texts.append(facts.SKU_IN_OTHER_CASE(sku=earlier[0], line=str(earlier[1])))
            warnings = [RowProblem(pending.row.line, pending.row.sku, text, is_warning=True) for text in texts]
            report.warnings += len(warnings)
            problems = [*warnings, *problems]
            if pending.row.product is not None:
                self._new.report(pending.row.product, report)
            report.photos_added += len(photos.added)
            report.photos_removed += len(photos.removed)
            report.photos_unchanged += photos.unchanged
        match pending.result:
            case SaveResult.CREATED:
                report.created += 1
            case SaveResult.UPDATED:
                report.updated += 1
            case SaveResult.UNCHANGED:
                report.unchanged += 1
        report.problems += problems[: max(MAX_PROBLEMS - len(report.problems), 0)]
        of_rejected_file = [problem for problem in problems if not problem.is_warning]
        if of_rejected_file and self._on_rejected is not None:
            self._on_rejected(pending.row, of_rejected_file)

    def _plan_photos(self, row: Row, problems: list[RowProblem]) -> _PhotoPlan:
        if row.photos is None or row.sku in self._merged:
            return _NO_PHOTOS
        columns = ("pk", "sha256", "source_sha256", "position", "from_merged_product", "file", "file_missing")
        images = list(ProductImage.objects.filter(product__sku=row.sku).values_list(*columns, named=True))
        stored = {image.sha256: (image.pk, image.position) for image in images}
        own = {image.sha256 for image in images if not image.from_merged_product}
        present = [image for image in images if not is_missing(image.file, noted=image.file_missing)]
        known = {image.source_sha256: image.sha256 for image in present if image.source_sha256}
        known |= {image.sha256: image.sha256 for image in present}
        added: dict[int, tuple[Photo, str]] = {}
        moved: dict[int, int] = {}
        seen: set[str] = set()
        complete = True
        for position, source in enumerate(row.photos):
            try:
                loaded = source.load(known)
            except PhotoSkipped:
                complete = False
                self.report.photos_left_out += 1
                continue
            except ImageRejected as error:
                if row.photo_required:
                    raise RowRejected(str(error)) from error
                complete = False
                self.report.photos_rejected += 1
                problems.append(RowProblem(row.line, row.sku, str(error), photo=source.name))
                continue
            sha256 = loaded.sha256
            # A photo that is stored, but not known, has lost its file.
            if loaded.photo is not None and sha256 not in seen and sha256 not in known:
                added[position] = (loaded.photo, source.alt)
            if loaded.photo is not None:
                known[loaded.photo.source_sha256] = known[sha256] = sha256
            if sha256 in stored and sha256 not in seen and stored[sha256][1] != position:
                moved[stored[sha256][0]] = position
            seen.add(sha256)
        removed_hashes = own - seen
        removed = [stored[sha256][0] for sha256 in removed_hashes] if complete else []
        restored = {photo.sha256 for photo, _ in added.values()}
        return _PhotoPlan(added, moved, removed, unchanged=len(seen & stored.keys() - restored))


def _withdrawal_blocker(report: ImportReport, *, only_changes: bool) -> str:
    if only_changes:
        return facts.ONLY_CHANGES()
    if report.interrupted or report.broken_off:
        return facts.NOT_READ_TO_ITS_END()
    if not report.rows:
        return facts.SOURCE_EMPTY()
    if report.rejected * 2 >= report.rows:
        return facts.MANY_REJECTED(rejected=report.rejected, rows=report.rows)
    return ""


def _change_photos(product: Product, plan: _PhotoPlan) -> list[Attachment]:
    """Remove and move photos of a product as planned. Returns those that are to be attached."""
    if plan.removed:
        remove_images(plan.removed)
    if plan.moved:
        arrange_images(plan.moved)
    return [Attachment(product, photo, alt, position) for position, (photo, alt) in plan.added.items()]


def _error_message(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return "; ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
