"""Which labels do not fit their vectors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings import label_noise
from embeddings.label_noise import judge_labels

DIM, CLASSES, EACH = 16, 4, 40


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    """Four clusters of 40 unit vectors."""
    random = np.random.default_rng(0)
    centres = np.repeat(random.normal(size=(CLASSES, DIM)), EACH, axis=0)
    raw = centres + 0.5 * random.normal(size=centres.shape)
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def labels() -> NDArray[np.int64]:
    return np.repeat(np.arange(CLASSES), EACH)


def test_exchanged_labels_come_first_with_what_they_were(vectors, labels):
    wrong = np.array([3, 50, 90, 130])
    given = labels.copy()
    given[wrong] = (labels[wrong] + 1) % CLASSES

    judgement = judge_labels(vectors, given)

    first = np.argsort(-judgement.margin)[: len(wrong)]
    assert set(first.tolist()) == set(wrong.tolist())
    assert judgement.suggested[wrong].tolist() == labels[wrong].tolist()
    assert (judgement.margin[wrong] > 0.5).all()
    assert (np.delete(judgement.margin, wrong) < 0).all()


def test_probabilities_are_between_0_and_1(vectors, labels):
    judgement = judge_labels(vectors, labels)

    assert ((judgement.given >= 0) & (judgement.given + judgement.other <= 1 + 1e-5)).all()


def test_the_answer_does_not_depend_on_how_it_is_divided(vectors, labels, monkeypatch):
    whole = judge_labels(vectors, labels)
    monkeypatch.setattr(label_noise, "_BLOCK", 7)

    assert np.allclose(judge_labels(vectors, labels).margin, whole.margin, atol=1e-5)


def test_stored_vectors_are_taken_as_they_are(vectors, labels):
    stored = (vectors * 3).astype("<f2")

    assert np.allclose(judge_labels(stored, labels).margin, judge_labels(vectors, labels).margin, atol=0.02)


def test_a_gallery_that_is_sampled_judges_all(vectors, labels, monkeypatch):
    monkeypatch.setattr(label_noise, "MAX_GALLERY", 80)
    labels[0] = 3

    judgement = judge_labels(vectors, labels)

    assert judgement.margin.argmax() == 0


def test_small_classes_are_neither_judged_nor_suggested(vectors, labels):
    labels[:5] = 9

    judgement = judge_labels(vectors, labels)

    assert (judgement.margin[:5] == -1).all()
    assert 9 not in judgement.suggested[5:]


@pytest.mark.parametrize("number", [0, 1, 20])
def test_without_two_classes_there_is_nothing_to_judge(vectors, number):
    judgement = judge_labels(vectors[:number], np.zeros(number, np.int64))

    assert (judgement.margin == -1).all()
