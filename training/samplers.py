"""Which photos stand in a batch: the balanced sampler, the PK sampler, mixup, and the batches that Keras trains on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import keras
import numpy as np
from numpy.typing import NDArray

from training.config import TrainingConfig

Rows = NDArray[np.int64]
# Which rows stand in each batch of an epoch, int64 [steps, batch].
Draw = Callable[[np.random.Generator], Rows]
# The batch of these rows as Keras takes it: (inputs, targets).
Load = Callable[[Rows, np.random.Generator], tuple[Any, ...]]


class SampledBatches(keras.utils.PyDataset):
    """The batches of each epoch, drawn from the seed and the number of the epoch.

    An interrupted training therefore continues with the same batches that it would have seen.
    """

    def __init__(self, draw: Draw, load: Load, *, steps: int, seed: int, threads: int = 1) -> None:
        """Nothing is drawn yet.

        Args:
            draw: which rows stand in each batch of an epoch.
            load: makes the batch of these rows. Called by several threads at a time where `threads` is above 1.
            steps: batches of an epoch.
            seed: of all that is drawn.
            threads: how many batches are loaded at the same time.
        """
        super().__init__(workers=threads, max_queue_size=2 * threads)
        self._draw, self._load, self._steps, self._seed = draw, load, steps, seed
        self.epoch = 0
        self._rows: Rows | None = None

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        return self._steps

    def start_epoch(self, epoch: int) -> None:
        """Draw the batches of this epoch, an integer from 0 on; once, however often it is asked for."""
        if self._rows is None or epoch != self.epoch:
            self.epoch, self._rows = epoch, self._draw(np.random.default_rng([self._seed, epoch]))

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if self._rows is None:
            # Keras looks at a batch before the first epoch.
            self.start_epoch(self.epoch)
        return self._load(cast("Rows", self._rows)[index], np.random.default_rng([self._seed, self.epoch, index]))


def steps_of(config: TrainingConfig, photos: int, batch_size: int) -> int:
    """Batches of an epoch: as configured, or about one pass over so many photos, and one at least."""
    return config.steps_per_epoch or max(1, photos // batch_size)


def sampler_of(config: TrainingConfig, labels: NDArray[np.int64], *, steps: int, batch_size: int) -> Draw:
    """The sampler that fits the loss function: the PK sampler where it compares photos, the balanced sampler elsewhere.

    Args:
        config: its loss, `photos_per_class` and `balance` are read.
        labels: int [n], the class of each photo.
        steps: batches of an epoch.
        batch_size: photos of a batch, about.

    Returns:
        The function that draws an epoch.
    """
    if config.metric_loss:
        classes = max(2, batch_size // config.photos_per_class)
        return lambda random: pk_sampler(labels, classes, config.photos_per_class, steps, random)
    return lambda random: balanced_sampler(labels, batch_size, config.balance, steps, random)


def balanced_sampler(
    labels: NDArray[np.int64], batch_size: int, balance: float, steps: int, random: np.random.Generator
) -> Rows:
    """Draw photos with replacement, those of large classes less often.

    Args:
        labels: int [n], the class of each photo.
        batch_size: photos of a batch; fewer where there are fewer photos.
        balance: in [0, 1]. With 0 each photo is drawn equally often, with 1 each class.
        steps: batches to draw.
        random: what it is drawn by.

    Returns:
        int64 [steps, batch], rows of the photos.
    """
    weights = np.bincount(labels)[labels].astype(np.float64) ** -balance
    size = (steps, min(batch_size, len(labels)))
    return random.choice(len(labels), size=size, p=weights / weights.sum())


def pk_sampler(
    labels: NDArray[np.int64], classes: int, photos_per_class: int, steps: int, random: np.random.Generator
) -> Rows:
    """Draw P classes with K photos each, so that every photo has others of its class in the batch (Hermans et al., 2017).

    All photos of a class come up in random order before one of them comes up again.

    Args:
        labels: int [n], the class of each photo.
        classes: P, in a batch; fewer where there are fewer classes.
        photos_per_class: K.
        steps: batches to draw.
        random: what it is drawn by.

    Returns:
        int64 [steps, P * K], rows of the photos.
    """
    rows_of = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    waiting = [random.permutation(rows) for rows in rows_of]
    batches = []
    for _ in range(steps):
        batch = []
        for number in random.choice(len(rows_of), min(classes, len(rows_of)), replace=False):
            while len(waiting[number]) < photos_per_class:
                waiting[number] = np.concatenate([waiting[number], random.permutation(rows_of[number])])
            batch.append(waiting[number][:photos_per_class])
            waiting[number] = waiting[number][photos_per_class:]
        batches.append(np.concatenate(batch))
    return np.stack(batches)


def mixup(count: int, alpha: float, random: np.random.Generator) -> tuple[Rows, NDArray[np.float32]]:
    """Draw which photo of a batch each is mixed with, and how much of it stays (Zhang et al., "mixup", ICLR 2018).

    Args:
        count: photos of the batch.
        alpha: of the beta distribution that the shares are drawn from; above 0.
        random: what it is drawn by.

    Returns:
        The partner of each photo, int64 [count], and its own share, float32 [count] in [0, 1].
    """
    return random.permutation(count), random.beta(alpha, alpha, size=count).astype(np.float32)
