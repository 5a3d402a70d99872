"""The trainer: a training that is killed at any moment ends as if it had not been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed: make setup")

from training import trainer  # noqa: E402
from training.samplers import SampledBatches, balanced_sampler  # noqa: E402
from training.trainer import EpochRecord, FitSettings, Fitted, fit  # noqa: E402

# TensorFlow's arrays are older than NumPy's keyword `copy`.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.usefixtures("backup_of_each_epoch"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

STEPS, EPOCHS = 3, 5


class Killed(Exception):
    pass


def regression(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).normal(size=(60, 4)).astype(np.float32)
    return x, x @ np.array([[1.0], [-2], [0.5], [3]], np.float32)


def run(backup: Path | None = None, *, patience: int | None = None, **options: Any) -> tuple[Any, Fitted]:
    """A small network with dropout that is trained to add up; its score is how little it is wrong."""
    keras.utils.set_random_seed(0)
    x, y = regression()
    inputs = keras.Input((4,))
    hidden = keras.layers.Dropout(0.1, seed=3)(keras.layers.Dense(8, "tanh")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    batches = SampledBatches(
        lambda random: balanced_sampler(np.zeros(60, np.int64), 20, 0.0, STEPS, random),
        lambda rows, _: (x[rows], y[rows]),
        steps=STEPS,
        seed=5,
    )
    settings = FitSettings(epochs=EPOCHS, learning_rate=0.05, patience=patience, seed=7)
    test_x, test_y = regression(2)
    options.setdefault("validate", lambda: -float(np.abs(np.asarray(model(test_x, training=False)) - test_y).mean()))
    return model, fit(model, keras.losses.MeanSquaredError(), batches, settings, backup=backup, **options)


def kill_after(number: int) -> Any:
    def on_epoch(record: EpochRecord) -> None:
        if record.number == number:
            raise Killed

    return on_epoch


def assert_as_if_nothing_had_happened(backup: Path, *, epochs: list[int]) -> None:
    """The training goes on with these epochs and ends like one that was never interrupted."""
    seen: list[int] = []
    resumed, fitted = run(backup, on_epoch=lambda record: seen.append(record.number))
    straight, expected = run()
    assert seen == epochs
    assert [record.loss for record in fitted.curve] == pytest.approx([e.loss for e in expected.curve], rel=1e-3)
    assert fitted.best_epoch == expected.best_epoch
    for one, other in zip(resumed.get_weights(), straight.get_weights(), strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_a_training_that_is_killed_after_an_epoch_continues_with_the_next(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path / "backup", on_epoch=kill_after(3))
    assert_as_if_nothing_had_happened(tmp_path / "backup", epochs=[4, 5])


def test_one_that_is_killed_while_it_writes_a_backup_continues_from_the_one_before(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path / "backup", on_epoch=kill_after(3))
    latest = tmp_path / "backup" / "latest.weights.h5"
    latest.write_bytes(latest.read_bytes()[:1000])
    assert_as_if_nothing_had_happened(tmp_path / "backup", epochs=[3, 4, 5])


def test_one_that_is_killed_between_the_best_epoch_and_the_backup_trains_that_epoch_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(Killed):
        saved = []

        def save(callback: Any) -> None:
            saved.append(callback)
            if len(saved) == 3:
                raise Killed
            real(callback)

        real = keras.callbacks.BackupAndRestore._save_model
        patched.setattr(keras.callbacks.BackupAndRestore, "_save_model", save)
        run(tmp_path / "backup")
    assert_as_if_nothing_had_happened(tmp_path / "backup", epochs=[3, 4, 5])


def test_backups_are_not_written_more_often_than_is_worth_it(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "BACKUP_EVERY_S", 3600)
    saved = []
    real = keras.callbacks.BackupAndRestore._save_model

    def save(callback: Any) -> None:
        saved.append(callback)
        real(callback)

    monkeypatch.setattr(keras.callbacks.BackupAndRestore, "_save_model", save)
    run(tmp_path / "backup")
    assert len(saved) == 2


def test_without_a_validation_the_last_epoch_is_kept():
    _, fitted = run(validate=None)
    assert [record.score for record in fitted.curve] == [None] * EPOCHS
    assert fitted.best_epoch == EPOCHS


def test_weights_that_are_kept_are_averaged_but_not_with_the_first_ones():
    optimizer = FitSettings(epochs=1, learning_rate=0.1, ema_momentum=0.99).optimizer(2)
    assert optimizer.ema_momentum == pytest.approx(0.25)
    assert FitSettings(epochs=100, learning_rate=0.1, ema_momentum=0.99).optimizer(100).ema_momentum == 0.99
