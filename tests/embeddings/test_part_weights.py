"""Parts of photos on their way into the index, and the weights that a catalogue finds."""

from __future__ import annotations

import numpy as np
import pytest

from embeddings import indexing, part_weights, versions
from embeddings.generations import build_generation
from embeddings.models import EncoderVersion
from embeddings.part_weights import best_weights, find_weights
from embeddings.parts.layout import CURRENT, DEFAULT_WEIGHTS, LAYOUTS, Layout
from tests.embeddings.conftest import AddPhoto, CountingEncoder, points
from tests.factories import jpeg

LAYOUT = Layout(4, LAYOUTS[CURRENT])


@pytest.fixture
def with_parts(version: EncoderVersion) -> EncoderVersion:
    """The active version, with colour and pattern."""
    version.parts = CURRENT
    version.save()
    return version


def test_photos_are_indexed_with_colour_and_pattern(
    with_parts: EncoderVersion, add_photo: AddPhoto, encoder: CountingEncoder
) -> None:
    red, blue = (add_photo(content=jpeg(colour, (200, 200))).pk for colour in ("firebrick", "navy"))
    indexing.process_outbox()
    indexed = points(with_parts)
    assert {point.vector.shape for point in indexed.values()} == {(with_parts.layout.dim,)}
    cosines = with_parts.layout.cosines(indexed[red].vector[None], indexed[blue].vector[None])
    assert cosines["colour"][0] < 0.5
    encoded = encoder.encoded

    build_generation(with_parts)

    with_parts.refresh_from_db()
    assert points(with_parts)[red].vector == pytest.approx(indexed[red].vector, abs=1e-3)
    assert encoder.encoded == encoded


def test_a_rebuild_gives_an_older_version_its_parts(version: EncoderVersion, add_photo: AddPhoto) -> None:
    photo = add_photo().pk
    indexing.process_outbox()
    assert points(version)[photo].vector.shape == (version.dim,)

    rebuilt = versions.version_to_rebuild(version.collection, "counting")
    versions.ensure_up_to_date(rebuilt)
    indexing.embed_pending(rebuilt)
    build_generation(rebuilt)

    rebuilt.refresh_from_db()
    assert points(rebuilt)[photo].vector.shape == (rebuilt.layout.dim,)
    assert rebuilt.layout.dim > version.dim


def drawn(colour_tells: bool) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and categories of 200 photos of four categories, which differ in shape, or in colour."""
    random = np.random.default_rng(2)
    categories = np.arange(200) % 4
    by_shape, by_colour = (0.15, 0.9) if colour_tells else (0.9, 0.15)
    shapes = by_shape * np.eye(4)[categories] + 0.35 * random.standard_normal((200, 4))
    pieces = [shapes / np.linalg.norm(shapes, axis=1, keepdims=True)]
    for part in LAYOUT.parts:
        means = by_colour * np.eye(part.length)[categories] if part.name == "colour" else 0
        piece = means + 0.2 * random.standard_normal((200, part.length))
        pieces.append(piece / np.linalg.norm(piece, axis=1, keepdims=True))
    return LAYOUT.joined(
        *(each.astype(np.float32) for each in (pieces[0], np.concatenate(pieces[1:], axis=1)))
    ), categories


def test_colour_counts_more_where_it_separates_categories() -> None:
    fruit, clothes = (best_weights(LAYOUT, *drawn(colour), np.arange(200)) for colour in (True, False))
    assert fruit.weights.colour > clothes.weights.colour
    assert fruit.category_share is not None and fruit.by_shape is not None
    assert fruit.category_share > fruit.by_shape
    assert clothes.category_share is not None and clothes.by_shape is not None
    assert clothes.category_share >= 0.96 * clothes.by_shape


def test_a_small_shop_has_the_usual_weights(with_parts: EncoderVersion, shop: list[int]) -> None:
    assert find_weights(with_parts).weights == DEFAULT_WEIGHTS


def test_the_weights_are_found_once_there_are_photos_enough(
    with_parts: EncoderVersion, add_photo: AddPhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_weights, "MIN_PHOTOS", 4)
    photos = [add_photo() for _ in range(4)]
    assert with_parts.weights == {}
    indexing.process_outbox()
    with_parts.refresh_from_db()
    assert with_parts.weights["of"] == len(photos)
