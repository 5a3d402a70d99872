"""Walls that the catalogue suggests: attributes that say who or what a product is for, by what its own columns show."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from catalog.json_conditions import attribute_texts
from catalog.models import Product

# Names of attributes for whom or for which side something is, in the languages of imports; compared without case and signs.
_NAMES = frozenset({
    "gender", "sex", "geschlecht", "genre", "sexe", "genere", "sesso", "genero", "sexo", "geslacht", "plec",
    "agegroup", "age", "ages", "altersgruppe", "alter", "trancheage", "fasciaeta", "grupoedad", "leeftijd",
    "side", "hand", "handedness", "handed", "orientation", "seite", "cote", "lato", "lado", "zijde",
    "audience", "targetgroup", "zielgruppe", "target", "department",
})  # fmt: skip
# Values that go with every other.
_NEUTRAL = frozenset({
    "unisex", "all", "allages", "any", "both", "universal", "neutral", "ambidextrous", "alle", "beide", "tous", "mixte", "todos",
})  # fmt: skip
_MAX_VALUES = 8
_MIN_PRODUCTS = 4
_MIN_COVERAGE = 0.2
_MIN_EXCLUSIVE = 0.9
_MIN_CONSTANT = 0.9
# A column with another name has to be clearer.
_MIN_SCORE_UNNAMED = 0.3
# A value that fewer have is a slip of the pen.
_MIN_SHARE = 0.01
# A category has several values if the second most frequent has so many of its products.
_MIN_MIXED = 0.1


@dataclass(frozen=True, slots=True)
class WallSuggestion:
    """An attribute that may be a wall.

    Attributes:
        attribute: its name.
        values: how many products have each value, most frequent first.
        neutral: of the values, those that go with every other.
        coverage: share of the visible products that have it, 0 to 1.
        exclusive: of them, the share with exactly one value.
        constant: share of the families whose products have the same value: colours and sizes differ within a family.
        mixed: share of its products that are in categories with several values, where the category is no wall already.
        named: whether it has the name of such an attribute.
    """

    attribute: str
    values: Mapping[str, int]
    neutral: Sequence[str]
    coverage: float
    exclusive: float
    constant: float
    mixed: float
    named: bool

    @property
    def score(self) -> float:
        """How good a wall it is, 0 to 1: the product of the shares and of how evenly the values are distributed."""
        counts = [*self.values.values()]
        total = sum(counts)
        entropy = -sum(count / total * math.log(count / total) for count in counts)
        return self.coverage * self.exclusive * self.constant * (0.5 + self.mixed / 2) * entropy / math.log(len(counts))


@dataclass(slots=True)
class _Column:
    products: int = 0
    single: int = 0
    values: Counter[str] = field(default_factory=Counter)
    by_category: dict[int | None, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    by_family: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))


def suggested_walls() -> list[WallSuggestion]:
    """The attributes of the visible products that may be walls, the best first: those with such a name, then by their score."""
    columns: dict[str, _Column] = defaultdict(_Column)
    families: Counter[int] = Counter()
    total = 0
    rows = Product.objects.visible().order_by().values_list("id", "variant_of_id", "category_id", "attributes")
    for product_id, main_id, category_id, attributes in rows.iterator():
        total += 1
        family = main_id or product_id
        families[family] += 1
        for name, value in attributes.items() if isinstance(attributes, dict) else ():
            texts = [text for text in attribute_texts(value) if text]
            if texts:
                _count(columns[name], texts, category_id, family)
    found = [_suggestion(name, column, families, total) for name, column in columns.items()]
    return sorted(filter(None, found), key=lambda wall: (not wall.named, -wall.score, wall.attribute))


def _count(column: _Column, texts: Sequence[str], category_id: int | None, family: int) -> None:
    column.products += 1
    column.single += len(texts) == 1
    column.values.update(texts)
    column.by_category[category_id].update(texts)
    column.by_family[family].update(texts)


def _suggestion(name: str, column: _Column, families: Mapping[int, int], total: int) -> WallSuggestion | None:
    frequent = {text: count for text, count in column.values.most_common() if count >= _MIN_SHARE * column.products}
    if column.products < _MIN_PRODUCTS or not 2 <= len(frequent) <= _MAX_VALUES or len(column.values) > 4 * _MAX_VALUES:
        return None
    several = [values for family, values in column.by_family.items() if families[family] > 1]
    mixed = sum(sum(counts.values()) for counts in column.by_category.values() if _is_mixed(counts))
    named = _plain(name) in _NAMES
    wall = WallSuggestion(
        name,
        frequent,
        [text for text in frequent if _plain(text) in _NEUTRAL],
        coverage=column.products / total,
        exclusive=column.single / column.products,
        constant=sum(len(values) == 1 for values in several) / len(several) if several else 1.0,
        mixed=mixed / sum(column.values.values()),
        named=named,
    )
    is_wall = (
        wall.coverage >= _MIN_COVERAGE
        and wall.exclusive >= _MIN_EXCLUSIVE
        and wall.constant >= _MIN_CONSTANT
        and len(frequent) - len(wall.neutral) >= 2
    )
    # Of other columns only those that say something within categories, and are no switch such as washable: true.
    is_clear = wall.mixed > 0 and wall.score >= _MIN_SCORE_UNNAMED and not frequent.keys() <= {"true", "false"}
    return wall if is_wall and (named or (is_clear and several)) else None


def _is_mixed(counts: Counter[str]) -> bool:
    most = counts.most_common(2)
    return len(most) == 2 and most[1][1] >= _MIN_MIXED * sum(counts.values())


def _plain(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
