"""Does an embedding find more where it learns category, colour and the like beside its class?

Usage: REAL_DATA=... python -m bench.further_labels [--seeds 3] [--sets NAME ...] [--also NAME ...] [--site DIR] [NAME=VALUE ...]
Trains one head (`soup=1`) on the features of `bundled` without further labels and with each of --also (several divided by commas),
and compares them. Sets with products are divided into four folds of products: each is held out once, and its photos ask for the
others of their product. Of those held out, half of the products choose the epoch and the other half gives the figures (of sets
with validation photos, half of these): `is_for_choices` says which. `low` and `high` are the ends of the 95% bootstrap interval of
the difference, over products where there are some, otherwise over queries, of the means of all seeds; `sd` is the standard
deviation of the difference over the seeds. DIR keeps features and each training's figures, so that an interrupted run continues.

Magento: products by their photos, `category` and `colour` as its table says. Grocery products: the 81 fine classes are the
products, of which six photos each are trained on, and the 42 coarse ones their categories. Drawn products: the demo catalogue, four
photos each, category and colour as it says; `bundled` was distilled on such drawings. Grocery and clothing: classes, the validation
photos ask those to train on. Where no table says the colour, it is the one that most of the photo shows, by
`pictures/dominant_colour.py`.

Asked for are photos of the same class (product), and, "of kind and colour", photos of other products with the same category and
colour; in sets without products, those of the same class and colour.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import numpy as np
from numpy.typing import NDArray

from bench.fine_tuning_seeds import option
from bench.tables import publish, real_data
from embeddings.evaluation.metrics import METRICS
from training.config import TrainingConfig

if TYPE_CHECKING:
    from embeddings.dataset import LabelledPhoto

FOLDS = 4
PHOTOS_PER_GROCERY, VIEWS_PER_DRAWN = 6, 4
COLUMNS = [list(METRICS).index(name) for name in ("recall_at_1", "mean_average_precision")]
FIGURES = ("Recall@1", "mAP", "Recall@1 of kind and colour", "mAP of kind and colour")
MAP = FIGURES.index("mAP")
NOTHING = ""


@dataclass(frozen=True)
class Fold:
    """Photos to train on, queries, and what the queries search.

    Attributes:
        train: rows of the photos to train on.
        queries: rows of the photos that ask.
        gallery: rows that they search; None for the queries themselves, each without itself.
        chooses: of each query, whether it chooses the epoch; the others give the figures.
    """

    train: NDArray[np.int64]
    queries: NDArray[np.int64]
    gallery: NDArray[np.int64] | None
    chooses: NDArray[np.bool_]


@dataclass(frozen=True)
class Photos:
    """A set.

    Attributes:
        photos: all of them.
        features: float16 [n, views, d].
        labels: the class or product of each.
        groups: what is drawn together by the bootstrap: the product, or the photo itself.
        folds: how they are divided.
    """

    photos: Sequence[LabelledPhoto]
    features: NDArray[np.float16]
    labels: NDArray[Any]
    groups: NDArray[Any]
    folds: Sequence[Fold]

    @property
    def alike(self) -> NDArray[Any]:
        """Kind and colour of each photo; of one without a colour nothing that another one has."""
        from embeddings.evaluation.metrics import labels_of

        colours = [photo.value("colour") for photo in self.photos]
        return labels_of(
            [
                f"{photo.label}: {colour}" if colour else f"photo {number}"
                for number, (photo, colour) in enumerate(zip(self.photos, colours, strict=True))
            ]
        )


def main() -> None:
    """Train, compare, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--also", nargs="+", help="default: all that the set has")
    parser.add_argument("--site", type=Path, help="folder of the site; default: a temporary one")
    parser.add_argument("options", nargs="*", type=option, metavar="NAME=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.site or Path(temporary)).resolve()
        os.environ.update(DEBUG="true", DATA_DIR=str(folder), LOG_LEVEL="WARNING")
        django.setup()
        config = TrainingConfig(**{"soup": 1, **dict(options.options)})
        rows = [row for name in options.sets for row in _rows(name, options.also, options.seeds, config, folder)]
        publish("further_labels", rows)


def _rows(
    name: str, also: Sequence[str] | None, seeds: int, config: TrainingConfig, folder: Path
) -> Iterator[dict[str, Any]]:
    read, has = SETS[name]
    photos = read(folder)
    config = replace(config, by_product="category" in has)
    plain = _figures(name, photos, replace(config, also=NOTHING), seeds, folder)
    for each in also or has:
        found = _figures(name, photos, replace(config, also=each), seeds, folder)
        for column, figure in enumerate(FIGURES):
            counted = ~np.isnan(plain[0, :, column])
            before, after = plain[:, counted, column], found[:, counted, column]
            difference = after - before
            low, high = _interval(difference.mean(axis=0), _groups(photos)[counted])
            row = {
                "set": name,
                "also": each,
                "weight": config.also_weight,
                "figure": figure,
                "without": float(before.mean()),
                "with": float(after.mean()),
                "difference": float(difference.mean()),
                "low": low,
                "high": high,
                "sd": statistics.stdev(difference.mean(axis=1).tolist()) if seeds > 1 else "",
                "queries": difference.shape[1],
            }
            print(row, flush=True)
            yield row


def _groups(photos: Photos) -> NDArray[Any]:
    return np.concatenate([photos.groups[fold.queries[~fold.chooses]] for fold in photos.folds])


def _interval(differences: NDArray[np.float64], groups: NDArray[Any]) -> tuple[float, float]:
    """95% bootstrap interval of the mean, where whole groups are drawn."""
    _, numbers = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(numbers, differences), np.bincount(numbers)
    drawn = np.random.default_rng(0).integers(0, len(sums), size=(4000, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


def _figures(name: str, photos: Photos, config: TrainingConfig, seeds: int, folder: Path) -> NDArray[np.float64]:
    """Float64 [seeds, queries, figures], of the queries that give the figures, of all folds."""
    kept = folder / "figures"
    kept.mkdir(parents=True, exist_ok=True)
    found = []
    for seed in range(seeds):
        of_folds = []
        for number, fold in enumerate(photos.folds):
            seeded = replace(config, seed=seed)
            key = hashlib.sha256(json.dumps([name, number, asdict(seeded)]).encode()).hexdigest()
            path = kept / f"{key[:24]}.npy"
            if not path.exists():
                np.save(path, _trained(photos, fold, seeded))
            of_folds.append(np.load(path))
        found.append(np.concatenate(of_folds))
        print(name, config.also or "-", seed, np.nanmean(found[-1], axis=0), flush=True)
    return np.stack(found)


def _trained(photos: Photos, fold: Fold, config: TrainingConfig) -> NDArray[np.float64]:
    from embeddings.evaluation.metrics import per_query_metrics
    from training.further_labels import further_labels
    from training.heads import embed_with, train_head

    train = [photos.photos[row] for row in fold.train.tolist()]
    labels = photos.labels[fold.train]
    features = photos.features[fold.train]

    def ask(embed: Any, names: NDArray[Any], *, of_others: bool = False) -> NDArray[np.float64]:
        queries = embed(photos.features[fold.queries, 0])
        asked, groups = names[fold.queries], photos.groups[fold.queries] if of_others else None
        if fold.gallery is None:
            found = per_query_metrics(
                queries, asked, queries, asked, leave_one_out=True, query_groups=groups, gallery_groups=groups
            )
        else:
            found = per_query_metrics(queries, asked, embed(photos.features[fold.gallery, 0]), names[fold.gallery])
        return found.values[:, COLUMNS]

    head = train_head(
        features,
        np.unique(labels, return_inverse=True)[1],
        config,
        further=further_labels(config, train),
        score=lambda embed: float(np.nanmean(ask(embed, photos.labels)[fold.chooses, MAP])),
    )

    def embed(asked: NDArray[Any]) -> NDArray[np.float32]:
        return embed_with(head.model, asked)

    values = [ask(embed, photos.labels), ask(embed, photos.alike, of_others=True)]
    return np.concatenate(values, axis=1)[~fold.chooses]


def _magento(folder: Path) -> Photos:
    from embeddings.dataset import read_folder

    data = real_data() / "data/magento_luma"
    return _of_products(list(read_folder(data / "images", data / "images.csv").with_products().photos), folder)


def _grocery_products(folder: Path) -> Photos:
    known = [replace(photo, product=photo.label, label=coarse) for photo, coarse in _groceries("train")]
    photos = _of_products([_with_colour(photo) for photo in known], folder)
    return replace(photos, folds=[replace(fold, train=_few(photos, fold.train)) for fold in photos.folds])


def _few(photos: Photos, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    random, kept = np.random.default_rng(0), list[int]()
    for label in np.unique(photos.labels[rows]):
        mine = rows[photos.labels[rows] == label]
        kept += random.permutation(mine)[:PHOTOS_PER_GROCERY].tolist()
    return np.sort(np.array(kept))


def _drawn(folder: Path) -> Photos:
    from embeddings.dataset import LabelledPhoto
    from storefront.demo.catalogue import demo_products, draw_view

    photos = []
    (folder / "drawn").mkdir(parents=True, exist_ok=True)
    for product in demo_products():
        shown = replace(product, views=VIEWS_PER_DRAWN)
        for view in range(VIEWS_PER_DRAWN):
            path = folder / "drawn" / f"{product.sku}-{view}.png"
            if not path.exists():
                draw_view(shown, view).save(path)
            photos.append(LabelledPhoto(path.name, product.category, product.sku, path, product.attributes))
    return _of_products(photos, folder)


def _grocery(folder: Path) -> Photos:
    halves = [
        [_with_colour(replace(photo, attributes={"coarse": coarse})) for photo, coarse in _groceries(part)]
        for part in ("train", "val")
    ]
    return _of_halves(halves[0], halves[1], folder)


def _clothing(folder: Path) -> Photos:
    from embeddings.dataset import read_folder

    data = real_data() / "data/clothing"
    train, validation = (
        [_with_colour(photo) for photo in read_folder(data / part).photos] for part in ("train", "validation")
    )
    return _of_halves(train, validation, folder)


def _groceries(part: str) -> Iterator[tuple[LabelledPhoto, str]]:
    """The photos of grocery by their fine class, with the coarse class of each."""
    from embeddings.dataset import read_folder

    data = real_data() / "data/grocery"
    with (data / "classes.csv").open(encoding="utf-8", newline="") as file:
        coarse = {row["Class Name (str)"]: row["Coarse Class Name (str)"] for row in csv.DictReader(file)}
    for photo in read_folder(data / part).photos:
        fine = photo.label.rpartition("/")[2]
        yield replace(photo, label=fine), coarse[fine]


def _with_colour(photo: LabelledPhoto) -> LabelledPhoto:
    """The same photo with the colour that most of it shows; none where nothing stands out."""
    from pictures.dominant_colour import colour_shares

    shares = colour_shares(photo.image(at_least=96))
    return replace(photo, attributes={**photo.attributes, **({"colour": next(iter(shares))} if shares else {})})


def _of_products(photos: Sequence[LabelledPhoto], folder: Path) -> Photos:
    """Four folds of products; of a product with one photo, this photo only teaches."""
    from embeddings.evaluation.metrics import labels_of
    from embeddings.evaluation.suite import is_for_choices

    kept, features = _features(photos, 5, folder)
    products = labels_of([photo.product for photo in kept])
    names, counts = np.unique(products, return_counts=True)
    fold_of = dict(
        zip(np.random.default_rng(0).permutation(names).tolist(), np.arange(len(names)) % FOLDS, strict=True)
    )
    folds_of = np.array([fold_of[product] for product in products.tolist()])
    alone = np.isin(products, names[counts < 2])
    rows = np.arange(len(kept))
    folds = []
    for number in range(FOLDS):
        queries = rows[(folds_of == number) & ~alone]
        chooses = np.array([is_for_choices(product) for product in products[queries].tolist()])
        folds.append(Fold(rows[folds_of != number], queries, None, chooses))
    return Photos(kept, features, products, products, folds)


def _of_halves(train: Sequence[LabelledPhoto], validation: Sequence[LabelledPhoto], folder: Path) -> Photos:
    from embeddings.evaluation.metrics import labels_of
    from embeddings.evaluation.suite import is_for_choices

    taught, taught_features = _features(train, 5, folder)
    asked, asked_features = _features(validation, 1, folder)
    features = np.concatenate([taught_features, np.repeat(asked_features, taught_features.shape[1], axis=1)])
    photos = [*taught, *asked]
    rows = np.arange(len(photos))
    first, queries = rows[: len(taught)], rows[len(taught) :]
    chooses = np.array([is_for_choices(photo.name) for photo in asked])
    return Photos(
        photos,
        features,
        labels_of([photo.label for photo in photos]),
        labels_of([photo.name for photo in photos]),
        [Fold(first, queries, first, chooses)],
    )


def _features(
    photos: Sequence[LabelledPhoto], views: int, folder: Path
) -> tuple[Sequence[LabelledPhoto], NDArray[np.float16]]:
    """The photos that can be used, one of each content, and their features."""
    from embeddings import versions
    from embeddings.dataset import PhotoSet, inspect
    from training.backbones import frozen_encoder
    from training.features import view_features
    from training.fine_tune import load_configured

    cache = folder / "features"
    cache.mkdir(parents=True, exist_ok=True)
    frozen = frozen_encoder(load_configured(TrainingConfig(), cache), versions.backbones_folder())
    found = inspect(PhotoSet("", photos))
    features = view_features(frozen, found.photos, found.hashes, views=views, seed=0, cache=cache)
    return found.photos, np.array(features)


ALSO = ("category,colour", "category", "colour")
# Each set, and what it can learn beside its class.
SETS: dict[str, tuple[Callable[[Path], Photos], Sequence[str]]] = {
    "magento products": (_magento, ALSO),
    "grocery products": (_grocery_products, ALSO),
    "drawn products": (_drawn, ALSO),
    "grocery": (_grocery, ("coarse", "colour", "coarse,colour")),
    "clothing": (_clothing, ("colour",)),
}


if __name__ == "__main__":
    main()
