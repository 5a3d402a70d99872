"""A Siamese network: two tied towers and a distance between what they see in two photos (Bromley et al., NIPS 1993).

It is trained from scratch on photos (`image_tower`), or on features of a frozen encoder (`feature_tower`), with the contrastive or
the triplet loss. The towers are one network: it runs once over a batch of P classes with K photos each, and the loss reads all
pairs or triplets of that batch, far more than pairs laid side by side would give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from embeddings.evaluation.metrics import retrieval_metrics
from embeddings.evaluation.verification import (
    Pairs,
    best_threshold,
    draw_pairs,
    nearest_neighbour_accuracy,
    verification_accuracy,
)
from training.config import DISTANCES, METRIC_LOSSES, TrainingConfig
from training.heads import loss_of
from training.losses import paired_distances
from training.samplers import Rows, SampledBatches, sampler_of, steps_of
from training.trainer import FitSettings, Fitted, OnEpoch, backup_folder, fit

# Pairs of validation photos that the threshold is chosen on.
_THRESHOLD_PAIRS = 10_000
_MOST_VALIDATED = 5_000

Array = NDArray[Any]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Augmentation:
    """How far a training photo is moved at random, each way.

    Attributes:
        shift_px: along each axis, in pixels.
        rotation_degrees: around the middle.
        zoom: share of its size.
    """

    shift_px: float = 2.0
    rotation_degrees: float = 12.0
    zoom: float = 0.1

    def layers(self, side: int, seed: int) -> list[keras.layers.Layer]:
        """Preprocessing layers for photos of this side in pixels. Pixels beyond an edge repeat it."""
        shift = self.shift_px / side
        return [
            layers.RandomTranslation(shift, shift, fill_mode="nearest", seed=seed),
            layers.RandomRotation(self.rotation_degrees / 360, fill_mode="nearest", seed=seed + 1),
            layers.RandomZoom(self.zoom, fill_mode="nearest", seed=seed + 2),
        ]


@dataclass(frozen=True)
class SiameseScores:
    """Accuracies on photos held out.

    Attributes:
        nearest_neighbour: share of photos whose nearest gallery photo is of their class.
        verification: share of pairs that the threshold calls right.
        threshold: the distance up to which a pair is called the same.
    """

    nearest_neighbour: float
    verification: float
    threshold: float


@keras.saving.register_keras_serializable("lookalike")
class SiameseNetwork(keras.Model):
    """Two tied towers and a distance (Bromley et al., "Signature Verification using a Siamese Time Delay Neural Network", 1993).

    tower: photos float32 [B, side, side, channels] in [0, 1], or features float32 [B, features], to float32 [B, dim],
    L2-normalised. Called with a pair of such batches it returns their distances, float32 [B]. threshold: the distance up to which
    two photos are the same, None before one is chosen.
    """

    def __init__(self, tower: keras.Model, distance: str = "l2", threshold: float | None = None, **model: Any) -> None:
        super().__init__(**model)
        if distance not in DISTANCES:
            raise ValueError(f"no distance is named {distance!r}; there are {', '.join(DISTANCES)}")
        self.tower = tower
        self.distance = distance
        self.threshold = threshold
        self.built = True  # the tower has its weights already

    def call(self, pair: tuple[Any, Any], training: bool = False) -> Any:
        left, right = (self.tower(_unit_range(side), training=training) for side in pair)
        return paired_distances(left, right, self.distance)

    def embed(self, x: Array, batch: int = 512) -> Features:
        """float32 [n, dim], L2-normalised, of photos (uint8, or float32 in [0, 1]; a lone channel may be left out) or features."""
        x = _shaped(x, self.tower)
        parts = [self.tower(_unit_range(x[start : start + batch]), training=False) for start in range(0, len(x), batch)]
        return np.concatenate([np.asarray(part.numpy(), np.float32) for part in parts])

    def same(self, left: Array, right: Array) -> NDArray[np.bool_]:
        """Whether each photo of `left` shows the same as that of `right`: bool [n]. Raises ValueError without a threshold."""
        if self.threshold is None:
            raise ValueError("this network has no threshold yet: choose one with best_threshold")
        distances = paired_distances(self.embed(left), self.embed(right), self.distance)
        return np.asarray(distances.numpy() <= self.threshold)

    def get_config(self) -> dict[str, Any]:
        tower = keras.saving.serialize_keras_object(self.tower)
        return {**super().get_config(), "tower": tower, "distance": self.distance, "threshold": self.threshold}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> SiameseNetwork:
        """The network that get_config described."""
        tower = keras.saving.deserialize_keras_object(config["tower"], custom_objects=custom_objects)
        return cls(**{**config, "tower": tower})


def image_tower(side: int, channels: int, dim: int, *, seed: int = 7) -> keras.Model:
    """A small ConvNet on photos.

    Each block halves the side until 7 x 7 are left: two blocks for a digit of 28 x 28. No batch normalisation, so that it does the
    same in training, in evaluation and exported.

    Args:
        side: of the photos, in pixels; 8 at least.
        channels: of the photos.
        dim: embedding dimension; 2 at least.
        seed: of the weights.

    Returns:
        float32 [B, side, side, channels] in [0, 1] -> float32 [B, dim], L2-normalised.

    Raises:
        ValueError: a number is too small.
    """
    if side < 8 or channels < 1 or dim < 2:
        raise ValueError(
            f"a tower needs a side of 8, 1 channel and 2 dimensions at least, not {side}, {channels}, {dim}"
        )
    x = inputs = keras.Input((side, side, channels))
    blocks = max(1, math.ceil(math.log2(side / 7)))
    for block in range(blocks):
        x = layers.Conv2D(
            32 * 2 ** min(block, 2), 5 if block == 0 else 3, padding="same", activation="relu",
            kernel_initializer=_initializer(seed, block), name=f"conv_{block}",
        )(x)  # fmt: skip
        x = layers.MaxPooling2D(name=f"pool_{block}")(x)
    x = layers.Conv2D(
        64, 3, padding="same", activation="relu", kernel_initializer=_initializer(seed, blocks), name=f"conv_{blocks}"
    )(x)
    x = layers.Flatten(name="features")(x)
    return _projected(inputs, x, dim, seed)


def feature_tower(features: int, dim: int, *, hidden: int = 512, seed: int = 7) -> keras.Model:
    """A network of one hidden layer on features of a frozen encoder: float32 [B, features] -> float32 [B, dim], L2-normalised."""
    if features < 1 or hidden < 1 or dim < 2:
        raise ValueError(f"a tower needs 1 feature and 2 dimensions at least, not {features}, {dim}")
    inputs = keras.Input((features,))
    x = layers.UnitNormalization(name="unit_features")(inputs)
    x = layers.Dense(hidden, activation="relu", kernel_initializer=_initializer(seed, 0), name="hidden")(x)
    return _projected(inputs, x, dim, seed)


def _projected(inputs: Any, x: Any, dim: int, seed: int) -> keras.Model:
    x = layers.Dense(dim, kernel_initializer=keras.initializers.GlorotUniform(seed + 99), name="projection")(x)
    return keras.Model(inputs, layers.UnitNormalization(name="embedding")(x), name="tower")


def _initializer(seed: int, layer: int) -> Any:
    return keras.initializers.HeNormal(seed + layer)


def train_siamese(
    train_x: Array, train_labels: Array, validation_x: Array, validation_labels: Array, tower: keras.Model,
    config: TrainingConfig, *, augmentation: Augmentation | None = None, on_epoch: OnEpoch | None = None,
    checkpoints: Path | None = None,
) -> tuple[SiameseNetwork, Fitted]:  # fmt: skip
    """Train the tower, in place, until the validation score no longer rises, and choose the network's threshold.

    Args:
        train_x: uint8 or float32, as `SiameseNetwork.embed` takes them.
        train_labels: int or str [n].
        validation_x: as `train_x`.
        validation_labels: int or str [v]; they may be classes that were never trained on.
        tower: of the photos' shape.
        config: how it is trained. The semi-hard mining of its defaults keeps a tower with random weights from collapsing.
        augmentation: how photos are moved at random; None for none.
        on_epoch: called after each epoch.
        checkpoints: folder that an interrupted training, called again with the same arguments, continues from.

    Returns:
        The network with the averaged weights of its best epoch, and how its training went. The score is the mAP inside the
        validation set.

    Raises:
        ValueError: data or options that nothing can be learnt from.
        TrainingFailed: the loss is no number any more.
    """
    if not config.metric_loss:
        raise ValueError(f"no Siamese loss is named {config.loss!r}; there are {', '.join(METRIC_LOSSES)}")
    network = SiameseNetwork(tower, config.distance)
    train_x, validation_x = _shaped(train_x, tower), _shaped(validation_x, tower)
    _check_data("training", train_x, train_labels)
    _check_data("validation", validation_x, validation_labels)
    classes = np.unique(train_labels, return_inverse=True)[1]
    if np.bincount(classes).min() < 2:
        raise ValueError("a class has a single training photo: no pair can be made of it; leave it out or add photos")
    steps = steps_of(config, len(train_x), config.batch_size)

    def load(rows: Rows, _: np.random.Generator) -> tuple[Any, ...]:
        return np.asarray(_unit_range(train_x[rows])), classes[rows].astype(np.float32)

    moved = augmentation.layers(train_x.shape[1], config.seed) if augmentation and train_x.ndim == 4 else []
    fitted = fit(
        keras.Sequential([keras.Input(tower.input_shape[1:]), *moved, tower]),
        loss_of(config),
        SampledBatches(
            sampler_of(config, classes, steps=steps, batch_size=config.batch_size), load, steps=steps, seed=config.seed
        ),
        FitSettings(
            epochs=config.epochs, patience=config.patience, learning_rate=config.learning_rate, final_share=0.02,
            weight_decay=config.weight_decay, ema_momentum=config.ema_momentum, clipnorm=1.0, seed=config.seed,
        ),
        validate=lambda: _validation_map(network.embed(validation_x), validation_labels),
        backup=backup_folder(checkpoints, config, train_x, classes, validation_x, np.asarray(validation_labels)),
        on_epoch=on_epoch,
    )  # fmt: skip
    pairs = draw_pairs(validation_labels, _THRESHOLD_PAIRS, seed=config.seed)
    network.threshold = best_threshold(_pair_distances(network, network.embed(validation_x), pairs), pairs.same)
    return network, fitted


def evaluate_siamese(
    network: SiameseNetwork, gallery_x: Array, gallery_labels: Array, test_x: Array, test_labels: Array, *,
    pairs: int = 20_000, seed: int = 7,
) -> SiameseScores:  # fmt: skip
    """Accuracy on photos held out: of the nearest gallery photo's class, and of same or different on pairs of test photos.

    Args:
        network: with a threshold, which was chosen on other photos than those tested.
        gallery_x: uint8 or float32, as `SiameseNetwork.embed` takes them.
        gallery_labels: int or str [g].
        test_x: as `gallery_x`.
        test_labels: int or str [t].
        pairs: how many pairs of test photos, half of them of one class.
        seed: of the pairs.

    Returns:
        The accuracies.

    Raises:
        ValueError: the network has no threshold.
    """
    if network.threshold is None:
        raise ValueError("this network has no threshold yet: choose one on validation pairs with best_threshold")
    tested = network.embed(test_x)
    nearest = nearest_neighbour_accuracy(tested, test_labels, network.embed(gallery_x), gallery_labels)
    drawn = draw_pairs(test_labels, pairs, seed=seed)
    verified = verification_accuracy(_pair_distances(network, tested, drawn), drawn.same, network.threshold)
    return SiameseScores(nearest, verified, network.threshold)


def hold_out(labels: Array, per_class: int, *, seed: int) -> tuple[Rows, Rows]:
    """Divide photos at random into those to train on and, of each class, some to validate on.

    Args:
        labels: int or str [n].
        per_class: photos of each class to validate on.
        seed: of the random numbers.

    Returns:
        Rows to train on and rows to validate on, int64, in order.

    Raises:
        ValueError: fewer than two photos of a class would be left to train on.
    """
    names, sizes = np.unique(labels, return_counts=True)
    if per_class < 1 or (sizes < per_class + 2).any():
        raise ValueError(f"a class has too few photos to hold {per_class} out and train on two")
    order = np.random.default_rng(seed).permutation(len(labels))
    held = np.concatenate([order[labels[order] == name][:per_class] for name in names])
    return np.setdiff1d(order, held), np.sort(held)


def _validation_map(vectors: Features, labels: Array) -> float:
    """MAP of a sample of the photos, each searched for among the others of the sample."""
    rows = np.random.default_rng(0).permutation(len(labels))[:_MOST_VALIDATED]
    sample, names = vectors[rows], labels[rows].astype(np.str_)
    return retrieval_metrics(sample, names, sample, names, leave_one_out=True).mean_average_precision


def _pair_distances(network: SiameseNetwork, vectors: Features, pairs: Pairs) -> Features:
    distances = paired_distances(vectors[pairs.left], vectors[pairs.right], network.distance)
    return np.asarray(distances.numpy(), np.float32)


def _shaped(x: Array, tower: keras.Model) -> Array:
    """The array as the tower takes it: a lone channel that was left out is added. Raises ValueError for another shape or dtype."""
    wanted = tuple(tower.input_shape[1:])
    if wanted[-1] == 1 and x.shape[1:] == wanted[:-1] and len(wanted) == 3:
        x = x[..., None]
    if x.shape[1:] != wanted or x.dtype not in (np.uint8, np.float32):
        raise ValueError(
            f"the tower takes uint8 or float32 [n, {', '.join(map(str, wanted))}], not {x.dtype} {list(x.shape)}"
        )
    return x


def _unit_range(x: Any) -> Any:
    """float32: bytes from 0 to 255 become [0, 1], floats stay."""
    return ops.cast(x, "float32") / 255 if keras.backend.standardize_dtype(x.dtype) == "uint8" else x


def _check_data(what: str, x: Array, labels: Array) -> None:
    if len(x) != len(labels):
        raise ValueError(f"{len(x)} {what} photos, but {len(labels)} labels")
    sizes = np.unique(labels, return_counts=True)[1]
    if len(sizes) < 2:
        raise ValueError(f"the {what} photos are of {len(sizes)} class: at least 2 are needed")
    if sizes.max() < 2:
        raise ValueError(f"no class has two {what} photos: no pair can be made")
    if x.dtype == np.float32 and not np.isfinite(x).all():
        raise ValueError(f"the {what} data holds values that are not finite numbers")
