"""The Siamese network: learns what is alike, from drawings and from features, and survives being killed."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

keras = pytest.importorskip("keras", reason="TensorFlow is not installed: make setup")

from embeddings.evaluation.verification import (  # noqa: E402
    best_threshold,
    draw_pairs,
    nearest_neighbour_accuracy,
    verification_accuracy,
)
from training import siamese  # noqa: E402
from training.config import TrainingConfig  # noqa: E402
from training.digits import load_digits  # noqa: E402
from training.errors import TrainingFailed  # noqa: E402
from training.export import to_litert  # noqa: E402
from training.samplers import pk_sampler  # noqa: E402
from training.siamese import (  # noqa: E402
    Augmentation,
    SiameseNetwork,
    evaluate_siamese,
    feature_tower,
    hold_out,
    image_tower,
    train_siamese,
)
from training.siamese_encoder import OF_DIGITS, pixels  # noqa: E402
from training.trainer import EpochRecord  # noqa: E402

# TensorFlow's arrays are older than NumPy's keyword `copy`.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

QUICK = TrainingConfig.from_options(
    {"siamese": True, "batch_size": 16, "photos_per_class": 4, "epochs": 3, "steps_per_epoch": 25}
)


def features(count=160, classes=4, dim=12, seed=0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Classes that differ in three of the features, under loud noise in the others."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    x = random.normal(size=(count, dim)).astype(np.float32)
    x[:, :3] = 3 * np.random.default_rng(99).normal(size=(classes, 3))[labels] + 0.3 * x[:, :3]
    x[:, 3:] *= 2.5
    return x, labels


def drawings(count=120, seed=0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Uint8 [count, 12, 12]: lying, standing and sloping bars, each somewhere else."""
    random = np.random.default_rng(seed)
    images, labels = np.zeros((count, 12, 12), np.uint8), np.arange(count) % 3
    for image, label in zip(images, labels, strict=True):
        at = random.integers(2, 10)
        along = np.arange(1, 11)
        rows, columns = [(at, along), (along, at), (along, np.clip(along + at - 6, 0, 11))][label]
        image[rows, columns] = random.integers(120, 255)
    return images, labels


def train(options=QUICK, tower=None, **more):
    x, labels = features()
    validation = features(seed=1)
    return train_siamese(x, labels, *validation, tower or feature_tower(12, 8, hidden=32), options, **more)


@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
@pytest.mark.parametrize("distance", ["l1", "l2", "cosine"])
def test_frozen_features_are_learnt_with_every_loss_and_distance(loss, distance):
    x, labels = features()
    test_x, test_labels = features(seed=2)
    options = dataclasses.replace(
        QUICK, loss=loss, distance=distance, margin=0.5, learning_rate=0.01, steps_per_epoch=60
    )
    network, _ = train_siamese(*features(600), *features(seed=1), feature_tower(12, 8, hidden=32), options)
    scores = evaluate_siamese(network, x, labels, test_x, test_labels, pairs=1000)
    assert nearest_neighbour_accuracy(test_x, test_labels, x, labels) < 0.9
    assert scores.nearest_neighbour > 0.95
    assert scores.verification > 0.9
    assert scores.threshold == network.threshold


def test_drawings_are_learnt_from_scratch():
    network, _ = train_siamese(
        *drawings(), *drawings(seed=1), image_tower(12, 1, 8), QUICK,
        augmentation=Augmentation(shift_px=1.0, rotation_degrees=5.0),
    )  # fmt: skip
    scores = evaluate_siamese(network, *drawings(), *drawings(seed=2), pairs=1000)
    assert scores.nearest_neighbour > 0.95
    assert scores.verification > 0.9


def test_classes_may_have_names_and_validation_may_have_classes_of_its_own():
    x, labels = features()
    names = np.array(["coat", "hat", "shirt", "shoe"])[labels]
    validation_x, validation_labels = features(seed=1)
    _, fitted = train_siamese(
        x[labels < 3], names[labels < 3], validation_x, names[validation_labels], feature_tower(12, 8), QUICK
    )
    assert max(record.score or 0.0 for record in fitted.curve) > 0.8


def test_the_towers_are_tied():
    network = SiameseNetwork(image_tower(12, 1, 8))
    images, others = drawings(6)[0], drawings(6, seed=5)[0]
    distances = network.predict((images[..., None], others[..., None]), verbose=0)
    expected = np.linalg.norm(network.embed(images) - network.embed(others), axis=1)
    assert distances == pytest.approx(expected, abs=1e-5)
    assert network.predict((images[..., None], images[..., None]), verbose=0) == pytest.approx(0)
    assert len(network.trainable_variables) == len(network.tower.trainable_variables)


def test_embeddings_are_of_unit_length_and_the_same_for_bytes_and_for_their_share_of_white():
    network = SiameseNetwork(image_tower(12, 1, 8))
    images, _ = drawings(7)
    vectors = network.embed(images, batch=3)
    assert vectors.shape == (7, 8)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(network.embed(images[..., None].astype(np.float32) / 255), vectors, atol=1e-5)


def test_a_network_can_be_stored_and_says_the_same_when_it_is_back(tmp_path):
    network, _ = train()
    network.save(tmp_path / "siamese.keras")
    again = keras.saving.load_model(tmp_path / "siamese.keras")
    left, right = features(40)[0], features(40, seed=3)[0]
    assert (again.distance, again.threshold) == (network.distance, network.threshold)
    assert np.allclose(again.embed(left), network.embed(left), atol=1e-6)
    assert (again.same(left, right) == network.same(left, right)).all()


def test_a_tower_of_photos_can_be_exported_for_serving(tmp_path):
    from PIL import Image

    from embeddings.encoders.litert import LiteRTEncoder
    from embeddings.encoders.preprocessing import to_input

    tower = image_tower(16, 3, 8)
    (tmp_path / "tower.tflite").write_bytes(to_litert(tower))
    photo = Image.fromarray(np.random.default_rng(4).integers(0, 255, (16, 16, 3), dtype=np.uint8))
    encoder = LiteRTEncoder(tmp_path / "tower.tflite")
    assert np.allclose(encoder.encode([photo]), tower(to_input(photo, 16)), atol=1e-5)


class Killed(Exception):
    pass


def kill_after(number):
    def on_epoch(record: EpochRecord) -> None:
        if record.number == number:
            raise Killed

    return on_epoch


@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
@pytest.mark.usefixtures("backup_of_each_epoch")
def test_an_interrupted_training_goes_on_and_ends_as_if_nothing_had_happened(tmp_path, loss):
    options = dataclasses.replace(QUICK, loss=loss, epochs=4, patience=4)
    with pytest.raises(Killed):
        train(options, checkpoints=tmp_path, on_epoch=kill_after(2))
    seen: list[EpochRecord] = []
    (resumed, curve), (straight, straight_curve) = (
        train(options, checkpoints=tmp_path, on_epoch=seen.append), train(options),
    )  # fmt: skip
    assert [epoch.number for epoch in seen] == [3, 4]
    assert [epoch.number for epoch in curve.curve] == [1, 2, 3, 4]
    assert [e.loss for e in curve.curve] == pytest.approx([e.loss for e in straight_curve.curve], rel=1e-3)
    x, _ = features()
    assert np.allclose(resumed.embed(x), straight.embed(x), atol=1e-3)


def test_a_training_that_has_ended_is_not_done_again(tmp_path):
    seen: list[EpochRecord] = []
    first, curve = train(checkpoints=tmp_path)
    second, again = train(checkpoints=tmp_path, on_epoch=seen.append)
    assert seen == []
    assert again.curve == curve.curve
    assert second.threshold == first.threshold


def test_a_checkpoint_of_another_training_is_passed_over(tmp_path):
    seen: list[EpochRecord] = []
    train(checkpoints=tmp_path)
    train(dataclasses.replace(QUICK, seed=8), checkpoints=tmp_path, on_epoch=seen.append)
    assert [epoch.number for epoch in seen] == [1, 2, 3]


def test_training_stops_when_validation_no_longer_gets_better_and_keeps_the_best(monkeypatch):
    scores = iter([0.5, 0.8, 0.7, 0.8, 0.6, 0.9])
    monkeypatch.setattr(siamese, "_validation_map", lambda *_: next(scores))
    weights, tower = [], feature_tower(12, 8)
    network, fitted = train(
        dataclasses.replace(QUICK, epochs=6, patience=3),
        tower,
        on_epoch=lambda _: weights.append(tower.get_weights()),
    )
    assert [epoch.score for epoch in fitted.curve] == [0.5, 0.8, 0.7, 0.8, 0.6]
    assert fitted.best_epoch == 2
    assert all(np.array_equal(a, b) for a, b in zip(network.tower.get_weights(), weights[1], strict=True))


def test_a_loss_that_is_nan_is_reported_and_leaves_no_checkpoint(tmp_path):
    tower = feature_tower(12, 8)
    tower.set_weights([np.full_like(weight, np.nan) for weight in tower.get_weights()])
    with pytest.raises(TrainingFailed, match=r"epoch 1.*lower learning rate"):
        train(tower=tower, checkpoints=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_same_seed_gives_the_same_network():
    x, _ = features()
    assert np.allclose(train()[0].embed(x), train()[0].embed(x), atol=1e-3)


def with_nan(x):
    return np.where(np.arange(len(x))[:, None] == 3, np.nan, x).astype(np.float32)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda x, labels: (x, np.zeros_like(labels)), "at least 2"),
        (lambda x, labels: (x, np.where(np.arange(160) == 5, 9, labels)), "a single training photo"),
        (lambda x, _: (x, np.arange(160)), "no class has two training photos"),
        (lambda x, labels: (x[:-1], labels), "159 training photos, but 160 labels"),
        (lambda x, labels: (x[:, :-1], labels), r"the tower takes .*12\], not float32 \[160, 11\]"),
        (lambda x, labels: (x.astype(np.float64), labels), "not float64"),
        (lambda x, labels: (with_nan(x), labels), "not finite"),
        (lambda x, labels: (x[:0], labels[:0]), "0 class"),
    ],
)
def test_data_that_nothing_can_be_learnt_from_is_refused(data, message):
    x, labels = data(*features())
    with pytest.raises(ValueError, match=message):
        train_siamese(x, labels, *features(seed=1), feature_tower(12, 8), QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "softmax"}, "contrastive, triplet"),
        ({"distance": "l3"}, "l1, l2"),
        ({"mining": "easy"}, "batch-all"),
        ({"margin": -1.0}, "margin must be from 0.001"),
        ({"batch_size": 1}, "batch_size must be from 2"),
        ({"photos_per_class": 1}, "photos_per_class must be from 2"),
        ({"epochs": 0}, "epochs must be from 1"),
        ({"learning_rate": 0.0}, "learning_rate must be from 1e-08"),
    ],
)
def test_options_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        train(dataclasses.replace(QUICK, **change))


def test_a_network_without_a_threshold_does_not_judge():
    network = SiameseNetwork(feature_tower(12, 8))
    x, labels = features()
    with pytest.raises(ValueError, match="no threshold"):
        network.same(x, x)
    with pytest.raises(ValueError, match="no threshold"):
        evaluate_siamese(network, x, labels, x, labels)


def test_a_batch_holds_p_classes_of_k_photos_and_uses_all_photos_before_one_comes_again():
    classes = np.repeat(np.arange(5), [3, 8, 8, 8, 8])
    batches = pk_sampler(classes, 3, 4, 40, np.random.default_rng([7, 1]))
    for rows in batches:
        assert sorted(np.unique(classes[rows], return_counts=True)[1]) == [4, 4, 4]
    used = np.bincount(np.concatenate(batches), minlength=len(classes))
    assert all(np.ptp(used[classes == number]) <= 1 for number in range(5))
    assert np.array_equal(batches, pk_sampler(classes, 3, 4, 40, np.random.default_rng([7, 1])))


def moved(images: NDArray[np.float32], augmentation: Augmentation) -> NDArray[np.float32]:
    """The images as they are moved while a network is trained."""
    return np.asarray(keras.Sequential(augmentation.layers(images.shape[1], 1))(images, training=True))


def test_a_photo_moves_by_pixels_and_turns_by_degrees_at_most():
    still = np.random.default_rng(0).uniform(size=(5, 9, 9, 1)).astype(np.float32)
    assert np.allclose(moved(still, Augmentation(0, 0, 0)), still, atol=1e-5)

    dot = np.zeros((200, 15, 15, 1), np.float32)
    dot[:, 7, 7] = 1
    shifted = moved(dot, Augmentation(3, 0, 0))[..., 0]
    assert np.allclose(shifted.sum(axis=(1, 2)), 1, atol=1e-3)
    rows = (shifted.sum(axis=2) * np.arange(15)).sum(axis=1) - 7
    columns = (shifted.sum(axis=1) * np.arange(15)).sum(axis=1) - 7
    assert 2.5 < np.abs(rows).max() <= 3.001
    assert 2.5 < np.abs(columns).max() <= 3.001

    dot = np.zeros((200, 15, 15, 1), np.float32)
    dot[:, 7, 11] = 1
    turned = moved(dot, Augmentation(0, 30, 0))[..., 0]
    total = turned.sum(axis=(1, 2))
    rows = (turned.sum(axis=2) * np.arange(15)).sum(axis=1) / total - 7
    columns = (turned.sum(axis=1) * np.arange(15)).sum(axis=1) / total - 7
    assert 25 < np.abs(np.degrees(np.arctan2(rows, columns))).max() < 31
    assert np.hypot(rows, columns) == pytest.approx(4, abs=0.3)


def test_pairs_are_half_and_half_and_nothing_is_paired_with_itself():
    labels = np.array(["a", "b", "b", "c", "c", "c"])
    pairs = draw_pairs(labels, 3000, seed=1)
    assert pairs.same.sum() == 1500
    assert ((labels[pairs.left] == labels[pairs.right]) == pairs.same).all()
    assert (pairs.left != pairs.right).all()
    assert len(set(zip(pairs.left[pairs.same], pairs.right[pairs.same], strict=True))) == 2 + 6
    assert len(set(zip(pairs.left[~pairs.same], pairs.right[~pairs.same], strict=True))) == 5 + 8 + 9


@pytest.mark.parametrize("labels", [np.zeros(4), np.arange(4), np.zeros(0)])
def test_pairs_need_two_classes_and_two_photos_of_one(labels):
    with pytest.raises(ValueError, match="two classes"):
        draw_pairs(labels, 10, seed=1)


def test_the_best_threshold_is_that_of_trying_them_all():
    for seed in range(20):
        random = np.random.default_rng(seed)
        same = random.random(15) < 0.5
        distances = (random.integers(0, 8, 15) + 2 * ~same).astype(np.float32)
        best = max(verification_accuracy(distances, same, t) for t in np.arange(-0.5, 12))
        assert verification_accuracy(distances, same, best_threshold(distances, same)) == pytest.approx(best)
    assert best_threshold(np.array([0.1, 0.3], np.float32), np.array([True, False])) == pytest.approx(0.2)
    assert best_threshold(np.array([0.1, 0.3], np.float32), np.array([False, False])) < 0.1


@pytest.mark.parametrize("distance", ["cosine", "l2"])
def test_the_nearest_neighbour_is_that_of_a_loop(distance):
    random = np.random.default_rng(2)
    queries, gallery = random.normal(size=(23, 4)), random.normal(size=(40, 4))
    query_labels, gallery_labels = random.integers(0, 3, 23), random.integers(0, 3, 40)
    right = 0
    for query, label in zip(queries, query_labels, strict=True):
        away = [
            np.linalg.norm(query - each)
            if distance == "l2"
            else -query @ each / np.linalg.norm(query) / np.linalg.norm(each)
            for each in gallery
        ]
        right += gallery_labels[int(np.argmin(away))] == label
    found = nearest_neighbour_accuracy(queries, query_labels, gallery, gallery_labels, distance=distance, chunk=5)
    assert found == pytest.approx(right / 23)


def test_what_is_held_out_is_of_every_class_and_not_trained_on():
    labels = np.repeat(["a", "b", "c"], [5, 6, 30])
    kept, held = hold_out(labels, 3, seed=1)
    assert sorted([*kept, *held]) == list(range(41))
    assert np.unique(labels[held], return_counts=True)[1].tolist() == [3, 3, 3]
    with pytest.raises(ValueError, match="too few photos"):
        hold_out(labels, 4, seed=1)


def write_digits(folder: Path, **change) -> Path:
    for split in ("train", "test"):
        for digit in range(10):
            part = {"images": np.full((3, 28, 28), digit, np.uint8), "label": digit, **change}
            np.savez(folder / f"{split}_{digit}_0.npz", **part)
    return folder


def test_digits_are_read_from_their_parts(tmp_path):
    write_digits(tmp_path)
    np.savez(tmp_path / "train_4_1.npz", images=np.full((2, 28, 28), 77, np.uint8), label=4)
    digits = load_digits(tmp_path)
    images = pixels(digits.train, 28, 1)
    assert images.shape == (32, 28, 28, 1)
    assert digits.validation_labels.tolist() == np.repeat([*"0123456789"], 3).tolist()
    assert (images == 77).all(axis=(1, 2, 3)).sum() == 2
    assert digits.train_labels[images[:, 0, 0, 0] == 77].tolist() == ["4", "4"]
    assert len(digits.manifest.photos) == 62


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((3, 28, 28), np.float32)}, "not uint8"),
        ({"images": np.zeros((3, 32, 32), np.uint8)}, "not uint8"),
        ({"label": 3}, "says that its label is 3"),
    ],
)
def test_a_part_that_holds_something_else_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load_digits(write_digits(tmp_path, **change))


def test_a_folder_without_digits_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"lacks train digits 0, 1.*train_0_0\.npz"):
        load_digits(tmp_path / "nowhere")
    (write_digits(tmp_path) / "test_7_0.npz").unlink()
    with pytest.raises(ValueError, match="lacks test digits 7:"):
        load_digits(tmp_path)
    np.savez(tmp_path / "test_7_0.npz", pictures=np.zeros(3))
    with pytest.raises(ValueError, match="must hold `images` and `label`, not pictures"):
        load_digits(tmp_path)


@pytest.fixture(scope="module")
def mnist(real_data) -> dict[str, NDArray[Any]]:
    """MNIST's digits and labels, read once."""
    digits = load_digits(real_data / "data" / "mnist")
    return {
        "images": pixels(digits.train, 28, 1), "labels": digits.train_labels,
        "test_images": pixels(digits.validation, 28, 1), "test_labels": digits.validation_labels,
    }  # fmt: skip


@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
def test_real_digits_are_separated_after_a_short_training(mnist, loss):
    images, labels = mnist["images"], mnist["labels"]
    kept, held = hold_out(labels, 50, seed=1)
    config = TrainingConfig.from_options({"siamese": True, "loss": loss, "epochs": 1, "steps_per_epoch": 150})
    gallery = np.random.default_rng(1).choice(kept, 5000, replace=False)
    network, _ = train_siamese(
        images[kept], labels[kept], images[held], labels[held], image_tower(28, 1, 32), config, augmentation=OF_DIGITS
    )
    scores = evaluate_siamese(network, images[gallery], labels[gallery], mnist["test_images"], mnist["test_labels"])
    assert scores.nearest_neighbour > 0.96
    assert scores.verification > 0.93
