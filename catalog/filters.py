"""The conditions by which products are filtered: each declared once, for SQL, the vector index, the API and the storefront."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import Q

from catalog.json_conditions import AttributeIs, ListHolds


class Lookup(StrEnum):
    """How a condition compares a product's value with its own."""

    EXACT = "exact"
    SUBTREE = "subtree"
    ANY_OF = "any_of"
    NONE_OF = "none_of"
    OUTSIDE = "outside"
    HOLDS = "holds"
    ATTRIBUTES = "attributes"
    HOLDS_NONE = "holds_none"
    NO_ATTRIBUTES = "no_attributes"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"

    @property
    def is_multiple(self) -> bool:
        """Whether its value is a tuple."""
        return self is Lookup.ANY_OF or self in (Lookup.HOLDS, Lookup.ATTRIBUTES) or self.excludes

    @property
    def excludes(self) -> bool:
        """Whether it is met by products that do not have the value."""
        return self in (Lookup.NONE_OF, Lookup.OUTSIDE, Lookup.HOLDS_NONE, Lookup.NO_ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a ProductFilter.

    Attributes:
        name: of the field of ProductFilter and of the API's parameter.
        field: of the product card and of the payload in the vector index (PAYLOAD_FIELDS).
        lookup: how the values compare.
        path: the model field's path, from Product, e.g. "category__path"; its type and its length are those of the parameter.
        more_field: of the product card, for further values, which count like the first; "" if there are none.
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

    @property
    def is_on_card(self) -> bool:
        """Whether a product card has the field."""
        return self.field not in _NOT_ON_CARDS


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
        "price", Lookup.MINIMUM, "Minimum price, in `currency`; products without a price are excluded."
    )
    max_price: Decimal | None = _condition(
        "price", Lookup.MAXIMUM, "Maximum price, in `currency`; products without a price are excluded."
    )
    currency: str | None = _condition(
        "currency",
        Lookup.EXACT,
        "ISO 4217 code of the prices. Default for `min_price` and `max_price`: the shop's currency.",
        names="currency",
        example="EUR",
    )
    available: bool | None = _condition(
        "available",
        Lookup.EXACT,
        "true: only products in stock; false: only products out of stock.",
    )
    tag: tuple[str, ...] = _condition(
        "tags",
        Lookup.HOLDS,
        "Tag; exact, case-sensitive match. Several: products that have all of them.",
        names="tag",
        default=(),
    )
    attribute: tuple[tuple[str, tuple[str, ...]], ...] = _condition(
        "attributes",
        Lookup.ATTRIBUTES,
        "Value of an attribute, of the name that stands for `<name>`; exact, case-sensitive match. Several: products that have"
        " one of them.",
        names="attribute",
        default=(),
    )
    not_category: tuple[str, ...] = _condition(
        "category",
        Lookup.OUTSIDE,
        "Slug path of a category whose products, and those of its subcategories, are left out. Repeatable.",
        path="category__path",
        more_field="other_categories",
        names="category",
        default=(),
    )
    not_brand: tuple[str, ...] = _condition(
        "brand", Lookup.NONE_OF, "Brand whose products are left out. Repeatable.", names="brand", default=()
    )
    exclude: tuple[int, ...] = _condition(
        "product_id", Lookup.NONE_OF, "Id of a product that is left out. Repeatable.", path="id", default=()
    )
    not_tag: tuple[str, ...] = _condition("tags", Lookup.HOLDS_NONE, default=())
    not_attribute: tuple[tuple[str, tuple[str, ...]], ...] = _condition("attributes", Lookup.NO_ATTRIBUTES, default=())

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
        """Whether a product meets the conditions that its card shows.

        Args:
            product: has the fields as attributes, like a ProductCard.

        Returns:
            True if it meets all of them.
        """
        return all(_meets(product, condition, value) for condition, value in self.conditions() if condition.is_on_card)

    @property
    def needs_database(self) -> bool:
        """Whether there are conditions that a card does not show: then `matches` is not enough."""
        return any(not condition.is_on_card for condition, _ in self.conditions())


NO_FILTER = ProductFilter()


@cache
def conditions() -> tuple[Condition, ...]:
    """Every condition that there is, in the order of the fields of ProductFilter."""
    return tuple(Condition(each.name, **each.metadata) for each in fields(ProductFilter))


# The fields of the payload that a card has under another name, and those that it does not have.
_ON_CARD = {"product_id": "id"}
_NOT_ON_CARDS = frozenset({"tags", "attributes"})


def _meets(product: object, condition: Condition, value: Any) -> bool:
    met = (_MATCHES[condition.lookup](own, value) for own in _own_values(product, condition))
    return all(met) if condition.lookup.excludes else any(met)


def _own_values(product: object, condition: Condition) -> Iterator[Any]:
    yield getattr(product, _ON_CARD.get(condition.field, condition.field))
    if condition.more_field:
        yield from getattr(product, condition.more_field)


def _in_subtree(path: str, value: str) -> Q:
    """The main category, or one of the others, is this category or below it."""
    categories = apps.get_model("catalog.Category").objects.filter(Q(path=value) | Q(path__below=value))
    others = apps.get_model("catalog.Product").other_categories.through.objects.filter(category__in=categories)
    return Q((path, value)) | Q((f"{path}__below", value)) | Q(pk__in=others.values("product"))


def _outside(path: str, values: Sequence[str]) -> Q:
    return Q(*(~_in_subtree(path, value) for value in values))


def _holds_all(path: str, values: Sequence[str]) -> Q:
    return Q(*(ListHolds(path, value) for value in values))


def _has_attributes(path: str, values: Sequence[tuple[str, Sequence[str]]]) -> Q:
    return Q(*(AttributeIs(path, name, texts) for name, texts in values))


def _holds_none(path: str, values: Sequence[str]) -> Q:
    return Q(*(~Q(ListHolds(path, value)) for value in values))


def _has_no_attributes(path: str, values: Sequence[tuple[str, Sequence[str]]]) -> Q:
    return Q(*(~Q(AttributeIs(path, name, texts)) for name, texts in values))


def _is_in(path: str, value: str) -> bool:
    return f"{path}/".startswith(f"{value}/")


_Q: Mapping[Lookup, Callable[[str, Any], Q]] = {
    Lookup.EXACT: lambda path, value: Q((path, value)),
    Lookup.SUBTREE: _in_subtree,
    Lookup.ANY_OF: lambda path, value: Q((f"{path}__in", value)),
    Lookup.NONE_OF: lambda path, value: ~Q((f"{path}__in", value)),
    Lookup.OUTSIDE: _outside,
    Lookup.HOLDS: _holds_all,
    Lookup.ATTRIBUTES: _has_attributes,
    Lookup.HOLDS_NONE: _holds_none,
    Lookup.NO_ATTRIBUTES: _has_no_attributes,
    Lookup.MINIMUM: lambda path, value: Q((f"{path}__gte", value)),
    Lookup.MAXIMUM: lambda path, value: Q((f"{path}__lte", value)),
}
_MATCHES: Mapping[Lookup, Callable[[Any, Any], bool]] = {
    Lookup.EXACT: lambda own, value: bool(own == value),
    Lookup.SUBTREE: _is_in,
    Lookup.ANY_OF: lambda own, value: own in value,
    Lookup.NONE_OF: lambda own, value: own not in value,
    Lookup.OUTSIDE: lambda own, value: not any(_is_in(own, each) for each in value),
    Lookup.MINIMUM: lambda own, value: own is not None and own >= value,
    Lookup.MAXIMUM: lambda own, value: own is not None and own <= value,
}
