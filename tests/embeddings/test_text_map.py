"""What products look like by their texts: what is learned, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embeddings.encoders import text_map
from embeddings.encoders.text_map import Vectors, fit_text_map, read_text_map
from embeddings.errors import EncoderUnavailable
from embeddings.text_maps import Pairs, judged

ASIDE = np.random.default_rng(3).permutation(400)[:80]


def units(vectors: np.ndarray) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def pairs_of(count: int = 400, kinds: int = 20, seed: int = 0) -> Pairs:
    """Products of some kinds, whose texts and looks are a little apart from those of their kind. Two photos each."""
    draw = np.random.default_rng(seed)
    kind = np.arange(count) % kinds
    texts = units(units(draw.normal(size=(kinds, 16)))[kind] + 0.05 * draw.normal(size=(count, 16)))
    # The same texts look the same: a map, not chance, makes looks of texts.
    looks = units(np.tanh(texts @ draw.normal(size=(16, 32)) * 2) + 3)
    photos = units(np.repeat(looks, 2, axis=0) + 0.01 * draw.normal(size=(2 * count, 32)))
    return Pairs(texts, photos, np.repeat(np.arange(count), 2))


def test_products_kept_aside_are_found_by_their_texts() -> None:
    pairs = pairs_of()
    figures = judged(pairs, ASIDE)
    assert (figures.products, figures.aside, figures.chance) == (400, 80, 10 / 400)
    assert figures.recall > 0.9
    assert figures.recall >= figures.text_only > 20 * figures.chance


def test_a_map_of_other_pairs_finds_no_more_than_chance() -> None:
    pairs = pairs_of()
    mixed = Pairs(np.random.default_rng(1).permutation(pairs.texts), pairs.photos, pairs.product_of)
    assert judged(mixed, ASIDE).recall < 0.15


def test_the_written_map_answers_as_the_trained_one(tmp_path: Path) -> None:
    pairs = pairs_of()
    trained = fit_text_map("text-1", pairs.texts, pairs.looks())
    name, content = trained.file()
    (tmp_path / name).write_bytes(content)
    read = read_text_map(tmp_path / name)
    assert read.text_encoder == "text-1"
    assert read.looks(pairs.texts[:5]) == pytest.approx(trained.looks(pairs.texts[:5]), abs=0.02)
    assert trained.file() == (name, content)


def test_more_texts_than_anchors_are_learned_from_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_map, "MAX_ANCHORS", 100)
    assert judged(pairs_of(), ASIDE).recall > 0.7


def test_products_of_one_text_are_learned_as_their_mean() -> None:
    texts = units(np.array([[1, 0], [1, 0], [0, 1]]))
    looks = units(np.array([[1, 0.2, 0], [1, -0.2, 0], [0, 0, 1]]))
    trained = fit_text_map("", texts, looks)
    near, far = trained.similarities(trained.looks(texts[:1]), units(np.array([[1, 0, 0], [0, 0, 1]])))[0]
    assert near > 0.9 > 0 > far


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_a_missing_or_damaged_file_is_an_error_that_names_it(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "map.npz").write_bytes(content)
    with pytest.raises(EncoderUnavailable, match=r"map\.npz"):
        read_text_map(tmp_path / "map.npz")
