"""Losses against plain loops over the batch, at their limits and at the points where a gradient likes to explode."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make setup")
keras = pytest.importorskip("keras", reason="TensorFlow is not installed: make setup")

from training import losses as L  # noqa: E402
from training.config import DISTANCES, LOSSES, MINING  # noqa: E402
from training.losses import CosineClassifier, make_loss  # noqa: E402
from training.mining import STRATEGIES  # noqa: E402

# TensorFlow's arrays are older than NumPy's keyword `copy`.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

METRIC = [
    *(("contrastive", distance, "batch-hard", 1.0) for distance in DISTANCES),
    *(("triplet", *rest) for rest in itertools.product(DISTANCES, MINING, (0.4, "soft"))),
]
DISTANCE_OF = {
    "l1": lambda a, b: sum(abs(x - y) for x, y in zip(a, b, strict=True)),
    "l2": lambda a, b: math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True))),
    "cosine": lambda a, b: 1 - np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)),
}


def batch(seed=3, size=12, dim=5, classes=4):
    random = np.random.default_rng(seed)
    return random.integers(0, classes, size), random.normal(size=(size, dim)).astype(np.float32)


def cosines(seed=3, size=12, classes=6):
    random = np.random.default_rng(seed)
    return random.integers(0, classes, size), random.uniform(-1, 1, (size, classes)).astype(np.float32)


def value(loss, labels, read):
    return float(loss(np.asarray(labels), np.asarray(read, np.float32)))


def gradient(loss, labels, read):
    read = tf.Variable(np.asarray(read, np.float32))
    with tf.GradientTape() as tape:
        result = loss(tf.constant(labels), read)
    return tape.gradient(result, read).numpy()


def metric_loss(name, distance, mining, margin):
    return make_loss(name, margin=margin, distance=distance, mining=mining)


def loop_over_triplets(labels, embeddings, distance, mining, margin):
    """The triplet loss by its definition, in plain Python."""
    count = len(labels)
    d = [[DISTANCE_OF[distance](a, b) for b in embeddings.astype(float)] for a in embeddings.astype(float)]
    hinge = (lambda gap: math.log1p(math.exp(gap))) if margin == "soft" else (lambda gap: max(0.0, gap + margin))
    values = []
    for a in range(count):
        positives = [p for p in range(count) if p != a and labels[p] == labels[a]]
        negatives = [n for n in range(count) if labels[n] != labels[a]]
        if not positives or not negatives:
            continue
        if mining == "batch-hard":
            values.append(hinge(max(d[a][p] for p in positives) - min(d[a][n] for n in negatives)))
            continue
        for p in positives:
            if mining == "batch-all":
                values += [each for n in negatives if (each := hinge(d[a][p] - d[a][n])) > 0]
            else:
                beyond = [d[a][n] for n in negatives if d[a][n] > d[a][p]]
                values.append(hinge(d[a][p] - (min(beyond) if beyond else max(d[a][n] for n in negatives))))
    return sum(values) / len(values)


def test_every_way_of_mining_that_is_offered_is_there():
    assert STRATEGIES.keys() == set(MINING)


@pytest.mark.parametrize("distance", DISTANCES)
def test_all_distances_of_a_batch_are_those_of_a_loop_over_its_pairs(distance):
    _, embeddings = batch()
    expected = [[DISTANCE_OF[distance](a, b) for b in embeddings] for a in embeddings]
    together = L.pairwise_distances(embeddings, distance).numpy()
    row_by_row = [L.paired_distances(np.tile(each, (12, 1)), embeddings, distance).numpy() for each in embeddings]
    assert together.dtype == np.float32
    assert np.allclose(together, expected, atol=1e-4)
    assert np.allclose(row_by_row, expected, atol=1e-4)
    assert (together >= 0).all()


def test_distances_of_a_batch_that_has_almost_collapsed_are_not_lost_in_rounding():
    _, embeddings = batch()
    near = 1 + 1e-4 * embeddings
    expected = [[DISTANCE_OF["l2"](a, b) for b in near.astype(float)] for a in near.astype(float)]
    assert np.allclose(L.pairwise_distances(near, "l2"), expected, rtol=0.01)


@pytest.mark.parametrize("margin", [0.4, 3.0, "soft"])
@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("distance", DISTANCES)
def test_the_triplet_loss_is_that_of_a_loop_over_triplets(distance, mining, margin):
    for seed in range(3):
        labels, embeddings = batch(seed)
        expected = loop_over_triplets(labels, embeddings, distance, mining, margin)
        assert value(metric_loss("triplet", distance, mining, margin), labels, embeddings) == pytest.approx(
            expected, rel=1e-4
        )


def test_batch_hard_by_hand():
    # On a line: class 0 at 0 and 1, class 1 at 3 and 7. Gaps: 1 - 3, 1 - 2, 4 - 2, 4 - 6.
    labels, points = [0, 0, 1, 1], [[0.0, 0], [1, 0], [3, 0], [7, 0]]
    assert value(make_loss("triplet", margin=0.5), labels, points) == pytest.approx((0 + 0 + 2.5 + 0) / 4)


def test_contrastive_by_hand():
    # One pair of one class, 1 apart; four of two classes, 1 apart or 2 apart, and one of them beyond the margin.
    labels, points = [0, 0, 1], [[0.0, 0], [1, 0], [2, 0]]
    assert value(make_loss("contrastive", margin=1.5), labels, points) == pytest.approx((0.5 + (0 + 0.125) / 2) / 2)


def test_contrastive_gives_both_kinds_of_pair_equal_weight():
    labels, embeddings = batch()
    d = L.pairwise_distances(embeddings, "l2").numpy()
    kinds: dict[bool, list[Any]] = {True: [], False: []}
    for a, b in itertools.combinations(range(len(labels)), 2):
        same = bool(labels[a] == labels[b])
        kinds[same].append(d[a, b] ** 2 / 2 if same else max(0.0, 2.5 - d[a, b]) ** 2 / 2)
    expected = (np.mean(kinds[True]) + np.mean(kinds[False])) / 2
    assert value(make_loss("contrastive", margin=2.5), labels, embeddings) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("case", METRIC, ids=lambda case: "-".join(map(str, case)))
class TestEveryMetricLoss:
    def test_does_not_mind_what_classes_are_called(self, case):
        labels, embeddings = batch()
        renamed = np.array([40, 7, 1_000_003, 0])[labels]
        loss = metric_loss(*case)
        assert value(loss, renamed, embeddings) == value(loss, labels, embeddings)

    def test_does_not_mind_the_order_of_the_batch(self, case):
        labels, embeddings = batch()
        order = np.random.default_rng(1).permutation(len(labels))
        loss = metric_loss(*case)
        assert value(loss, labels[order], embeddings[order]) == pytest.approx(value(loss, labels, embeddings), rel=1e-4)

    @pytest.mark.parametrize("embeddings", [np.ones((6, 4)), np.zeros((6, 4)), np.repeat(np.eye(4)[:2], 3, axis=0)])
    def test_has_a_finite_gradient_between_equal_embeddings(self, case, embeddings):
        assert np.isfinite(gradient(metric_loss(*case), [0, 0, 1, 1, 2, 2], embeddings)).all()

    def test_has_the_gradient_that_small_steps_show(self, case):
        labels, embeddings = batch(seed=8, size=7, dim=3)
        loss = metric_loss(*case)
        found = gradient(loss, labels, embeddings)
        for row, column in [(0, 0), (3, 1), (6, 2)]:
            step = np.zeros_like(embeddings)
            step[row, column] = 2e-3
            slope = (value(loss, labels, embeddings + step) - value(loss, labels, embeddings - step)) / 4e-3
            assert found[row, column] == pytest.approx(slope, abs=5e-3, rel=0.02)

    @pytest.mark.parametrize("labels", [[5, 5, 5, 5], [5]], ids=["one label", "one photo"])
    def test_is_finite_where_there_is_one_class(self, case, labels):
        _, embeddings = batch(size=len(labels))
        loss = metric_loss(*case)
        assert np.isfinite(gradient(loss, labels, embeddings)).all()
        if case[0] == "triplet":
            assert value(loss, labels, embeddings) == 0

    def test_is_finite_where_no_label_occurs_twice(self, case):
        labels, embeddings = np.arange(4), batch(size=4)[1]
        loss = metric_loss(*case)
        assert np.isfinite(gradient(loss, labels, embeddings)).all()
        if case[0] == "triplet":
            assert value(loss, labels, embeddings) == 0

    def test_does_not_hide_a_vector_that_is_not_a_number(self, case):
        labels, embeddings = np.array([0, 0, 1, 1, 2, 2]), batch(size=6)[1]
        embeddings[2] = np.nan
        assert math.isnan(value(metric_loss(*case), labels, embeddings))

    def test_is_the_same_in_a_graph_with_a_batch_of_unknown_size(self, case):
        labels, embeddings = batch()
        loss = metric_loss(*case)
        signature = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, None], tf.float32)]
        in_graph = tf.function(loss, input_signature=signature)
        assert float(in_graph(labels, embeddings)) == pytest.approx(value(loss, labels, embeddings), rel=1e-5)

    def test_falls_when_it_is_optimised(self, case):
        labels, embeddings = batch()
        loss, vectors = metric_loss(*case), tf.Variable(embeddings)
        optimizer = keras.optimizers.Adam(0.05)
        before = value(loss, labels, embeddings)
        for _ in range(30):
            with tf.GradientTape() as tape:
                result = loss(labels, vectors)
            optimizer.apply_gradients([(tape.gradient(result, vectors), vectors)])
        after = value(loss, labels, vectors.numpy())
        assert after < before


def test_the_soft_margin_lies_above_a_hinge_of_no_margin_and_meets_it_far_out():
    labels, embeddings = batch()
    soft, hinge = make_loss("triplet", margin="soft"), make_loss("triplet", margin=1e-6)
    assert value(soft, labels, embeddings) > value(hinge, labels, embeddings)
    assert value(soft, labels, 1000 * embeddings) == pytest.approx(value(hinge, labels, 1000 * embeddings), rel=1e-3)
    assert value(soft, [0, 0, 1, 1], np.zeros((4, 2))) == pytest.approx(math.log(2))


def test_softmax_and_normalised_softmax_are_cross_entropies():
    labels, read = cosines()
    for loss, temperature in [(make_loss("softmax"), 1.0), (make_loss("normalised-softmax", temperature=0.1), 0.1)]:
        logits = read.astype(float) / temperature
        expected = np.mean([np.log(np.exp(row).sum()) - row[label] for row, label in zip(logits, labels, strict=True)])
        assert value(loss, labels, read) == pytest.approx(expected, rel=1e-5)


def test_arcface_is_the_normalised_softmax_of_turned_angles():
    labels, read = cosines()
    turned = read.astype(float).copy()
    for row, label in enumerate(labels):
        angle = math.acos(turned[row, label])
        turned[row, label] = math.cos(angle + 0.3) if angle + 0.3 <= math.pi else math.cos(angle) - 0.3 * math.sin(0.3)
    plain = make_loss("normalised-softmax", temperature=0.1)
    assert value(make_loss("arcface", margin=0.3, temperature=0.1), labels, read) == pytest.approx(
        value(plain, labels, turned), rel=1e-4
    )


def test_arcface_without_a_margin_is_the_normalised_softmax():
    labels, read = cosines()
    read[0], read[1] = 1, -1
    arcface, plain = make_loss("arcface", margin=0.0), make_loss("normalised-softmax")
    assert value(arcface, labels, read) == pytest.approx(value(plain, labels, read), rel=1e-6)


def test_arcface_asks_for_more_the_farther_the_photo_is_from_its_class_on_the_whole_circle():
    arcface = L.ArcFace(scale=10.0, margin=0.5, reduction=None)
    own = np.cos(np.linspace(0, math.pi, 400)).astype(np.float32)
    read = np.stack([own, np.zeros_like(own)], axis=1)
    assert (np.diff(arcface(np.zeros(400, np.int64), read).numpy()) >= -1e-5).all()


@pytest.mark.parametrize("name", ["softmax", "normalised-softmax", "arcface"])
@pytest.mark.parametrize("cosine", [-1.0, 0.0, 1.0, np.float32(1.0000001)])
def test_classification_losses_have_a_finite_gradient_at_the_ends_of_the_circle(name, cosine):
    assert np.isfinite(gradient(make_loss(name), [0, 2], np.full((2, 3), cosine))).all()


def test_a_cosine_classifier_minds_directions_alone():
    _, embeddings = batch()
    classifier = CosineClassifier(6)
    read = classifier(embeddings).numpy()
    kernel = classifier.get_weights()[0]
    expected = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)) @ (
        kernel / np.linalg.norm(kernel, axis=0)
    )
    assert read.shape == classifier.compute_output_shape((12, 5)) == (12, 6)
    assert np.allclose(read, expected, atol=1e-6)
    assert np.allclose(classifier(7 * embeddings), read, atol=1e-6)


@pytest.mark.parametrize("name", ["normalised-softmax", "arcface"])
def test_classes_are_learnt_with_keras_own_loop(name):
    keras.utils.set_random_seed(1)
    labels, embeddings = batch(size=40, dim=16)
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(16), CosineClassifier(4)])
    model.compile(keras.optimizers.Adam(0.03), make_loss(name, temperature=0.1))
    history = model.fit(embeddings, labels, epochs=30, batch_size=40, verbose=0).history["loss"]
    assert history[-1] < history[0] / 3


def test_a_classifier_can_be_stored_with_its_model(tmp_path):
    _, embeddings = batch()
    model = keras.Sequential([keras.Input((5,)), CosineClassifier(3)])
    model.save(tmp_path / "model.keras")
    assert np.allclose(keras.saving.load_model(tmp_path / "model.keras")(embeddings), model(embeddings))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_comes_back_from_its_settings(name):
    given = {"arcface": {"margin": 0.3}, "contrastive": {"margin": 0.7, "distance": "l1"}}
    given["triplet"] = {"margin": "soft", "distance": "cosine", "mining": "semi-hard"}
    loss = make_loss(name, **given.get(name, {}))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


def test_what_is_not_said_is_the_loss_own_default():
    assert make_loss("arcface").get_config() == L.ArcFace().get_config()
    assert make_loss("contrastive").get_config() == L.Contrastive().get_config()
    assert make_loss("triplet").get_config() == L.Triplet().get_config()
    assert make_loss("normalised-softmax").get_config() == L.NormalisedSoftmax().get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "hinge"}, "'hinge'.*normalised-softmax, softmax, arcface, contrastive, triplet"),
        ({"name": "triplet", "distance": "l3"}, "'l3'.*l1, l2, cosine"),
        ({"name": "contrastive", "distance": "l3"}, "'l3'"),
        ({"name": "triplet", "mining": "easy"}, "'easy'.*batch-all, batch-hard, semi-hard"),
        ({"name": "triplet", "margin": 0.0}, "above 0"),
        ({"name": "triplet", "margin": math.nan}, "above 0"),
        ({"name": "triplet", "margin": "hard"}, "above 0"),
        ({"name": "contrastive", "margin": -1.0}, "above 0"),
        ({"name": "contrastive", "margin": "soft"}, "soft margin is for the triplet loss"),
        ({"name": "arcface", "margin": 1.6}, "angle"),
        ({"name": "arcface", "temperature": 0.0}, "above 0"),
        ({"name": "normalised-softmax", "temperature": -1.0}, "above 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_loss(**arguments)


def test_embeddings_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\[batch, dim\]"):
        make_loss("triplet")(np.zeros(3), np.zeros((3, 2, 2), np.float32))
    with pytest.raises(ValueError, match="at least 2"):
        CosineClassifier(1)


def test_a_photo_without_a_label_counts_nothing_and_the_others_as_they_do_by_themselves():
    labels, read = cosines()
    unknown = np.arange(len(labels)) % 3 == 0
    loss = L.WhereKnown(L.NormalisedSoftmax(0.2))
    masked = np.where(unknown, -1, labels)
    alone = [value(L.NormalisedSoftmax(0.2), [label], [row]) for label, row in zip(labels, read, strict=True)]
    assert value(loss, masked, read) == pytest.approx(np.where(unknown, 0, alone).mean(), rel=1e-5)
    slope = gradient(loss, masked, read)
    assert np.isfinite(slope).all()
    assert (slope[unknown] == 0).all()
    assert (slope[~unknown] != 0).any(axis=1).all()


def test_a_mixture_with_a_photo_without_a_label_learns_from_the_other_one():
    _, read = cosines(size=2)
    of = L.WhereKnown(L.NormalisedSoftmax(0.2))
    targets = np.array([[2, -1, 0.7], [-1, 3, 0.6]], np.float32)
    expected = (0.7 * value(of, [2], read[:1]) + 0.4 * value(of, [3], read[1:])) / 2
    assert value(L.Mixup(of), targets, read) == pytest.approx(expected, rel=1e-5)
