"""Trains the last layers of a backbone together with its head, from the photos themselves: the slow step after the quick one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from django.conf import settings
from numpy.typing import NDArray

from embeddings.dataset import LabelledPhoto
from embeddings.encoders.preprocessing import squash
from embeddings.evaluation.metrics import Labels, retrieval_metrics
from training.augmentation import random_view
from training.backbones import Backbone
from training.config import TrainingConfig
from training.heads import TrainedHead
from training.samplers import Rows, SampledBatches, sampler_of
from training.trainer import EpochRecord, FitSettings, OnEpoch, fit

BATCH_SIZE = 32
# Best at a tenth of the head's.
LEARNING_RATE = 1e-4
# The gallery that the validation after each epoch searches; encoding it takes longer than the epoch otherwise.
_GALLERY = 1000


class UnfrozenEncoder(keras.Model):
    """A backbone with a head, of which the backbone's last layers and the head are trained.

    Input float32 [B, s, s, 3] in [0, 1]; output as that of `Objective.scored`. The variables of a SavedModel are TensorFlow's
    own, not those of Keras, so the lists of weights are written out here.
    """

    def __init__(self, backbone: Backbone, scored: keras.Model, layers: int) -> None:
        super().__init__(name="unfrozen")
        self.scored = scored
        self._forward = backbone.forward
        self._unfrozen = tuple(backbone.last_layers(layers))
        self.built = True

    @property
    def trainable_variables(self) -> list[Any]:
        """Variables of the unfrozen layers and of the head."""
        return [*self._unfrozen, *self.scored.trainable_variables]

    trainable_weights = trainable_variables

    @property
    def weights(self) -> list[Any]:
        """The same with what the head was given and is not trained."""
        return [*self._unfrozen, *self.scored.weights]

    @property
    def losses(self) -> list[Any]:
        """None beside those of the outputs: TensorFlow's own variables know no regularizer, for which Keras would ask them."""
        return []

    def features(self, images: Any) -> Any:
        """Features of the backbone, float32 [B, features], of unit length."""
        return tf.math.l2_normalize(self._forward(images), axis=1)

    def call(self, images: Any, training: bool = False) -> Any:
        return self.scored(self.features(images), training=training)

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """One step of `fit`; a SavedModel's variables need not be marked as trainable, so the tape watches them."""
        images, labels = data
        with tf.GradientTape() as tape:
            tape.watch(self._unfrozen)
            loss = self.compute_loss(y=labels, y_pred=self(images, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        self._loss_tracker.update_state(loss)
        return self.get_metrics_result()


def train_unfrozen(
    backbone: Backbone,
    head: TrainedHead,
    photos: Sequence[LabelledPhoto],
    numbers: NDArray[np.int64],
    validation: Sequence[LabelledPhoto],
    validation_labels: Labels,
    classes: Labels,
    config: TrainingConfig,
    *,
    on_epoch: OnEpoch,
) -> list[EpochRecord]:
    """Train the backbone's last layers and the head in place; they end as after the best epoch, or as they began.

    Args:
        backbone: its variables are changed.
        head: its variables are changed.
        photos: what it is trained on.
        numbers: int [n] in [0, classes), the class of each photo.
        validation: photos to validate with.
        validation_labels: [v], the class of each of them.
        classes: names of the classes, in the order of their numbers.
        config: its unfreeze, unfreeze_epochs, by_product and the sampler's knobs are read.
        on_epoch: called after each epoch.

    Returns:
        The learning curve, numbered on from the head's.

    Raises:
        TrainingFailed: the loss is no number any more.
        BackboneUnavailable: the backbone has fewer layers.
    """
    model = UnfrozenEncoder(backbone, head.objective.scored, config.unfreeze)
    size, steps = backbone.input_size, max(1, len(photos) // BATCH_SIZE)
    embed = tf.function(lambda images: head.model(model.features(images), training=False), reduce_retracing=True)
    gallery_rows = np.random.default_rng(config.seed).permutation(len(photos))[:_GALLERY]
    first = len(head.fitted.curve)

    def score() -> float:
        queries = _embed(embed, validation, size)
        if config.by_product:
            return retrieval_metrics(
                queries, validation_labels, queries, validation_labels, leave_one_out=True
            ).mean_average_precision
        gallery = _embed(embed, [photos[row] for row in gallery_rows], size)
        return retrieval_metrics(
            queries, validation_labels, gallery, classes[numbers[gallery_rows]]
        ).mean_average_precision

    def load(rows: Rows, random: np.random.Generator) -> tuple[Any, ...]:
        images = np.stack(
            [_pixels(random_view(photos[row].image(at_least=size), random), size) for row in rows.tolist()]
        )
        mirrored = images[:, :, ::-1].copy() if random.random() < 0.5 else images
        return mirrored, head.objective.targets(lambda of_all: of_all[rows])

    before, weights = score(), model.get_weights()
    fitted = fit(
        model,
        head.objective.loss,
        SampledBatches(
            sampler_of(config, numbers, steps=steps, batch_size=BATCH_SIZE), load, steps=steps, seed=config.seed,
            threads=settings.ENCODER_THREADS,
        ),
        FitSettings(
            epochs=config.unfreeze_epochs, learning_rate=LEARNING_RATE, final_share=0.02, weight_decay=config.weight_decay,
            clipnorm=1.0, seed=config.seed,
        ),
        validate=score,
        on_epoch=lambda record: on_epoch(record.after(first)),
    )  # fmt: skip
    curve = [record.after(first) for record in fitted.curve]
    if max(record.score or 0.0 for record in curve) <= before:
        model.set_weights(weights)
    return curve


def _embed(embed: Callable[[Any], Any], photos: Sequence[LabelledPhoto], size: int) -> NDArray[np.float32]:
    embedded = []
    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        for start in range(0, len(photos), BATCH_SIZE):
            part = photos[start : start + BATCH_SIZE]
            images = list(pool.map(lambda photo: _pixels(photo.image(at_least=size), size), part))
            embedded.append(embed(tf.constant(np.stack(images))).numpy())
    return np.concatenate(embedded)


def _pixels(image: Any, size: int) -> NDArray[np.float32]:
    return np.asarray(squash(image, size), dtype=np.float32) / np.float32(255)
