"""Which colours a photo shows, by name."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from pictures.dominant_colour import colour_shares, colour_terms, may_be


def disc(colour: str, background: str = "white") -> Image.Image:
    image = Image.new("RGB", (200, 160), background)
    ImageDraw.Draw(image).ellipse((50, 30, 150, 130), fill=colour)
    return image


@pytest.mark.parametrize(
    ("colour", "term"),
    [
        ("#101010", "black"), ("#777777", "grey"), ("#c01020", "red"), ("#f08020", "orange"), ("#f5d020", "yellow"),
        ("#208030", "green"), ("#203080", "blue"), ("#702090", "purple"), ("#f0a0b8", "pink"), ("#6b4226", "brown"),
        ("#d8c3a5", "beige"), ("#1f2a44", "blue"),
    ],
)  # fmt: skip
def test_a_thing_on_a_plain_background_has_its_colour(colour: str, term: str) -> None:
    shares = colour_shares(disc(colour))

    assert next(iter(shares)) == term
    assert shares[term] > 0.8


def test_the_background_does_not_count() -> None:
    assert next(iter(colour_shares(disc("white", "#203080")))) == "white"


def test_a_white_thing_on_white_has_no_colour_that_can_be_named() -> None:
    assert colour_shares(disc("#fdfdfd")) == {}


def test_of_a_photo_without_a_plain_background_the_middle_counts() -> None:
    image = Image.effect_noise((200, 160), 120).convert("RGB")
    ImageDraw.Draw(image).ellipse((40, 20, 160, 140), fill="#c01020")

    assert next(iter(colour_shares(image))) == "red"


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Navy/White", {"blue", "white"}),
        ("dunkel blau", {"blue"}),
        ("bleu", {"blue"}),
        ("rojo", {"red"}),
        ("Sunset", set()),
        ("", set()),
    ],
)
def test_terms_are_read_in_several_languages(text: str, terms: set[str]) -> None:
    assert colour_terms(text) == terms


def test_neighbouring_terms_count_for_each_other() -> None:
    assert may_be("red", {"pink": 0.7, "green": 0.3}) == pytest.approx(0.7)
    assert may_be("blue", {"pink": 0.7, "red": 0.3}) == 0
