"""What the readers of API answers share: the products that they make, and reading names, numbers and texts of several languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.conf import settings

from product_files.json_files.json_objects import as_text, text_of
from product_files.tables.shop_rows import amount
from product_files.values.currencies import precision

Content = Mapping[str, Any]
# Objects around the one product of an answer.
_MAX_AROUND = 3
_CENTS, _DIGITS = re.compile(r"\d{1,20}", re.ASCII), re.compile(r"\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Price:
    """A price. before: the one before a reduction, or one to compare with. currency: "" if it is not named."""

    amount: str
    before: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant.

    Attributes:
        sku: "" if it has none.
        prices: those for everybody first; None if the answer has none at all, so that those of the product stay.
        available: None if unknown.
        photos: its own.
        attributes: its own.
        title: "" for that of the product.
    """

    sku: str
    prices: Sequence[Price] | None = ()
    available: bool | None = None
    photos: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """A product. What is None stays as it is.

    Attributes:
        family: what its variants have in common.
        title: of the product.
        description: HTML; None if the answer has none at all.
        variants: what is sold; several are a family.
        brand: "" for none; None if the answer has none at all.
        categories: their paths, the main one first.
        active: whether it is shown.
        photos: of all variants that have none of their own.
        attributes: of all variants.
        tags: of the product.
        warnings: values that could not be used.
        has_relatives: there are further variants of it in other objects, so that even one variant alone is in the family.
        key: what identifies it among those of its family in other objects; "" where there are none.
    """

    family: str
    title: str
    description: str | None
    variants: Sequence[Variant]
    brand: str | None = None
    categories: Sequence[Sequence[str]] | None = None
    active: bool | None = None
    photos: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[str] | None = None
    warnings: tuple[str, ...] = ()
    has_relatives: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Relations:
    """How objects of a file need others of it, which may stand behind them.

    Attributes:
        kept: what others need of an object, with the key that each looks it up by. Of several with one key, the first counts.
        joined: an object with what it needs, which the function returns by its key; an empty object for a key without any.
        beside: name of a list of further objects that are kept and are no products, beside the list of these; "" for none.
    """

    kept: Callable[[Content], Iterable[tuple[str, Content]]]
    joined: Callable[[Content, Callable[[str], Content]], Content]
    beside: str = ""


@dataclass(frozen=True, slots=True)
class ApiSystem:
    """A shop system.

    Attributes:
        name: for people.
        marks: names that its products have, and those of no other system together; any of several such groups.
        product: reads a product; None for an object that is none.
        relations: between its objects; None if each stands alone.
    """

    name: str
    marks: tuple[tuple[str, ...], ...]
    product: Callable[[Content], Product | None]
    relations: Relations | None = None

    def matches(self, head: str) -> bool:
        """Whether a file with these first characters has its products."""
        return any(all(f'"{mark}"' in head for mark in marks) for marks in self.marks)

    def product_in(self, content: Content) -> Content:
        """The product in the answer for one product, which is an object around it: `{"result": {...}}`.

        Args:
            content: an object of a file.

        Returns:
            The inner object that has the names of this system's products, where it is the only one; or else the object.
        """
        inner = content
        for _ in range(_MAX_AROUND):
            if self._is_marked(inner):
                return inner
            objects = [value for value in inner.values() if isinstance(value, dict)]
            if len(objects) != 1:
                break
            inner = objects[0]
        return inner if self._is_marked(inner) else content

    def _is_marked(self, content: Content) -> bool:
        return any(content.keys() >= set(marks) for marks in self.marks)


def dict_of(content: Content, *names: str) -> dict[str, Any]:
    """The object in an object; an empty one where there is none.

    Args:
        content: the outer object.
        names: of the objects, from the outermost inwards.

    Returns:
        The innermost one.
    """
    for name in names:
        value = content.get(name)
        content = value if isinstance(value, dict) else {}
    return dict(content)


def list_of(content: Content, name: str) -> list[Any]:
    """The list of this name; an empty one where there is none."""
    value = content.get(name)
    return value if isinstance(value, list) else []


def flag(content: Content, name: str) -> bool | None:
    """A value that is true or false; None for others."""
    value = content.get(name)
    return value if isinstance(value, bool) else None


def localized(value: Any) -> str:
    """A text in the language of the shop, or else in the first."""
    if not isinstance(value, dict):
        return as_text(value)
    own = settings.LANGUAGE_CODE.partition("-")[0]
    in_own = [text for code, text in value.items() if code.partition("-")[0].lower() == own]
    return next((text for each in (*in_own, *value.values()) if (text := as_text(each))), "")


def number_of(text: str) -> Decimal:
    """A number; 0 for other texts."""
    return amount(text, ".") or Decimal(0)


def from_cents(value: Content) -> str:
    """The amount; as it stands where it is no number of cents.

    Args:
        value: with `centAmount`, and `fractionDigits` or `currencyCode`, which say how many decimals it has.

    Returns:
        In units of the currency.
    """
    cents, digits = text_of(value, "centAmount"), text_of(value, "fractionDigits")
    if not _CENTS.fullmatch(cents):
        return cents
    decimals = int(digits) if _DIGITS.fullmatch(digits) else precision(text_of(value, "currencyCode"))
    return str(Decimal(cents).scaleb(-decimals))
