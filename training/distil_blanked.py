"""Teaches an encoder that makes backgrounds white to answer as it did to whole photos.

    python -m training.distil_blanked --weights looking.tflite --labelled DIR [DIR ...] --photos DIR [DIR ...]
        --products DIR [DIR ...] --out weights.tflite

`training.foreground_mask` gives an encoder a first look at each photo, but its convolutions never learned from photos that were
made white. Here the later ones and the last layer learn from them. The target of a picture is what the same encoder, without the
first look, answers to the clean, whole photo: a product that was cut out and set on another photo has to be found where it was. So
vectors stay comparable with those of the encoder before, and what a mask leaves of the background counts for less. Some of these
pictures are made white by the true mask of the product, softened; some photos are seen as they are. The losses are those of
`training.distil_joined`. `training.quantise` has to follow.

The first look and the earlier convolutions stay as they are: what they make of each picture is computed once.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from embeddings.encoders.litert import LiteRTEncoder
from training.distil_joined import FollowJoinedTargets, JoinedRecipe, Photos
from training.export import to_litert, write_atomically
from training.foreground_mask import Composed, FlatMaps, MaskRecipe, Pictures
from training.litert_files import read_litert
from training.photo_folders import photos_in
from training.samplers import Rows, SampledBatches
from training.student import LOOK_CONVOLUTIONS, looks_first, photos_seen
from training.trainer import FitSettings, fit

# Cells across to which the true mask of a picture is softened: as fine as masks are, or half as fine.
_SOFTENED_TO = (28, 28, 14)

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class BlankedRecipe:
    """Everything that decides the outcome, besides the photos and the encoder.

    Attributes:
        composed: pictures of products on other photos; plain_backgrounds, light_backgrounds: as in `MaskRecipe`.
        crops: pictures that are a part of a photo.
        by_true_mask: the share of composed pictures that is seen by the true mask, too.
        as_they_are: the share of photos that is seen without the first look, too.
        class_weight: how much of the mean of its class is added to the target of a photo with a class.
        first: number of the first convolution that learns.
        others: targets of other pictures that each picture's similarities are compared with.
        epochs, batch, learning_rate, average_decay, seed: of the training.
        demo_products: of the demo catalogue, two drawings each.
    """

    composed: int = 8000
    plain_backgrounds: float = 0.35
    light_backgrounds: float = 0.5
    crops: int = 1500
    by_true_mask: float = 0.25
    as_they_are: float = 0.3
    class_weight: float = 0.25
    first: int = LOOK_CONVOLUTIONS
    others: int = 1024
    epochs: int = 4
    batch: int = 64
    learning_rate: float = 3e-4
    average_decay: float = 0.985
    seed: int = 7
    demo_products: int = 300


@dataclass(frozen=True)
class Seen:
    """What the learning convolutions see of pictures, and their targets: maps float16 [n, h, w, c], targets float32 [n, dim]."""

    maps: NDArray[np.float16]
    targets: Vectors


def distil_blanked(
    network: keras.Model, photos: Photos, products: Sequence[Path], backgrounds: Sequence[Path], recipe: BlankedRecipe
) -> None:
    """Train the later convolutions and the last layer in place.

    Args:
        network: of an encoder that makes backgrounds white; its input size is fixed.
        photos: seen whole.
        products: photos to cut products out of.
        backgrounds: photos to set products on.
        recipe: its values.

    Raises:
        ValueError: no product can be cut out.
    """
    keras.utils.set_random_seed(recipe.seed)
    seen = see(network, photos, products, backgrounds, recipe)
    steps = len(seen.targets) // recipe.batch
    if not steps:
        raise ValueError(f"{len(seen.targets)} pictures were made; a batch has {recipe.batch}")

    def draw(random: np.random.Generator) -> Rows:
        return random.permutation(len(seen.targets))[: steps * recipe.batch].reshape(steps, -1)

    def load(rows: Rows, random: np.random.Generator) -> tuple[Any, ...]:
        others = random.integers(len(seen.targets), size=(len(rows), max(1, recipe.others // len(rows))))
        targets = np.concatenate([seen.targets[rows][:, None], seen.targets[others]], axis=1)
        return seen.maps[rows].astype(np.float32), targets

    fit(
        keras.Model(_learned_from(network, recipe), network.output),
        FollowJoinedTargets(JoinedRecipe(dim=network.output_shape[1])),
        SampledBatches(draw, load, steps=steps, seed=recipe.seed),
        FitSettings(
            epochs=recipe.epochs,
            learning_rate=recipe.learning_rate,
            final_share=0.02,
            warmup_steps=min(40, recipe.epochs * steps // 10),
            weight_decay=1e-4,
            ema_momentum=recipe.average_decay,
            clipnorm=1.0,
            seed=recipe.seed,
        ),
    )


def see(
    network: keras.Model, photos: Photos, products: Sequence[Path], backgrounds: Sequence[Path], recipe: BlankedRecipe
) -> Seen:
    """Make the pictures, and compute what the encoder makes of them before anything is learned; see `distil_blanked`."""
    pictures = Pictures(
        products,
        backgrounds,
        MaskRecipe(
            as_they_are=0,
            demo_products=recipe.demo_products,
            plain_backgrounds=recipe.plain_backgrounds,
            light_backgrounds=recipe.light_backgrounds,
            seed=recipe.seed,
        ),
    )
    start = _learned_from(network, recipe)
    with tempfile.TemporaryDirectory() as work:

        def part(inputs: Any, output: Any, name: str) -> Path:
            path = Path(work) / name
            path.write_bytes(to_litert(keras.Model(inputs, output)))
            return path

        whole = photos_seen(network)
        maps = keras.layers.Flatten()(start)
        blanked, as_is = FlatMaps(part(network.input, maps, "blanked")), FlatMaps(part(whole, maps, "whole"))
        teacher = LiteRTEncoder(part(whole, network.output, "teacher"))

        def of(number: int) -> list[tuple[NDArray[np.float16], Vectors, int]]:
            random = np.random.default_rng([recipe.seed, number])
            label, again = -1, None
            if number < len(photos):
                picture = clean = photos.read(number)
                label = int(photos.classes[number])
                again = picture if random.random() < recipe.as_they_are else None
            elif number < len(photos) + recipe.crops:
                picture = clean = photos.any(random)
                again = picture if random.random() < recipe.as_they_are else None
            else:
                made = pictures.make(number)
                picture, clean = made.picture, made.clean
                label = -1 if made.source is None else photos.class_of(made.source)
                again = _made_white(made, random) if random.random() < recipe.by_true_mask else None
            target = teacher.encode([clean])[0]
            return [(blanked(picture), target, label), *([] if again is None else [(as_is(again), target, label)])]

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            count = len(photos) + recipe.crops + recipe.composed
            found = tqdm(pool.map(of, range(count)), total=count, desc="pictures", unit="picture", mininterval=10)
            rows = [row for each in found for row in each]
    targets = _drawn(np.stack([row[1] for row in rows]), np.array([row[2] for row in rows]), recipe.class_weight)
    return Seen(np.stack([row[0] for row in rows]).reshape(-1, *start.shape[1:]), targets)


def _learned_from(network: keras.Model, recipe: BlankedRecipe) -> Any:
    """What the first convolution that learns takes in."""
    return network.get_layer(f"conv_{recipe.first}").input


def _made_white(made: Composed, random: np.random.Generator) -> Image.Image:
    """A picture whose background is white by its true mask."""
    cells = (int(random.choice(_SOFTENED_TO)),) * 2
    mask = made.mask.resize(cells, Image.Resampling.BOX).resize(made.picture.size, Image.Resampling.BILINEAR)
    return Image.composite(made.picture, Image.new("RGB", made.picture.size, "white"), mask)


def _drawn(targets: Vectors, classes: NDArray[np.int64], weight: float) -> Vectors:
    """Targets drawn towards the mean of their class, of unit length: float32 [n, dim]; class -1 is none."""
    drawn = targets.copy()
    for number in np.unique(classes[classes >= 0]):
        centre = targets[classes == number].mean(axis=0)
        drawn[classes == number] += weight * centre / np.linalg.norm(centre)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def main() -> None:
    """Read the command line, train, and write the weights."""
    parser = argparse.ArgumentParser(description="Teach an encoder to answer to photos whose background is white.")
    parser.add_argument(
        "--weights", type=Path, required=True, help="the .tflite file that training.foreground_mask wrote"
    )
    parser.add_argument("--photos", nargs="*", type=Path, default=[], help="folders of photos, searched in depth")
    parser.add_argument("--labelled", nargs="*", type=Path, default=[], help="the same, where a folder is a class")
    parser.add_argument(
        "--products", nargs="+", type=Path, required=True, help="folders of photos to cut products out of"
    )
    parser.add_argument(
        "--leave-out",
        type=Path,
        help="file with a path a line: photos that nothing is cut out of or set on (python -m bench.foreground --backgrounds)",
    )
    parser.add_argument("--out", type=Path, required=True, help="the .tflite file to write, weights in float16")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = BlankedRecipe()
    try:
        listed = [] if arguments.leave_out is None else arguments.leave_out.read_text().splitlines()
        left_out = {Path(line).resolve() for line in listed}
        products, others = (
            [path for path in photos_in(folders) if path.resolve() not in left_out]
            for folders in (arguments.products, [*arguments.photos, *arguments.labelled])
        )
        if not products:
            parser.error("--products has no photos")
        network = read_litert(arguments.weights)
        if not looks_first(network):
            parser.error(f"{arguments.weights} takes no first look at photos: make it with training.foreground_mask")
        photos = Photos(arguments.photos, arguments.labelled, recipe.demo_products)
        distil_blanked(network, photos, products, [*products, *others], recipe)
        write_atomically(arguments.out, to_litert(network, half_precision_weights=True))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
