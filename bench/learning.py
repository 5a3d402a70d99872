"""What learning from clicks brings in a simulated shop, and how often an A/B test of equal versions ends with a false alarm.

Usage: REAL_DATA=... python -m bench.learning [--lists 50000] [--seeds 5] [--tests 100] [--cache DIR]
The products are those of two real catalogues. A visitor of the simulation looks at a place with a probability that falls with it,
and clicks what is of the same category, of like colour and of like price; the learned order knows none of this, and has the
visual order and the events. The click-through of an order is computed from the click model itself, without chance, and the learned
order has its exploring places in it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
import numpy as np
from numpy.typing import NDArray

from bench.tables import Row, publish, real_data
from embeddings.backends import get_encoder
from embeddings.encoders.mapped import mapped
from pictures.photos import open_rgb

django.setup()

from embeddings.evaluation.calibration import fit_calibration  # noqa: E402
from recommender.learning.assignment import FIRST_EXPERIMENT, share_of  # noqa: E402
from recommender.learning.linear_map import Preferences, learn_map  # noqa: E402
from recommender.learning.ordering import arrange  # noqa: E402
from recommender.learning.places import Seen, count_pairs, measure_places, total  # noqa: E402
from recommender.learning.replay import HeldOutClicks, Outcome, replay  # noqa: E402
from recommender.learning.sequential import LEVEL, arm_of, effect_of, look_at  # noqa: E402

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

STRIP, POOL = 8, 36
# As visitors look at places in published measurements (Joachims et al., 2017): a power of the place.
LOOK: Floats = np.power(1.0 + np.arange(STRIP), -0.8)
BEST_CLICK_RATE = 0.2
# How often it learns: nightly, for as many nights.
NIGHTS = 25
TEST_DAYS, VIEWS_A_DAY = 14, 3000


@dataclass(frozen=True)
class Shop:
    """Products with the visual order and what attracts visitors.

    Attributes:
        pool: int64 [n, POOL]: the nearest of each product, best first.
        confidence: float64 [n, POOL]: of each.
        attraction: float64 [n, n]: click rate of a result beside a product, once it is looked at.
        embeddings: float32 [n, dim].
    """

    pool: Integers
    confidence: Floats
    attraction: Floats
    embeddings: NDArray[np.float32]

    def click_through(self, product: int, shown: Integers) -> float:
        """Clicks that a strip gets on average."""
        return float(self.attraction[product, shown] @ LOOK[: len(shown)])


def read_shop(cache: Path) -> Shop:
    """The products of both catalogues, embedded by the bundled encoder."""
    vectors, colours, prices, groups = zip(*_products(cache), strict=True)
    embeddings, lab = np.stack(vectors), np.stack(colours)
    price, group = np.log(np.array(prices, float)), np.array(groups)
    cosines = embeddings @ embeddings.T
    np.fill_diagonal(cosines, -np.inf)
    pool = np.argsort(-cosines, axis=1, kind="stable")[:, :POOL]
    same = group[:, None] == group[None]
    one, other = np.triu_indices(len(group), 1)
    calibration = fit_calibration(cosines[one, other].astype(np.float32), same[one, other])
    nearest = np.take_along_axis(cosines, pool, axis=1)
    confidence = calibration.probability(nearest.astype(np.float32).ravel()).reshape(nearest.shape)
    like_colour = np.exp(-((np.linalg.norm(lab[:, None] - lab[None], axis=2) / 25) ** 2))
    like_price = np.exp(-((np.abs(price[:, None] - price[None]) / 0.7) ** 2))
    attraction = BEST_CLICK_RATE * (0.1 + 0.4 * same + 0.25 * like_colour + 0.25 * like_price) ** 2
    return Shop(pool, confidence, attraction, embeddings)


def _products(cache: Path) -> Iterator[tuple[NDArray[np.float32], Floats, float, str]]:
    """Vector, mean colour in Lab, price and category of each product."""
    encoder = get_encoder("bundled")
    for name, category in (("retail_demo_store", "category"), ("eshop_adventure", "type")):
        folder = real_data() / "data" / name
        with (folder / "products.csv").open() as file:
            for row in csv.DictReader(file):
                content = (folder / "images" / row["file"]).read_bytes()
                stored = cache / f"{encoder.fingerprint[:12]}-{hashlib.sha256(content).hexdigest()}.npz"
                if not stored.exists():
                    image = open_rgb(content, min_side=encoder.input_size)
                    middle = np.asarray(image.resize((32, 32)).convert("LAB"), float)[8:24, 8:24]
                    np.savez(stored, vector=encoder.encode([image])[0], colour=middle.mean(axis=(0, 1)))
                with np.load(stored) as arrays:
                    yield arrays["vector"], arrays["colour"], float(row["price"]), f"{name}/{row[category]}"


def map_row(shop: Shop, lists: int, seed: int) -> Row:
    """What a linear map of the embeddings brings: half of the products have their strips shown, all are looked at with the map."""
    chance = np.random.default_rng(seed)
    size = len(shop.pool)
    order = shop.pool[:, :STRIP]
    shown_beside = np.sort(chance.permutation(size)[: size // 2])
    others = np.setdiff1d(np.arange(size), shown_beside)
    products = chance.choice(shown_beside, lists)
    clicked = chance.random((lists, STRIP)) < shop.attraction[products[:, None], order[products]] * LOOK
    hours = np.arange(lists) % 200
    aside = hours % 5 == 0
    triples: Counter[tuple[int, int, int]] = Counter()
    for number in np.flatnonzero(~aside).tolist():
        product = int(products[number])
        for place in np.flatnonzero(clicked[number]).tolist():
            above = [int(order[product, each]) for each in range(place) if not clicked[number, each]]
            triples.update((product, int(order[product, place]), each) for each in above)
    columns = np.array([*triples], np.int64).T
    vectors = shop.embeddings
    preferences = Preferences(
        vectors[columns[0]], vectors[columns[1]], vectors[columns[2]], np.array([*triples.values()], float)
    )
    strip, places = np.nonzero(clicked & aside[:, None])
    held_out = HeldOutClicks(hours[strip], products[strip], order[products[strip], places], places)
    visual = {product: order[product].tolist() for product in shown_beside.tolist()}

    def by_map(scale: NDArray[np.float32], pool: Integers) -> Integers:
        after = mapped(vectors, scale)
        cosines = np.take_along_axis(after @ after.T, pool, axis=1)
        return np.take_along_axis(pool, np.argsort(-cosines, axis=1, kind="stable"), axis=1)

    def replayed(scale: NDArray[np.float32], chosen: NDArray[np.bool_]) -> Outcome:
        arranged = by_map(scale, order)
        learned = {product: arranged[product].tolist() for product in visual}
        return replay(held_out.of(chosen), {0: lists // 5}, LOOK, visual=visual, learned=learned, strip_length=STRIP)

    choosing = held_out.hours % 2 == 0
    found = learn_map(preferences, lambda scale: replayed(scale, choosing), lambda scale: replayed(scale, ~choosing))
    everything = np.argsort(-(vectors @ vectors.T), axis=1, kind="stable")
    everything = np.stack([row[row != number] for number, row in enumerate(everything)])
    strips = by_map(found.scale, everything)[:, :STRIP]
    ups = {}
    for name, some in (("seen products", shown_beside), ("other products", others)):
        before = sum(shop.click_through(product, order[product]) for product in some)
        ups[name] = sum(shop.click_through(product, strips[product]) for product in some) / before - 1
    outcome = found.outcome
    return {
        "lists": lists, "seed": seed, "preferences": int(preferences.weights.sum()), "ridge": found.ridge,
        "replay": outcome.up, "low": outcome.low, "high": outcome.high, **ups,
    }  # fmt: skip


class Learner:
    """The learned order of a simulated shop, as `manage.py learn` and the server would have it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.seen: list[Seen] = []
        self.look = np.empty(0)
        self._rate = 0.0
        size = len(shop.pool)
        self._clicks, self._looks = np.zeros((size, size)), np.zeros((size, size))

    def learn(self, seen: Seen) -> None:
        """Count a night's events with all before them."""
        self.seen = [
            total(Seen(*map(np.concatenate, zip(*(each.columns for each in (*self.seen, seen)), strict=True))))
        ]
        [everything] = self.seen
        self.look = measure_places(everything)
        pairs = count_pairs(everything, self.look)
        self._clicks[pairs.products, pairs.results] = pairs.clicks
        self._looks[pairs.products, pairs.results] = pairs.looks
        self._rate = pairs.click_rate

    def order(self, product: int, chance: np.random.Generator | None) -> Integers:
        """What a strip shows."""
        pool: Integers = self.shop.pool[product]
        if not self._rate:
            return np.asarray(pool[:STRIP])
        order = arrange(
            self.shop.confidence[product], self._clicks[product, pool], self._looks[product, pool],
            click_rate=self._rate, shown=STRIP, chance=chance,
        )  # fmt: skip
        return np.asarray(pool[order[:STRIP]])


def simulate(shop: Shop, lists: int, seed: int) -> Row:
    """Show so many strips, learning every night, and compare the last order with the visual one."""
    chance = np.random.default_rng(seed)
    learner = Learner(shop)
    # Some products are looked at much more than others.
    views = chance.dirichlet(np.full(len(shop.pool), 1.0))
    during = 0.0
    visual = np.array([shop.click_through(product, pool[:STRIP]) for product, pool in enumerate(shop.pool)])
    for night in np.array_split(chance.choice(len(shop.pool), lists, p=views), NIGHTS):
        shown = np.stack([learner.order(product, chance) for product in night])
        rates = shop.attraction[night[:, None], shown] * LOOK
        during += rates.sum()
        clicked = chance.random(rates.shape) < rates
        places = np.broadcast_to(np.arange(STRIP), shown.shape).ravel()
        ones = np.ones(shown.size)
        learner.learn(total(Seen(np.repeat(night, STRIP), shown.ravel(), places, ones, clicked.ravel().astype(float))))
    after = np.mean(
        [[shop.click_through(p, learner.order(p, chance)) for p in range(len(views))] for _ in range(20)], 0
    )
    settled = np.array([shop.click_through(p, learner.order(p, None)) for p in range(len(views))])
    before = float(views @ visual)
    look = ", ".join(f"{share:.2f}" for share in learner.look)
    return {
        "lists": lists, "seed": seed, "visual": before, "learned": float(views @ after), "up": float(views @ after) / before - 1,
        "without exploring": float(views @ settled) / before - 1, "while learning": during / lists / before - 1, "places": look,
    }  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """What an A/B test tries. swaps: so many of the first results of each strip are random ones."""

    name: str
    swaps: int = 0


def run_test(shop: Shop, candidate: Candidate, seed: int) -> int | None:
    """An A/B test of so many days, looked at every hour by the server's own rules.

    Clicks within a cell, a product in an hour, depend on each other.

    Args:
        shop: whose strips are shown.
        candidate: what the one side gets; the other gets the visual order.
        seed: of all chance.

    Returns:
        The day of the first look at which the sides were said to differ; None if they never were.
    """
    chance = np.random.default_rng(seed)
    size = len(shop.pool)
    others = shop.pool[:, :STRIP].copy()
    if candidate.swaps:
        others[:, : candidate.swaps] = chance.integers(0, size, (size, candidate.swaps))
    rates = np.stack(
        [(np.take_along_axis(shop.attraction, each, 1) * LOOK).sum(1) for each in (shop.pool[:, :STRIP], others)]
    )
    hours = TEST_DAYS * 24
    # More by day than by night, and some products much more than others.
    views = chance.poisson(
        VIEWS_A_DAY / 24 * (1 + 0.8 * np.sin(np.arange(hours) * np.pi / 12))[:, None] * chance.dirichlet(np.ones(size))
    )
    products, hour = (each.ravel() for each in np.meshgrid(np.arange(size), np.arange(hours)))
    sides = share_of(products, hour + 490_000, FIRST_EXPERIMENT + seed) < 0.5
    strips = views.ravel().astype(float)
    # A cell has its own mood: what depends on each other within it.
    mood = chance.gamma(4.0, 0.25, len(strips))
    clicks = chance.poisson(strips * rates[sides.astype(int), products] * mood).astype(float)
    effect = None
    for looked in range(24, hours + 1):
        until = looked * size
        arms = [
            arm_of(strips[:until][sides[:until] == side], clicks[:until][sides[:until] == side])
            for side in (False, True)
        ]
        if effect is None and all(arm.is_enough for arm in arms):
            effect = effect_of(*arms)
        look = None if effect is None else look_at(arms[0], arms[1], effect)
        if look is not None and look.p_value <= LEVEL:
            return looked // 24 + 1
    return None


def ab_rows(shop: Shop, tests: int) -> list[Row]:
    """False alarms of equal sides, and how soon a worse one is found."""
    rows: list[Row] = []
    for candidate in (Candidate("the same"), Candidate("first result at random", 1), Candidate("two at random", 2)):
        days = [run_test(shop, candidate, seed) for seed in range(tests)]
        ended = [day for day in days if day is not None]
        rows.append(
            {
                "candidate": candidate.name, "tests": tests, "ended": len(ended),
                "median day": float(np.median(ended)) if ended else "never",
            }
        )  # fmt: skip
    return rows


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=50_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tests", type=int, default=100)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "lookalike-bench-learning")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    shop = read_shop(options.cache)
    rows: list[dict[str, Any]] = [
        dict(simulate(shop, lists, seed)) for lists in (500, options.lists) for seed in range(options.seeds)
    ]
    publish("learning", rows, {"places of the click model": ", ".join(f"{each:.2f}" for each in LOOK)})
    publish("learned_map", [map_row(shop, options.lists, seed) for seed in range(options.seeds)])
    started = time.monotonic()
    tests = ab_rows(shop, options.tests)
    notes = {
        "days": TEST_DAYS,
        "strips a day": VIEWS_A_DAY,
        "looks": "every hour",
        "seconds": time.monotonic() - started,
    }
    publish("ab_tests", tests, notes)


if __name__ == "__main__":
    main()
