"""The outbox of texts: a row per product and encoder version, written in the transaction of the change that causes it."""

from __future__ import annotations

from collections.abc import Collection as AnyCollection
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from catalog.models import Product
from embeddings.models import EncoderVersion, IndexedText
from embeddings.selectors import active_versions, covered_by, tracked_versions

State = IndexedText.State
# Named, so that the database finds the few that wait by its index among all the others.
WAITING = (State.PENDING, State.REMOVED)
BATCH = 1000


def products_covered(version: EncoderVersion) -> QuerySet[Product]:
    """The products that the version's collection covers, with photos or without."""
    return Product.objects.filter(covered_by(version.collection_id))


def enqueue_texts(product_ids: Sequence[int]) -> None:
    """Enqueue the texts of new or changed products, and the removal of those that a collection does not cover any more."""
    for version in tracked_versions():
        covered = set(products_covered(version).filter(pk__in=product_ids).values_list("pk", flat=True))
        rows = IndexedText.objects.filter(version=version)
        states = dict(rows.filter(product_id__in=product_ids).values_list("product_id", "state"))
        left = [each for each, state in states.items() if each not in covered and state != State.REMOVED]
        if left:
            rows.filter(product_id__in=left).mark_removed()
        known = covered & states.keys()
        if known and rows.filter(product_id__in=known).mark_pending() < len(known):
            # A worker has deleted some meanwhile.
            _ensure(version, known)
        _add(version, covered - known)


def enqueue_text_removals(product_ids: AnyCollection[int]) -> None:
    """Enqueue the deletion of the points of products, in all versions."""
    IndexedText.objects.filter(product_id__in=product_ids).mark_removed()


def index_texts_again(collection_id: int) -> None:
    """Enqueue all texts of a collection, of which the language was changed."""
    versions = [version.pk for version in tracked_versions() if version.collection_id == collection_id]
    IndexedText.objects.filter(version__in=versions, state=State.INDEXED).mark_pending()


def ensure_all_texts(version: EncoderVersion) -> int:
    """Create rows for all covered products without one. Returns their number."""
    known = IndexedText.objects.filter(version=version, product_id=OuterRef("pk")).exclude(state=State.REMOVED)
    missing = products_covered(version).filter(~Exists(known)).order_by("pk")
    added, last = 0, 0
    while ids := list(missing.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH]):
        IndexedText.objects.filter(version=version, product_id__in=ids).mark_pending()
        _ensure(version, ids)
        added, last = added + len(ids), ids[-1]
    return added


def mark_text_orphans(version: EncoderVersion) -> int:
    """Mark rows as removed whose product was deleted or is no longer covered. Returns their number."""
    rows = IndexedText.objects.filter(version=version).exclude(state=State.REMOVED)
    orphans, last = 0, 0
    while ids := list(
        rows.filter(product_id__gt=last).order_by("product_id").values_list("product_id", flat=True)[:BATCH]
    ):
        last = ids[-1]
        covered = set(products_covered(version).filter(pk__in=ids).values_list("pk", flat=True))
        orphans += rows.filter(product_id__in=[each for each in ids if each not in covered]).mark_removed()
    return orphans


def stale_texts(waited: timedelta, limit: int) -> list[int]:
    """List products whose message was lost.

    Args:
        waited: minimum age of their rows.
        limit: maximum number of rows.

    Returns:
        Product ids without duplicates, oldest rows first.
    """
    rows = IndexedText.objects.filter(version__in=active_versions(), changed_at__lte=timezone.now() - waited)
    waiting = rows.filter(state__in=WAITING).order_by("pk").values_list("product_id", flat=True)
    return list(dict.fromkeys(waiting[:limit]))


def _ensure(version: EncoderVersion, product_ids: AnyCollection[int]) -> None:
    known = IndexedText.objects.filter(version=version, product_id__in=product_ids).values_list("product_id", flat=True)
    _add(version, set(product_ids) - set(known))


def _add(version: EncoderVersion, product_ids: AnyCollection[int]) -> None:
    rows = [IndexedText(version=version, product_id=product_id) for product_id in sorted(product_ids)]
    IndexedText.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
