"""Families of variants, from data that names the family of each product: which of them is the main product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from catalog.models import Product, ProductImage
from catalog.photo_roles import reconsider


def assign_families(joined: Sequence[Product], old_codes: Mapping[str, str]) -> None:
    """Let products join the family of their code, and leave the one of their old code.

    The product whose SKU is the code becomes the main product, as soon as it joins. Otherwise those who join get the main product
    that the family has, which may have been chosen by hand, and a new family the first of them.

    Args:
        joined: saved products with a new code, in the order of their source; "" for products that only leave.
        old_codes: by SKU; without those that had none.
    """
    if not joined:
        return
    leavers = {product.pk for product in joined if old_codes.get(product.sku)}
    if leavers:
        _leave(leavers)
    new_members = {product.pk: position for position, product in enumerate(joined) if product.family_code}
    codes = {product.family_code for product in joined if product.family_code}
    for code, members in _by_code(codes).items():
        _join(code, members, new_members)
    reconsider(ProductImage.objects.filter(product__in=[product.pk for product in joined]))


def _by_code(codes: Iterable[str]) -> dict[str, list[Product]]:
    families: dict[str, list[Product]] = {}
    members = Product.objects.filter(family_code__in=codes, merged_into=None).order_by("pk")
    for product in members.only("sku", "family_code", "variant_of"):
        families.setdefault(product.family_code, []).append(product)
    return families


def _join(code: str, members: Sequence[Product], new_members: Mapping[int, int]) -> None:
    newcomers = sorted(
        (product for product in members if product.pk in new_members), key=lambda product: new_members[product.pk]
    )
    present = [product for product in members if product.pk not in new_members]
    main = next((product.pk for product in newcomers if product.sku == code), None)
    if main is not None:
        movers = [product.pk for product in members]
    else:
        main = (present[0].variant_of_id or present[0].pk) if present else newcomers[0].pk
        movers = [product.pk for product in newcomers]
    Product.objects.filter(pk=main).update(variant_of=None)
    others = [pk for pk in movers if pk != main]
    # A mover may be the main product of others: there are no variants of variants.
    Product.objects.filter(variant_of__in=others).exclude(pk=main).update(variant_of=main)
    Product.objects.filter(pk__in=others).update(variant_of=main)


def _leave(leavers: set[int]) -> None:
    """Take products out of their families; what a main product leaves behind gets the first of the others."""
    left_behind: dict[int, list[int]] = {}
    rest = Product.objects.filter(variant_of__in=leavers).exclude(pk__in=leavers).order_by("pk")
    for product in rest.only("variant_of"):
        if product.variant_of_id is not None:
            left_behind.setdefault(product.variant_of_id, []).append(product.pk)
    Product.objects.filter(pk__in=leavers).update(variant_of=None)
    for first, *others in left_behind.values():
        Product.objects.filter(pk=first).update(variant_of=None)
        Product.objects.filter(pk__in=others).update(variant_of=first)
