"""A Siamese network as a model of its own: two tied towers that say how far apart two photos are (Bromley et al., NIPS 1993).

It is trained from scratch on photos (MNIST's digits: `load_digits`, `image_tower`), or on features of a frozen encoder
(`feature_tower`), with the contrastive or the triplet loss. The towers are one network: it runs once over a batch of P classes
with K photos each, and the loss reads all pairs or triplets of that batch, far more than pairs laid side by side would give.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from embeddings.errors import TrainingFailed
from embeddings.training.export import write_atomically
from embeddings.training.losses import DISTANCES, Margin, make_loss, paired_distances

logger = logging.getLogger(__name__)

LOSSES = ("contrastive", "triplet")
CHECKPOINT = "siamese.npz"

Array = NDArray[Any]
Features = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Augmentation:
    """How far a training photo is moved at random, each way: pixels along each axis, degrees, share of its size."""

    shift_px: float = 2.0
    rotation_degrees: float = 12.0
    zoom: float = 0.1


@dataclass(frozen=True)
class SiameseOptions:
    """Everything that decides the outcome, besides the data and the tower.

    loss: contrastive or triplet; distance, margin and mining: as in `losses.make_loss`, the distance also the network's own.
    Mining is semi-hard, since batch-hard lets a tower with random weights collapse to a point: the loss stays at the margin.
    classes_per_batch x photos_per_class: the batch (Hermans et al., 2017, section 2); fewer classes where there are fewer.
    steps_per_epoch: None for about one pass over the photos. learning_rate: the highest; it falls along a cosine to a fiftieth.
    patience: epochs without a better validation score before training stops. augmentation: of photos alone; None for none.
    threshold_pairs: how many validation pairs the same/different threshold is chosen on.
    """

    loss: str = "triplet"
    distance: str = "l2"
    margin: Margin | None = None
    mining: str = "semi-hard"
    classes_per_batch: int = 10
    photos_per_class: int = 12
    epochs: int = 6
    steps_per_epoch: int | None = None
    learning_rate: float = 1e-3
    patience: int = 3
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    threshold_pairs: int = 10_000
    seed: int = 7


@dataclass(frozen=True)
class Epoch:
    """One pass. loss: its mean; score: nearest-neighbour accuracy inside the validation set, in [0, 1]; seconds: with that."""

    number: int
    loss: float
    score: float
    seconds: float


@dataclass(frozen=True)
class SiameseResult:
    """network: with the weights of the best epoch and a threshold; curve: every epoch, in order; best: of equals the latest."""

    network: SiameseNetwork
    curve: list[Epoch]
    best: Epoch


@dataclass(frozen=True)
class SiameseScores:
    """nearest_neighbour, verification: accuracies in [0, 1]; threshold: the distance up to which a pair was called the same."""

    nearest_neighbour: float
    verification: float
    threshold: float


@dataclass(frozen=True)
class Digits:
    """MNIST. Images: uint8 [n, 28, 28], black paper; labels: int64 [n], 0 to 9. In order of digits."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """left, right: int64 [n], rows of the two; same: bool [n], whether they are of one class."""

    left: Rows
    right: Rows
    same: NDArray[np.bool_]


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
    """A small ConvNet: float32 [B, side, side, channels] in [0, 1] -> float32 [B, dim], L2-normalised.

    Each block halves the side until 7 x 7 are left: two blocks for a digit of 28 x 28. No batch normalisation, so that it does the
    same in training, in evaluation and exported.
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
    train_x: Array,
    train_labels: Array,
    validation_x: Array,
    validation_labels: Array,
    tower: keras.Model,
    options: SiameseOptions = SiameseOptions(),
    on_progress: Callable[[Epoch], None] | None = None,
    checkpoints: Path | None = None,
) -> SiameseResult:
    """Train the tower, in place, until the validation score no longer rises.

    train_x, validation_x: uint8 or float32, as `SiameseNetwork.embed` takes them. Labels: int or str [n]; those of validation may
    be classes never trained on. checkpoints: a folder; a run that was interrupted goes on after its last finished epoch when it
    is called again with the same arguments, and ends as if nothing had happened. on_progress: called after each epoch.
    Raises ValueError for data or options that nothing can be learnt from, TrainingFailed when the loss is no number any more.
    """
    _check_options(options)
    network = SiameseNetwork(tower, options.distance)
    train_x, validation_x = _shaped(train_x, tower), _shaped(validation_x, tower)
    _check_data("training", train_x, train_labels)
    _check_data("validation", validation_x, validation_labels)
    classes = np.unique(train_labels, return_inverse=True)[1]
    smallest = np.bincount(classes).min()
    if smallest < 2:
        raise ValueError("a class has a single training photo: no pair can be made of it; leave it out or add photos")
    steps = options.steps_per_epoch or max(1, len(train_x) // (options.classes_per_batch * options.photos_per_class))
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(options.learning_rate, options.epochs * steps, alpha=0.02), clipnorm=1.0
    )
    optimizer.build(tower.trainable_variables)
    state = _State(
        tower, optimizer, checkpoints, _key(train_x, classes, validation_x, validation_labels, tower, options)
    )
    state.restore()
    step = _training_step(tower, optimizer, options)
    while not _is_over(state.curve, options):
        number, started, total = len(state.curve) + 1, time.monotonic(), tf.zeros(())
        for rows in _batches(classes, steps, options, number):
            total += step(tf.constant(train_x[rows]), tf.constant(classes[rows]))
        loss = float(total) / steps
        if not math.isfinite(loss):
            raise TrainingFailed(
                f"the loss is {loss} in epoch {number}: take a lower learning rate than {options.learning_rate:g}"
            )
        score = _leave_one_out(network.embed(validation_x), validation_labels)
        state.add(Epoch(number, loss, score, time.monotonic() - started))
        logger.info("epoch %d: loss %.4f, validation %.4f, %.0f s", *asdict(state.curve[-1]).values())
        if on_progress:
            on_progress(state.curve[-1])
    tower.set_weights(state.best_weights)
    pairs = draw_pairs(validation_labels, options.threshold_pairs, seed=options.seed)
    network.threshold = best_threshold(_pair_distances(network, network.embed(validation_x), pairs), pairs.same)
    return SiameseResult(network, state.curve, _best(state.curve))


def evaluate_siamese(
    network: SiameseNetwork,
    gallery_x: Array,
    gallery_labels: Array,
    test_x: Array,
    test_labels: Array,
    *,
    pairs: int = 20_000,
    seed: int = 7,
) -> SiameseScores:
    """Accuracy on photos held out: of the nearest gallery photo's class, and of same or different on balanced pairs of test photos.

    Raises ValueError for a network without a threshold: it is chosen on validation pairs, never on those tested.
    """
    if network.threshold is None:
        raise ValueError("this network has no threshold yet: choose one on validation pairs with best_threshold")
    tested = network.embed(test_x)
    nearest = nearest_neighbour_accuracy(tested, test_labels, network.embed(gallery_x), gallery_labels)
    drawn = draw_pairs(test_labels, pairs, seed=seed)
    verified = verification_accuracy(_pair_distances(network, tested, drawn), drawn.same, network.threshold)
    return SiameseScores(nearest, verified, network.threshold)


def nearest_neighbour_accuracy(
    queries: Features,
    query_labels: Array,
    gallery: Features,
    gallery_labels: Array,
    *,
    distance: str = "cosine",
    chunk: int = 512,
) -> float:
    """Share of queries whose nearest gallery vector is of their class, in [0, 1]. Of equally near ones the first counts.

    queries: float32 [q, dim]; gallery: float32 [g, dim], not empty. distance: cosine or l2. chunk: queries compared at a time.
    """
    if distance not in ("cosine", "l2"):
        raise ValueError(f"no distance is named {distance!r} here; there are cosine, l2")
    if not len(queries) or not len(gallery):
        raise ValueError("there must be a query and a gallery photo to compare it with")
    if distance == "cosine":
        queries, gallery = _unit(queries), _unit(gallery)
    half_squares = np.square(gallery).sum(axis=1) / 2
    right = 0
    for start in range(0, len(queries), chunk):
        nearness = queries[start : start + chunk] @ gallery.T - half_squares
        right += int((gallery_labels[nearness.argmax(axis=1)] == query_labels[start : start + chunk]).sum())
    return right / len(queries)


def draw_pairs(labels: Array, count: int, *, seed: int) -> Pairs:
    """Half as many pairs of one class as `count`, and as many of two; any photo is as likely as any other to be the left one.

    labels: int or str [n]. A photo is never paired with itself; the same pair may be drawn twice. Raises ValueError with fewer than
    two classes, or where no class has two photos.
    """
    random = np.random.default_rng(seed)
    _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(sizes) < 2 or sizes.max() < 2:
        raise ValueError("pairs need two classes, and two photos in one of them")
    order = np.argsort(classes, kind="stable")  # photos by class; a class is a block of them
    first = np.cumsum(sizes) - sizes
    block = classes[order]
    half = max(1, count // 2)
    at = random.choice(np.flatnonzero(sizes[block] > 1), half)
    size, start = sizes[block[at]], first[block[at]]
    partner = start + (at - start + random.integers(1, size)) % size
    odd = random.integers(len(labels), size=half)
    size, start = sizes[block[odd]], first[block[odd]]
    other = (start + size + random.integers(len(labels) - size)) % len(labels)
    rows = np.concatenate([at, odd]), np.concatenate([partner, other])
    return Pairs(order[rows[0]], order[rows[1]], np.arange(2 * half) < half)


def best_threshold(distances: Features, same: NDArray[np.bool_]) -> float:
    """The threshold that calls most pairs right when distances up to it are "the same": midway between two distances.

    distances: float32 [n], n above 0; same: bool [n].
    """
    order = np.argsort(distances, kind="stable")
    ordered = distances[order]
    right = np.concatenate([[0], np.cumsum(np.where(same[order], 1, -1))])
    # A cut between two equal distances cannot be made.
    right[1:-1][ordered[1:] == ordered[:-1]] = -len(distances) - 1
    cut = int(right.argmax())
    if cut == 0:
        return float(np.nextafter(ordered[0], np.float32(-np.inf)))
    return float(ordered[cut - 1 : cut + 1].mean())


def verification_accuracy(distances: Features, same: NDArray[np.bool_], threshold: float) -> float:
    """Share of pairs called right when distances up to the threshold are "the same". distances: float32 [n]; same: bool [n]."""
    return float(((distances <= threshold) == same).mean())


def hold_out(labels: Array, per_class: int, *, seed: int) -> tuple[Rows, Rows]:
    """Rows to train on and, of each class, `per_class` rows to validate on, at random: int64 [n] twice, in order.

    labels: int or str [n]. Raises ValueError where fewer than two photos of a class would be left to train on.
    """
    names, sizes = np.unique(labels, return_counts=True)
    if per_class < 1 or (sizes < per_class + 2).any():
        raise ValueError(f"a class has too few photos to hold {per_class} out and train on two")
    order = np.random.default_rng(seed).permutation(len(labels))
    held = np.concatenate([order[labels[order] == name][:per_class] for name in names])
    return np.setdiff1d(order, held), np.sort(held)


def load_digits(folder: Path) -> Digits:
    """MNIST from its parts `{train,test}_{digit}_{part}.npz`, each with `images`, uint8 [n, 28, 28], and one `label`.

    Raises ValueError where the folder has no such parts, or a part is not what its name says.
    """
    return Digits(*_read_split(folder, "train"), *_read_split(folder, "test"))


def _read_split(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    paths = sorted(folder.glob(f"{split}_[0-9]_*.npz"))
    if missing := set("0123456789") - {path.name.split("_")[1] for path in paths}:
        raise ValueError(
            f"{folder} lacks {split} digits {', '.join(sorted(missing))}: it must hold files like {split}_0_0.npz, "
            f"each with `images` (uint8 [n, 28, 28]) and `label`"
        )
    images, labels = [], []
    for path in paths:
        with np.load(path) as part:
            if "images" not in part or "label" not in part:
                raise ValueError(f"{path} must hold `images` and `label`, not {', '.join(part) or 'nothing'}")
            digits, label = part["images"], int(part["label"])
        if label != int(path.name.split("_")[1]):
            raise ValueError(f"{path} says that its label is {label}")
        if digits.dtype != np.uint8 or digits.shape[1:] != (28, 28):
            raise ValueError(f"{path} holds images {digits.dtype} {digits.shape}, not uint8 [n, 28, 28]")
        images.append(digits)
        labels.append(np.full(len(digits), label, np.int64))
    return np.concatenate(images), np.concatenate(labels)


class _State:
    """What training has reached: weights, optimiser, curve and the best weights, in one file that is whole or not there."""

    def __init__(self, tower: keras.Model, optimizer: Any, folder: Path | None, key: str) -> None:
        self.curve: list[Epoch] = []
        self.best_weights: list[Features] = tower.get_weights()
        self._tower, self._optimizer, self._key = tower, optimizer, key
        self._path = folder / CHECKPOINT if folder else None

    def restore(self) -> None:
        if self._path is None or not self._path.exists():
            return
        with np.load(self._path) as stored:
            if str(stored["key"]) != self._key:
                raise ValueError(
                    f"{self._path} is of another training (other options, data or tower): name another folder or remove it"
                )
            self.curve = [Epoch(**epoch) for epoch in json.loads(str(stored["curve"]))]
            count = len(self.best_weights)
            self._tower.set_weights([stored[f"weights_{i}"] for i in range(count)])
            self.best_weights = [stored[f"best_{i}"] for i in range(count)]
            for i, variable in enumerate(self._optimizer.variables):
                variable.assign(stored[f"optimizer_{i}"])
        logger.info("going on after epoch %d", len(self.curve))

    def add(self, epoch: Epoch) -> None:
        self.curve.append(epoch)
        if _best(self.curve) is epoch:
            self.best_weights = self._tower.get_weights()
        if self._path is None:
            return
        arrays: dict[str, Any] = {
            "key": self._key,
            "curve": json.dumps([asdict(each) for each in self.curve]),
            **{f"weights_{i}": value for i, value in enumerate(self._tower.get_weights())},
            **{f"best_{i}": value for i, value in enumerate(self.best_weights)},
            **{f"optimizer_{i}": variable.numpy() for i, variable in enumerate(self._optimizer.variables)},
        }
        content = io.BytesIO()
        np.savez(content, **arrays)
        write_atomically(self._path, content.getvalue())


def _training_step(tower: keras.Model, optimizer: Any, options: SiameseOptions) -> Any:
    loss_of = make_loss(options.loss, margin=options.margin, distance=options.distance, mining=options.mining)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(x: Any, classes: Any) -> Any:
        x = _unit_range(x)
        if options.augmentation and len(x.shape) == 4:
            x = _moved(x, options.augmentation, options.seed, optimizer.iterations)
        with tf.GradientTape() as tape:
            loss = loss_of(classes, tower(x, training=True))
        gradients = tape.gradient(loss, tower.trainable_variables)
        optimizer.apply_gradients(zip(gradients, tower.trainable_variables, strict=True))
        return loss

    return step


def _moved(images: Any, augmentation: Augmentation, seed: int, step: Any) -> Any:
    """Each image shifted, turned and scaled at random around its middle: float32 [B, side, side, channels].

    seed, step: the same two move the images the same way. Beyond an edge the edge goes on.
    """
    count, side = tf.shape(images)[0], images.shape[1]
    seeds = tf.stack([tf.cast(seed, tf.int32), tf.cast(step, tf.int32)])
    angle, zoom, right, down = tf.unstack(tf.random.stateless_uniform([4, count], seeds, -1.0, 1.0))
    angle *= augmentation.rotation_degrees * math.pi / 180
    scale = 1 + zoom * augmentation.zoom
    a, b = tf.cos(angle) * scale, tf.sin(angle) * scale
    middle = (side - 1) / 2
    x = middle * (1 - a) + middle * b + right * augmentation.shift_px
    y = middle * (1 - a) - middle * b + down * augmentation.shift_px
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, -b, x, b, a, y, zero, zero], axis=1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _batches(classes: Rows, steps: int, options: SiameseOptions, epoch: int) -> Iterator[Rows]:
    """Rows of P classes with K photos each. A class's photos come up in random order, all of them before one comes again."""
    random = np.random.default_rng([options.seed, epoch])
    rows_of = [np.flatnonzero(classes == number) for number in range(classes.max() + 1)]
    waiting: list[Rows] = [random.permutation(rows) for rows in rows_of]
    per_batch = min(options.classes_per_batch, len(rows_of))
    for _ in range(steps):
        batch = []
        for number in random.choice(len(rows_of), per_batch, replace=False):
            while len(waiting[number]) < options.photos_per_class:
                waiting[number] = np.concatenate([waiting[number], random.permutation(rows_of[number])])
            batch.append(waiting[number][: options.photos_per_class])
            waiting[number] = waiting[number][options.photos_per_class :]
        yield np.concatenate(batch)


def _leave_one_out(vectors: Features, labels: Array) -> float:
    """Share of photos whose nearest other photo is of their class; those without another of their class are not counted."""
    _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    counted = np.flatnonzero(sizes[classes] > 1)
    right = 0
    for start in range(0, len(counted), 512):
        rows = counted[start : start + 512]
        similarity = vectors[rows] @ vectors.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        right += int((classes[similarity.argmax(axis=1)] == classes[rows]).sum())
    return right / len(counted)


def _pair_distances(network: SiameseNetwork, vectors: Features, pairs: Pairs) -> Features:
    distances = paired_distances(vectors[pairs.left], vectors[pairs.right], network.distance)
    return np.asarray(distances.numpy(), np.float32)


def _best(curve: list[Epoch]) -> Epoch:
    return max(curve, key=lambda epoch: (epoch.score, epoch.number))


def _is_over(curve: list[Epoch], options: SiameseOptions) -> bool:
    """After all epochs, or when none of the last `patience` was better than what came before them."""
    if len(curve) <= options.patience:
        return len(curve) >= options.epochs
    before, lately = curve[: -options.patience], curve[-options.patience :]
    stalled = max(epoch.score for epoch in lately) <= max(epoch.score for epoch in before)
    return stalled or len(curve) >= options.epochs


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
    return tf.cast(x, tf.float32) / 255 if x.dtype in (np.uint8, tf.uint8) else tf.convert_to_tensor(x)


def _unit(vectors: Features) -> Features:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _check_data(what: str, x: Array, labels: Array) -> None:
    if len(x) != len(labels):
        raise ValueError(f"{len(x)} {what} photos, but {len(labels)} labels")
    sizes = np.unique(labels, return_counts=True)[1]
    if len(sizes) < 2:
        raise ValueError(f"the {what} photos are of {len(sizes)} class: at least 2 are needed to tell apart")
    if sizes.max() < 2:
        raise ValueError(f"no class has two {what} photos: no pair can be made")
    if x.dtype == np.float32 and not np.isfinite(x).all():
        raise ValueError(f"the {what} data holds values that are not finite numbers")


def _check_options(options: SiameseOptions) -> None:
    if options.loss not in LOSSES:
        raise ValueError(f"no Siamese loss is named {options.loss!r}; there are {', '.join(LOSSES)}")
    if options.classes_per_batch < 2 or options.photos_per_class < 2:
        raise ValueError("a batch needs 2 classes and 2 photos of each at least")
    if min(options.epochs, options.patience, options.steps_per_epoch or 1, options.threshold_pairs) < 1:
        raise ValueError("epochs, patience, steps_per_epoch and threshold_pairs must be 1 at least")
    if not (math.isfinite(options.learning_rate) and options.learning_rate > 0):
        raise ValueError(f"learning_rate must be above 0, not {options.learning_rate}")


def _key(
    train_x: Array,
    classes: Array,
    validation_x: Array,
    validation_labels: Array,
    tower: keras.Model,
    options: SiameseOptions,
) -> str:
    """A hash of all that decides the outcome, so that no checkpoint is taken for that of another training."""
    shapes = [list(map(str, tower.input_shape)), [list(weight.shape) for weight in tower.weights]]
    key = hashlib.sha256(json.dumps([asdict(options), shapes]).encode())
    for array in (train_x, classes, validation_x, np.asarray(validation_labels)):
        key.update(f"{array.dtype} {array.shape}".encode())
        key.update(np.ascontiguousarray(array).data)
    return key.hexdigest()
