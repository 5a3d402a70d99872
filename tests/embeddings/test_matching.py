"""The same product at two sellers: what of two records is compared, which are candidates, and how pairs are assigned."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.matching.assignment import assign
from embeddings.matching.features import FEATURES
from embeddings.matching.gallery import Entry, Gallery
from embeddings.matching.probability import default_coefficients, fit
from embeddings.matching.records import Record, is_gtin

COFFEE = Record("Morning Roast Coffee Beans 500 g", "Finca", price=Decimal("8.90"), currency="EUR")


def probabilities(record: Record, *others: Record) -> list[float]:
    """That a record is the same product as each of some, which are all there are beside others of another kind."""
    filler = [Record(f"{word} garden chair") for word in ("Oak", "Steel", "Folding", "Rattan", "Plastic")]
    gallery = Gallery([Entry(each) for each in (*others, *filler)])
    found = {each.row: each.features for each in gallery.candidates(Entry(record))}
    return [float(default_coefficients().probabilities(found[row][None])[0]) for row in range(len(others))]


def features(record: Record, other: Record) -> dict[str, float]:
    (candidate,) = Gallery([Entry(other)]).candidates(Entry(record))
    return dict(zip(FEATURES, candidate.features.tolist(), strict=True))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("500 ml", "0,5 l", True),
        ("500ml", "0.5 L", True),
        ("6 x 330 ml", "1.98 l", True),
        ("500 ml", "750 ml", False),
        ("1 kg", "1000g", True),
        ("15,6 inch", '15.6"', True),
        ("15 inch", "381 mm", True),
        ("½ l", "500 ml", True),
        ("1½l", "1.5 l", True),
        ("9999½ l", "9999.5 l", True),
        ("9999½ l", "4 l", False),
        ("1 1/2 l", "1,5 l", True),
        ("1½ l", "2 l", False),
        ('3/4"', "¾ inch", True),
        ('2-1/4"', "2.25 in", True),
        ("1/2 inch", "2 inch", False),
        ("12/24 V", "24 V", True),
        ("64 GB", "128GB", False),
        ("500 ml", "500 g", None),
    ],
)
def test_quantities_are_compared_in_any_unit(one: str, other: str, same: bool | None) -> None:
    found = features(Record(f"Olive oil {one}"), Record(f"Olive oil {other}"))
    assert (found["quantities_same"], found["quantities_differ"]) == (float(same is True), float(same is False))


@pytest.mark.parametrize(
    ("one", "other", "shared", "differ"),
    [
        ("Headphones WH-1000XM4", "wh1000xm4 headphones", 1, 0),
        ("Headphones WH-1000XM4", "Headphones WH-1000XM5", 0, 1),
        ("Headphones WH-1000XM4", "Headphones", 0, 0),
    ],
)
def test_model_numbers_are_compared_without_hyphens(one: str, other: str, shared: int, differ: int) -> None:
    found = features(Record(one), Record(other))
    assert (found["models_shared"], found["models_differ"]) == (shared, differ)


@pytest.mark.parametrize(("code", "valid"), [("4006381333931", True), ("4006381333932", False), ("12345", False)])
def test_a_barcode_has_a_check_digit(code: str, valid: bool) -> None:
    assert is_gtin(code) == valid


def test_a_barcode_with_or_without_leading_zeros_is_the_same() -> None:
    one, other = Record("Pen", attributes={"EAN": "036000291452"}), Record("Pen", code="0036000291452")
    assert features(one, other)["codes_shared"] == 1


def test_a_title_that_is_shortened_reordered_and_misspelt_is_found() -> None:
    same, size, kind = probabilities(
        COFFEE,
        Record("coffe beans Morning Roast 0.5kg", price=Decimal("9.20"), currency="EUR"),
        Record("Morning Roast Coffee Beans 1 kg", "Finca", price=Decimal("15.90"), currency="EUR"),
        Record("Evening Tea Leaves 500 g", "Finca", price=Decimal("8.90"), currency="EUR"),
    )
    assert same > 0.6
    assert size < 0.05
    assert kind < 0.3


def test_another_model_is_another_product() -> None:
    same, other = probabilities(
        Record("Noise cancelling headphones WH-1000XM4", "Sono"),
        Record("WH1000XM4 headphones, noise cancelling", "Sono"),
        Record("Noise cancelling headphones WH-1000XM5", "Sono"),
    )
    assert same > 0.8
    assert other < 0.1


def test_photos_find_what_no_word_does() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(30, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gallery = Gallery([Entry(Record(f"Item {number}"), vectors[number : number + 1]) for number in range(30)])
    near = vectors[7:8] + 0.02 * rng.normal(size=(1, 32)).astype(np.float32)
    found = gallery.candidates(Entry(Record("Tasse bleue"), near / np.linalg.norm(near)))
    best = max(found, key=lambda each: default_coefficients().probabilities(each.features[None])[0])
    assert best.row == 7
    assert best.evidence.photo == pytest.approx(1, abs=0.02)


def test_candidates_keep_titles_of_a_large_catalogue() -> None:
    rng = random.Random(4)
    words = ["".join(rng.choice("abcdefghiklmnoprstu") for _ in range(rng.randint(4, 9))) for _ in range(3000)]
    titles = [" ".join(rng.sample(words, 4)) for _ in range(3000)]
    gallery = Gallery([Entry(Record(title)) for title in titles])
    kept = 0
    for row in range(0, 3000, 100):
        parts = titles[row].split()
        rng.shuffle(parts)
        cut = parts[0][:1] + parts[0][2:]
        kept += row in {each.row for each in gallery.candidates(Entry(Record(f"{parts[1]} {cut} {parts[2]}")))}
    assert kept == 30


def brute_force(weights: NDArray[np.float64]) -> float:
    """The best sum over all ways to assign the rows."""
    if not len(weights):
        return 0.0
    rest = weights[1:]
    taken = [
        weights[0, column] + brute_force(np.delete(rest, column, axis=1))
        for column in range(weights.shape[1])
        if weights[0, column] > 0
    ]
    return max([brute_force(rest), *taken])


@pytest.mark.parametrize("seed", range(40))
def test_an_assignment_has_the_highest_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 6, size=2)
    weights = np.where(rng.random((rows, columns)) < 0.6, rng.uniform(-1, 5, size=(rows, columns)).round(1), 0)
    chosen = assign((int(r), int(c), float(weights[r, c])) for r, c in np.ndindex(rows, columns))
    assert len(set(chosen.values())) == len(chosen)
    assert all(weights[pair] > 0 for pair in chosen.items())
    assert sum(weights[pair] for pair in chosen.items()) == pytest.approx(brute_force(weights))


class TestFit:
    @staticmethod
    def pairs(count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        rng = np.random.default_rng(1)
        rows = rng.uniform(-1, 1, size=(count, len(FEATURES)))
        odds = 3 * rows[:, FEATURES.index("photo")] - 2 * rows[:, FEATURES.index("price_far")] - 0.5
        return rows, rng.random(count) < 1 / (1 + np.exp(-odds))

    def test_it_finds_what_counts_and_is_calibrated(self) -> None:
        fitted = fit(*self.pairs(20_000), strength=0.1)
        assert fitted.values["photo"] == pytest.approx(3, abs=0.2)
        assert fitted.values["price_far"] == pytest.approx(-2, abs=0.2)
        assert fitted.values["intercept"] == pytest.approx(-0.5, abs=0.1)
        rows, same = self.pairs(20_000)
        probability = fitted.probabilities(rows)
        for low in np.arange(0.1, 0.9, 0.1):
            chosen = (probability >= low) & (probability < low + 0.1)
            assert same[chosen].mean() == pytest.approx(probability[chosen].mean(), abs=0.05)

    def test_few_pairs_move_the_prior_little_and_many_as_far_as_they_say(self) -> None:
        prior = default_coefficients()
        near = fit(*self.pairs(3), prior=prior, strength=5)
        far = fit(*self.pairs(20_000), prior=prior, strength=5)
        assert abs(near.values["photo_lead"] - prior.values["photo_lead"]) < 0.3
        assert abs(far.values["photo_lead"]) < 0.4 * abs(prior.values["photo_lead"])

    @pytest.mark.parametrize("count", [0])
    def test_without_pairs_there_is_nothing_to_fit(self, count: int) -> None:
        with pytest.raises(ValueError, match="no pairs"):
            fit(*self.pairs(count))


def test_the_default_says_where_it_comes_from() -> None:
    default: Any = default_coefficients()
    assert "bench/matches.py" in default.origin
    assert set(default.values) == {*FEATURES, "intercept"}
