"""Does anything that is done at query time find more than the plain order, and what does it cost?

Usage: REAL_DATA=... python -m bench.query_time [--encoder bundled] [--keep FOLDER]
The sets and protocols are those of `manage.py evaluate --suite`, and Magento by category, and by category and colour as well, where
photos of a query's own product are left out. Caltech 101 is not looked at: the encoder has learned its classes. Compared with the
plain order by cosine are other orders of the 50 nearest (one query of the index), second queries, the mean vector of several views
of a photo, and a gallery whose vectors are averaged with their neighbours. `bench/query_time_methods.py` names the papers.

Of a method's settings the one with the best mAP on half of the queries is taken, for all sets together and, in the second table,
for each set; all figures are of the other half (`is_for_choices` says which). Differences are those of the same queries, with 95%
bootstrap intervals. The last table has the processor time of one query.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import django
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bench.query_time_methods import (
    Matrix,
    Order,
    Pool,
    by_expansion,
    by_k_reciprocal,
    by_reciprocal_rank,
    drawn_to_neighbours,
    expanded,
    unit,
)
from bench.tables import Row, median, publish, real_data
from embeddings.backends import BUNDLED_ENCODERS, get_encoder
from embeddings.encoders.base import Encoder
from embeddings.evaluation.metrics import (
    METRICS,
    PerQuery,
    bootstrap_intervals,
    labels_of,
    mean_metrics,
    per_query_of_scores,
)
from embeddings.vector_index.base import IndexCollection, Point, VectorQuery
from embeddings.vector_index.edge import EdgeVectorIndex

django.setup()

from embeddings.dataset import PhotoSet, read_folder  # noqa: E402
from embeddings.evaluation.photos import embed_photos  # noqa: E402
from embeddings.evaluation.protocols import EvaluationSplit  # noqa: E402
from embeddings.evaluation.suite import SuiteSet, find_sets, is_for_choices  # noqa: E402

POOL, LARGE_POOL, SHOWN = 50, 200, 16
NOT_LOOKED_AT = {"caltech101"}
MAP = "mean_average_precision"
LOOKED_AT = ("recall_at_1", "precision_at_10", MAP)
POINTS, REPEATS = 20_000, 200

WHOLE, MIRROR, CROP, TIGHT_CROP = "whole", "mirror", "crop to 0.875", "crop to 0.75"
VIEWS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    WHOLE: lambda photo: photo,
    MIRROR: ImageOps.mirror,
    CROP: lambda photo: middle(photo, 0.875),
    TIGHT_CROP: lambda photo: middle(photo, 0.75),
}


def middle(photo: Image.Image, share: float) -> Image.Image:
    """The middle of a photo, so much of its width and height."""
    left, top = (round(side * (1 - share) / 2) for side in photo.size)
    return photo.crop((left, top, photo.width - left, photo.height - top))


@dataclass(frozen=True)
class ViewEncoder:
    """An encoder that is shown a view of each photo."""

    encoder: Encoder
    view: Callable[[Image.Image], Image.Image]

    @property
    def dim(self) -> int:
        return self.encoder.dim

    @property
    def input_size(self) -> int:
        # Of photos this large, the smallest crop has as many pixels as the model sees.
        return round(self.encoder.input_size / 0.75)

    @property
    def fingerprint(self) -> str:
        return self.encoder.fingerprint

    def encode(self, images: Sequence[Image.Image]) -> Matrix:
        return self.encoder.encode([self.view(image) for image in images])


@dataclass(frozen=True)
class SearchedSet:
    """A set of photos as an encoder sees it.

    Attributes:
        name: of the set.
        queries: float32 [q, d] by view.
        gallery: float32 [g, d] by view; the same object where each photo is compared with the others.
        relevant: bool [q, g].
        hidden: bool [q, g]: the query itself, and where classes are to be found, other photos of its product.
        for_choices: bool [q], which queries settings are chosen by.
    """

    name: str
    queries: Mapping[str, Matrix]
    gallery: Mapping[str, Matrix]
    relevant: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    for_choices: NDArray[np.bool_]

    @property
    def against_itself(self) -> bool:
        """Whether the queries are the gallery."""
        return self.queries is self.gallery

    @cached_property
    def plain(self) -> Matrix:
        """Scores of the plain order."""
        return self.compared(self.queries[WHOLE], self.gallery[WHOLE])

    def compared(self, queries: Matrix, gallery: Matrix) -> Matrix:
        """Cosines, float32 [q, g]; minus infinity for what is hidden."""
        return np.where(self.hidden, -np.inf, queries @ gallery.T)

    def pools(self, size: int) -> Iterator[tuple[NDArray[np.int64], Pool]]:
        """Rows of the gallery that are nearest to each query, and the pool that they are."""
        for scores, query in zip(self.plain, self.queries[WHOLE], strict=True):
            nearest = np.argsort(-scores, kind="stable")[:size]
            nearest = nearest[scores[nearest] != -np.inf]
            yield nearest, Pool(query, self.gallery[WHOLE][nearest], scores[nearest])


# Scores of every photo of the gallery for every query.
Method = Callable[[SearchedSet], Matrix]


def in_pool(order: Order, size: int = POOL) -> Method:
    """Only the nearest change their order; all others come after them as before."""

    def method(searched: SearchedSet) -> Matrix:
        scores = searched.plain.copy()
        for row, (nearest, pool) in enumerate(searched.pools(size)):
            best_first = nearest[np.argsort(-order(pool), kind="stable")]
            scores[row, best_first] = 2 + np.arange(len(best_first), 0, -1)
        return scores

    return method


def second_query(count: int, alpha: float = 0) -> Method:
    """The whole gallery is searched once more, for the expanded query."""

    def method(searched: SearchedSet) -> Matrix:
        queries = np.stack([expanded(pool, count, alpha) for _, pool in searched.pools(POOL)])
        return searched.compared(queries, searched.gallery[WHOLE])

    return method


def of_query(*views: str) -> Method:
    """The mean vector of the whole photo and these views, against whole photos."""
    return lambda searched: searched.compared(mean_of(searched.queries, views), searched.gallery[WHOLE])


def of_all(*views: str) -> Method:
    """The mean vector of the whole photo and these views, of query and gallery."""
    return lambda searched: searched.compared(mean_of(searched.queries, views), mean_of(searched.gallery, views))


def mean_of(vectors: Mapping[str, Matrix], views: Sequence[str]) -> Matrix:
    """Of the whole photo and these views, of unit length."""
    return unit(np.sum([vectors[view] for view in (WHOLE, *views)], axis=0))


def drawn_gallery(count: int, weight: float | None = None) -> Method:
    """Each vector of the gallery averaged with its neighbours, also those of queries that are in it."""

    def method(searched: SearchedSet) -> Matrix:
        gallery = drawn_to_neighbours(searched.gallery[WHOLE], count, weight)
        return searched.compared(gallery if searched.against_itself else searched.queries[WHOLE], gallery)

    return method


METHODS: Mapping[str, Mapping[str, Method]] = {
    "average expansion, pool": {f"k={k}": in_pool(by_expansion(k)) for k in (3, 5)},
    "average expansion, second query": {f"k={k}": second_query(k) for k in (3, 5)},
    "alpha expansion, pool": {f"k={k}": in_pool(by_expansion(k, 3)) for k in (3, 5, 10)},
    "alpha expansion, second query": {f"k={k}": second_query(k, 3) for k in (3, 5, 10)},
    "reciprocal rank, pool": {f"w={w}": in_pool(by_reciprocal_rank(w)) for w in (0.01, 0.02, 0.05, 0.1, 0.2)},
    "k-reciprocal, pool": {
        f"{k1}, {k2}, {share}": in_pool(by_k_reciprocal(k1, k2, share))
        for k1, k2, share in ((20, 6, 0.3), (20, 6, 0.7), (10, 3, 0.3), (10, 3, 0.7), (5, 2, 0.7))
    },
    f"k-reciprocal, pool of {LARGE_POOL}": {"20, 6, 0.3": in_pool(by_k_reciprocal(), LARGE_POOL)},
    "mirror, query": {"": of_query(MIRROR)},
    "mirror, both": {"": of_all(MIRROR)},
    "crop, query": {view: of_query(view) for view in (CROP, TIGHT_CROP)},
    "crop, both": {view: of_all(view) for view in (CROP, TIGHT_CROP)},
    "mirror and crop, query": {view: of_query(MIRROR, view) for view in (CROP, TIGHT_CROP)},
    "mirror and crop, both": {view: of_all(MIRROR, view) for view in (CROP, TIGHT_CROP)},
    "gallery averaged": {f"k={k}": drawn_gallery(k) for k in (1, 2, 3, 5, 10)},
    "gallery averaged, neighbours half": {f"k={k}": drawn_gallery(k, 0.5) for k in (3, 5, 10)},
}


def sets_of(root: Path) -> list[SuiteSet]:
    """The suite's, and Magento by category, and by category and colour."""
    magento = root / "data/magento_luma"
    categories = read_folder(magento / "images", magento / "images.csv", title=magento.name).of_classes()
    with (magento / "images.csv").open(newline="") as file:
        colours = {row["file"]: row["colour"] for row in csv.DictReader(file)}
    coloured = [
        replace(photo, label=f"{photo.label}, {colours[photo.name]}")
        for photo in categories.photos
        if colours[photo.name]
    ]
    return [
        *(each for each in find_sets(root) if each.name not in NOT_LOOKED_AT),
        *(
            SuiteSet(name, "class", EvaluationSplit(photos, None), divided=False)
            for name, photos in (
                ("magento_luma, category", categories),
                ("magento_luma, category and colour", PhotoSet(magento.name, coloured)),
            )
        ),
    ]


def searched(encoder: Encoder, suite_set: SuiteSet, keep: Path | None) -> SearchedSet:
    """Embed a set. keep: folder of vectors that were made before; None keeps none."""
    split = suite_set.split
    queries = vectors_of(encoder, split.queries, f"{suite_set.name}, queries", keep)
    gallery = (
        queries if split.gallery is None else vectors_of(encoder, split.gallery, f"{suite_set.name}, gallery", keep)
    )
    asked, found = split.queries.photos, (split.gallery or split.queries).photos
    hidden = np.zeros((len(asked), len(found)), np.bool_)
    if split.gallery is None:
        np.fill_diagonal(hidden, val=True)
    if any(photo.label != photo.product for photo in asked):
        hidden |= _equal([photo.product for photo in asked], [photo.product for photo in found])
    return SearchedSet(
        suite_set.name,
        queries,
        gallery,
        _equal([photo.label for photo in asked], [photo.label for photo in found]),
        hidden,
        np.asarray([is_for_choices(photo.name) for photo in asked]),
    )


def vectors_of(encoder: Encoder, photos: PhotoSet, title: str, keep: Path | None) -> dict[str, Matrix]:
    """The vectors of all photos by view."""
    vectors = {}
    for view, shown in VIEWS.items():
        file = keep and keep / f"{encoder.fingerprint[:12]} {title}, {view}.npy"
        if file and file.is_file():
            vectors[view] = np.load(file)
            continue
        embedded = embed_photos(
            encoder if view == WHOLE else ViewEncoder(encoder, shown), photos.photos, f"{title}, {view}"
        )
        if embedded.rejected:
            raise SystemExit("{} cannot be read: {}".format(*embedded.rejected[0]))
        vectors[view] = embedded.embeddings
        if file:
            np.save(file, embedded.embeddings)
    return vectors


def _equal(first: Sequence[str], second: Sequence[str]) -> NDArray[np.bool_]:
    """Whether two names are the same, bool [f, s]; the unknown name "" is not even that of itself."""
    rows, columns = labels_of(first), labels_of(second)
    return np.asarray((rows[:, None] == columns) & (rows != "")[:, None])


@dataclass(frozen=True)
class Gain:
    """A mean difference from the plain order, and its 95% interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f})"

    def in_short(self) -> str:
        """Bold, where it is beyond chance."""
        return f"**{self.mean:+.3f}**" if self.low > 0 or self.high < 0 else f"{self.mean:+.3f}"


@dataclass(frozen=True)
class Measured:
    """Figures of a set: of the plain order, and of each method and setting."""

    searched: SearchedSet
    plain: PerQuery
    found: Mapping[str, Mapping[str, PerQuery]]

    @classmethod
    def of(cls, searched: SearchedSet) -> Measured:
        """Measure all methods."""

        def figures(scores: Matrix) -> PerQuery:
            return per_query_of_scores(scores, searched.relevant)

        found = {
            name: {setting: figures(method(searched)) for setting, method in settings.items()}
            for name, settings in METHODS.items()
        }
        return cls(searched, figures(searched.plain), found)

    def gain(self, name: str, setting: str) -> float:
        """In mAP, on the half for choices."""
        gains = self._gains(name, setting, self.searched.for_choices)
        return mean_metrics(gains).mean_average_precision

    def gains(self, name: str, setting: str) -> dict[str, Gain]:
        """What a method brings on the half for figures, by metric."""
        gains = self._gains(name, setting, ~self.searched.for_choices)
        means, intervals = mean_metrics(gains).as_dict(), bootstrap_intervals(gains)
        return {metric: Gain(means[metric], *intervals[metric]) for metric in LOOKED_AT}

    def plain_figures(self) -> dict[str, float]:
        """Of the plain order on the half for figures, by metric; and how many queries that has."""
        means = mean_metrics(_only(self.plain, ~self.searched.for_choices)).as_dict()
        return {metric: means[metric] for metric in (*LOOKED_AT, "queries")}

    def _gains(self, name: str, setting: str, half: NDArray[np.bool_]) -> PerQuery:
        found = self.found[name][setting]
        return _only(PerQuery(found.values - self.plain.values, self.plain.counted, found.nearest), half)


def _only(per_query: PerQuery, half: NDArray[np.bool_]) -> PerQuery:
    return PerQuery(per_query.values[half], per_query.counted[half], per_query.nearest[half])


def best(measured: Sequence[Measured], name: str) -> str:
    """The setting of a method that brings most to these sets in the mean, on the halves for choices."""
    return max(METHODS[name], key=lambda setting: sum(each.gain(name, setting) for each in measured))


def summary(measured: Sequence[Measured]) -> Iterator[Row]:
    """A row for each method, with the one setting that is best for all sets; a column for each set: the gains in LOOKED_AT."""
    plain = {each.searched.name: each.plain_figures() for each in measured}
    yield {
        "method": "plain",
        "setting": "",
        **{name: " / ".join(f"{figures[metric]:.3f}" for metric in LOOKED_AT) for name, figures in plain.items()},
    }
    for name in METHODS:
        setting = best(measured, name)
        gains = {each.searched.name: each.gains(name, setting).values() for each in measured}
        cells = {column: " / ".join(gain.in_short() for gain in found) for column, found in gains.items()}
        yield {"method": name, "setting": setting, **cells}


def details(measured: Sequence[Measured], together: Sequence[Measured]) -> Iterator[Row]:
    """A row for each set and method, with intervals. together: the sets that a setting is chosen by, none for each set itself."""
    for each in measured:
        for name in METHODS:
            setting = best(together or [each], name)
            gains = {METRICS[metric]: str(gain) for metric, gain in each.gains(name, setting).items()}
            yield {"set": each.searched.name, "method": name, "setting": setting, **gains}


def costs(encoder: Encoder) -> Iterator[Row]:
    """Processor time of one query by part, in ms."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((POINTS // 50, encoder.dim))
    near = centres[random.integers(len(centres), size=POINTS)] + 0.6 * random.standard_normal((POINTS, encoder.dim))
    points = unit(near.astype(np.float32))
    with TemporaryDirectory() as folder:
        index = EdgeVectorIndex(folder)
        index.ensure(IndexCollection("points", encoder.dim), bulk_load=True)
        for start in range(0, POINTS, 1000):
            block = enumerate(points[start : start + 1000], start)
            index.upsert("points", [Point(row, vector, {"product_id": row}) for row, vector in block])
        index.optimise("points")

        def asked(limit: int, *, with_vectors: bool) -> float:
            queries = (VectorQuery(positive=(each,), limit=limit, with_vectors=with_vectors) for each in points)
            return milliseconds(lambda: index.query("points", next(queries)))

        yield {"part": f"query of the index, {SHOWN} nearest", "ms": asked(SHOWN, with_vectors=False)}
        yield {"part": f"query of the index, {POOL} nearest with vectors", "ms": asked(POOL, with_vectors=True)}
        index.close()
    pools = [
        Pool(points[0], nearest, nearest @ points[0])
        for nearest in (_nearest(points, POOL), _nearest(points, LARGE_POOL))
    ]
    orders = {
        "average expansion, k=5": by_expansion(5),
        "alpha expansion, k=10": by_expansion(10, 3),
        "reciprocal rank": by_reciprocal_rank(0.05),
        "k-reciprocal": by_k_reciprocal(),
    }
    for name, order in orders.items():
        yield {"part": f"{name}, pool of {POOL}", "ms": milliseconds(partial(order, pools[0]))}
    yield {"part": f"k-reciprocal, pool of {LARGE_POOL}", "ms": milliseconds(lambda: by_k_reciprocal()(pools[1]), 20)}
    photo = Image.effect_noise((320, 320), 64).convert("RGB")
    yield {"part": "each view of a photo", "ms": milliseconds(lambda: encoder.encode([photo]))}


def milliseconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Processor time of all threads, in the median."""
    taken = []
    for _ in range(repeats + 1):
        started = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - started))
    return median(taken[1:])


def _nearest(points: Matrix, count: int) -> Matrix:
    """To the first point."""
    return points[np.argsort(-(points @ points[0]))[1 : count + 1]]


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", choices=BUNDLED_ENCODERS, default="bundled")
    parser.add_argument("--set", action="append", help="only this set; default: all")
    parser.add_argument("--keep", type=Path, help="folder to keep vectors in, and to take them from")
    options = parser.parse_args()
    encoder = get_encoder(options.encoder)
    measured = [
        Measured.of(searched(encoder, each, options.keep))
        for each in sets_of(real_data())
        if not options.set or each.name in options.set
    ]
    notes = {
        "encoder": encoder.fingerprint[:12],
        "figures": ", ".join(METRICS[metric] for metric in LOOKED_AT),
        "queries": ", ".join(f"{each.searched.name} {each.plain_figures()['queries']}" for each in measured),
    }
    publish(f"query_time_by_set-{options.encoder}", list(details(measured, [])), notes)
    publish(f"query_time_details-{options.encoder}", list(details(measured, measured)), notes)
    publish(f"query_time-{options.encoder}", list(summary(measured)), notes)
    publish(f"query_time_costs-{options.encoder}", list(costs(encoder)), {**notes, "points": POINTS})


if __name__ == "__main__":
    main()
