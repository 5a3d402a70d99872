"""Colour and pattern of photos, and vectors joined of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from embeddings.parts.describe import describe
from embeddings.parts.foreground import SIDE, Foreground, find_foreground, proposed_part
from embeddings.parts.layout import CURRENT, LAYOUTS, MODES, Layout, Weights

LAYOUT = Layout(4, LAYOUTS[CURRENT])


def garment(colour: str, *, stripes: str = "", background: str = "white", shape: str = "ellipse") -> Image.Image:
    """A thing of one colour, with stripes if there is a colour for them, in the middle of a background."""
    cloth = Image.new("RGB", (300, 300), colour)
    if stripes:
        draw = ImageDraw.Draw(cloth)
        for y in range(0, 300, 24):
            draw.rectangle((0, y, 300, y + 11), fill=stripes)
    outline = Image.new("L", (300, 300))
    getattr(ImageDraw.Draw(outline), shape)((60, 50, 240, 260), fill=255)
    photo = Image.new("RGB", (300, 300), background)
    photo.paste(cloth, mask=outline)
    return photo


def cosines(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """Of the colours and of the patterns of two photos."""
    first, second = describe(one), describe(other)
    length = LAYOUT.parts[0].length
    return float(first[:length] @ second[:length]), float(first[length:] @ second[length:])


def test_the_same_colour_is_nearer_than_another_whatever_lies_behind_it() -> None:
    red = garment("firebrick")
    same, _ = cosines(red, garment("firebrick", background="lightblue", shape="rectangle"))
    other, _ = cosines(red, garment("navy"))
    assert same > 0.9
    assert same > other + 0.5


def test_stripes_are_nearer_to_stripes_of_other_colours_than_to_a_plain_cloth() -> None:
    striped = garment("firebrick", stripes="white")
    _, same = cosines(striped, garment("navy", stripes="gold"))
    _, plain = cosines(striped, garment("firebrick"))
    assert same > plain + 0.3


def test_a_photo_saved_anew_has_the_same_parts() -> None:
    photo = garment("seagreen", stripes="white")
    file = io.BytesIO()
    photo.resize((200, 200)).save(file, "JPEG", quality=60)
    colour, pattern = cosines(photo, Image.open(file).convert("RGB"))
    assert colour > 0.99
    assert pattern > 0.9


@pytest.mark.parametrize("photo", [Image.new("RGB", (1, 1)), Image.new("RGB", (900, 20), "white"), garment("white")])
def test_parts_have_a_direction_where_nothing_stands_out(photo: Image.Image) -> None:
    parts = describe(photo)
    assert parts.shape == (LAYOUT.parts_dim,)
    assert np.linalg.norm(parts) == pytest.approx(np.sqrt(2), abs=1e-3)
    assert not find_foreground(photo).found


def test_parts_are_still_those_that_were_stored_of_this_layout() -> None:
    # Stored vectors are compared with new ones: others need a new number in LAYOUTS.
    colour = [0.307, -0.345, -0.194, -0.126, -0.09, 0.241, 0.268, -0.001, 0.156, -0.092, -0.036, -0.147,
              -0.069, -0.132, 0.167, 0.46, -0.12, 0.11, 0.229, 0.109, -0.355, 0.143, 0.091, 0.182]  # fmt: skip
    pattern = [0.015, -0.335, 0.164, 0.046, 0.382, -0.302, -0.057, 0.12, -0.158, -0.278, 0.222, -0.033,
               0.378, -0.129, 0.249, -0.224, -0.063, -0.282, -0.239, -0.009, -0.12, -0.089, -0.04, 0.124]  # fmt: skip
    photo = garment("firebrick", stripes="gold", background="lightblue")
    assert describe(photo) == pytest.approx(np.array(colour + pattern), abs=0.002)


def test_the_foreground_is_the_product_without_its_margins() -> None:
    found = find_foreground(garment("navy", stripes="white"))
    assert found.found
    assert found.box == pytest.approx((60 / 300, 50 / 300, 240 / 300, 260 / 300), abs=0.05)


@pytest.mark.parametrize(
    ("box", "found", "part"),
    [
        ((0.2, 0.5, 0.7, 1.0), True, (0.16, 0.46, 0.74, 1.0)),
        ((0.02, 0.02, 0.98, 0.98), True, None),
        ((0.2, 0.2, 0.7, 0.7), False, None),
    ],
)
def test_a_part_is_proposed_with_a_margin_unless_it_is_about_the_whole_photo(
    box: tuple[float, float, float, float], found: bool, part: tuple[float, float, float, float] | None
) -> None:
    foreground = Foreground(np.ones((SIDE, SIDE), np.bool_), box, found)
    assert proposed_part(foreground) == (None if part is None else pytest.approx(part))


def vectors(count: int) -> np.ndarray:
    random = np.random.default_rng(3)
    shapes, parts = random.normal(size=(count, 4)), random.normal(size=(count, LAYOUT.parts_dim))
    start = 0
    for part in LAYOUT.parts:
        parts[:, start : start + part.length] /= np.linalg.norm(
            parts[:, start : start + part.length], axis=1, keepdims=True
        )
        start += part.length
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    return LAYOUT.joined(shapes.astype(np.float32), parts.astype(np.float32))


@pytest.mark.parametrize("weights", [Weights(), Weights(1, 0.5, 0.2), Weights(0, 1, 0), *MODES.values()])
def test_a_score_is_the_weighted_mean_of_the_parts_cosines(weights: Weights) -> None:
    one, other = vectors(2)
    asked = LAYOUT.query(one, weights)
    score = float(asked @ other / np.linalg.norm(asked) / np.linalg.norm(other))
    by_part = LAYOUT.cosines(one[None], other[None])
    total = sum(abs(value) for value in weights.as_dict().values())
    wanted = sum(value * by_part[name][0] for name, value in weights.as_dict().items()) / total
    assert LAYOUT.shown(score, weights) == pytest.approx(wanted, abs=1e-5)
    assert LAYOUT.score_of(LAYOUT.shown(score, weights), weights) == pytest.approx(score)
    assert by_part["shape"][0] <= LAYOUT.highest_shape(score, weights) + 1e-5


def test_parts_are_found_again_in_a_joined_vector() -> None:
    joined = vectors(3)
    assert np.linalg.norm(joined, axis=1) == pytest.approx(np.ones(3))
    shapes, parts = LAYOUT.split(joined)
    assert LAYOUT.joined(shapes, parts) == pytest.approx(joined, abs=1e-6)


def test_without_parts_a_vector_is_the_encoders_own() -> None:
    plain, vector = Layout(3), np.array([3, 4, 0], np.float32)
    assert plain.joined(vector[None], None)[0] is not None
    assert (plain.query(vector, Weights(0.5)) == vector).all()
    assert plain.shown(0.7, Weights(0.5)) == 0.7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("shape", "has to be like"),
        ("size:1", "'size:1' is not"),
        ("shape:1,shape:1", "names shape twice"),
        ("shape:much", "not 'much'"),
        ("shape:2", "from -1 to 1"),
        ("shape:nan", "from -1 to 1"),
        ("colour:-1", "above 0"),
    ],
)
def test_weights_that_cannot_be_used_say_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Weights.parse(text)


def test_a_part_that_is_not_named_counts_nothing() -> None:
    assert Weights.parse("colour:0.5, pattern:0.25") == Weights(0, 0.5, 0.25)
    assert Weights.parse(str(Weights(1, 0.5, 0.2))) == Weights(1, 0.5, 0.2)
