"""The conditions by which products are filtered: each declared once, for SQL, the vector index, the API and the storefront."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import Q


class Lookup(StrEnum):
    """How a condition compares a product's value with its own."""

    EXACT = "exact"
    SUBTREE = "subtree"
    ANY_OF = "any_of"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a ProductFilter.

    Attributes:
        name: of the field of ProductFilter and of the API's parameter.
        field: of the product card and of the payload in the vector index (PAYLOAD_FIELDS).
        lookup: how the values compare.
        path: the model field's path, from Product, e.g. "category__path"; its type and its length are those of the parameter.
        more_field: of the product card, for further values of which one may meet the condition; "" if there are none.
        names: what its value names and what has to exist, e.g. "category"; "" if it names nothing.
        description: for the API; "" for a condition that the API does not offer.
        example: a value for the API's documentation.
    """

    name: str
    field: str
    lookup: Lookup
    path: str
    more_field: str
    names: str
    description: str
    example: str | None


def _condition(
    field_name: str,
    lookup: Lookup,
    description: str = "",
    *,
    path: str = "",
    more_field: str = "",
    names: str = "",
    example: str | None = None,
    default: Any = None,
) -> Any:
    options = {
        "field": field_name,
        "lookup": lookup,
        "path": path or field_name,
        "more_field": more_field,
        "names": names,
        "description": description,
        "example": example,
    }
    return field(default=default, metadata=options)


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Conditions that a product has to meet, all of them. None, "" or () leaves a condition out.

    A condition is one field here. The API's parameters, the SQL and the query of the vector index follow from it, where
    PAYLOAD_FIELDS of the index has the field.
    """

    category: str | None = _condition(
        "category",
        Lookup.SUBTREE,
        "Slug path of a category; subcategories are included.",
        path="category__path",
        more_field="other_categories",
        names="category",
        example="clothing/shirts",
    )
    brand: str | None = _condition("brand", Lookup.EXACT, "Brand; exact, case-sensitive match.", names="brand")
    brands: tuple[str, ...] = _condition("brand", Lookup.ANY_OF, default=())
    min_price: Decimal | None = _condition(
        "price", Lookup.MINIMUM, "Minimum price; products without a price are excluded."
    )
    max_price: Decimal | None = _condition(
        "price", Lookup.MAXIMUM, "Maximum price; products without a price are excluded."
    )
    available: bool | None = _condition(
        "available",
        Lookup.EXACT,
        "true: only products in stock; false: only products out of stock.",
    )

    def conditions(self) -> Iterator[tuple[Condition, Any]]:
        """The conditions that are set, each with its value."""
        for condition in conditions():
            value = getattr(self, condition.name)
            if value is not None and value not in ("", ()):
                yield condition, value

    def q(self) -> Q:
        """The conditions in SQL, for querysets of Product."""
        q = Q()
        for condition, value in self.conditions():
            q &= _Q[condition.lookup](condition.path, value)
        return q

    def matches(self, product: object) -> bool:
        """Whether a product meets the conditions.

        Args:
            product: has the fields as attributes, like a ProductCard.

        Returns:
            True if it meets all of them.
        """
        return all(
            any(_MATCHES[condition.lookup](own, value) for own in _own_values(product, condition))
            for condition, value in self.conditions()
        )


NO_FILTER = ProductFilter()


@cache
def conditions() -> tuple[Condition, ...]:
    """Every condition that there is, in the order of the fields of ProductFilter."""
    return tuple(Condition(each.name, **each.metadata) for each in fields(ProductFilter))


def _own_values(product: object, condition: Condition) -> Iterator[Any]:
    yield getattr(product, condition.field)
    if condition.more_field:
        yield from getattr(product, condition.more_field)


def _in_subtree(path: str, value: str) -> Q:
    """The main category, or one of the others, is this category or below it."""
    categories = apps.get_model("catalog.Category").objects.filter(Q(path=value) | Q(path__startswith=f"{value}/"))
    others = apps.get_model("catalog.Product").other_categories.through.objects.filter(category__in=categories)
    return Q((path, value)) | Q((f"{path}__startswith", f"{value}/")) | Q(pk__in=others.values("product"))


_Q: Mapping[Lookup, Callable[[str, Any], Q]] = {
    Lookup.EXACT: lambda path, value: Q((path, value)),
    Lookup.SUBTREE: _in_subtree,
    Lookup.ANY_OF: lambda path, value: Q((f"{path}__in", value)),
    Lookup.MINIMUM: lambda path, value: Q((f"{path}__gte", value)),
    Lookup.MAXIMUM: lambda path, value: Q((f"{path}__lte", value)),
}
_MATCHES: Mapping[Lookup, Callable[[Any, Any], bool]] = {
    Lookup.EXACT: lambda own, value: bool(own == value),
    Lookup.SUBTREE: lambda own, value: f"{own}/".startswith(f"{value}/"),
    Lookup.ANY_OF: lambda own, value: own in value,
    Lookup.MINIMUM: lambda own, value: own is not None and own >= value,
    Lookup.MAXIMUM: lambda own, value: own is not None and own <= value,
}
