"""Trains a head on a frozen backbone's features: an embedding layer and a classification layer, of which the first is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from training.config import TrainingConfig
from training.errors import TrainingFailed
from training.features import Features
from training.further_labels import FurtherLabel
from training.losses import CosineClassifier, Mixup, NormalisedSoftmax, WhereKnown, make_loss
from training.samplers import Rows, SampledBatches, mixup, sampler_of, steps_of
from training.trainer import EpochRecord, FitSettings, Fitted, OnEpoch, OutputLoss, Weights, backup_folder, fit

_TINY = 1e-7
# A feature that hardly varies among the training photos is not blown up for others: of the mean variance, at the least.
_LEAST_VARIANCE = 0.05

# The key of the output that is read for the class itself.
CLASS = "class"

Embeddings = NDArray[np.float32]
Embed = Callable[[NDArray[Any]], Embeddings]


@dataclass(frozen=True)
class Objective:
    """What a head is trained by: a classification layer or the embedding itself, and a classifier for each further label.

    Attributes:
        scored: float32 [B, features], of unit length -> what the loss functions read: scores of classes float32 [B, classes], or
            embeddings. With further labels several outputs by their keys.
        loss: loss function of (labels int [B], `scored`); with further labels those of each output.
        numbers: by the key of each output the number of each photo's label, int64 [n].
    """

    scored: keras.Model
    loss: keras.losses.Loss | Mapping[str, OutputLoss]
    numbers: Mapping[str, NDArray[np.int64]]

    def targets(self, of: Callable[[NDArray[np.int64]], NDArray[Any]]) -> Any:
        """What `of` makes of the labels of all photos, for each output, as Keras takes them: float32."""
        targets = {key: of(numbers).astype(np.float32) for key, numbers in self.numbers.items()}
        return targets if isinstance(self.loss, Mapping) else targets[CLASS]


@dataclass(frozen=True)
class TrainedHead:
    """A head and how its training went.

    Attributes:
        model: float32 [B, features], of unit length -> float32 [B, dim], L2-normalised.
        objective: what it was trained by.
        fitted: learning curves of all that were trained, one after the other, and the best epoch of all.
    """

    model: keras.Model
    objective: Objective
    fitted: Fitted


def loss_of(config: TrainingConfig) -> keras.losses.Loss:
    """The loss function of a config. Raises ValueError for a margin that it cannot have."""
    return make_loss(
        config.loss,
        margin=config.margin,  # type: ignore[arg-type]  # a word or a number, which the loss itself checks
        distance=config.distance,
        mining=config.mining,
        temperature=config.temperature,
    )


def build_head(features: NDArray[Any], config: TrainingConfig) -> keras.Model:
    """An untrained head.

    The square root evens out features that shout (power normalisation: Perronnin et al., "Improving the Fisher Kernel for
    Large-Scale Image Classification", ECCV 2010).

    Args:
        features: float [n, d] of the training photos, by which the input is standardised.
        config: its dim, hidden, dropout and seed are read.

    Returns:
        float32 [B, d] -> float32 [B, dim], L2-normalised.
    """
    inputs = keras.Input((features.shape[1],))
    values = features.astype(np.float32)
    values = np.sign(values) * np.sqrt(np.maximum(np.abs(values), _TINY))
    # Next to zero the root is too steep to train a backbone through.
    x = ops.sign(inputs) * ops.sqrt(ops.maximum(ops.abs(inputs), _TINY))
    variance = values.var(axis=0)
    variance = np.maximum(variance, _LEAST_VARIANCE * variance.mean()) + 1e-8
    x = layers.Normalization(mean=values.mean(axis=0), variance=variance, name="standardised")(x)
    if config.hidden:
        x = layers.Dropout(config.dropout, seed=config.seed)(x)
        x = layers.Dense(config.hidden, activation="gelu", name="hidden")(x)
    x = layers.Dropout(config.dropout, seed=config.seed + 1)(x)
    x = layers.Dense(config.dim, name="feature_vector")(x)
    return keras.Model(inputs, layers.UnitNormalization(name="embedding")(x), name="head")


def train_head(
    features: Features,
    labels: NDArray[np.int64],
    config: TrainingConfig,
    *,
    further: Sequence[FurtherLabel] = (),
    score: Callable[[Embed], float],
    on_epoch: OnEpoch | None = None,
    checkpoints: Path | None = None,
) -> TrainedHead:
    """Train heads on cached features and average them: a greedy soup, whose members help the validation (Wortsman et al., "Model
    soups: averaging weights of multiple fine-tuned models improves accuracy without increasing inference time", ICML 2022).

    Args:
        features: float16 [n, views, d].
        labels: int [n] in [0, classes).
        config: how it is trained.
        further: what the embedding learns beside the classes.
        score: the validation mAP of an embedding function; of each head the epoch with the best one is kept.
        on_epoch: called after each epoch.
        checkpoints: folder that an interrupted training, called again with the same arguments, continues from.

    Returns:
        The head with the mean weights of the soup.

    Raises:
        ValueError: options that nothing can be trained with.
        TrainingFailed: there is one class alone, or the loss is no number any more.
    """
    if int(labels.max()) < 1:
        raise TrainingFailed("all photos are of one class: at least two are needed")
    keras.utils.set_random_seed(config.seed)
    head = build_head(features[:, 0], config)
    objective = _objective(head, labels, further, config)
    scored = objective.scored
    mixed = bool(config.mixup) and not config.metric_loss
    steps = steps_of(config, len(labels), config.batch_size)

    def load(rows: Rows, random: np.random.Generator) -> tuple[Any, ...]:
        views = random.integers(0, features.shape[1], size=len(rows))
        batch = features[rows, views].astype(np.float32)
        if not mixed:
            return batch, objective.targets(lambda numbers: numbers[rows])
        partner, share = mixup(len(rows), config.mixup, random)
        targets = objective.targets(lambda numbers: np.stack([numbers[rows], numbers[rows[partner]], share], axis=1))
        return {"features": batch, "partner": partner.astype(np.int32), "share": share}, targets

    def validate() -> float:
        return score(lambda asked: embed_with(head, asked))

    # The whole photos say which set and which backbone it is, without a look at their other views.
    backup = backup_folder(checkpoints, config, *objective.numbers.values(), features[:, 0])
    start, members = scored.get_weights(), list[_Member]()
    curve: list[EpochRecord] = []
    for number in range(config.soup):
        scored.set_weights(start)
        seed = config.seed + number
        fitted = fit(
            _with_mixup(scored) if mixed else scored,
            _of_mixtures(objective.loss) if mixed else objective.loss,
            SampledBatches(
                sampler_of(config, labels, steps=steps, batch_size=config.batch_size), load, steps=steps, seed=seed
            ),
            FitSettings(
                epochs=config.epochs,
                patience=config.patience,
                learning_rate=config.learning_rate,
                weight_decay=config.weight_decay,
                ema_momentum=config.ema_momentum,
                seed=seed,
            ),
            validate=validate,
            backup=backup / str(number) if backup else None,
            on_epoch=_further(on_epoch, len(curve)),
        )
        members.append(_Member(fitted.best.after(len(curve)), scored.get_weights()))
        curve += [record.after(len(curve)) for record in fitted.curve]
    best = _average(scored, members, validate)
    return TrainedHead(head, objective, Fitted(curve, best))


def _objective(
    head: keras.Model, labels: NDArray[np.int64], further: Sequence[FurtherLabel], config: TrainingConfig
) -> Objective:
    embedding = head.get_layer("feature_vector").output
    if config.metric_loss:
        output = head.output
    else:
        classes = int(labels.max()) + 1
        classifier = layers.Dense(classes) if config.loss == "softmax" else CosineClassifier(classes)
        output = classifier(embedding)
    loss = loss_of(config)
    if not further:
        return Objective(keras.Model(head.input, output), loss, {CLASS: labels})
    outputs, losses, numbers = (
        {CLASS: output},
        {CLASS: OutputLoss(config.own_label, loss, 1.0)},
        {CLASS: labels},
    )
    for position, label in enumerate(further):
        # A name of an attribute is no key: Keras takes letters, digits and a few signs.
        key = f"further_{position}"
        outputs[key] = CosineClassifier(len(label.values))(embedding)
        of = WhereKnown(NormalisedSoftmax(config.temperature))
        losses[key] = OutputLoss(label.name, of, config.also_weight / len(further))
        numbers[key] = label.numbers
    return Objective(keras.Model(head.input, outputs), losses, numbers)


def _of_mixtures(loss: keras.losses.Loss | Mapping[str, OutputLoss]) -> keras.losses.Loss | dict[str, OutputLoss]:
    if isinstance(loss, Mapping):
        return {key: replace(part, of=Mixup(part.of)) for key, part in loss.items()}
    return Mixup(loss)


@dataclass(frozen=True)
class _Member:
    """A head of a soup: its best epoch and its weights then."""

    best: EpochRecord
    weights: Weights


def _further(on_epoch: OnEpoch | None, epochs: int) -> OnEpoch | None:
    """The callback of a head that is trained after so many epochs of others."""
    return on_epoch and (lambda record: on_epoch(record.after(epochs)))


def _average(scored: keras.Model, members: Sequence[_Member], validate: Callable[[], float]) -> int:
    """Give the network the mean weights of the members that help, the best first; returns the number of the best one's epoch."""
    best, *others = sorted(members, key=lambda member: -(member.best.score or 0.0))
    chosen, reached = [best.weights], best.best.score or 0.0
    for other in others:
        scored.set_weights(_mean([*chosen, other.weights]))
        if (found := validate()) >= reached:
            chosen, reached = [*chosen, other.weights], found
    scored.set_weights(_mean(chosen))
    return best.best.number


def _mean(weights: Sequence[Weights]) -> Weights:
    return [np.mean(arrays, axis=0) for arrays in zip(*weights, strict=True)]


def embed_with(head: keras.Model, features: NDArray[Any]) -> Embeddings:
    """Embeddings float32 [n, dim] of features [n, d]."""
    embedded = [
        head(tf.constant(features[start : start + 1024].astype(np.float32)), training=False).numpy()
        for start in range(0, len(features), 1024)
    ]
    return np.concatenate(embedded)


def _with_mixup(scored: keras.Model) -> keras.Model:
    """The same network of mixtures: its standardised features are mixed with those of each photo's partner in the batch."""
    standardised = scored.get_layer("standardised").output
    features = keras.Input(scored.input_shape[1:], name="features")
    partner = keras.Input((), dtype="int32", name="partner")
    share = keras.Input((), name="share")
    x = keras.Model(scored.input, standardised)(features)
    x = share[:, None] * x + (1 - share[:, None]) * ops.take(x, partner, axis=0)
    rest = keras.Model(standardised, scored.output)
    return keras.Model({"features": features, "partner": partner, "share": share}, rest(x))
