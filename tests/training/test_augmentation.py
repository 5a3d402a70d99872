"""Views of photos: what changes is what a shop's photos differ in, and the product stays."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from training.augmentation import disturb, product_mask


def product(background: str = "white") -> Image.Image:
    photo = Image.new("RGB", (120, 100), background)
    ImageDraw.Draw(photo).rectangle((40, 30, 79, 69), fill="#a02020")
    # White on the product itself is not background.
    ImageDraw.Draw(photo).rectangle((50, 40, 59, 49), fill=background)
    return photo


@pytest.mark.parametrize("background", ["white", "#f4f0e8", "black"])
def test_a_product_on_a_plain_background_is_found_with_what_it_encloses(background):
    mask = product_mask(product(background))
    assert mask is not None
    wanted = np.zeros((100, 120), bool)
    wanted[30:70, 40:80] = True
    assert np.array_equal(mask, wanted)


def test_photos_without_a_plain_background_have_no_product_to_cut_out():
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    assert product_mask(Image.fromarray(noise)) is None
    assert product_mask(Image.new("RGB", (60, 60), "white")) is None


def test_a_disturbed_photo_keeps_its_product_and_its_size():
    photo, other = product(), Image.new("RGB", (30, 30), "#20c040")
    seen = [disturb(photo, other, np.random.default_rng(seed)) for seed in range(24)]
    assert {(each.size, each.mode) for each in seen} == {((120, 100), "RGB")}
    on_green = [each for each in seen if each.getpixel((2, 2)) == (0x20, 0xC0, 0x40)]
    # Half of the time, the product is set on the other photo.
    assert 6 <= len(on_green) <= 18
    assert all(each.getpixel((70, 60)) == (0xA0, 0x20, 0x20) for each in on_green)
    # Every picture differs from the photo: by its background, its margin or its watermark.
    assert sum(np.array_equal(np.asarray(each), np.asarray(photo)) for each in seen) <= 2
