"""Near-duplicates: which products may be one and the same, and what becomes of them once somebody has decided.

A pair that was decided on is never asked about again. Where they are merged, one product takes over the photos of the others, which
stay as inactive rows: so that their addresses lead on, and that the next import of their skus does not bring them back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import gettext as _

from catalog.grouping import first_of_group
from catalog.models import DuplicatePair, DuplicateSearch, Product, ProductImage
from catalog.services import products_were_changed, remove_images

Decision = DuplicatePair.Decision

_BATCH = 500


class CannotDecide(ValueError):
    """This cannot be done with these products. The message says why, in words for the person who asked for it."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Why two products may be one. similarity: cosine, 0 to 1. hash_distance: bits, see `catalog.perceptual_hash`."""

    kind: DuplicatePair.Kind
    similarity: float
    hash_distance: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a search changed: open pairs that are new, that no longer hold, and that there are now."""

    new: int
    dropped: int
    open: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another product of a group, and how alike the two are."""

    product: int
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Products joined by open pairs, by ascending id, with the one most like each. similarity: of the two most alike."""

    products: Sequence[int]
    nearest: Mapping[int, Neighbour]
    similarity: float


def duplicate_groups() -> list[DuplicateGroup]:
    """The groups that wait for a decision, those most alike first. Products that were withdrawn since are in none."""
    pairs = DuplicatePair.objects.filter(decision=Decision.OPEN, first__active=True, second__active=True)
    rows = list(pairs.order_by().values_list("first", "second", "kind", "similarity", "hash_distance"))
    first_of = first_of_group((first, second) for first, second, *_ in rows)
    nearest: defaultdict[int, dict[int, Neighbour]] = defaultdict(dict)
    for first, second, kind, similarity, hash_distance in rows:
        likeness = Likeness(DuplicatePair.Kind(kind), similarity, hash_distance)
        known = nearest[first_of[first]]
        for one, other in ((first, second), (second, first)):
            if one not in known or known[one].likeness.similarity < similarity:
                known[one] = Neighbour(other, likeness)
    groups = [
        DuplicateGroup(sorted(known), known, max(each.likeness.similarity for each in known.values()))
        for known in nearest.values()
    ]
    return sorted(groups, key=lambda group: (-group.similarity, group.products[0]))


@transaction.atomic
def record_search(found: Mapping[tuple[int, int], Likeness], *, photos: int) -> Recorded:
    """Store what a search found: (smaller product id, larger) -> how alike. photos: how many were compared.

    Open pairs that were not found again are dropped, decisions stay.
    """
    known = {
        (first, second): (pk, decision)
        for pk, first, second, decision in DuplicatePair.objects.values_list("pk", "first", "second", "decision")
    }
    there = _existing({product for pair in found for product in pair})
    new = [_pair(pair, likeness) for pair, likeness in found.items() if pair not in known and there.issuperset(pair)]
    again = [
        _pair(pair, likeness, pk=known[pair][0])
        for pair, likeness in found.items()
        if pair in known and known[pair][1] == Decision.OPEN
    ]
    dropped = [pk for pair, (pk, decision) in known.items() if decision == Decision.OPEN and pair not in found]
    DuplicatePair.objects.bulk_create(new, batch_size=_BATCH, ignore_conflicts=True)
    DuplicatePair.objects.bulk_update(again, ["kind", "similarity", "hash_distance"], batch_size=_BATCH)
    for start in range(0, len(dropped), _BATCH):
        DuplicatePair.objects.filter(pk__in=dropped[start : start + _BATCH]).delete()
    DuplicateSearch.objects.create(photos=photos)
    return Recorded(len(new), len(dropped), len(new) + len(again))


def _existing(product_ids: Collection[int]) -> set[int]:
    """Those of these products that were not deleted meanwhile."""
    ids = sorted(product_ids)
    batches = (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
    return {pk for batch in batches for pk in Product.objects.filter(pk__in=batch).values_list("pk", flat=True)}


def _pair(pair: tuple[int, int], likeness: Likeness, **more: Any) -> DuplicatePair:
    return DuplicatePair(
        first_id=pair[0],
        second_id=pair[1],
        kind=likeness.kind,
        similarity=likeness.similarity,
        hash_distance=likeness.hash_distance,
        **more,
    )


@transaction.atomic
def mark_as_different(product_ids: Collection[int]) -> None:
    """None of these products is a duplicate of another of them. Raises CannotDecide."""
    _decide([product.pk for product in _chosen(product_ids)], Decision.DIFFERENT)


@transaction.atomic
def make_variants(main_id: int, product_ids: Collection[int]) -> Product:
    """These products, with all their variants, become variants of the main one. Returns it. Raises CannotDecide."""
    products = _chosen({main_id, *product_ids})
    main = next(product for product in products if product.pk == main_id)
    _unite_families(main, products)
    _decide([product.pk for product in products], Decision.VARIANT)
    return main


@transaction.atomic
def merge(kept_id: int, product_ids: Collection[int]) -> Product:
    """One product takes over the photos of the others, and what it does not know itself. Returns it. Raises CannotDecide.

    The others become inactive, and lead to it. Their variants become its own, decisions about them are decisions about it.
    """
    products = _chosen({kept_id, *product_ids})
    kept = next(product for product in products if product.pk == kept_id)
    others = [product for product in products if product.pk != kept_id]
    other_ids = [product.pk for product in others]
    _fill_empty_fields(kept, others)
    kept.save()
    _move_photos(kept, others)
    main = kept.variant_of if kept.variant_of is not None and kept.variant_of_id not in other_ids else kept
    _unite_families(main, products)
    Product.objects.filter(pk__in=other_ids).update(active=False, merged_into=kept, variant_of=None)
    Product.objects.filter(merged_into__in=other_ids).update(merged_into=kept)
    _take_over_pairs(kept_id, set(other_ids))
    products_were_changed([kept_id, *other_ids])
    kept.refresh_from_db()
    return kept


def _chosen(product_ids: Collection[int]) -> list[Product]:
    """These products, locked in one order, so that two decisions at the same time wait for each other."""
    products = list(Product.objects.select_for_update().filter(pk__in=product_ids).order_by("pk"))
    if len(products) < len(set(product_ids)):
        raise CannotDecide(_("Some of these products were deleted meanwhile: look at the group again."))
    if not all(product.active for product in products):
        raise CannotDecide(_("Some of these products were merged or withdrawn meanwhile: look at the group again."))
    if len(products) < 2:
        raise CannotDecide(_("Choose at least two products."))
    return products


def _fill_empty_fields(kept: Product, others: Iterable[Product]) -> None:
    for other in others:
        kept.description = kept.description or other.description
        kept.category_id = kept.category_id or other.category_id
        kept.brand = kept.brand or other.brand
        if kept.price is None:
            kept.price, kept.currency = other.price, other.currency
        kept.tags = list(dict.fromkeys([*kept.tags, *other.tags]))
        kept.attributes = {**other.attributes, **kept.attributes}


def _move_photos(kept: Product, others: Iterable[Product]) -> None:
    """Behind the kept one's own, the same bytes once; vectors and points follow the photos."""
    own = ProductImage.objects.filter(product=kept)
    known = set(own.values_list("sha256", flat=True))
    last = own.aggregate(last=Max("position"))["last"]
    position = 0 if last is None else last + 1
    spare: list[int] = []
    for other in others:
        for image in ProductImage.objects.filter(product=other):
            if image.sha256 in known:
                spare.append(image.pk)
                continue
            known.add(image.sha256)
            ProductImage.objects.filter(pk=image.pk).update(product=kept, position=position, taken_over=True)
            position += 1
    remove_images(spare)


def _unite_families(main: Product, products: Iterable[Product]) -> None:
    """The families of these products become one, with this main product."""
    mains = {product.variant_of_id or product.pk for product in products}
    Product.objects.filter(Q(pk__in=mains) | Q(variant_of__in=mains)).exclude(pk=main.pk).update(variant_of=main)
    Product.objects.filter(pk=main.pk).update(variant_of=None)


def _decide(product_ids: Sequence[int], decision: DuplicatePair.Decision) -> None:
    """For each two of them, found or not: a search that finds them later does not ask."""
    pairs = list(combinations(sorted(product_ids), 2))
    missing = [DuplicatePair(first_id=first, second_id=second, decision=decision) for first, second in pairs]
    DuplicatePair.objects.bulk_create(missing, batch_size=_BATCH, ignore_conflicts=True)
    DuplicatePair.objects.filter(first__in=product_ids, second__in=product_ids).update(decision=decision)


def _take_over_pairs(kept_id: int, other_ids: set[int]) -> None:
    """What was found or decided of the merged products holds of the kept one; a decision goes before what is open."""
    merged = {kept_id, *other_ids}
    DuplicatePair.objects.filter(first__in=merged, second__in=merged).delete()
    rows = list(DuplicatePair.objects.filter(Q(first__in=merged) | Q(second__in=merged)))
    rows.sort(key=lambda row: row.decision == Decision.OPEN)
    successors: dict[int, DuplicatePair] = {}
    for row in rows:
        stranger = row.second_id if row.first_id in merged else row.first_id
        successors.setdefault(stranger, row)
    DuplicatePair.objects.filter(pk__in=[row.pk for row in rows]).delete()
    for stranger, row in successors.items():
        row.pk = None
        row.first_id, row.second_id = sorted((kept_id, stranger))
    DuplicatePair.objects.bulk_create(successors.values(), batch_size=_BATCH)
