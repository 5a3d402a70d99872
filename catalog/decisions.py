"""What a decision about near-duplicates changes, recorded so that it can be undone.

`recorded` takes down the products, their photos, families and pairs before the decision. `undo` puts back what the decision
changed, and leaves what somebody changed since: a field of the kept product is emptied again only if it still has what the merge
put there, and a product that was moved to another family since stays in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog import events
from catalog.models import DuplicateDecision, DuplicatePair, Product, ProductImage
from catalog.photo_roles import reconsider
from catalog.services import products_were_changed
from catalog.transactions import lock_families

Kind = DuplicateDecision.Kind

_FIELDS = ("description", "category_id", "brand", "price", "currency", "tags", "attributes")
_PAIR = ("first_id", "second_id", "kind", "similarity", "hash_distance", "decision")
_IMAGE = (
    "pk", "product_id", "position", "from_merged_product", "sha256", "alt", "width", "height", "source_sha256", "finding",
    "perceptual_hash", "role", "role_source",
)  # fmt: skip


class DecisionNotPossible(ValueError):
    """The decision is not possible for these products. The message is for the person who made it."""


@contextmanager
def recorded(kind: DuplicateDecision.Kind, product_ids: Collection[int], main: int | None = None) -> Iterator[None]:
    """Take down what a decision changes. In its transaction.

    Args:
        kind: what is decided.
        product_ids: the products it is about.
        main: the product that is kept, or the main one of the variants.

    Yields:
        Nothing; the decision is made inside.
    """
    ids = sorted(product_ids)
    before = _state(ids)
    yield
    if main is not None:
        before["filled"] = _fields(Product.objects.get(pk=main))
    before["families_after"] = dict(Product.objects.filter(pk__in=before["families"]).values_list("pk", "variant_of"))
    before["pairs_after"] = _pairs(ids)
    DuplicateDecision.objects.create(kind=kind, products=ids, main=main, before=before)


@transaction.atomic
def undo(decision_id: int) -> DuplicateDecision:
    """Put back what a decision changed.

    Args:
        decision_id: of the decision.

    Returns:
        The decision, which is undone.

    Raises:
        DecisionNotPossible: it was undone already, or a product was deleted or merged since.
    """
    lock_families()
    decision = DuplicateDecision.objects.select_for_update().filter(pk=decision_id).first()
    if decision is None or decision.undone_at is not None:
        raise DecisionNotPossible(_("This decision was undone already. Reload the page."))
    products = {product.pk: product for product in Product.objects.select_for_update().filter(pk__in=decision.products)}
    if len(products) < len(decision.products):
        raise DecisionNotPossible(_("A product of this decision was deleted, so it cannot be undone."))
    if decision.kind == Kind.MERGE:
        _undo_merge(decision, products)
    if decision.kind != Kind.DIFFERENT:
        _restore_families(decision)
    _restore_pairs(decision)
    products_were_changed(decision.products)
    decision.undone_at = timezone.now()
    decision.save(update_fields=["undone_at"])
    return decision


def _undo_merge(decision: DuplicateDecision, products: Mapping[int, Product]) -> None:
    target, before = products[decision.main or 0], decision.before
    others = [product for pk, product in products.items() if pk != target.pk]
    if any(other.merged_into_id != target.pk for other in others):
        raise DecisionNotPossible(_("These products were merged again since: undo the later decision first."))
    for name, value in _fields(target).items():
        if value == before["filled"][name]:
            setattr(target, name, _from_json(name, before["fields"][str(target.pk)][name]))
    target.save()
    now = timezone.now()
    for other in others:
        active = before["active"][str(other.pk)]
        Product.objects.filter(pk=other.pk).update(active=active, merged_into=None, updated_at=now)
    for merged, into in before["merged"].items():
        Product.objects.filter(pk=merged).update(merged_into=into)
    _restore_photos(before["images"], target.pk)


def _restore_photos(images: Collection[Mapping[str, Any]], target: int) -> None:
    """Photos go back to their products; those that the merge removed, because the target had the same, are made again."""
    there = set(ProductImage.objects.filter(pk__in=[image["pk"] for image in images]).values_list("pk", flat=True))
    made = []
    for image in images:
        if image["product_id"] == target:
            continue
        place = {name: image[name] for name in ("product_id", "position", "from_merged_product")}
        if image["pk"] in there:
            ProductImage.objects.filter(pk=image["pk"], product=target).update(**place)
            continue
        twin = ProductImage.objects.filter(product=target, sha256=image["sha256"]).first()
        if twin is None:
            continue  # somebody removed the photo since
        again = ProductImage(**{name: image[name] for name in _IMAGE if name != "pk"})
        again.file.name = str(twin.file.name)
        ProductImage.objects.bulk_create([again])  # the file is there: its size is not read again
        made.append(again.pk)
    if made:
        events.images_changed.send(sender=ProductImage, image_ids=made)
    reconsider(ProductImage.objects.filter(product__in={target, *(image["product_id"] for image in images)}))


def _restore_families(decision: DuplicateDecision) -> None:
    """Families as they were, but for products that somebody moved since, or whose main product is in a family itself by now."""
    before, after = (
        {int(pk): main for pk, main in decision.before[name].items()} for name in ("families", "families_after")
    )
    moved = [
        product
        for product in Product.objects.filter(pk__in=before)
        if product.variant_of_id == after[product.pk] != before[product.pk]
    ]
    for product in sorted(moved, key=lambda product: before[product.pk] is not None):  # main products first
        main = before[product.pk]
        if main is None or Product.objects.filter(pk=main, variant_of=None).exists():
            Product.objects.filter(pk=product.pk).update(variant_of=main)
    products_were_changed([pk for pk in before if pk not in decision.products])


def _restore_pairs(decision: DuplicateDecision) -> None:
    """Pairs as they were, unless somebody decided on one since."""
    for pair in decision.before["pairs_after"]:
        DuplicatePair.objects.filter(
            first=pair["first_id"], second=pair["second_id"], decision=pair["decision"]
        ).delete()
    rows = [DuplicatePair(**pair) for pair in decision.before["pairs"]]
    ids = {each for row in rows for each in (row.first_id, row.second_id)}
    present = set(Product.objects.filter(pk__in=ids).values_list("pk", flat=True))
    kept = [row for row in rows if {row.first_id, row.second_id} <= present]
    DuplicatePair.objects.bulk_create(kept, ignore_conflicts=True)


def _state(ids: Collection[int]) -> dict[str, Any]:
    products = list(Product.objects.filter(pk__in=ids))
    mains = {product.variant_of_id or product.pk for product in products}
    families = Product.objects.filter(Q(pk__in=mains) | Q(variant_of__in=mains) | Q(pk__in=ids))
    merged = Product.objects.filter(merged_into__in=ids)
    return {
        "fields": {product.pk: _fields(product) for product in products},
        "active": {product.pk: product.active for product in products},
        "families": dict(families.values_list("pk", "variant_of")),
        "merged": dict(merged.values_list("pk", "merged_into")),
        "images": list(ProductImage.objects.filter(product__in=ids).values(*_IMAGE)),
        "pairs": _pairs(ids),
    }


def _pairs(ids: Collection[int]) -> list[dict[str, Any]]:
    return list(DuplicatePair.objects.filter(Q(first__in=ids) | Q(second__in=ids)).values(*_PAIR))


def _fields(product: Product) -> dict[str, Any]:
    """Of what a merge may fill, as JSON."""
    values = {name: getattr(product, name) for name in _FIELDS}
    return {**values, "price": None if product.price is None else str(product.price)}


def _from_json(name: str, value: Any) -> Any:
    return Decimal(value) if name == "price" and value is not None else value
