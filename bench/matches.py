"""The same product at two sellers: fits the matcher's default coefficients on some products, and judges them on others.

Usage: REAL_DATA=... python -m bench.matches [--write]
Products of three open catalogues are sold by two shops: the second has titles that were shortened, put in another order and
misspelt, other photos or changed ones, other prices, and a tenth of the products of each is missing from the other. The
coefficients are fitted on half of the products of `magento_luma` and on all of `retail_demo_store` and `eshop_adventure`, some of
which come in two sizes or models or have a barcode, and judged on the other half of `magento_luma`, beside a fit on photos alone
and one on text alone.
`--write` makes the fit the product's default.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import django
import numpy as np
from numpy.typing import NDArray

from bench.tables import Row, publish, real_data

django.setup()

from bench.two_sellers import (  # noqa: E402
    Original,
    Vectors,
    encoded,
    first_seller,
    originals,
    second_seller,
    with_details,
    with_gaps,
)
from embeddings import matching  # noqa: E402
from embeddings.backends import get_encoder  # noqa: E402
from embeddings.matching.assignment import assign  # noqa: E402
from embeddings.matching.features import FEATURES  # noqa: E402
from embeddings.matching.gallery import Entry, Gallery  # noqa: E402
from embeddings.matching.probability import Coefficients, fit, log_odds  # noqa: E402

# Of FEATURES.
PHOTO_FEATURES = frozenset({"photo", "photo_close", "photo_lead", "photo_missing"})
SEED, SEEDS = 5, (1, 2, 3, 4, 5)
MISSING, BINS, STRENGTH = 0.1, 10, 0.1
# The part of the products that have one of a few sizes, in every other trial.
_SIZED = (0.3, 0.8)
KINDS = {
    "as they are": {"details": False},
    "two sizes or models": {"details": True},
    "and gaps": {"details": True, "gaps": True},
}
ORIGIN = (
    "bench/matches.py: half of the products of magento_luma (OSL-3.0), all of retail_demo_store (MIT-0) and"
    " eshop_adventure (MIT), each sold by two shops; bundled encoder"
)


@dataclass(frozen=True)
class Pairs:
    """Candidates of two sellers. ids: row of the first and of the second; total: products that both have."""

    features: NDArray[np.float64]
    same: NDArray[np.bool_]
    ids: Sequence[tuple[int, int]]
    total: int


def main() -> None:
    """Fit, judge, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the fit the product's default")
    options = parser.parse_args()
    catalogues = originals(real_data() / "data")
    vectors = encoded([product for products in catalogues.values() for product in products], get_encoder("bundled"))
    luma = sorted(catalogues["magento_luma"], key=lambda product: product.key)
    random.Random(SEED).shuffle(luma)
    fitted, judged = luma[: len(luma) // 2], luma[len(luma) // 2 :]
    sets = (fitted, catalogues["retail_demo_store"], catalogues["eshop_adventure"])
    known = [candidates(products, vectors, 100 + seed, details=True) for seed in range(4) for products in sets]
    known += [candidates(products, vectors, 200 + seed, details=False) for seed in range(2) for products in sets]
    known += [
        candidates(products, vectors, 300 + seed, details=True, gaps=True) for seed in range(4) for products in sets
    ]
    features = np.concatenate([pairs.features for pairs in known])
    same = np.concatenate([pairs.same for pairs in known])
    text = frozenset(FEATURES) - PHOTO_FEATURES
    fits = {
        "photo and text": fit(features, same, strength=STRENGTH, origin=ORIGIN),
        "photo alone": fit(features, same, strength=STRENGTH, only=PHOTO_FEATURES),
        "text alone": fit(features, same, strength=STRENGTH, only=text),
    }
    rows: list[Row] = []
    for name, options_of in KINDS.items():
        trials = [candidates(judged, vectors, seed, **options_of) for seed in SEEDS]
        rows += [_judged(name, by, coefficients, trials) for by, coefficients in fits.items()]
    publish("matches", rows, {"fitted on pairs": len(same), "of one product": int(same.sum()), "judged": len(judged)})
    if options.write:
        default = fits["photo and text"]
        document = {
            "origin": default.origin,
            "pairs": len(same),
            "coefficients": {name: round(value, 4) for name, value in default.values.items()},
        }
        path = Path(matching.__file__).parent / "default_coefficients.json"
        path.write_text(json.dumps(document, indent=2) + "\n")
        print(f"wrote {path.name}")


def candidates(
    products: Sequence[Original], vectors: Vectors, seed: int, *, details: bool, gaps: bool = False
) -> Pairs:
    """The candidates of the first seller's products among the second's.

    Args:
        products: what both sell.
        vectors: of their photos.
        seed: of everything that is drawn.
        details: some come in two sizes or models.
        gaps: either seller may lack photos, descriptions, brands and prices.

    Returns:
        All candidates.
    """
    rng = random.Random(seed)
    first: list[tuple[str, Entry]] = []
    second: list[tuple[str, Entry]] = []
    for product in products:
        for own, elsewhere in with_details(product, rng, _SIZED[seed % 2]) if details else [(product, product.record)]:
            drawn = rng.random()
            if drawn >= MISSING:
                first.append((own.key, first_seller(own, vectors)))
            if drawn < 1 - MISSING:
                second.append((own.key, second_seller(replace(own, record=elsewhere), vectors, rng)))
    if gaps:
        first = [(key, with_gaps(entry, rng)) for key, entry in first]
        second = [(key, with_gaps(entry, rng)) for key, entry in second]
    rng.shuffle(second)
    gallery = Gallery([entry for _, entry in second])
    features, same, ids = [], [], []
    for row, (key, entry) in enumerate(first):
        for candidate in gallery.candidates(entry):
            features.append(candidate.features)
            same.append(key == second[candidate.row][0])
            ids.append((row, candidate.row))
    total = len({key for key, _ in first} & {key for key, _ in second})
    return Pairs(np.stack(features), np.array(same), ids, total)


def _judged(products: str, by: str, coefficients: Coefficients, trials: Sequence[Pairs]) -> Row:
    probabilities = [coefficients.probabilities(trial.features) for trial in trials]
    total = sum(trial.total for trial in trials)
    counts = np.zeros(4, dtype=np.int64)  # listed, right of them, assigned, right of them
    for trial, probability in zip(trials, probabilities, strict=True):
        listed = probability >= 0.5
        right = {pair for pair, same in zip(trial.ids, trial.same, strict=True) if same}
        chosen = assign((a, b, log_odds(p)) for (a, b), p in zip(trial.ids, probability.tolist(), strict=True))
        counts += [listed.sum(), (listed & trial.same).sum(), len(chosen), len(right & set(chosen.items()))]
    same, probability = np.concatenate([trial.same for trial in trials]), np.concatenate(probabilities)
    unclear = (probability > 0.05) & (probability < 0.95)
    row: dict[str, Any] = {"products": products, "by": by}
    for kind, (listed_count, right_count) in (("", counts[:2]), ("1:1 ", counts[2:])):
        precision, recall = right_count / max(listed_count, 1), right_count / total
        row |= {
            f"{kind}precision": round(float(precision), 3),
            f"{kind}recall": round(float(recall), 3),
            f"{kind}F1": round(float(2 * precision * recall / (precision + recall)), 3),
        }
    return row | {
        "candidates keep": round(float(same.sum() / total), 3),
        "ECE": round(_calibration_error(probability, same), 4),
        "ECE, unclear pairs": round(_calibration_error(probability[unclear], same[unclear]), 3),
    }


def _calibration_error(probability: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Expected calibration error over bins of equal width (Naeini et al., 2015)."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    gaps = [abs(probability[bins == each].sum() - same[bins == each].sum()) for each in range(BINS)]
    return float(sum(gaps) / max(len(same), 1))


if __name__ == "__main__":
    main()
