"""Trains a head on a frozen backbone's features: a feature-vector layer and a classification layer, of which the first is kept."""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from embeddings.errors import TrainingFailed
from embeddings.training.export import write_atomically
from embeddings.training.features import Features
from embeddings.training.losses import CosineClassifier, make_loss

METRIC_LOSSES = ("contrastive", "triplet")
_TINY = 1e-7
# A feature that hardly varies among the photos to train on is not blown up for others: of the mean variance, at the least.
_LEAST_VARIANCE = 0.05

Embeddings = NDArray[np.float32]
Embed = Callable[[NDArray[Any]], Embeddings]


@dataclass(frozen=True)
class HeadOptions:
    """Everything that decides how a head is trained.

    loss, margin, distance, mining: see `losses.make_loss`. dim: length of the embedding. hidden: width of the layer between the
    features and the feature-vector layer; 0 leaves it out. mixup: how much of two photos' features is mixed, for losses that
    classify (alpha of Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018); 0 mixes none. temperature: of the
    cosine softmax. balance: 0 draws each photo as often as any other, 1 each class. average_decay: of the running average of the
    weights, which is what is kept. patience: epochs without a better validation mAP after which training ends.
    """

    loss: str = "normalised-softmax"
    margin: float | str | None = None
    distance: str = "l2"
    mining: str = "batch-hard"
    dim: int = 256
    hidden: int = 1024
    dropout: float = 0.2
    mixup: float = 0.4
    temperature: float = 0.2
    balance: float = 0.5
    epochs: int = 80
    patience: int = 20
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    average_decay: float = 0.99
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of the learning curve. score: mAP on the validation photos; None where it was not measured."""

    number: int
    loss: float
    score: float | None
    seconds: float


@dataclass(frozen=True)
class TrainedHead:
    """model: float32 [B, features], of unit length -> float32 [B, dim], L2-normalised. best: number of the epoch that was kept.

    loss_of: differentiable, the loss of labels int [B] for features float32 [B, features]; variables: what it is trained by.
    """

    model: keras.Model
    loss_of: Callable[[Any, Any], Any]
    variables: Sequence[Any]
    curve: Sequence[Epoch]
    best: int


def build_head(features: NDArray[Any], options: HeadOptions) -> keras.Model:
    """An untrained head. features: float [n, d] of the photos to train on, by which the input is standardised.

    The square root evens out features that shout (power normalisation: Perronnin et al., "Improving the Fisher Kernel for
    Large-Scale Image Classification", ECCV 2010).
    """
    inputs = keras.Input((features.shape[1],))
    values = features.astype(np.float32)
    values = np.sign(values) * np.sqrt(np.maximum(np.abs(values), _TINY))
    # Next to zero the root is too steep to train a backbone through.
    x = ops.sign(inputs) * ops.sqrt(ops.maximum(ops.abs(inputs), _TINY))
    variance = values.var(axis=0)
    variance = np.maximum(variance, _LEAST_VARIANCE * variance.mean()) + 1e-8
    x = layers.Normalization(mean=values.mean(axis=0), variance=variance, name="standardised")(x)
    if options.hidden:
        x = layers.Dropout(options.dropout, seed=options.seed)(x)
        x = layers.Dense(options.hidden, activation="gelu", name="hidden")(x)
    x = layers.Dropout(options.dropout, seed=options.seed + 1)(x)
    x = layers.Dense(options.dim, name="feature_vector")(x)
    return keras.Model(inputs, layers.UnitNormalization(name="embedding")(x), name="head")


def train_head(
    features: Features,
    labels: NDArray[np.int64],
    options: HeadOptions,
    *,
    score: Callable[[Embed], float],
    on_epoch: Callable[[Epoch], object] | None = None,
    checkpoint: Path | None = None,
) -> TrainedHead:
    """Train on features float16 [n, views, d] with labels int [n] in [0, classes).

    score: the validation mAP of an embedding function, after each epoch; the epoch with the best one is kept.
    checkpoint: a file that an interrupted training, called again with the same arguments, goes on from.
    Raises ValueError for options that nothing can be trained with, TrainingFailed where the loss is no number any more.
    """
    if options.epochs < 1:
        raise ValueError(f"a training has at least one epoch, not {options.epochs}")
    classes = int(labels.max()) + 1
    if classes < 2:
        raise TrainingFailed("all photos are of one class: there is nothing to tell apart")
    keras.utils.set_random_seed(options.seed)
    head = build_head(features[:, 0], options)
    training = _Training(head, classes, options, len(labels))
    key = _key(features, labels, options)
    curve, best_weights = training.restore(checkpoint, key) if checkpoint else ([], None)
    for number in range(len(curve) + 1, options.epochs + 1):
        if _is_over(curve, options):
            break
        started = time.monotonic()
        loss = training.run_epoch(features, labels, number)
        value = score(training.embed)
        curve.append(Epoch(number, loss, value, time.monotonic() - started))
        if best_weights is None or _best(curve).number == number:
            best_weights = training.averaged_weights()
        if checkpoint:
            training.save(checkpoint, key, curve, best_weights)
        if on_epoch:
            on_epoch(curve[-1])
    assert best_weights is not None  # noqa: S101  # of the first epoch at the latest
    head.set_weights(best_weights)
    return TrainedHead(head, training.loss_of, training.variables, curve, _best(curve).number)


def embed_with(head: keras.Model, features: NDArray[Any]) -> Embeddings:
    """Embeddings float32 [n, dim] of features [n, d]."""
    embedded = [
        head(tf.constant(features[start : start + 1024].astype(np.float32)), training=False).numpy()
        for start in range(0, len(features), 1024)
    ]
    return np.concatenate(embedded)


class _Training:
    """The variables of a training: the head, the classification layer, the optimizer and the running average."""

    def __init__(self, head: keras.Model, classes: int, options: HeadOptions, photos: int) -> None:
        self._head, self._options = head, options
        self._loss = make_loss(
            options.loss,
            margin=options.margin,  # type: ignore[arg-type]  # a word or a number, which the loss itself checks
            distance=options.distance,
            mining=options.mining,
            temperature=options.temperature,
        )
        self._classifier: keras.layers.Layer | None = None
        if options.loss == "softmax":
            self._classifier = layers.Dense(classes)
        elif options.loss not in METRIC_LOSSES:
            self._classifier = CosineClassifier(classes)
        standardised = head.get_layer("standardised").output
        self._standardise = keras.Model(head.input, standardised)
        self._to_vector = keras.Model(standardised, head.get_layer("feature_vector").output)
        if self._classifier is not None:
            self._classifier.build((None, options.dim))
        self.variables = [
            *head.trainable_variables,
            *(self._classifier.trainable_variables if self._classifier else ()),
        ]
        self.steps = max(1, photos // options.batch)
        schedule = keras.optimizers.schedules.CosineDecay(
            options.learning_rate, self.steps * options.epochs, alpha=0.01
        )
        self._optimizer = keras.optimizers.AdamW(schedule, weight_decay=options.weight_decay)
        self._optimizer.build(self.variables)
        self._average = [tf.Variable(variable.value) for variable in head.trainable_variables]
        self._step = tf.function(self._train_on, reduce_retracing=True)
        # What dropout draws from is a variable too, and no weight.
        weights = {id(weight) for weight in head.weights}
        self._seeds = [variable for variable in head.variables if id(variable) not in weights]

    def run_epoch(self, features: Features, labels: NDArray[np.int64], number: int) -> float:
        """The mean loss of an epoch."""
        losses = []
        random = np.random.default_rng([self._options.seed, number, 1])
        for rows, views in _batches(labels, features.shape[1], self.steps, self._options, number):
            batch = features[rows, views].astype(np.float32)
            other, share = self._mixture(len(rows), random)
            arguments = (batch, labels[rows], other, share)
            losses.append(self._step(*(tf.constant(argument) for argument in arguments)))
        loss = float(np.mean([float(value) for value in losses]))
        if not math.isfinite(loss):
            raise TrainingFailed(
                f"the loss is no number any more in epoch {number}: take a lower learning rate, or another margin or temperature"
            )
        return loss

    def _mixture(self, count: int, random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Which photo of the batch each is mixed with, and its own share; metric losses compare photos as they are."""
        if self._classifier is None or not self._options.mixup:
            return np.arange(count), np.ones(count, np.float32)
        share = random.beta(self._options.mixup, self._options.mixup, size=count)
        return random.permutation(count), share.astype(np.float32)

    def _train_on(self, batch: Any, labels: Any, other: Any, share: Any) -> Any:
        with tf.GradientTape() as tape:
            if self._classifier is None:
                loss = self.loss_of(labels, batch)
            else:
                x = self._standardise(batch)
                mixed = share[:, None] * x + (1 - share[:, None]) * tf.gather(x, other)
                outputs = self._classifier(self._to_vector(mixed, training=True))
                loss = self._loss(labels, outputs, sample_weight=share)
                loss += self._loss(tf.gather(labels, other), outputs, sample_weight=1 - share)
        gradients = tape.gradient(loss, self.variables)
        self._optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        # A short memory at first: the average must not drag the first, untrained weights along.
        steps = tf.cast(self._optimizer.iterations, tf.float32)
        decay = tf.minimum(self._options.average_decay, (1 + steps) / (10 + steps))
        for slow, fast in zip(self._average, self._head.trainable_variables, strict=True):
            slow.assign(decay * slow + (1 - decay) * fast)
        return loss

    def loss_of(self, labels: Any, features: Any) -> Any:
        """The loss of a batch, a scalar."""
        if self._classifier is None:
            return self._loss(labels, self._head(features, training=True))
        return self._loss(labels, self._classifier(self._to_vector(self._standardise(features), training=True)))

    def embed(self, features: NDArray[Any]) -> Embeddings:
        """With the averaged weights."""
        current = self._head.get_weights()
        self._head.set_weights(self.averaged_weights())
        try:
            return embed_with(self._head, features)
        finally:
            self._head.set_weights(current)

    def averaged_weights(self) -> list[NDArray[Any]]:
        """All weights of the head, those that are trained averaged."""
        averages = {
            variable.path: slow for variable, slow in zip(self._head.trainable_variables, self._average, strict=True)
        }
        return [
            averages[variable.path].numpy() if variable.path in averages else variable.numpy()
            for variable in self._head.weights
        ]

    def _state(self) -> list[Any]:
        return [*self.variables, *self._average, *self._optimizer.variables, *self._seeds]

    def save(self, path: Path, key: str, curve: Sequence[Epoch], best: Sequence[NDArray[Any]]) -> None:
        """Write everything that `restore` needs."""
        about = json.dumps({"key": key, "curve": [asdict(epoch) for epoch in curve]})
        arrays = {f"state_{i}": np.asarray(variable) for i, variable in enumerate(self._state())}
        arrays |= {f"best_{i}": weight for i, weight in enumerate(best)}
        content = _npz({**arrays, "about": np.array(about)})
        write_atomically(path, content)

    def restore(self, path: Path, key: str) -> tuple[list[Epoch], list[NDArray[Any]] | None]:
        """The curve so far and the best weights, with all variables set; nothing where the file is of another training."""
        if not path.exists():
            return [], None
        with np.load(path) as stored:
            about = json.loads(str(stored["about"]))
            if about["key"] != key:
                return [], None
            for i, variable in enumerate(self._state()):
                variable.assign(stored[f"state_{i}"])
            best = [stored[f"best_{i}"] for i in range(len(self._head.weights))]
        return [Epoch(**epoch) for epoch in about["curve"]], best


def _key(features: Features, labels: NDArray[np.int64], options: HeadOptions) -> str:
    """A hash of all that decides the weights, so that no checkpoint is taken for that of another training."""
    key = hashlib.sha256(json.dumps([list(features.shape), asdict(options)]).encode())
    key.update(labels.tobytes())
    # The whole photos say which set and which backbone it is, without a look at their other views.
    key.update(np.ascontiguousarray(features[:, 0]).tobytes())
    return key.hexdigest()


def _npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _batches(
    labels: NDArray[np.int64], views: int, steps: int, options: HeadOptions, epoch: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows and views of each batch of an epoch, drawn anew from the seed and the epoch."""
    random = np.random.default_rng([options.seed, epoch])
    draw = _several_a_class if options.loss in METRIC_LOSSES else _by_photo
    for _ in range(steps):
        rows = draw(labels, options, random)
        yield rows, random.integers(0, views, size=len(rows))


def _by_photo(labels: NDArray[np.int64], options: HeadOptions, random: np.random.Generator) -> NDArray[np.int64]:
    weights = np.bincount(labels)[labels].astype(np.float64) ** -options.balance
    return random.choice(len(labels), size=min(options.batch, len(labels)), p=weights / weights.sum())


def _several_a_class(labels: NDArray[np.int64], options: HeadOptions, random: np.random.Generator) -> NDArray[np.int64]:
    """P classes with K photos each, so that every photo has others of its class in the batch (Hermans et al., 2017)."""
    each = 8
    classes = np.unique(labels)
    chosen = random.choice(classes, size=min(len(classes), max(2, options.batch // each)), replace=False)
    rows = [random.choice(np.flatnonzero(labels == label), size=each) for label in chosen]
    return np.concatenate(rows)


def _best(curve: Sequence[Epoch]) -> Epoch:
    return max(curve, key=lambda epoch: epoch.score if epoch.score is not None else epoch.number)


def _is_over(curve: Sequence[Epoch], options: HeadOptions) -> bool:
    return bool(curve) and curve[-1].number - _best(curve).number >= options.patience
