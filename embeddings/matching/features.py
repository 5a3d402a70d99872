"""What two records have in common, as numbers. Each is 0 where a side says nothing, so that a missing fact counts neither way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.matching.records import Record, same_amount

# From this cosine on two photos may show one thing; below, they differ in one way or the other.
_KNEE = 0.7
_MAX_PRICE_RATIO = math.log(4)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What of a pair takes all candidates to know.

    Attributes:
        photo: highest cosine between a photo of one and of the other, -1 to 1; None: a side has no photo.
        photo_lead: `photo` less that of the best other candidate; None as `photo`.
        text: cosine of the weighted grams of the titles, 0 to 1.
        text_lead: `text` less that of the best other candidate.
    """

    photo: float | None
    photo_lead: float | None
    text: float
    text_lead: float


# In this order in a row of features; an entry is what the name says of the pair.
FEATURES = (
    "photo", "photo_close", "photo_lead", "photo_missing",
    "text", "text_lead", "text_contained", "text_without_photo", "text_contained_without_photo",
    "description", "description_missing",
    "numbers_shared", "numbers_differ",
    "models_shared", "models_differ",
    "codes_shared", "codes_differ",
    "quantities_same", "quantities_differ",
    "brand_same", "brand_differs",
    "price_near", "price_far", "price_missing",
    "colours_differ",
)  # fmt: skip

Idf = Callable[[str], float]


def features_of(one: Record, other: Record, evidence: Evidence, idf: Idf) -> NDArray[np.float64]:
    """The features of a pair.

    Args:
        one: the record that candidates were looked for.
        other: a candidate.
        evidence: of the pair.
        idf: the weight of a gram, see `TextIndex.idf`.

    Returns:
        float64 [FEATURES]; each some -2 to 2.
    """
    photo, lead = evidence.photo, evidence.photo_lead
    price = _price_ratio(one, other)
    brand = _brand(one, other)
    described = _overlap(one.described, other.described, idf) if one.described and other.described else None
    contained = _contained(one.tokens, other.tokens, idf)
    values = {
        "photo": 0.0 if photo is None else 2 * photo - 1,
        "photo_close": 0.0 if photo is None else max(0.0, photo - _KNEE) / (1 - _KNEE),
        "photo_lead": 0.0 if lead is None else _bounded(5 * lead),
        "photo_missing": float(photo is None),
        "text": 2 * evidence.text - 1,
        "text_lead": _bounded(3 * evidence.text_lead),
        "text_contained": contained,
        # Words have to say more where there is nothing else.
        "text_without_photo": 0.0 if photo is not None else 2 * evidence.text - 1,
        "text_contained_without_photo": 0.0 if photo is not None else contained,
        "description": 0.0 if described is None else described,
        "description_missing": float(described is None),
        **_sets("numbers", one.numbers, other.numbers),
        **_sets("models", one.models, other.models),
        **_sets("codes", one.codes, other.codes),
        **_quantities(one, other),
        "brand_same": float(brand is True),
        "brand_differs": float(brand is False),
        "price_near": 0.0 if price is None else 1 - price,
        "price_far": 0.0 if price is None else max(0.0, price - 0.25),
        "price_missing": float(price is None),
        "colours_differ": float(bool(one.colours and other.colours and not one.colours & other.colours)),
    }
    return np.array([values[name] for name in FEATURES])


def _bounded(value: float) -> float:
    return min(max(value, -1.0), 1.0)


def _sets(name: str, one: frozenset[str], other: frozenset[str]) -> dict[str, float]:
    both = bool(one and other)
    return {
        f"{name}_shared": float(both and bool(one & other)),
        f"{name}_differ": float(both and not one & other),
    }


def _quantities(one: Record, other: Record) -> dict[str, float]:
    same = differ = False
    for quantity in one.quantities.keys() & other.quantities.keys():
        pairs = [(a, b) for a in one.quantities[quantity] for b in other.quantities[quantity]]
        agree = any(same_amount(a, b) for a, b in pairs)
        same, differ = same or agree, differ or not agree
    return {"quantities_same": float(same and not differ), "quantities_differ": float(differ)}


def _brand(one: Record, other: Record) -> bool | None:
    """Whether both are of one brand; the title of one may name it alone. None: a side does not say."""
    if one.brand and other.brand:
        return one.brand_words == other.brand_words
    for named, silent in ((one, other), (other, one)):
        if named.brand and set(named.brand_words) <= set(silent.title_words):
            return True
    return None


def _price_ratio(one: Record, other: Record) -> float | None:
    """How far apart two prices in one currency are: 0 for the same, 1 for four times as much or more; None: unknown."""
    if not one.price or not other.price or (one.currency and other.currency and one.currency != other.currency):
        return None
    return min(abs(math.log(float(one.price) / float(other.price))) / _MAX_PRICE_RATIO, 1.0)


def _overlap(one: frozenset[str], other: frozenset[str], idf: Idf) -> float:
    """Weighted Jaccard index of two sets of words."""
    weights = {word: idf(f" {word}") for word in one | other}
    return sum(weights[word] for word in one & other) / sum(weights.values())


def _contained(one: Sequence[str], other: Sequence[str], idf: Idf) -> float:
    """The weighted part of the shorter title's words that the longer one has, each by its most similar word."""
    short, long = sorted((one, other), key=len)
    if not short:
        return 0.0
    total = found = 0.0
    for word in short:
        weight = idf(f" {word}")
        total += weight
        found += weight * max(_alike(word, each) for each in long)
    return found / total


def _alike(one: str, other: str) -> float:
    """How alike two words are: 1 for the same, less for one that is misspelt or cut, 0 for others."""
    if one == other:
        return 1.0
    if any(map(str.isdigit, one + other)) or min(len(one), len(other)) < 4:
        return 0.0
    common = _common_bigrams(one, other)
    return common if common >= 0.5 else 0.0


def _common_bigrams(one: str, other: str) -> float:
    """Dice coefficient of the bigrams of two words."""
    first, second = ({word[i : i + 2] for i in range(len(word) - 1)} for word in (f"_{one}_", f"_{other}_"))
    return 2 * len(first & second) / (len(first) + len(second))
