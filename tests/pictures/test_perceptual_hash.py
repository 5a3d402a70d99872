"""The perceptual hash of a photo is stable under the changes that shops make to photos."""

from __future__ import annotations

import io
from functools import cache
from itertools import combinations
from typing import Any

import pytest
from PIL import Image, ImageEnhance, ImageOps

from pictures.perceptual_hash import MIRROR, perceptual_hash
from pictures.photos import validate_photo
from storefront.demo.catalogue import demo_products, draw_view
from tests.factories import blank_jpeg

# As in embeddings.duplicates: the maximum number of different bits for photos with similar vectors.
MOST_BITS = 12


def saved(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@cache
def photo(number: int) -> Image.Image:
    """One of a dozen photos of the demo shop, each of another kind of product."""
    return draw_view(demo_products()[number], view=1, size=240)


PHOTOS = range(12)


def bits(one: int, other: int) -> int:
    return (one ^ other).bit_count()


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: image.resize((144, 144)),
        lambda image: image.crop((6, 6, 234, 234)),
        lambda image: ImageEnhance.Brightness(image).enhance(1.1),
        ImageOps.grayscale,
    ],
    ids=["re-saved", "resized", "cropped", "brighter", "grey"],
)
def test_it_holds_when_a_photo_is(change: Any) -> None:
    for number in PHOTOS:
        before = validate_photo(saved(photo(number), quality=92)).perceptual_hash
        after = validate_photo(saved(change(photo(number)), quality=40)).perceptual_hash
        assert bits(before, after) <= MOST_BITS


def test_a_mirrored_photo_is_recognised_by_its_hash() -> None:
    for number in PHOTOS:
        mirrored = perceptual_hash(ImageOps.mirror(photo(number)))
        assert bits(perceptual_hash(photo(number)) ^ MIRROR, mirrored) <= MOST_BITS // 2


def test_different_photos_have_different_hashes() -> None:
    hashes = [perceptual_hash(photo(number)) for number in PHOTOS]
    assert min(bits(one, other) for one, other in combinations(hashes, 2)) > MOST_BITS


def test_it_is_that_of_the_photo_as_it_is_seen() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    lying = saved(photo(1).transpose(Image.Transpose.ROTATE_90), exif=turned)
    assert bits(validate_photo(lying).perceptual_hash, perceptual_hash(photo(1))) <= 4


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_it_is_the_same_in_every_format(kind: str) -> None:
    large = photo(2).resize((900, 900))
    assert bits(validate_photo(saved(large, kind)).perceptual_hash, perceptual_hash(photo(2))) <= 4


def test_a_photo_of_one_colour_says_nothing() -> None:
    assert validate_photo(blank_jpeg("teal")).perceptual_hash == 0


def test_it_fits_a_databases_signed_integer() -> None:
    assert all(0 < perceptual_hash(photo(number)) < 2**63 for number in PHOTOS)
