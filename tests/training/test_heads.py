"""The head: learns from frozen features with every loss, keeps its best epoch, and survives being killed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed: make setup")

from embeddings.evaluation.metrics import labels_of, retrieval_metrics  # noqa: E402
from training.config import LOSSES, METRIC_LOSSES, TrainingConfig  # noqa: E402
from training.errors import TrainingFailed  # noqa: E402
from training.features import Features  # noqa: E402
from training.further_labels import UNKNOWN, FurtherLabel  # noqa: E402
from training.heads import Embed, TrainedHead, embed_with, train_head  # noqa: E402
from training.samplers import SampledBatches, sampler_of  # noqa: E402
from training.trainer import EpochRecord  # noqa: E402

# TensorFlow's arrays are older than NumPy's keyword `copy`.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

CLASSES = 4
QUICK = TrainingConfig(
    soup=1, dim=8, hidden=16, epochs=8, patience=8, batch_size=32, learning_rate=0.03, ema_momentum=0.9, temperature=0.2
)


def features(count: int = 320, views: int = 3, seed: int = 0) -> tuple[Features, np.ndarray]:
    """Unit vectors float16 [count, views, 20]: four of the features differ between the classes, under noise in the others."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    x = 1.6 * random.normal(size=(count, views, 20))
    x[:, :, :4] = 3 * np.random.default_rng(99).normal(size=(CLASSES, 4))[labels][:, None] + 0.3 * x[:, :, :4]
    return (x / np.linalg.norm(x, axis=2, keepdims=True)).astype(np.float16), labels


def validation_map(embed: Embed) -> float:
    """MAP of other photos, each asking for those of its class."""
    x, labels = features(80, seed=1)
    names = labels_of([str(label) for label in labels])
    embedded = embed(x[:, 0])
    return retrieval_metrics(embedded, names, embedded, names, leave_one_out=True).mean_average_precision


def train(options: TrainingConfig = QUICK, score: Callable[[Embed], float] = validation_map, **more) -> TrainedHead:
    return train_head(*features(), options, score=score, **more)


def raw(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_to_separate_classes(loss):
    trained = train(dataclasses.replace(QUICK, loss=loss, epochs=12, margin=0.3 if loss == "arcface" else None))
    assert validation_map(raw) < 0.75
    assert validation_map(lambda x: embed_with(trained.model, x)) > 0.9


@pytest.mark.parametrize(
    "change",
    [
        {"loss": "triplet", "margin": "soft", "mining": "batch-all"},
        {"loss": "triplet", "distance": "cosine", "mining": "semi-hard"},
        {"loss": "contrastive", "distance": "l1"},
        {"hidden": 0},
        {"mixup": 0.0},
        {"dropout": 0.0},
    ],
)
def test_the_other_options_learn_it_too(change):
    trained = train(dataclasses.replace(QUICK, epochs=12, **change))
    assert validation_map(lambda x: embed_with(trained.model, x)) > 0.8


def test_what_never_occurred_in_training_does_not_drown_all_else():
    x, labels = features()
    x[:, :, 19] = 0
    options = dataclasses.replace(QUICK, epochs=12)
    head = train_head(x, labels, options, score=scored(*(number / 12 for number in range(12)))).model
    others, labels = features(80, seed=1)
    without, names = np.array(others[:, 0]), labels_of([str(label) for label in labels])
    without[:, 19] = 0
    known, surprised = embed_with(head, without), embed_with(head, others[:, 0])
    assert (known * surprised).sum(axis=1).mean() > 0.8
    found = retrieval_metrics(surprised, names, surprised, names, leave_one_out=True)
    assert found.mean_average_precision > 0.75


def test_embeddings_are_of_unit_length():
    head = train(dataclasses.replace(QUICK, epochs=1)).model
    x, _ = features(1100, views=1)
    vectors = embed_with(head, x[:, 0])
    assert vectors.shape == (1100, 8)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def scored(*scores: float) -> Callable[[Embed], float]:
    values = iter(scores)
    return lambda _: next(values)


def test_training_ends_when_validation_no_longer_gets_better_and_keeps_the_best_epoch():
    seen = []
    scores = scored(0.5, 0.8, 0.7, 0.8, 0.6, 0.9)

    def score(embed: Embed) -> float:
        seen.append(embed(features()[0][:, 0]))
        return scores(embed)

    trained = train(dataclasses.replace(QUICK, patience=3), score)
    assert [epoch.score for epoch in trained.fitted.curve] == [0.5, 0.8, 0.7, 0.8, 0.6]
    assert trained.fitted.best_epoch == 2
    assert np.allclose(embed_with(trained.model, features()[0][:, 0]), seen[1], atol=1e-6)


@pytest.mark.parametrize("of_the_mean", [0.7, 0.5])
def test_heads_are_averaged_where_their_mean_validates_better(of_the_mean):
    x, seen = features()[0][:, 0], []
    scores = scored(0.5, 0.6, of_the_mean)

    def score(embed: Embed) -> float:
        seen.append(embed(x))
        return scores(embed)

    trained = train(dataclasses.replace(QUICK, epochs=1, soup=2), score)
    assert [(epoch.number, epoch.score) for epoch in trained.fitted.curve] == [(1, 0.5), (2, 0.6)]
    assert trained.fitted.best_epoch == 2
    first, second, mean = seen
    assert not np.allclose(first, second, atol=1e-3)
    assert not np.allclose(mean, second, atol=1e-3)
    assert np.allclose(embed_with(trained.model, x), mean if of_the_mean == 0.7 else second, atol=1e-6)


def two_labels(seed: int = 0) -> tuple[Features, np.ndarray, np.ndarray]:
    """The features, and beside the class a second label, by which four more of them differ a little."""
    x, labels = features(seed=seed)
    colours = np.arange(len(labels)) // CLASSES % 3
    shifted = x.astype(np.float32)
    shifted[:, :, 4:8] += 0.3 * np.random.default_rng(98).normal(size=(3, 4))[colours][:, None]
    return (shifted / np.linalg.norm(shifted, axis=2, keepdims=True)).astype(np.float16), labels, colours


def colour_map(embed: Embed) -> float:
    """MAP of other photos, each asking for those of its second label."""
    x, _, colours = two_labels(seed=1)
    names = labels_of([str(colour) for colour in colours])
    embedded = embed(x[:, 0])
    return retrieval_metrics(embedded, names, embedded, names, leave_one_out=True).mean_average_precision


def trained_with(options: TrainingConfig, colours: np.ndarray, **more) -> TrainedHead:
    x, labels, _ = two_labels()
    label = FurtherLabel("Farbe / Ton", ["blue", "green", "red"], colours)
    return train_head(x, labels, options, further=[label], score=validation_map, **more)


@pytest.mark.parametrize("change", [{}, {"mixup": 0.0}, {"loss": "triplet"}, {"loss": "softmax"}])
def test_an_embedding_learns_a_further_label_beside_the_class(change):
    options = dataclasses.replace(QUICK, epochs=12, patience=12, also_weight=1.0, **change)
    x, labels, colours = two_labels()
    without = train_head(x, labels, options, score=validation_map)
    trained = trained_with(options, colours)
    assert trained.model.output_shape == (None, 8)
    assert colour_map(lambda asked: embed_with(trained.model, asked)) > 0.1 + colour_map(
        lambda asked: embed_with(without.model, asked)
    )
    first, *_, last = trained.fitted.curve
    assert last.losses.keys() == {"category", "Farbe / Ton"}
    assert last.loss == pytest.approx(last.losses["category"] + last.losses["Farbe / Ton"], rel=1e-3)
    assert last.losses["Farbe / Ton"] < first.losses["Farbe / Ton"]
    assert without.fitted.best.losses == {}


def test_photos_without_a_further_label_learn_the_class_all_the_same():
    _, labels, colours = two_labels()
    trained = trained_with(QUICK, np.where(labels < 2, colours, UNKNOWN))
    assert validation_map(lambda asked: embed_with(trained.model, asked)) > 0.9
    assert all(np.isfinite(epoch.losses["Farbe / Ton"]) for epoch in trained.fitted.curve)


@pytest.mark.usefixtures("backup_of_each_epoch")
def test_a_training_with_a_further_label_goes_on_where_it_was_interrupted(tmp_path):
    options, colours = dataclasses.replace(QUICK, epochs=4), two_labels()[2]
    with pytest.raises(Killed):
        trained_with(options, colours, checkpoints=tmp_path / "head", on_epoch=kill_after(2))
    seen: list[int] = []
    resumed = trained_with(
        options, colours, checkpoints=tmp_path / "head", on_epoch=lambda epoch: seen.append(epoch.number)
    )
    straight = trained_with(options, colours)
    assert seen == [3, 4]
    for one, other in zip(resumed.fitted.curve, straight.fitted.curve, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-3)


class Killed(Exception):
    pass


def kill_after(number: int) -> Callable[[EpochRecord], None]:
    def on_epoch(epoch: EpochRecord) -> None:
        if epoch.number == number:
            raise Killed

    return on_epoch


@pytest.mark.parametrize("loss", ["normalised-softmax", "triplet"])
@pytest.mark.usefixtures("backup_of_each_epoch")
def test_an_interrupted_training_goes_on_and_ends_as_if_nothing_had_happened(tmp_path, loss):
    options = dataclasses.replace(QUICK, loss=loss, epochs=5)
    with pytest.raises(Killed):
        train(options, checkpoints=tmp_path / "head", on_epoch=kill_after(3))
    seen: list[int] = []
    resumed = train(options, checkpoints=tmp_path / "head", on_epoch=lambda epoch: seen.append(epoch.number))
    straight = train(options)
    assert seen == [4, 5]
    assert [epoch.number for epoch in resumed.fitted.curve] == [1, 2, 3, 4, 5]
    assert [epoch.loss for epoch in resumed.fitted.curve] == pytest.approx(
        [e.loss for e in straight.fitted.curve], rel=1e-3
    )
    x = features(seed=2)[0][:, 0]
    assert np.allclose(embed_with(resumed.model, x), embed_with(straight.model, x), atol=1e-3)


@pytest.mark.usefixtures("backup_of_each_epoch")
def test_one_that_is_interrupted_while_a_further_head_is_trained_goes_on_there(tmp_path):
    options = dataclasses.replace(QUICK, epochs=3, soup=2)
    with pytest.raises(Killed):
        train(options, checkpoints=tmp_path / "head", on_epoch=kill_after(5))
    seen: list[int] = []
    resumed = train(options, checkpoints=tmp_path / "head", on_epoch=lambda epoch: seen.append(epoch.number))
    straight = train(options)
    assert seen == [6]
    assert [epoch.number for epoch in resumed.fitted.curve] == [1, 2, 3, 4, 5, 6]
    x = features(seed=2)[0][:, 0]
    assert np.allclose(embed_with(resumed.model, x), embed_with(straight.model, x), atol=1e-3)


def started(tmp_path: Path) -> Path:
    with pytest.raises(Killed):
        train(checkpoints=tmp_path / "head", on_epoch=kill_after(2))
    return tmp_path / "head"


@pytest.mark.parametrize("change", [{"seed": 1}, {"dim": 9}, {"loss": "softmax"}, {"learning_rate": 0.01}])
def test_a_checkpoint_of_other_options_is_passed_over(tmp_path, change):
    seen: list[int] = []
    options = dataclasses.replace(QUICK, epochs=3, **change)
    train(options, checkpoints=started(tmp_path), on_epoch=lambda epoch: seen.append(epoch.number))
    assert seen == [1, 2, 3]


def test_a_checkpoint_of_other_photos_is_passed_over_although_they_are_as_many(tmp_path):
    seen: list[int] = []
    train_head(
        *features(seed=5), QUICK, score=validation_map, checkpoints=started(tmp_path),
        on_epoch=lambda epoch: seen.append(epoch.number),
    )  # fmt: skip
    assert seen[0] == 1


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_that_is_nan_is_reported_and_leaves_no_checkpoint(tmp_path, loss):
    x, labels = features()
    x[7, :, 3] = np.nan
    with pytest.raises(TrainingFailed, match=r"epoch 1: take a lower learning rate"):
        train_head(
            x, labels, dataclasses.replace(QUICK, loss=loss), score=validation_map, checkpoints=tmp_path / "head"
        )
    assert list(tmp_path.iterdir()) == []


def test_one_class_is_nothing_to_learn_from():
    x, labels = features()
    with pytest.raises(TrainingFailed, match="one class"):
        train_head(x, np.zeros_like(labels), QUICK, score=validation_map)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be from 1 to"),
        ({"loss": "l2"}, "no loss is named"),
        ({"loss": "triplet", "margin": -1.0}, "margin must be from 0.001 to 10"),
        ({"loss": "triplet", "margin": "hard"}, "margin must be a number or soft"),
        ({"loss": "arcface", "margin": "soft"}, "soft margin is for the triplet loss"),
        ({"temperature": 0.0}, "temperature must be from 0.001 to 10"),
    ],
)
def test_options_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        train(dataclasses.replace(QUICK, **change))


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.1), (1.0, 0.5), (0.5, 0.25)])
def test_a_rare_class_is_drawn_as_often_as_balance_says(balance, share):
    # Nine photos of one class to one of the other; weights fall with the class's size to the power of the balance.
    labels = np.repeat([0, 1], [900, 100])
    draw = sampler_of(TrainingConfig(balance=balance), labels, steps=40, batch_size=500)
    assert labels[draw(np.random.default_rng(0))].mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("loss", METRIC_LOSSES)
def test_a_batch_of_a_metric_loss_has_several_photos_of_each_class(loss):
    labels = np.repeat(np.arange(6), [2, 30, 30, 30, 30, 300])
    draw = sampler_of(TrainingConfig(loss=loss), labels, steps=20, batch_size=32)
    for rows in draw(np.random.default_rng(1)):
        assert np.unique(labels[rows], return_counts=True)[1].tolist() == [8] * 4


def test_each_epoch_draws_other_batches_and_the_same_epoch_the_same():
    labels = np.arange(160) % CLASSES
    draw = sampler_of(QUICK, labels, steps=2, batch_size=32)

    def rows(epoch: int) -> list[list[int]]:
        batches = SampledBatches(draw, lambda rows, random: (rows, random.random(3)), steps=2, seed=5)
        batches.start_epoch(epoch)
        return [[*rows.tolist(), *noise.tolist()] for rows, noise in (batches[0], batches[1])]

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)
