"""The one training loop: `keras.Model.fit` with moving-average weights, early stopping and backups that survive a kill."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.config import TrainingConfig
from training.errors import TrainingFailed
from training.export import write_atomically
from training.samplers import SampledBatches

logger = logging.getLogger(__name__)

# Epochs of a head take a moment, as a backup does: an interruption costs no more than this.
BACKUP_EVERY_S = 5.0

Weights = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of the learning curve.

    Attributes:
        number: from 1 on.
        loss: mean of its batches.
        score: of the validation; None where nothing was validated.
        seconds: how long it took, with the validation.
        losses: of a network with several outputs, the mean of each one's loss by name, before it is weighted.
    """

    number: int
    loss: float
    score: float | None
    seconds: float
    losses: Mapping[str, float] = field(default_factory=dict)

    def after(self, epochs: int) -> EpochRecord:
        """The same epoch, numbered on from so many others."""
        return replace(self, number=epochs + self.number)


OnEpoch = Callable[[EpochRecord], object]


@dataclass(frozen=True)
class Fitted:
    """How a training went. The network has the averaged weights of the best epoch.

    Attributes:
        curve: every epoch, in order; those before an interruption too.
        best_epoch: number of the epoch with the highest score, of equals the first; without scores the last.
    """

    curve: Sequence[EpochRecord]
    best_epoch: int

    @property
    def best(self) -> EpochRecord:
        """The record of the best epoch."""
        return self.curve[self.best_epoch - 1]


@dataclass(frozen=True)
class OutputLoss:
    """The loss of one output of a model with several.

    Attributes:
        name: what the learning curve calls it.
        of: loss function of the output.
        weight: what it counts in the sum of all.
    """

    name: str
    of: keras.losses.Loss
    weight: float


@dataclass(frozen=True)
class FitSettings:
    """Length and step size of a training.

    Attributes:
        epochs: at most.
        patience: epochs without a better score after which training stops; None for never.
        learning_rate: the highest; it falls along a cosine to `final_share` of it.
        warmup_steps: batches in which the learning rate rises to the highest.
        weight_decay: of AdamW.
        ema_momentum: of the moving average of the weights. A short training has a shorter memory than that: its average must not
            hold on to the first, untrained weights.
        clipnorm: greatest norm of a variable's gradient; None for any.
        seed: of dropout and of random image layers.
    """

    epochs: int
    learning_rate: float
    patience: int | None = None
    final_share: float = 0.01
    warmup_steps: int = 0
    weight_decay: float = 0.0
    ema_momentum: float = 0.99
    clipnorm: float | None = None
    seed: int = 0

    def optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        """AdamW with a moving average of the weights, for epochs of so many batches."""
        total = self.epochs * steps
        start = self.learning_rate / 30 if self.warmup_steps else self.learning_rate
        schedule = keras.optimizers.schedules.CosineDecay(
            start, max(1, total - self.warmup_steps), alpha=self.final_share,
            warmup_target=self.learning_rate if self.warmup_steps else None, warmup_steps=self.warmup_steps,
        )  # fmt: skip
        return keras.optimizers.AdamW(
            schedule, weight_decay=self.weight_decay, clipnorm=self.clipnorm, use_ema=True,
            ema_momentum=min(self.ema_momentum, 1 - 9 / (10 + total)),
        )  # fmt: skip


def fit(
    model: keras.Model,
    loss: keras.losses.Loss | Mapping[str, OutputLoss],
    batches: SampledBatches,
    settings: FitSettings,
    *,
    validate: Callable[[], float] | None = None,
    backup: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Train the model in place until the validation score no longer rises, and keep the averaged weights of the best epoch.

    Args:
        model: a built model, not compiled.
        loss: loss function of its output; of a model with several outputs, those of each by the key of the output, which is also
            the key of its targets.
        batches: what it is trained on.
        settings: how long, and in what steps.
        validate: the score of the model as it is when it is called; higher is better. None trains to the last epoch.
        backup: folder of this training alone. When the same training is called again after an interruption it continues after its
            last backup and ends as if nothing had happened. The caller removes the folder.
        on_epoch: called after each epoch.

    Returns:
        The learning curve and the best epoch.

    Raises:
        TrainingFailed: the loss is no number any more.
    """
    parts = loss if isinstance(loss, Mapping) else {}
    best = _BestEpoch(settings, backup, {f"{key}_loss": part.name for key, part in parts.items()})
    if best.is_over():
        model.set_weights(best.best_weights)
        return best.fitted()
    model.compile(
        settings.optimizer(batches.num_batches),
        loss={key: part.of for key, part in parts.items()} or loss,
        loss_weights={key: part.weight for key, part in parts.items()} or None,
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    callbacks = [
        _EpochStart(batches, settings.seed),
        _FiniteLoss(),
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        _Validation(validate),
        best,
        *([_Backup(backup, batches.num_batches, best)] if backup else []),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: on_epoch and on_epoch(best.curve[-1])),
    ]
    model.fit(batches, epochs=settings.epochs, callbacks=callbacks, verbose=0, shuffle=False)
    return best.fitted()


def backup_folder(checkpoints: Path | None, config: TrainingConfig, *data: NDArray[Any]) -> Path | None:
    """The backup folder of one training, named by a hash of all that decides its outcome; backups of others are removed.

    Args:
        checkpoints: folder of backups; None for no backup.
        config: of the training.
        data: what it is trained and validated on.

    Returns:
        A folder in `checkpoints`, which need not exist yet.
    """
    if checkpoints is None:
        return None
    key = hashlib.sha256(json.dumps(asdict(config)).encode())
    for array in data:
        key.update(f"{array.dtype} {array.shape}".encode())
        key.update(np.ascontiguousarray(array).tobytes())
    folder = checkpoints / key.hexdigest()[:24]
    for other in checkpoints.glob("*"):
        if other != folder:
            shutil.rmtree(other)
    return folder


class _EpochStart(keras.callbacks.Callback):
    """Draws everything that is random from the seed and the epoch, so that an interruption changes nothing."""

    def __init__(self, batches: SampledBatches, seed: int) -> None:
        super().__init__()
        self._batches, self._seed = batches, seed

    def on_epoch_begin(self, epoch: int, *_: Any) -> None:
        self._batches.start_epoch(epoch)
        # What dropout draws from is a variable, but no weight, so that no backup holds it.
        states = [variable for variable in self.model.variables if variable.name == "seed_generator_state"]
        for number, state in enumerate(states):
            state.assign([self._seed + number, epoch << 16])


class _FiniteLoss(keras.callbacks.Callback):
    """Ends a training whose loss is no number any more, before anything of it is kept."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        loss = logs["loss"]
        if not math.isfinite(loss):
            raise TrainingFailed(
                f"the loss is {loss} in epoch {epoch + 1}: take a lower learning rate, or another margin or temperature"
            )


class _Validation(keras.callbacks.Callback):
    """Adds the score and the seconds of an epoch to its logs. It comes after SwapEMAWeights, so averaged weights are scored."""

    def __init__(self, validate: Callable[[], float] | None) -> None:
        super().__init__()
        self._validate = validate

    def on_epoch_begin(self, *_: Any) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, _: int, logs: dict[str, Any]) -> None:
        logs["score"] = None if self._validate is None else self._validate()
        logs["seconds"] = time.monotonic() - self._started


class _BestEpoch(keras.callbacks.EarlyStopping):
    """Early stopping that also keeps the learning curve, and both in a file: BackupAndRestore knows of neither."""

    def __init__(self, settings: FitSettings, backup: Path | None, names: Mapping[str, str]) -> None:
        super().__init__("rank", mode="max", patience=settings.patience or settings.epochs, restore_best_weights=True)
        self._epochs, self._names = settings.epochs, names
        self._path = backup / "best.npz" if backup else None
        self.curve: list[EpochRecord] = []
        self.best_weights: Weights = []
        if self._path and self._path.exists():
            self._restore(self._path)

    def fitted(self) -> Fitted:
        return Fitted(self.curve, _best(self.curve).number)

    def is_over(self) -> bool:
        """Whether there was nothing left to train when the file was written."""
        if not self.curve:
            return False
        waited = self.curve[-1].number - _best(self.curve).number
        return len(self.curve) >= self._epochs or waited >= self.patience

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        kept = self.best_weights
        super().on_train_begin(logs)
        self.best_weights = kept

    def on_epoch_begin(self, epoch: int, *_: Any) -> None:
        # A kill between the file and the backup leaves an epoch in the file that is trained again.
        del self.curve[epoch:]
        if self.curve:
            self.best = _rank(_best(self.curve))
            self.wait = self.curve[-1].number - _best(self.curve).number

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        losses = {name: float(logs[key]) for key, name in self._names.items()}
        record = EpochRecord(epoch + 1, float(logs["loss"]), logs["score"], logs["seconds"], losses)
        self.curve.append(record)
        super().on_epoch_end(epoch, {"rank": _rank(record)})
        parts = "".join(f", {name} {value:.4f}" for name, value in losses.items())
        logger.info(
            "epoch %d: loss %.4f%s, validation %s, %.0f s",
            record.number, record.loss, parts, record.score, record.seconds,
        )  # fmt: skip

    def write(self) -> None:
        """Write the file, whole or not at all."""
        if self._path is None:
            return
        arrays: dict[str, Any] = {f"weight_{i}": weight for i, weight in enumerate(self.best_weights)}
        arrays["curve"] = np.array(json.dumps([asdict(each) for each in self.curve]))
        content = io.BytesIO()
        np.savez(content, **arrays)
        write_atomically(self._path, content.getvalue())

    def _restore(self, path: Path) -> None:
        with np.load(path) as stored:
            self.curve = [EpochRecord(**record) for record in json.loads(str(stored["curve"]))]
            self.best_weights = [stored[f"weight_{i}"] for i in range(len(stored.files) - 1)]


class _Backup(keras.callbacks.BackupAndRestore):
    """A backup of an epoch's end, when SwapEMAWeights has put the averaged weights into the model, and of the best epoch."""

    def __init__(self, folder: Path, steps: int, best: _BestEpoch) -> None:
        super().__init__(str(folder), double_checkpoint=True, delete_checkpoint=False)
        self._steps, self._best = steps, best
        self._saved_at = -math.inf

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        # The file of weights knows how far it is; the one beside it, which says so too, may be of the epoch before.
        done = int(self.model.optimizer.iterations) // self._steps
        self.model._initial_epoch = done
        if done:
            swap = keras.callbacks.SwapEMAWeights()
            swap.set_model(self.model)
            swap.on_test_begin()
            logger.info("going on after epoch %d", done)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        last = epoch == self.params["epochs"] - 1
        if last or time.monotonic() - self._saved_at >= BACKUP_EVERY_S:
            self._best.write()
            super().on_epoch_end(epoch, logs)
            self._saved_at = time.monotonic()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_end(logs)
        self._best.write()


def _rank(record: EpochRecord) -> float:
    """The score; without scores each epoch is better than the one before."""
    return float(record.number if record.score is None else record.score)


def _best(curve: Sequence[EpochRecord]) -> EpochRecord:
    return max(curve, key=_rank)
