"""Files with records of several models, such as Django's fixtures and Odoo's data: which are products, and their categories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from product_files.columns.synonyms import find_columns
from product_files.values.cell_lists import levels_of

_FIXTURE = frozenset(("model", "fields"))
# Of a fixture, what is kept of the categories that products name by their keys.
_MAX_CATEGORIES = 10_000
_NAMES = ("name", "title")


def model_of_products(names: Mapping[str, Collection[str]]) -> str:
    """The model whose fields are most like those of products.

    Args:
        names: of the fields of each model.

    Returns:
        The model; "" if none has a title and anything else.
    """
    found = {model: find_columns(sorted(fields)).keys() for model, fields in names.items()}
    found = {model: fields for model, fields in found.items() if "title" in fields and len(fields) > 1}
    return max(found, key=lambda model: (len(found[model]), "product" in model.casefold()), default="")


class Fixture:
    """The objects of a fixture of Django: `{"model": "shop.product", "pk": 7, "fields": {"name": "Mug"}}`.

    Args:
        objects: all of them.

    Attributes:
        model: whose objects are products; "" for none.
        others: number of objects of other models.
    """

    def __init__(self, objects: Iterable[Mapping[str, Any]]) -> None:
        names: dict[str, set[str]] = {}
        numbers: dict[str, int] = {}
        self._categories: dict[str, tuple[str, str]] = {}
        for each in objects:
            model, fields = str(each.get("model")), each.get("fields")
            if not isinstance(fields, dict):
                continue
            numbers[model] = numbers.get(model, 0) + 1
            names.setdefault(model, {"id"}).update(fields)
            if model.casefold().endswith("category") and len(self._categories) < _MAX_CATEGORIES:
                name = next((str(fields[key]) for key in _NAMES if fields.get(key)), "")
                self._categories[str(each.get("pk"))] = (name, str(fields.get("parent") or ""))
        self.model = model_of_products(names)
        self.others = sum(number for model, number in numbers.items() if model != self.model)

    def product(self, content: Mapping[str, Any]) -> dict[str, Any] | None:
        """The fields of a product with its key as `id`, and names in place of the keys of categories; None for other objects."""
        fields = content.get("fields")
        if content.get("model") != self.model or not isinstance(fields, dict):
            return None
        named = {
            name: levels
            for name, key in fields.items()
            if "category" in name.casefold() and (levels := levels_of(str(key), self._categories.get))
        }
        return {"id": content.get("pk"), **fields, **named}


def is_fixture(content: Mapping[str, Any]) -> bool:
    """Whether an object is one of a fixture of Django."""
    return content.keys() >= _FIXTURE and content.keys() <= {*_FIXTURE, "pk"}
