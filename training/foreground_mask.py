"""Trains the mask by which a bundled encoder separates a product from its background, and gives it a first look at each photo.

    python -m training.foreground_mask --weights weights.tflite --products DIR [DIR ...] --scenes DIR [DIR ...] --out weights.tflite

The convolutions that make vectors stay as they are. The first look has copies of the first of them: a few small layers learn on
maps of theirs, and then the later half of the copies learns with them (`training.student.blanked`). The pictures to learn from are
products cut out and set on other photos, at another place, size and brightness and with softened edges, whose mask is known; some
on their own plain background, so that not only pasted edges are learned; and scenes full of products, to be seen whole. A product
is cut out by its plain border or by the colours that the border lacks. `training.refit` has to follow, and `training.quantise`.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from tqdm import tqdm

from embeddings.encoders.litert import LiteRTEncoder
from embeddings.encoders.preprocessing import to_input
from embeddings.parts.foreground import find_foreground
from storefront.demo.catalogue import DemoProduct, demo_products, draw_view
from training.augmentation import product_mask, random_view
from training.export import to_litert, write_atomically
from training.litert_files import read_litert
from training.photo_folders import photos_in, read_photo
from training.samplers import Rows, SampledBatches
from training.student import MASK, MASK_MAPS
from training.trainer import FitSettings, fit

_SIDE = 240
# Of a photo, what a mask by colours covers.
_LEAST_FOUND, _MOST_FOUND = 0.1, 0.65
# Pictures that say how large the numbers of a map are.
_SCALED_BY = 500

Maps = list[NDArray[np.float16]]
Cut = tuple[Image.Image, Image.Image]


@dataclass(frozen=True)
class MaskRecipe:
    """Everything that decides the outcome, besides the photos and the encoder.

    Attributes:
        pictures: of products; as_they_are: the share of them that stays on its own background, where that is plain.
        scenes: photos that are seen whole.
        demo_products: of the demo catalogue, whose drawings are cut out too; drawn: the share of pictures with them.
        plain_backgrounds: the share of backgrounds with one colour or a gradient, not a photo; light_backgrounds: the share of
            these that are nearly white, as many shops have them.
        mask_epochs, mask_learning_rate: of the layers of the mask alone, which come first.
        epochs, learning_rate: of these with the later convolutions of the first look.
        batch, seed: of both.
    """

    pictures: int = 9000
    as_they_are: float = 0.25
    scenes: int = 900
    demo_products: int = 200
    drawn: float = 0.15
    plain_backgrounds: float = 0.2
    light_backgrounds: float = 0.0
    mask_epochs: int = 3
    mask_learning_rate: float = 2e-3
    epochs: int = 8
    learning_rate: float = 6e-4
    batch: int = 64
    seed: int = 7


@dataclass(frozen=True)
class Composed:
    """A product on another photo or its own: picture RGB and mask L, both `_SIDE` square.

    Attributes:
        picture: what is seen.
        mask: where the product is.
        clean: the product's own photo, in the same colours, RGB.
        source: file of that photo; None for a drawing.
    """

    picture: Image.Image
    mask: Image.Image
    clean: Image.Image
    source: Path | None


class Pictures:
    """Products to cut out and photos to set them on; each is opened when it is drawn."""

    def __init__(self, products: Sequence[Path], backgrounds: Sequence[Path], recipe: MaskRecipe) -> None:
        self._products, self._backgrounds, self._recipe = products, backgrounds, recipe
        self._demo: Sequence[DemoProduct] = demo_products(count=recipe.demo_products) if recipe.demo_products else []

    def make(self, number: int) -> Composed:
        """A picture, the same for the same number and seed."""
        random = np.random.default_rng([self._recipe.seed, number])
        photo, mask, plain, source = self._cut(random)
        if random.random() < 0.5:
            photo, mask = (each.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for each in (photo, mask))
        # A mask by colours may lack a sleeve: it says what was pasted, not where the product ends.
        if random.random() < self._recipe.as_they_are and plain:
            return Composed(photo, mask, photo, source)
        if random.random() < 0.5:
            photo = random_view(photo, random, least_area=1.0)
        clean = photo
        if random.random() < 0.5:
            photo, mask = _moved(photo, mask, random)
        mask = mask.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 2.5)))
        picture = self._background(random)
        picture.paste(photo.resize(picture.size), mask=mask)
        if random.random() < 0.3:
            picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.2)))
        return Composed(picture, mask, clean, source)

    def _cut(self, random: np.random.Generator) -> tuple[Image.Image, Image.Image, bool, Path | None]:
        """A photo, the mask of its product, whether it is by a plain border, and the file of the photo."""
        for _ in range(1000):
            source = None
            if self._demo and random.random() < self._recipe.drawn:
                photo = draw_view(self._demo[int(random.integers(len(self._demo)))], int(random.integers(2)))
            else:
                source = self._products[int(random.integers(len(self._products)))]
                photo = read_photo(source)
            photo = photo.resize((_SIDE, _SIDE))
            mask = product_mask(photo)
            plain = mask is not None
            if mask is None:
                foreground = find_foreground(photo)
                if not (foreground.found and _LEAST_FOUND < foreground.mask.mean() < _MOST_FOUND):
                    continue
                mask = foreground.mask
            whole = Image.fromarray(mask.astype(np.uint8) * 255)
            return photo, whole.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), plain, source
        raise ValueError("no photo of --products shows a product that stands out from its border")

    def _background(self, random: np.random.Generator) -> Image.Image:
        if random.random() < self._recipe.plain_backgrounds:
            light = random.random() < self._recipe.light_backgrounds
            one = random.uniform(222, 255) + random.normal(0, 4, 3) if light else random.uniform(0, 255, 3)
            ramp = np.linspace(0, 1, _SIDE)[:, None, None]
            slope = random.normal(0, 8 if light else 40, 3)
            noise = random.normal(0, random.uniform(0, 3 if light else 12), (_SIDE, _SIDE, 1))
            pixels = one + slope * (ramp if random.random() < 0.5 else ramp.swapaxes(0, 1)) + noise
            return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        photo = read_photo(self._backgrounds[int(random.integers(len(self._backgrounds)))])
        return random_view(photo, random).resize((_SIDE, _SIDE))


def _moved(photo: Image.Image, mask: Image.Image, random: np.random.Generator) -> Cut:
    size, stretch = _SIDE * random.uniform(0.55, 1.2), math.exp(random.uniform(-0.15, 0.15))
    width, height = int(size * stretch), int(size / stretch)
    left, top = (int((_SIDE - side) / 2 + random.normal(0, 0.12 * _SIDE)) for side in (width, height))
    moved: list[Image.Image] = []
    for each in (photo, mask):
        page = Image.new(each.mode, (_SIDE, _SIDE))
        page.paste(each.resize((width, height)), (left, top))
        moved.append(page)
    return moved[0], moved[1]


class MaskLoss(keras.losses.Loss):
    """Cross-entropy of each cell, and how little mask and target overlap.

    The second is by Rahman & Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation", ISVC 2016.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Of masks float32 [B, h, w, 1] in [0, 1] and logits of that shape: [B]."""
        entropy = ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits=True), axis=(1, 2))
        mask = ops.sigmoid(y_pred)
        both = ops.sum(mask * y_true, axis=(1, 2, 3))
        either = ops.sum(mask + y_true, axis=(1, 2, 3)) - both
        return entropy + 0.5 * (1 - both / (either + 1e-3))


def train_mask(
    network: keras.Model,
    products: Sequence[Path],
    scenes: Sequence[Path],
    backgrounds: Sequence[Path],
    recipe: MaskRecipe,
) -> None:
    """Train the mask of a network's first look in place, and the later convolutions of that look.

    Args:
        network: one of `build_network` that blanks the background; its input size is fixed.
        products: photos to cut products out of.
        scenes: photos that are seen whole.
        backgrounds: photos to set products on.
        recipe: its values.

    Raises:
        ValueError: no product can be cut out.
    """
    keras.utils.set_random_seed(recipe.seed)
    coarse, *finer = (network.get_layer(name).output for name in MASK_MAPS)
    logits = network.get_layer(MASK).output
    cells = int(logits.shape[1])
    pictures = Pictures(products, backgrounds, recipe)
    whole = np.random.default_rng(recipe.seed).permutation(len(scenes))[: recipe.scenes].tolist()

    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "maps.tflite"
        flat = [keras.layers.Flatten()(tensor) for tensor in finer]
        path.write_bytes(to_litert(keras.Model(network.input, keras.layers.Concatenate()(flat))))
        maps_of = FlatMaps(path)

        def of(number: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
            if number < recipe.pictures:
                composed = pictures.make(number)
                photo, mask = composed.picture, composed.mask
                target = np.asarray(mask.resize((cells, cells), Image.Resampling.BOX), np.float32) / np.float32(255)
            else:
                photo = read_photo(scenes[whole[number - recipe.pictures]])
                target = np.ones((cells, cells), np.float32)
            return maps_of(photo), target

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            count = recipe.pictures + len(whole)
            made = list(tqdm(pool.map(of, range(count)), total=count, desc="pictures", unit="picture", mininterval=10))
    targets = np.stack([target for _, target in made])[..., None]
    shapes = [tuple(int(side) for side in tensor.shape[1:]) for tensor in finer]
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    maps: Maps = [
        np.stack(part).reshape(-1, *shape)
        for part, shape in zip(zip(*(np.split(each, ends) for each, _ in made), strict=True), shapes, strict=True)
    ]
    del made
    later = keras.Model(finer[0], coarse)
    seen = [keras.Input(shape) for shape in shapes]
    all_maps = [later(seen[0]), *seen]
    # The layers of the mask learn from numbers around 1; they see the maps as they are, later.
    first = [part[:_SCALED_BY].astype(np.float32) for part in maps]
    scales = [float(np.std(part)) for part in (later.predict(first[0], verbose=0), *first)]
    mask = keras.Model([coarse, *finer], logits)
    learner = keras.Model(seen, mask([part / scale for part, scale in zip(all_maps, scales, strict=True)]))
    steps = len(targets) // recipe.batch

    def draw(random: np.random.Generator) -> Rows:
        return random.permutation(len(targets))[: steps * recipe.batch].reshape(steps, -1)

    def load(rows: Rows, _: np.random.Generator) -> tuple[Any, ...]:
        return tuple(part[rows].astype(np.float32) for part in maps), targets[rows]

    def learn(epochs: int, learning_rate: float) -> None:
        settings = FitSettings(
            epochs=epochs,
            learning_rate=learning_rate,
            warmup_steps=min(100, epochs * steps // 10),
            weight_decay=1e-3,
            clipnorm=1.0,
            seed=recipe.seed,
        )
        fit(learner, MaskLoss(), SampledBatches(draw, load, steps=steps, seed=recipe.seed), settings)

    later.trainable = False
    learn(recipe.mask_epochs, recipe.mask_learning_rate)
    later.trainable = True
    learn(recipe.epochs, recipe.learning_rate)
    for scale, name in zip(scales, MASK_MAPS.values(), strict=True):
        kernel, bias = network.get_layer(name).get_weights()
        network.get_layer(name).set_weights([kernel / scale, bias])


class FlatMaps:
    """What a part of a network gives for a photo, float16 [n]; an interpreter a thread."""

    def __init__(self, path: Path) -> None:
        """Read the file: float32 [1, s, s, 3] in [0, 1] -> float32 [1, n]."""
        self._encoder, self._mine = LiteRTEncoder(path), threading.local()

    def __call__(self, photo: Image.Image) -> NDArray[np.float16]:
        """Of a photo, RGB, of any size."""
        if not hasattr(self._mine, "interpreter"):
            self._mine.interpreter = self._encoder.new_interpreter()
        interpreter = self._mine.interpreter
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], to_input(photo, self._encoder.input_size))
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0], np.float16)


def main() -> None:
    """Read the command line, train, and write the weights."""
    parser = argparse.ArgumentParser(description="Train the mask of a bundled encoder's first look at a photo.")
    parser.add_argument(
        "--weights", type=Path, required=True, help="the .tflite file of weights that a recipe exported"
    )
    parser.add_argument(
        "--products", nargs="+", type=Path, required=True, help="folders of photos to cut products out of"
    )
    parser.add_argument(
        "--scenes", nargs="+", type=Path, default=[], help="folders of photos full of products, which are seen whole"
    )
    parser.add_argument(
        "--leave-out",
        type=Path,
        help="file with a path a line: photos that are not used (python -m bench.foreground --backgrounds)",
    )
    parser.add_argument("--out", type=Path, required=True, help="the .tflite file to write, weights in float16")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        listed = [] if arguments.leave_out is None else arguments.leave_out.read_text().splitlines()
        left_out = {Path(line).resolve() for line in listed}
        products, scenes = (
            [path for path in photos_in(folders) if path.resolve() not in left_out]
            for folders in (arguments.products, arguments.scenes)
        )
        if not products:
            parser.error("--products has no photos")
        network = read_litert(arguments.weights, blanks_background=True)
        train_mask(network, products, scenes, [*products, *scenes], MaskRecipe())
        write_atomically(arguments.out, to_litert(network, half_precision_weights=True))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
