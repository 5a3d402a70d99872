"""What speaks against two products with similar photos being the same."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from catalog.colour_words import colours_of
from catalog.models import Product, lineage

# Prices of one product at two sellers are seldom farther apart.
_PRICE_RATIO = Decimal("1.5")
_BATCH = 500


class Difference(TextChoices):
    """A fact in which two products differ."""

    CATEGORY = "category", _("different categories")
    PRICE = "price", _("different prices")
    COLOUR = "colour", _("different colours")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is compared of a product. category: slug path, or ""; colours: that its title or an attribute names, in English."""

    category: str
    price: Decimal | None
    currency: str
    colours: frozenset[str]


def facts_of(product_ids: Collection[int]) -> dict[int, Facts]:
    """Read what is compared of products.

    Args:
        product_ids: of the products; unknown ones are passed over.

    Returns:
        Facts by product.
    """
    columns = ("pk", "category__path", "price", "currency", "title", "attributes")
    ids, facts = sorted(product_ids), {}
    for start in range(0, len(ids), _BATCH):
        rows = Product.objects.filter(pk__in=ids[start : start + _BATCH]).order_by().values_list(*columns)
        for pk, category, price, currency, title, attributes in rows:
            facts[pk] = Facts(category or "", price, currency, colours_of(title, attributes))
    return facts


def differences(one: Facts, other: Facts) -> frozenset[Difference]:
    """The facts in which two products differ; what a product does not say is no difference.

    Args:
        one: a product.
        other: another.

    Returns:
        The differences. A category and one below it do not differ.
    """
    found = set()
    if one.category and other.category:
        related = one.category in lineage(other.category) or other.category in lineage(one.category)
        if not related:
            found.add(Difference.CATEGORY)
    if one.price and other.price and one.currency == other.currency:
        low, high = sorted((one.price, other.price))
        if high > _PRICE_RATIO * low:
            found.add(Difference.PRICE)
    if one.colours and other.colours and not one.colours & other.colours:
        found.add(Difference.COLOUR)
    return frozenset(found)
