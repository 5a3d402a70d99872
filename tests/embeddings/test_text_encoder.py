"""A text encoder by its files: what it answers, and what it says of files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embeddings.encoders.text import FILES, TOKENIZER, TextEncoder
from embeddings.errors import EncoderMismatch, EncoderUnavailable
from tests.text_encoder import DIM, LENGTH, make_text_encoder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / make_text_encoder(tmp_path)


def test_texts_of_one_meaning_are_near(folder: Path) -> None:
    sofa, couch, lamp, both = TextEncoder(folder).encode(["Sofa", "couch", "lamp", "sofa lamp"])
    assert [float(sofa @ couch), float(sofa @ lamp)] == pytest.approx([1, 0], abs=1e-6)
    assert float(both @ sofa) == pytest.approx(0.5**0.5, abs=1e-6)


def test_vectors_are_of_unit_length_whatever_the_length_of_the_text(folder: Path) -> None:
    vectors = TextEncoder(folder).encode(["mug", "a blue mug", "mug " * 500])
    assert (vectors.shape, vectors.dtype) == ((3, DIM), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-6)


def test_no_text_gives_no_vector(folder: Path) -> None:
    assert TextEncoder(folder).encode([]).shape == (0, DIM)


def test_only_the_beginning_of_a_long_text_counts(folder: Path) -> None:
    encoder = TextEncoder(folder)
    short, long = encoder.encode(["mug " * LENGTH, "mug " * LENGTH + "sofa " * 100])
    assert short.tolist() == long.tolist()


def test_threads_change_nothing(folder: Path) -> None:
    texts = [f"{'mug ' * number} sofa" for number in range(1, 30)]
    assert TextEncoder(folder, threads=4).encode(texts).tolist() == TextEncoder(folder).encode(texts).tolist()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(EncoderUnavailable, match=name):
        TextEncoder(folder)


def test_files_that_were_replaced_are_refused(folder: Path) -> None:
    with (folder / TOKENIZER).open("a") as file:
        file.write("\n")
    with pytest.raises(EncoderMismatch, match="replaced"):
        TextEncoder(folder).encode(["mug"])


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_an_error_that_names_it(folder: Path, name: str) -> None:
    other = folder.parent / "damaged"
    folder.rename(other)
    (other / name).write_bytes(b"damaged")
    with pytest.raises(EncoderUnavailable, match=name):
        TextEncoder(other).encode(["mug"])
