"""Near-duplicates: pairs of products that may be the same, and the decisions about them.

Decided pairs are not proposed again. Merging moves the photos of the duplicates to the target product; the duplicates stay as
inactive rows, so that their URLs redirect to the target and the next import of their SKUs does not create them again. Each
decision can be undone (`catalog.decisions`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.clustering import clusters
from catalog.decisions import DecisionNotPossible, recorded
from catalog.differences import Difference, differences, facts_of
from catalog.models import DuplicateDecision, DuplicatePair, DuplicateSearch, Product, ProductImage
from catalog.photo_roles import reconsider
from catalog.services import products_were_changed, remove_images
from catalog.transactions import lock_families

Decision = DuplicatePair.Decision
Kind = DuplicateDecision.Kind

_BATCH = 500


@dataclass(frozen=True, slots=True)
class MatchEvidence:
    """How similar two products are.

    Attributes:
        kind: of their most similar photos: same file, similar or mirrored; or similar text.
        similarity: cosine of the vectors, 0 to 1; by text, the probability that they are the same.
        hash_distance: number of different bits, see `pictures.perceptual_hash`.
    """

    kind: DuplicatePair.Kind
    similarity: float
    hash_distance: int


@dataclass(frozen=True, slots=True)
class PairChanges:
    """Numbers of open pairs: new ones, dropped ones, and all that are open now."""

    new: int
    dropped: int
    open: int


@dataclass(frozen=True, slots=True)
class FoundPair:
    """Two products that may be the same.

    Attributes:
        first, second: their ids, ascending.
        evidence: how similar they are.
        differences: what speaks against it.
    """

    first: int
    second: int
    evidence: MatchEvidence
    differences: frozenset[Difference]


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Products connected by open pairs, most of which are like most others.

    Attributes:
        products: ids, ascending.
        pairs: the most similar first, those with differences last.
    """

    products: Sequence[int]
    pairs: Sequence[FoundPair]

    @property
    def similarity(self) -> float:
        """Of the most similar pair."""
        return self.pairs[0].evidence.similarity


def duplicate_groups() -> list[DuplicateGroup]:
    """Pairs without a decision, in groups, the most similar first; inactive products are left out.

    Similarity does not carry over from pair to pair: thirteen watches, each like the next, are not one watch. So a group is divided
    where less than half of the pairs between its parts were found, or where two products differ in category, price or colour. A
    pair between two groups is a group of its own.

    Returns:
        Each pair in one group; groups of pairs without differences first.
    """
    pairs = DuplicatePair.objects.filter(decision=Decision.OPEN, first__active=True, second__active=True)
    rows = list(pairs.order_by().values_list("first", "second", "kind", "similarity", "hash_distance"))
    facts = facts_of({product for first, second, *_ in rows for product in (first, second)})
    found = [
        FoundPair(
            first,
            second,
            MatchEvidence(DuplicatePair.Kind(kind), similarity, hash_distance),
            differences(facts[first], facts[second]),
        )
        for first, second, kind, similarity, hash_distance in rows
        if first in facts and second in facts  # one may have been deleted between the two queries
    ]
    found.sort(key=lambda pair: (bool(pair.differences), -pair.evidence.similarity, pair.first, pair.second))
    cluster = clusters((pair.first, pair.second) for pair in found if not pair.differences)
    grouped: defaultdict[tuple[int, ...], list[FoundPair]] = defaultdict(list)
    for pair in found:
        one, other = cluster.get(pair.first), cluster.get(pair.second)
        together = one is not None and one == other
        grouped[(one or 0,) if together else (pair.first, pair.second)].append(pair)
    groups = [
        DuplicateGroup(sorted({product for pair in each for product in (pair.first, pair.second)}), each)
        for each in grouped.values()
    ]
    return sorted(groups, key=lambda group: (bool(group.pairs[0].differences), -group.similarity, group.products[0]))


@transaction.atomic
def store_search_result(found: Mapping[tuple[int, int], MatchEvidence], *, photos: int) -> PairChanges:
    """Store the pairs that a search found. Open pairs that were not found again are dropped; decisions stay.

    Args:
        found: evidence by (smaller product id, larger product id).
        photos: number of photos compared.

    Returns:
        Numbers of changed pairs.
    """
    known = {
        (first, second): (pk, decision)
        for pk, first, second, decision in DuplicatePair.objects.values_list("pk", "first", "second", "decision")
    }
    present = _existing_ids({product for pair in found for product in pair})
    new = [
        _duplicate_pair(pair, evidence)
        for pair, evidence in found.items()
        if pair not in known and present.issuperset(pair)
    ]
    again = [
        _duplicate_pair(pair, evidence, pk=known[pair][0])
        for pair, evidence in found.items()
        if pair in known and known[pair][1] == Decision.OPEN
    ]
    dropped = [pk for pair, (pk, decision) in known.items() if decision == Decision.OPEN and pair not in found]
    DuplicatePair.objects.bulk_create(new, batch_size=_BATCH, ignore_conflicts=True)
    DuplicatePair.objects.bulk_update(again, ["kind", "similarity", "hash_distance"], batch_size=_BATCH)
    for start in range(0, len(dropped), _BATCH):
        DuplicatePair.objects.filter(pk__in=dropped[start : start + _BATCH]).delete()
    DuplicateSearch.objects.create(photos=photos)
    return PairChanges(len(new), len(dropped), len(new) + len(again))


def _existing_ids(product_ids: Collection[int]) -> set[int]:
    """The products that were not deleted in the meantime."""
    ids = sorted(product_ids)
    batches = (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
    return {pk for batch in batches for pk in Product.objects.filter(pk__in=batch).values_list("pk", flat=True)}


def _duplicate_pair(pair: tuple[int, int], evidence: MatchEvidence, **more: Any) -> DuplicatePair:
    return DuplicatePair(
        first_id=pair[0],
        second_id=pair[1],
        kind=evidence.kind,
        similarity=evidence.similarity,
        hash_distance=evidence.hash_distance,
        **more,
    )


@transaction.atomic
def mark_as_different(product_ids: Collection[int]) -> None:
    """Record that these products are different from each other.

    Args:
        product_ids: at least two.

    Raises:
        DecisionNotPossible: a product was deleted, merged or withdrawn, or there are fewer than two.
    """
    ids = [product.pk for product in _lock_products(product_ids)]
    with recorded(Kind.DIFFERENT, ids):
        _decide(ids, Decision.DIFFERENT)


@transaction.atomic
def make_variants(main_id: int, product_ids: Collection[int]) -> Product:
    """Make products, with all their variants, variants of a main product.

    Args:
        main_id: the main product.
        product_ids: the others.

    Returns:
        The main product.

    Raises:
        DecisionNotPossible: as in `mark_as_different`.
    """
    products = _lock_products({main_id, *product_ids})
    main = next(product for product in products if product.pk == main_id)
    ids = [product.pk for product in products]
    with recorded(Kind.VARIANTS, ids, main_id):
        _merge_families(main, products)
        _decide(ids, Decision.VARIANT)
    return main


@transaction.atomic
def merge(target_id: int, product_ids: Collection[int]) -> Product:
    """Merge products: the target receives the photos and variants of the others, and the values of its empty fields.

    The others become inactive and redirect to the target; decisions about them apply to the target.

    Args:
        target_id: the product that stays.
        product_ids: the duplicates.

    Returns:
        The target.

    Raises:
        DecisionNotPossible: as in `mark_as_different`.
    """
    products = _lock_products({target_id, *product_ids})
    target = next(product for product in products if product.pk == target_id)
    duplicates = [product for product in products if product.pk != target_id]
    other_ids = [product.pk for product in duplicates]
    with recorded(Kind.MERGE, [product.pk for product in products], target_id):
        _fill_empty_fields(target, duplicates)
        target.save()
        _move_photos(target, duplicates)
        main = target.variant_of if target.variant_of is not None and target.variant_of_id not in other_ids else target
        _merge_families(main, products)
        Product.objects.filter(pk__in=other_ids).update(
            active=False, merged_into=target, variant_of=None, updated_at=timezone.now()
        )
        Product.objects.filter(merged_into__in=other_ids).update(merged_into=target)
        _reassign_pairs(target_id, set(other_ids))
    products_were_changed([target_id, *other_ids])
    target.refresh_from_db()
    return target


def _lock_products(product_ids: Collection[int]) -> list[Product]:
    """Lock the products in one order, so that two decisions at the same time do not deadlock."""
    lock_families()
    products = list(Product.objects.select_for_update().filter(pk__in=product_ids).order_by("pk"))
    if len(products) < len(set(product_ids)):
        raise DecisionNotPossible(_("Some of these products have been deleted. Reload the group."))
    if not all(product.active for product in products):
        raise DecisionNotPossible(_("Some of these products have been merged or withdrawn. Reload the group."))
    if len(products) < 2:
        raise DecisionNotPossible(_("Choose at least two products."))
    return products


def _fill_empty_fields(target: Product, duplicates: Iterable[Product]) -> None:
    for other in duplicates:
        target.description = target.description or other.description
        target.category_id = target.category_id or other.category_id
        target.brand = target.brand or other.brand
        if target.price is None:
            target.price, target.currency = other.price, other.currency
        target.tags = list(dict.fromkeys([*target.tags, *other.tags]))
        target.attributes = {**other.attributes, **target.attributes}


def _move_photos(target: Product, duplicates: Iterable[Product]) -> None:
    """Move photos behind those of the target, the same content once; vectors and points follow the photos."""
    own = ProductImage.objects.filter(product=target)
    known = set(own.values_list("sha256", flat=True))
    last = own.aggregate(last=Max("position"))["last"]
    position = 0 if last is None else last + 1
    redundant: list[int] = []
    for other in duplicates:
        for image in ProductImage.objects.filter(product=other):
            if image.sha256 in known:
                redundant.append(image.pk)
                continue
            known.add(image.sha256)
            ProductImage.objects.filter(pk=image.pk).update(product=target, position=position, from_merged_product=True)
            position += 1
    remove_images(redundant)
    reconsider(own)


def _merge_families(main: Product, products: Iterable[Product]) -> None:
    """Merge the families of these products into one, with this main product."""
    mains = {product.variant_of_id or product.pk for product in products}
    Product.objects.filter(Q(pk__in=mains) | Q(variant_of__in=mains)).exclude(pk=main.pk).update(variant_of=main)
    Product.objects.filter(pk=main.pk).update(variant_of=None)


def _decide(product_ids: Sequence[int], decision: DuplicatePair.Decision) -> None:
    """Store a decision for every pair, even if no search has found it yet."""
    pairs = list(combinations(sorted(product_ids), 2))
    missing = [DuplicatePair(first_id=first, second_id=second, decision=decision) for first, second in pairs]
    DuplicatePair.objects.bulk_create(missing, batch_size=_BATCH, ignore_conflicts=True)
    DuplicatePair.objects.filter(first__in=product_ids, second__in=product_ids).update(decision=decision)


def _reassign_pairs(target_id: int, other_ids: set[int]) -> None:
    """Reassign pairs of the merged products to the target; decisions take precedence over open pairs."""
    merged = {target_id, *other_ids}
    DuplicatePair.objects.filter(first__in=merged, second__in=merged).delete()
    rows = list(DuplicatePair.objects.filter(Q(first__in=merged) | Q(second__in=merged)))
    rows.sort(key=lambda row: row.decision == Decision.OPEN)
    successors: dict[int, DuplicatePair] = {}
    for row in rows:
        unrelated = row.second_id if row.first_id in merged else row.first_id
        successors.setdefault(unrelated, row)
    DuplicatePair.objects.filter(pk__in=[row.pk for row in rows]).delete()
    for unrelated, row in successors.items():
        row.pk = None
        row.first_id, row.second_id = sorted((target_id, unrelated))
    DuplicatePair.objects.bulk_create(successors.values(), batch_size=_BATCH)
