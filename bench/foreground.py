"""The product and not its background: what other views of a photo bring, and what they cost.

Usage: REAL_DATA=... python -m bench.foreground [--photos 800] [--garments 200] [--set NAME | --backgrounds]
Views: the whole photo; without plain margins; the foreground's box; whole photo and box, their vectors added; the whole photo with
colour and pattern of the foreground. Sets: clothing and grocery (query = validation, gallery = so many photos of train, the class
first), Magento (leave one out, the same product first), and photos of Magento, one a product and colour, cut out and set on ten
backgrounds each (the same garment first, among all others on all backgrounds). With 95% intervals; the model runs of a photo say
what a view costs.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bench.tables import Row, publish, real_data
from embeddings.backends import get_encoder
from embeddings.evaluation.metrics import bootstrap_intervals, labels_of, mean_metrics, per_query_metrics
from embeddings.parts.describe import describe
from embeddings.parts.foreground import find_foreground, product_box, without_margins
from embeddings.parts.layout import CURRENT, DEFAULT_WEIGHTS, LAYOUTS, Layout
from embeddings.vector_index.base import Vector
from pictures.photos import open_rgb

Photo = Callable[[], Image.Image]
BACKGROUNDS, SIDE = 10, 240
VIEWS = {"whole": 1, "no plain margins": 1, "box": 1, "whole + box": 2, "whole, colour and pattern": 1}


def views_of(photo: Photo) -> dict[str, Vector]:
    """A photo's vector by view, float32 of unit length each."""
    encoder, image = get_encoder(), photo()
    layout = Layout(encoder.dim, LAYOUTS[CURRENT])
    foreground = find_foreground(image)
    whole, trimmed, box = encoder.encode([image, without_margins(image), product_box(image, foreground)])
    both = whole + box
    joined = layout.joined(whole[None], describe(image, foreground)[None])[0]
    # By scales that give the default weights on both sides.
    parts = np.concatenate([whole, *_scaled(layout, joined)])
    return dict(zip(VIEWS, (_unit(each) for each in (whole, trimmed, box, both, parts)), strict=True))


def _scaled(layout: Layout, joined: Vector) -> list[Vector]:
    _, parts = layout.split(joined[None])
    pieces, start = [], 0
    for part in layout.parts:
        weight = DEFAULT_WEIGHTS.as_dict()[part.name]
        pieces.append(np.sqrt(np.float32(weight)) * parts[0, start : start + part.length])  # type: ignore[index]
        start += part.length
    return pieces


def _unit(vector: NDArray[np.float32]) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def embedded(photos: Sequence[Photo]) -> dict[str, NDArray[np.float32]]:
    """Vectors of photos by view, float32 [n, d]."""
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(views_of, photos))
    return {view: np.stack([each[view] for each in found]) for view in VIEWS}


def opened(path: Path) -> Photo:
    """Reads a photo when it is called."""
    return lambda: open_rgb(path, min_side=224)


def drawn(paths: Sequence[Path], count: int) -> list[Path]:
    """So many of them, with a fixed seed."""
    return [paths[place] for place in np.sort(np.random.default_rng(0).permutation(len(paths))[:count])]


def classes(name: str, queries: str, gallery: str, count: int) -> Iterator[tuple[str, Row]]:
    """Rows of a set of folders: queries against a part of the gallery."""
    folder = real_data() / "data" / name
    paths = [
        drawn(sorted(path for path in (folder / split).rglob("*") if path.suffix.lower() in (".jpg", ".png")), number)
        for split, number in ((queries, count // 2), (gallery, count))
    ]
    labels = [labels_of([path.parent.name for path in each]) for each in paths]
    vectors = [embedded([opened(path) for path in each]) for each in paths]
    for view in VIEWS:
        yield view, _figures(per_query_metrics(vectors[0][view], labels[0], vectors[1][view], labels[1]))


def products() -> Iterator[tuple[str, Row]]:
    """Rows of Magento: the other photos of a product."""
    folder = real_data() / "data" / "magento_luma"
    with (folder / "images.csv").open() as file:
        listed: list[dict[str, Any]] = list(csv.DictReader(file))
    names = [row["product_id"] if "product_id" in row else row["sku"] for row in listed]
    several = [number for number, name in enumerate(names) if names.count(name) > 1]
    vectors = embedded([opened(folder / "images" / Path(listed[number]["file"]).name) for number in several])
    labels = labels_of([names[number] for number in several])
    for view in VIEWS:
        yield view, _figures(per_query_metrics(vectors[view], labels, vectors[view], labels, leave_one_out=True))


def background_paths() -> list[Path]:
    """The photos that garments are set on."""
    return drawn(sorted((real_data() / "data" / "caltech101" / "photos").rglob("*.jpg")), BACKGROUNDS)


def garments(count: int) -> Iterator[tuple[str, Row]]:
    """Rows of garments on other backgrounds."""
    folder = real_data() / "data" / "magento_luma"
    with (folder / "images.csv").open() as file:
        first = {
            (row["product_id"], row["colour"]): row["file"]
            for row in csv.DictReader(file)
            if row["name"] or row["colour"]
        }
    paths = [folder / "images" / name for name in first.values()]
    backgrounds = [open_rgb(path).resize((SIDE, SIDE)) for path in background_paths()]
    cut: list[tuple[Image.Image, Image.Image]] = []
    for path in drawn(paths, len(paths)):
        image = open_rgb(path, min_side=SIDE)
        foreground = find_foreground(image)
        if foreground.found and 0.1 < foreground.mask.mean() < 0.6:
            mask = Image.fromarray(foreground.mask.astype(np.uint8) * 255).resize(
                (SIDE, SIDE), Image.Resampling.BICUBIC
            )
            cut.append((image.resize((SIDE, SIDE)), mask.filter(ImageFilter.GaussianBlur(1))))
        if len(cut) == count:
            break

    def composed(garment: tuple[Image.Image, Image.Image], background: Image.Image) -> Photo:
        def compose() -> Image.Image:
            made = background.copy()
            made.paste(garment[0], mask=garment[1])
            return made

        return compose

    print(f"{len(cut)} garments", flush=True)
    vectors = embedded([composed(garment, background) for garment in cut for background in backgrounds])
    labels = labels_of([str(number) for number in range(len(cut)) for _ in backgrounds])
    for view in VIEWS:
        yield view, _figures(per_query_metrics(vectors[view], labels, vectors[view], labels, leave_one_out=True))


def _figures(ranked: Any) -> Row:
    means, intervals = mean_metrics(ranked), bootstrap_intervals(ranked)
    low, high = intervals["recall_at_1"]
    return {"R@1": means.recall_at_1, "from": low, "to": high, "mAP": means.mean_average_precision}


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=800)
    parser.add_argument("--garments", type=int, default=200)
    parser.add_argument("--set", action="append", help="only this set; default: all")
    parser.add_argument(
        "--backgrounds", action="store_true", help="print the paths of the backgrounds, and measure nothing"
    )
    options = parser.parse_args()
    if options.backgrounds:
        print(*background_paths(), sep="\n")
        return
    sets: dict[str, Callable[[], Iterator[tuple[str, Row]]]] = {
        "garments": lambda: garments(options.garments),
        "Magento": products,
        "clothing": lambda: classes("clothing", "validation", "train", options.photos),
        "grocery": lambda: classes("grocery", "val", "train", options.photos),
    }
    rows: list[Row] = []
    for name, measure in sets.items():
        if options.set and name not in options.set:
            continue
        started = time.monotonic()
        rows += [{"set": name, "view": view, "model runs": VIEWS[view], **row} for view, row in measure()]
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
        publish("foreground", rows, {"encoder": get_encoder().fingerprint[:12]})


if __name__ == "__main__":
    main()
