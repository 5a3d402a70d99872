"""A shop for rules: products that differ in all that rules look at, and a plain statement of which of them may be shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from catalog.json_conditions import attribute_texts
from catalog.models import Category, Product
from recommender.models import Rule, RuleSet
from recommender.rules.services import save_rule, save_set
from tests.factories import CategoryFactory
from tests.recommender.conftest import Shop

_DEPARTMENTS = ("women/shirts", "women/coats", "men/shirts", "home")
_BRANDS = ("Harbour", "Pier", "Quay", "")
_GENDERS: tuple[Any, ...] = ("women", "men", "unisex", None, ["women", "men"])


def direction(number: int) -> tuple[float, float, float]:
    """Vectors that are farther from the first the greater the number, and no two of one picture."""
    return (math.cos(0.05 * number), math.sin(0.05 * number), 0.0)


@dataclass
class RuledShop:
    """The product that is looked at, the others nearest first, and the active rule set."""

    shop: Shop
    product: Product
    others: Sequence[Product]
    rules: RuleSet

    def add_rule(self, kind: str, *, scope: str = "everywhere", target: str = "", **parameters: Any) -> Rule:
        """A rule of the active set."""
        return save_rule(self.rules, {"kind": kind, "scope": scope, "target": target, "parameters": parameters})

    def allowed(self, *conditions: Callable[[Product], bool]) -> list[int]:
        """The ids of those that meet all conditions, nearest first."""
        return [other.pk for other in self.others if all(condition(other) for condition in conditions)]


def furnished(shop: Shop, count: int = 40) -> RuledShop:
    """A shop with so many products beside a Harbour shirt for women at 20 euros."""
    categories: dict[str, Category] = {}
    for path in ("women", "women/shirts", "women/coats", "men", "men/shirts", "home"):
        parent, _, slug = path.rpartition("/")
        categories[path] = CategoryFactory.create(slug=slug, parent=categories.get(parent))

    def fields(number: int) -> dict[str, Any]:
        gender = _GENDERS[number % 5]
        attributes: dict[str, Any] = {} if gender is None else {"gender": gender}
        attributes["margin"] = number % 7 / 10
        return {
            "sku": f"P-{number}",
            "category": categories[_DEPARTMENTS[number % 4]],
            "brand": _BRANDS[number // 2 % 4],
            "price": None if number % 11 == 10 else Decimal(5 + number % 9 * 5),
            "currency": "USD" if number % 13 == 12 else "EUR",
            "available": number % 3 != 1,
            "tags": ["sale"] if number % 4 == 3 else [],
            "attributes": attributes,
        }

    product, *others = shop.add_all([(direction(number), fields(number)) for number in range(count)])
    Product.objects.filter(pk=product.pk).update(price=Decimal(20))
    product.refresh_from_db()
    return RuledShop(shop, product, others, save_set({"name": "main", "active": True}))


def path_of(product: Product) -> str:
    """The path of a product's category."""
    return str(product.category.path) if product.category else ""


def genders(product: Product) -> set[str]:
    """The values of the attribute `gender`."""
    return {*attribute_texts(product.attributes["gender"])} if "gender" in product.attributes else set()
