"""Recall and time of filtered queries in the embedded engine: every filter of the API and of rules, and every pair, compared with
exact NumPy.

Usage: python -m bench.filter_recall [--points 100000 300000] [--dim 128] [--queries 20] [--vectors float int8]
       [--geometry clusters] [--single] [--threshold-kb KB] [--folder FOLDER]
A synthetic shop of departments, kinds, brands, prices, tags and colours that belong together (see bench/filter_recall_data.py). The
values of a filter are those of the product that is looked for ("own") or of a product of another department ("other"). Times are of
the processor, all threads together, and multiples of those of the same query without a filter right before. --folder: keep the
indexes there. --threshold-kb: so that small runs have a graph, too. Prints tables, writes bench/results/filter_recall_*.json.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import numpy as np
from numpy.typing import NDArray

from bench.filter_recall_data import COLOURS, CURRENCIES, GEOMETRIES, QUERIES, Products, make_shop
from bench.tables import publish
from embeddings.vector_index.base import IndexCollection, Point, VectorQuery
from embeddings.vector_index.edge import EdgeVectorIndex

if TYPE_CHECKING:
    from catalog.filters import ProductFilter

TOP = 10
EXCLUDED = 40
REPEATS = 3
SAME_SCORE = 1e-6  # of two ways to compute it in float32
BLOCK = 5_000

Mask = NDArray[np.bool_]
Ask = Callable[[NDArray[np.float32], "Case"], tuple[list[int], float]]


@dataclass(frozen=True)
class Case:
    """A filter with the points that pass it.

    Attributes:
        name: for the table.
        values: of fields of ProductFilter.
        passing: bool [n].
    """

    name: str
    values: dict[str, Any]
    passing: Mask

    def __and__(self, other: Case) -> Case:
        """Both filters."""
        return Case(f"{self.name}, {other.name}", self.values | other.values, self.passing & other.passing)


@dataclass(frozen=True)
class Measured:
    """One query.

    Attributes:
        recall: the share of the nearest TOP that it found.
        ms: the time of the processor that it took.
        unfiltered_ms: the time of the same query without a filter, right before it.
        passes: the share of the points that pass.
    """

    recall: float
    ms: float
    unfiltered_ms: float
    passes: float


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and save the results."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        for points in options.points:
            shop, wanted = make_shop(GEOMETRIES[options.geometry], points, options.dim)
            for vectors in options.vectors:
                quantization = None if vectors == "float" else vectors
                with closing(
                    EdgeVectorIndex(
                        options.folder or temporary,
                        quantization=quantization,
                        full_scan_threshold_kb=options.threshold_kb,
                    )
                ) as index:
                    name = f"{options.geometry}-{points}-{options.dim}-{vectors}"
                    _build(index, name, shop)
                    _report(
                        f"filter_recall_{name}",
                        _measured(index, name, shop, wanted.rows(slice(options.queries)), single=options.single),
                    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 300_000])
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=20, help=f"{QUERIES} at most")
    parser.add_argument("--vectors", choices=["float", "int8"], nargs="+", default=["float", "int8"])
    parser.add_argument("--geometry", choices=[*GEOMETRIES], default="clusters")
    parser.add_argument("--single", action="store_true", help="no pairs of filters")
    parser.add_argument("--threshold-kb", type=int, help="kilobytes of vectors from which on a graph is built")
    parser.add_argument("--folder", type=Path, help="keep the indexes here; default: a temporary folder")
    return parser.parse_args(arguments)


def _build(index: EdgeVectorIndex, name: str, shop: Products) -> None:
    if index.exists(name) and index.count(name) == len(shop):
        return
    index.drop(name)
    index.ensure(IndexCollection(name, shop.vectors.shape[1]), bulk_load=True)
    for start in range(0, len(shop), BLOCK):
        numbers = range(start, min(start + BLOCK, len(shop)))
        index.upsert(name, [Point(number, shop.vectors[number], shop.payload(number)) for number in numbers])
    started = time.perf_counter()
    index.optimise(name)
    print(f"{name}: built in {time.perf_counter() - started:.0f} s", flush=True)


def _cases(shop: Products, source: Products, number: int, scores: NDArray[np.float32]) -> list[Case]:
    """Every filter of the API and of rules, with the values of a product."""
    cheap, dear = np.quantile(shop.price, [0.25, 0.75])
    price, tags = float(source.price[number]), np.flatnonzero(source.tags[number])[:3]
    colour, colours = shop.colour == source.colour[number], {COLOURS[source.colour[number]]}
    department = shop.department == source.department[number]
    kind = department & (shop.kind == source.kind[number])
    brand = shop.brand == source.brand[number]
    inside = np.ones(len(shop), dtype=bool)
    nearest = np.argsort(-np.where(department, scores, -np.inf))[:EXCLUDED]
    inside[nearest] = False
    tag_names = tuple(f"tag {tag}" for tag in tags)
    cases = [
        Case("category", {"category": source.department_path(number)}, department),
        Case("subcategory", {"category": source.kind_path(number)}, kind),
        Case("not_category", {"not_category": (source.department_path(number),)}, ~department),
        Case("not_category (sub)", {"not_category": (source.kind_path(number),)}, ~kind),
        Case("brand", {"brand": f"brand {source.brand[number]}"}, brand),
        Case("not_brand", {"not_brand": (f"brand {source.brand[number]}",)}, ~brand),
        Case("max_price (quarter)", {"max_price": float(cheap)}, shop.price <= cheap),
        Case("min_price (quarter)", {"min_price": float(dear)}, shop.price >= dear),
        Case(
            "price band",
            {"min_price": 0.5 * price, "max_price": 2 * price},
            (shop.price >= 0.5 * price) & (shop.price <= 2 * price),
        ),
        Case("available", {"available": True}, shop.available),
        Case("sold out", {"available": False}, ~shop.available),
        Case(
            "currency",
            {"currency": CURRENCIES[source.currency[number]]},
            shop.currency == source.currency[number],
        ),
        Case("attribute", {"attribute": (("colour", (*colours,)),)}, colour),
        Case("not_attribute", {"not_attribute": (("colour", (*colours,)),)}, ~colour),
        Case("wall", {"not_attribute": (("colour", (*sorted({*COLOURS} - colours),)),)}, colour),
        Case("exclude", {"exclude": tuple(int(each) for each in nearest)}, inside),
    ]
    if len(tags):
        cases.append(Case("tag", {"tag": tag_names[:1]}, shop.tags[:, tags[0]]))
        cases.append(Case("not_tag", {"not_tag": tag_names[:1]}, ~shop.tags[:, tags[0]]))
        cases.append(Case("three tags", {"tag": tag_names}, np.logical_and.reduce(shop.tags[:, tags], axis=1)))
    return cases


def _measured(
    index: EdgeVectorIndex, name: str, shop: Products, wanted: Products, *, single: bool
) -> dict[tuple[str, str], list[Measured]]:
    """What each filter (name, whose values) measured; ("none", "") is the query without a filter."""
    measured: dict[tuple[str, str], list[Measured]] = {}
    draw = np.random.default_rng(0)
    ask = _asker(index, name)
    everything = Case("none", {}, np.ones(len(shop), dtype=bool))
    # The first filtered query has a thread make what the others use.
    ask(wanted.vectors[0], Case("available", {"available": True}, shop.available))
    for thread in threading.enumerate():
        if thread.name == "points":
            thread.join()
    for number in range(len(wanted)):
        target = wanted.vectors[number]
        scores = shop.vectors @ target
        other = int(draw.choice(np.flatnonzero(shop.department != wanted.department[number])))
        for case, whose in [(everything, ""), *_chosen(shop, wanted, number, other, scores, single=single)]:
            if case.passing.sum() < TOP:
                continue
            # One right after the other, since other work of the machine comes and goes; the first of each reads what it finds.
            unfiltered_ms = min(ask(target, everything)[1] for _ in range(REPEATS))
            found, ms = min((ask(target, case) for _ in range(REPEATS)), key=itemgetter(1))
            least = np.partition(scores[case.passing], -TOP)[-TOP] - SAME_SCORE
            right = sum(bool(case.passing[each] and scores[each] >= least) for each in found)
            each = Measured(right / TOP, ms, unfiltered_ms, float(case.passing.mean()))
            measured.setdefault((case.name, whose), []).append(each)
    return measured


def _chosen(
    shop: Products, wanted: Products, number: int, other: int, scores: NDArray[np.float32], *, single: bool
) -> Iterator[tuple[Case, str]]:
    for whose, source, row in (("own", wanted, number), ("other", shop, other)):
        cases = _cases(shop, source, row, scores)
        yield from ((case, whose) for case in cases)
        if not single:
            pairs = ((one, two) for one, two in combinations(cases, 2) if not one.values.keys() & two.values.keys())
            yield from ((one & two, whose) for one, two in pairs)


def _asker(index: EdgeVectorIndex, name: str) -> Ask:
    """Asks as the API does: grouped by product; inactive products, and the product itself, are dropped afterwards."""
    from catalog.filters import ProductFilter
    from recommender.filtering import to_index_filter

    def ask(target: NDArray[np.float32], case: Case) -> tuple[list[int], float]:
        product_filter: ProductFilter = ProductFilter(**case.values)
        conditions = to_index_filter(product_filter, excluded_ids=(), missing={"active"})
        query = VectorQuery(positive=(target,), filter=conditions, limit=TOP, group_by_product=True)
        started = time.process_time()
        hits = index.query(name, query)
        return [hit.id for hit in hits], 1e3 * (time.process_time() - started)

    return ask


def _report(question: str, measured: dict[tuple[str, str], list[Measured]]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "filter": name,
            "values": whose,
            "passes": float(np.mean([one.passes for one in each])),
            "recall@10": float(np.mean([one.recall for one in each])),
            "worst query": min(one.recall for one in each),
            "p50 CPU ms": _p50([one.ms for one in each]),
            "x no filter": _p50([one.ms for one in each]) / _p50([one.unfiltered_ms for one in each]),
        }
        for (name, whose), each in measured.items()
    ]
    asked = [one for several in measured.values() for one in several]
    filtered = rows[1:]
    publish(
        question,
        rows,
        {
            "queries": len(measured["none", ""]),
            "no filter, p50 CPU ms": _p50([each.unfiltered_ms for each in asked]),
            "filters and pairs": len(filtered),
            "recall@10, mean": float(np.mean([row["recall@10"] for row in filtered])),
            "recall@10, lowest": min(row["recall@10"] for row in filtered),
            "filters below 0.99": sum(row["recall@10"] < 0.99 for row in filtered),
            "worst query": min(row["worst query"] for row in filtered),
            "queries below 0.8": f"{sum(each.recall < 0.8 for each in asked)} of {len(asked)}",
            "x no filter, median": float(np.median([row["x no filter"] for row in filtered])),
            "x no filter, highest": max(row["x no filter"] for row in filtered),
            "filters above 4 x": sum(row["x no filter"] > 4 for row in filtered),
        },
    )


def _p50(values: list[float]) -> float:
    return float(np.median(values))


if __name__ == "__main__":
    django.setup()
    main()
