"""Trains the encoder `bundled-fast`: a pruned MobileNetV2 that learns to embed photos as a larger teacher does.

One seeded command makes the model file from photos and a teacher:

    python -m training.distil --photos DIR [DIR ...] --teacher SAVED_MODEL --work DIR --out model.tflite

Targets are the teacher's pooled features, centred, on their first principal components (Jegou & Chum, "Negative evidences and
co-occurences in image retrieval", ECCV 2012), then drawn a little towards their nearest neighbours among the training photos
(database-side augmentation: Arandjelovic & Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012).
The student follows the targets by cosine and their similarities inside a batch (Tung & Mori, "Similarity-Preserving Knowledge
Distillation", ICCV 2019), and its pooled features foretell the teacher's own (Romero et al., "FitNets", ICLR 2015). Half of the
crops are blends of two photos, so that the student learns the teacher's answers beyond the few thousand photos there are (Beyer
et al., "Knowledge distillation: A good teacher is patient and consistent", CVPR 2022). No label is used.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import logging
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from embeddings.encoders.preprocessing import squash
from storefront.demo.catalogue import DemoProduct, demo_products, draw_view
from training import student
from training.augmentation import blend, random_crop
from training.export import to_litert, write_atomically
from training.photo_folders import photos_in, read_photo
from training.samplers import SampledBatches
from training.trainer import FitSettings, fit

logger = logging.getLogger(__name__)

TEACHER_SIZE = 224
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Target:
    """What of the teacher the student is to answer with.

    neighbour_weight: how far a target is drawn to its neighbours. whitening: 0 keeps the variances of the principal components,
    1 makes them equal; equal variances bring out the differences between products.
    """

    neighbour_weight: float
    whitening: float


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome, besides the photos and the teacher."""

    input_size: int = 160
    dim: int = 256
    features: int = 640
    hidden_kept: float = 0.5
    crops: int = 10
    blended: float = 0.5
    demo_products: int = 300
    neighbours: int = 40
    similarity_weight: float = 4.0
    hint_weight: float = 1.0
    epochs: int = 60
    batch: int = 96
    learning_rate: float = 3e-4
    average_decay: float = 0.998
    seed: int = 7
    followed: Target = Target(neighbour_weight=0.25, whitening=0.0)
    fitted: Target = Target(neighbour_weight=0.5, whitening=0.45)


@dataclass(frozen=True)
class Crops:
    """Crops of training photos and what the teacher says of them.

    pixels: uint8 [n * crops, size, size, 3] on disk; teacher: float32 [n * crops, 1280], of unit length.
    The first crop of each photo is the whole photo.
    """

    pixels: NDArray[np.uint8]
    teacher: Features
    per_photo: int


def distil(photos: Sequence[Path], teacher: Path, work: Path, out: Path, recipe: Recipe) -> None:
    """Train and export. `work` keeps crops and checkpoints, so that an interrupted run continues where it stopped."""
    keras.utils.set_random_seed(recipe.seed)
    work.mkdir(parents=True, exist_ok=True)
    convolutions = student.read_teacher(str(teacher))
    crops = prepare_crops(photos, convolutions, work, recipe)
    targets = make_targets(crops, recipe, recipe.followed)
    network = initial_student(convolutions, crops, targets, recipe)
    train(network, crops, targets, work / "checkpoints", recipe)
    # The network learns best from plain targets; the last layer alone then answers with whitened ones.
    rows = np.sort(np.concatenate([np.arange(part, len(targets), crops.per_photo) for part in (0, 5)]))
    fit_projection(network, crops, make_targets(crops, recipe, recipe.fitted), rows, ridge=0.003)
    write_atomically(out, to_litert(network, half_precision_weights=True))
    write_atomically(out.with_suffix(".json"), json.dumps(asdict(recipe), indent=2).encode() + b"\n")


def prepare_crops(
    photos: Sequence[Path], convolutions: Sequence[student.ConvWeights], work: Path, recipe: Recipe
) -> Crops:
    """Cut the crops of the photos and of the demo's drawings, and run the teacher over them, once: the files are kept in `work`."""
    teacher = _LocalTeacher(convolutions)
    parts = [
        _cut(
            "photos",
            [str(photo) for photo in photos],
            lambda number: read_photo(photos[number]),
            teacher,
            work,
            recipe,
        )
    ]
    if recipe.demo_products:
        products = demo_products(count=recipe.demo_products)
        names = [f"{product.sku}/{view}" for product in products for view in range(2)]
        draw = functools.partial(_draw, products)
        parts.append(_cut("drawings", names, draw, teacher, work, recipe))
    pixels, features = zip(*parts, strict=True)
    return Crops(np.concatenate(pixels), np.concatenate(features), recipe.crops)


def _draw(products: Sequence[DemoProduct], number: int) -> Image.Image:
    return draw_view(products[number // 2], number % 2)


def _cut(
    kind: str,
    names: Sequence[str],
    read: Callable[[int], Image.Image],
    teacher: _LocalTeacher,
    work: Path,
    recipe: Recipe,
) -> tuple[NDArray[np.uint8], Features]:
    settings = [recipe.input_size, recipe.crops, recipe.blended, recipe.seed, *names]
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
    pixels_path, features_path = work / f"{kind}-{key}-pixels.npy", work / f"{kind}-{key}-teacher.npy"
    if features_path.exists():
        return np.load(pixels_path, mmap_mode="r"), np.load(features_path)
    side = recipe.input_size
    pixels = np.lib.format.open_memmap(
        pixels_path, mode="w+", dtype=np.uint8, shape=(len(names) * recipe.crops, side, side, 3)
    )
    features = np.zeros((len(pixels), 1280), np.float32)

    def cut(number: int) -> None:
        photo, random = read(number), np.random.default_rng([recipe.seed, number])
        for index in range(recipe.crops):
            crop = photo if index == 0 else random_crop(photo, random)
            if index and random.random() < recipe.blended:
                other = random_crop(read(int(random.integers(len(names)))), random)
                crop = blend(crop, other, TEACHER_SIZE, random)
            row = number * recipe.crops + index
            features[row] = teacher.embed(squash(crop, TEACHER_SIZE))
            pixels[row] = np.asarray(squash(crop, side))

    with ThreadPoolExecutor(2) as pool:
        list(tqdm(pool.map(cut, range(len(names))), total=len(names), desc=kind, unit="photo", mininterval=10))
    pixels.flush()
    np.save(features_path, features)
    return pixels, features


class _LocalTeacher:
    """The teacher as LiteRT, an interpreter a thread."""

    def __init__(self, convolutions: Sequence[student.ConvWeights]) -> None:
        network = student.build_network(TEACHER_SIZE, student.mobilenet_v2_blocks(), 1280, None)
        student.load_convolutions(network, convolutions)
        self._model = to_litert(network)
        self._local = threading.local()

    def embed(self, image: Image.Image) -> Features:
        """float32 [1280], of unit length."""
        if not hasattr(self._local, "interpreter"):
            self._local.interpreter = Interpreter(model_content=self._model, num_threads=1)
            self._local.interpreter.allocate_tensors()
        interpreter = self._local.interpreter
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.asarray(image, np.float32)[None] / 255)
        interpreter.invoke()
        return _unit(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])


def make_targets(crops: Crops, recipe: Recipe, target: Target) -> Features:
    """What the student is to answer for each crop: float32 [n, dim], of unit length."""
    whole = crops.teacher[:: crops.per_photo]
    mean = whole.mean(axis=0)
    _, deviations, components = np.linalg.svd(whole - mean, full_matrices=False)
    basis = components[: recipe.dim].T * deviations[: recipe.dim] ** -target.whitening
    projected = _unit((crops.teacher - mean) @ basis)
    gallery = projected[:: crops.per_photo]
    photo_of = np.arange(len(projected)) // crops.per_photo
    targets = np.empty_like(projected)
    for start in range(0, len(projected), 2048):
        block = projected[start : start + 2048]
        similarity = block @ gallery.T
        similarity[np.arange(len(block)), photo_of[start : start + 2048]] = -1.0
        nearest = np.argpartition(-similarity, recipe.neighbours, axis=1)[:, : recipe.neighbours]
        weights = np.square(np.take_along_axis(similarity, nearest, axis=1).clip(0))
        drawn = _unit(np.einsum("nk,nkd->nd", weights, gallery[nearest]))
        targets[start : start + 2048] = _unit(block + target.neighbour_weight * drawn)
    return targets


def initial_student(
    convolutions: Sequence[student.ConvWeights], crops: Crops, targets: Features, recipe: Recipe
) -> keras.Model:
    """The teacher's most useful channels, with a projection fitted to the targets by ridge regression."""
    size = recipe.input_size
    sample = np.random.default_rng(recipe.seed).choice(
        len(crops.pixels), size=min(1024, len(crops.pixels)), replace=False
    )
    photos = crops.pixels[np.sort(sample)].astype(np.float32) / np.float32(255)
    whole = student.build_network(size, student.mobilenet_v2_blocks(), 1280, None)
    student.load_convolutions(whole, convolutions)
    statistics = student.hidden_statistics(whole, photos[:512])
    blocks, kept = student.prune(
        convolutions, statistics, lambda hidden: math.ceil(hidden * recipe.hidden_kept / 8) * 8
    )
    wide = student.build_network(size, blocks, 1280, None)
    student.load_convolutions(wide, [*kept, convolutions[-1]])
    last = student.prune_last(convolutions[-1], wide.predict(photos, batch_size=64, verbose=0), recipe.features)
    network = student.build_network(size, blocks, recipe.features, recipe.dim)
    student.load_convolutions(network, [*kept, last])
    fit_projection(network, crops, targets, np.sort(sample), ridge=0.05)
    return network


def fit_projection(
    network: keras.Model, crops: Crops, targets: Features, rows: NDArray[np.int64], *, ridge: float
) -> None:
    """Set the last layer by ridge regression from the pooled features of these crops to their targets."""
    to_features = keras.Model(network.input, network.get_layer("features").output)
    pooled = np.concatenate(
        [
            to_features(crops.pixels[rows[start : start + 64]].astype(np.float32) / np.float32(255)).numpy()
            for start in range(0, len(rows), 64)
        ]
    )
    centre, wanted = pooled.mean(axis=0), targets[rows]
    gram = (pooled - centre).T @ (pooled - centre)
    penalty = ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    kernel = np.linalg.solve(gram + penalty, (pooled - centre).T @ (wanted - wanted.mean(axis=0)))
    bias = wanted.mean(axis=0) - centre @ kernel
    network.get_layer("projection").set_weights([kernel.astype(np.float32), bias.astype(np.float32)])


def train(network: keras.Model, crops: Crops, targets: Features, backup: Path, recipe: Recipe) -> None:
    """Make the network follow the targets, in place; it ends with the moving average of its weights.

    Args:
        network: the student.
        crops: what it sees.
        targets: float32 [n * crops, dim], what it is to answer.
        backup: folder that an interrupted training continues from, with more epochs too.
        recipe: how it is trained.
    """
    steps = len(crops.pixels) // crops.per_photo // recipe.batch
    inputs = keras.Input(network.input_shape[1:])
    embedding, features = keras.Model(network.input, [network.output, network.get_layer("features").output])(
        ChannelGain(0.1, recipe.seed)(inputs)
    )
    hint = layers.UnitNormalization(name="hint")(layers.Dense(crops.teacher.shape[1])(features))

    def load(rows: NDArray[np.int64], random: np.random.Generator) -> tuple[Any, ...]:
        pixels = crops.pixels[np.sort(rows)].astype(np.float32) / np.float32(255)
        mirrored = pixels[:, :, ::-1].copy() if random.random() < 0.5 else pixels
        return mirrored, (targets[np.sort(rows)], crops.teacher[np.sort(rows)])

    fit(
        keras.Model(inputs, [embedding, hint]),
        [FollowTargets(recipe.similarity_weight), FollowTargets(0.0, weight=recipe.hint_weight)],
        SampledBatches(
            lambda random: _draw_crops(crops, steps, recipe.batch, random), load, steps=steps, seed=recipe.seed
        ),
        FitSettings(
            epochs=recipe.epochs,
            learning_rate=recipe.learning_rate,
            final_share=0.02,
            warmup_steps=min(200, recipe.epochs * steps // 10),
            weight_decay=1e-4,
            ema_momentum=recipe.average_decay,
            clipnorm=1.0,
            seed=recipe.seed,
        ),
        backup=backup,
    )


class ChannelGain(layers.Layer):
    """Makes each colour channel of a photo up to so much brighter or darker, at random; only while it is trained.

    Input and output: float32 [B, side, side, 3] in [0, 1].
    """

    def __init__(self, most: float, seed: int, **layer: Any) -> None:
        super().__init__(**layer)
        self.most = most
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, photos: Any, training: bool = False) -> Any:
        if not training:
            return photos
        shape = (ops.shape(photos)[0], 1, 1, 3)
        gain = keras.random.uniform(shape, 1 - self.most, 1 + self.most, seed=self.seed_generator)
        return ops.clip(photos * gain, 0.0, 1.0)


class FollowTargets(keras.losses.Loss):
    """How far unit vectors are from their targets: 1 - cosine, and how far their similarities inside the batch are from theirs.

    targets, vectors: float32 [B, dim], L2-normalised. similarity_weight: of the second part (Tung & Mori, ICCV 2019).
    """

    def __init__(
        self, similarity_weight: float, *, weight: float = 1.0, name: str = "follow_targets", **loss: Any
    ) -> None:
        super().__init__(name, **loss)
        self.similarity_weight, self.weight = similarity_weight, weight

    def call(self, targets: Any, vectors: Any) -> Any:
        loss = 1 - ops.mean(ops.sum(vectors * targets, axis=1))
        if self.similarity_weight:
            gaps = ops.matmul(vectors, ops.transpose(vectors)) - ops.matmul(targets, ops.transpose(targets))
            loss += self.similarity_weight * ops.mean(ops.square(gaps))
        return self.weight * loss


def _draw_crops(crops: Crops, steps: int, batch: int, random: np.random.Generator) -> NDArray[np.int64]:
    """One crop of every photo, in random order; the whole photo comes up as often as any two crops. int64 [steps, batch]."""
    count = len(crops.pixels) // crops.per_photo
    choice = np.maximum(random.integers(-1, crops.per_photo, size=count), 0)
    rows = random.permutation(np.arange(count) * crops.per_photo + choice)
    return rows[: steps * batch].reshape(steps, batch)


def _unit(vectors: Features) -> Features:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train the bundled encoder by distillation.")
    parser.add_argument("--photos", nargs="+", type=Path, required=True, help="folders of photos, searched in depth")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of a MobileNetV2 feature vector SavedModel")
    parser.add_argument("--work", type=Path, required=True, help="folder for crops and checkpoints (about 5 GB)")
    parser.add_argument("--out", type=Path, required=True, help="the .tflite file to write")
    simple = {name: value for name, value in asdict(Recipe()).items() if isinstance(value, (int, float))}
    for name, default in simple.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(default), default=default, help="default: %(default)s"
        )
    arguments = vars(parser.parse_args())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folders: list[Path] = arguments.pop("photos")
    photos = photos_in(folders)
    if not photos:
        parser.error(f"no photo found in {', '.join(map(str, folders))}")
    teacher, work, out = (arguments.pop(name) for name in ("teacher", "work", "out"))
    distil(photos, teacher, work, out, Recipe(**arguments))


if __name__ == "__main__":
    main()
