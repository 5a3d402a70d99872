"""Trains the last layers of a backbone together with its head, from the photos themselves: the slow step after the quick one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from django.conf import settings
from numpy.typing import NDArray

from embeddings.dataset import LabelledPhoto
from embeddings.encoders.preprocessing import squash
from embeddings.errors import TrainingFailed
from embeddings.evaluation.metrics import Labels, retrieval_metrics
from embeddings.training.augmentation import random_view
from embeddings.training.backbones import Backbone
from embeddings.training.heads import Epoch, HeadOptions, TrainedHead

# The gallery that the validation after each epoch asks; encoding it takes longer than the epoch otherwise.
_GALLERY_SEEN = 1000


@dataclass(frozen=True)
class UnfreezeOptions:
    """layers: how many of the backbone's last layers with weights are trained on, best at a tenth of the head's learning rate."""

    layers: int
    epochs: int = 3
    batch: int = 32
    learning_rate: float = 1e-4


def train_unfrozen(
    backbone: Backbone,
    head: TrainedHead,
    photos: Sequence[LabelledPhoto],
    numbers: NDArray[np.int64],
    validation: Sequence[LabelledPhoto],
    validation_labels: Labels,
    classes: Labels,
    head_options: HeadOptions,
    options: UnfreezeOptions,
    *,
    first_number: int,
    on_epoch: Callable[[Epoch], object],
) -> list[Epoch]:
    """Change the backbone's and the head's variables in place; they end as they were after the best epoch, or as they began.

    numbers: int [n] in [0, classes), the class of each photo. Raises TrainingFailed where the loss is no number any more.
    """
    variables = [*backbone.last_layers(options.layers), *head.variables]
    steps = max(1, len(photos) // options.batch)
    schedule = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps * options.epochs, alpha=0.02)
    optimizer = tf.keras.optimizers.AdamW(schedule, weight_decay=head_options.weight_decay, clipnorm=1.0)
    trained = [variable.value if isinstance(variable, keras.Variable) else variable for variable in variables]
    optimizer.build(trained)

    def features_of(images: Any) -> Any:
        return tf.math.l2_normalize(backbone.forward(images), axis=1)

    @tf.function  # type: ignore[untyped-decorator]
    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            # A SavedModel's variables need not be marked as trainable.
            tape.watch(trained)
            loss = head.loss_of(labels, features_of(images))
        gradients = tape.gradient(loss, trained)
        optimizer.apply_gradients(zip(gradients, trained, strict=True))
        return loss

    embed_batch = tf.function(lambda images: head.model(features_of(images), training=False), reduce_retracing=True)
    size = backbone.input_size
    gallery_rows = np.random.default_rng(head_options.seed).permutation(len(photos))[:_GALLERY_SEEN]

    def score() -> float:
        gallery = _embed(embed_batch, [photos[row] for row in gallery_rows], size)
        queries = _embed(embed_batch, validation, size)
        return retrieval_metrics(
            queries, validation_labels, gallery, classes[numbers[gallery_rows]]
        ).mean_average_precision

    best_score, best = score(), [variable.numpy() for variable in trained]
    curve = []
    for number in range(options.epochs):
        started = time.monotonic()
        random = np.random.default_rng([head_options.seed, 1, number])
        losses = [
            float(step(tf.constant(images), tf.constant(numbers[rows])))
            for rows, images in _batches(photos, steps, options.batch, size, random)
        ]
        loss = float(np.mean(losses))
        if not math.isfinite(loss):
            raise TrainingFailed(
                "the loss is no number any more while the backbone is trained: take a lower learning rate for it"
            )
        value = score()
        if value > best_score:
            best_score, best = value, [variable.numpy() for variable in trained]
        curve.append(Epoch(first_number + number, loss, value, time.monotonic() - started))
        on_epoch(curve[-1])
    for variable, weights in zip(trained, best, strict=True):
        variable.assign(weights)
    return curve


def _batches(
    photos: Sequence[LabelledPhoto], steps: int, batch: int, size: int, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    order = random.permutation(len(photos))
    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        for number in range(steps):
            rows = order[number * batch : (number + 1) * batch]
            seeds = random.integers(0, 2**32, size=len(rows))

            def view(row: int, seed: int) -> NDArray[np.float32]:
                return _pixels(random_view(photos[row].image(at_least=size), np.random.default_rng(seed)), size)

            images = np.stack(list(pool.map(view, rows.tolist(), seeds.tolist())))
            yield rows, images[:, :, ::-1].copy() if random.random() < 0.5 else images


def _embed(embed_batch: Callable[[Any], Any], photos: Sequence[LabelledPhoto], size: int) -> NDArray[np.float32]:
    embedded = []
    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        for start in range(0, len(photos), 32):
            images = list(pool.map(lambda photo: _pixels(photo.image(at_least=size), size), photos[start : start + 32]))
            embedded.append(embed_batch(tf.constant(np.stack(images))).numpy())
    return np.concatenate(embedded)


def _pixels(image: Any, size: int) -> NDArray[np.float32]:
    return np.asarray(squash(image, size), dtype=np.float32) / np.float32(255)
