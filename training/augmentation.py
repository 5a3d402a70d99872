"""Random changes to a photo each time that a network sees it in training."""

from __future__ import annotations

import math
import string

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance

from embeddings.encoders.preprocessing import squash

# A border is plain where so many of its pixels are within so many levels of their median colour.
_PLAIN_SHARE, _PLAIN_LEVELS = 0.85, 20
# A cut-out product covers a share of the photo between these.
_LEAST_COVERED, _MOST_COVERED = 0.1, 0.85


def random_view(
    photo: Image.Image, random: np.random.Generator, *, least_area: float = 0.4, shift: float = 0.2
) -> Image.Image:
    """A crop of at least this share of the area, its aspect changed by at most a third, lighting and colours shifted a little."""
    width, height = photo.size
    area, aspect = random.uniform(least_area, 1.0), math.exp(random.uniform(-0.29, 0.29))
    w, h = min(width, width * math.sqrt(area * aspect)), min(height, height * math.sqrt(area / aspect))
    left, top = random.uniform(0, width - w), random.uniform(0, height - h)
    crop = photo.crop((int(left), int(top), max(int(left + w), int(left) + 8), max(int(top + h), int(top) + 8)))
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        crop = enhance(crop).enhance(random.uniform(1 - shift, 1 + shift))
    return crop


def random_crop(photo: Image.Image, random: np.random.Generator) -> Image.Image:
    """A view of 0.3 to 1 of the area, mirrored half of the time."""
    crop = random_view(photo, random, least_area=0.3, shift=0.25)
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else crop


def blend(one: Image.Image, other: Image.Image, side: int, random: np.random.Generator) -> Image.Image:
    """Two photos in one, side x side: seen through each other (mixup), or the second pasted into the first (CutMix)."""
    one, other = squash(one, side), squash(other, side)
    if random.random() < 0.5:
        return Image.blend(one, other, random.uniform(0.2, 0.5))
    width, height = (int(side * math.sqrt(random.uniform(0.1, 0.5))) for _ in range(2))
    corner = (int(random.integers(side - width + 1)), int(random.integers(side - height + 1)))
    pasted = one.copy()
    pasted.paste(squash(other, side).resize((width, height)), corner)
    return pasted


def product_mask(photo: Image.Image) -> NDArray[np.bool_] | None:
    """Where a product stands on a plain background.

    Args:
        photo: RGB.

    Returns:
        bool [height, width], true on the product: every pixel that cannot be reached from the border in a straight line through
        pixels of the border's colour. None where the border is not plain, or nearly nothing or nearly everything would be product.
    """
    pixels = np.asarray(photo, dtype=np.int16)
    edge = np.concatenate(
        [*(pixels[rows].reshape(-1, 3) for rows in (np.s_[:3], np.s_[-3:], np.s_[:, :3], np.s_[:, -3:]))]
    )
    colour = np.median(edge, axis=0)
    if (np.abs(edge - colour).max(axis=1) < _PLAIN_LEVELS).mean() < _PLAIN_SHARE:
        return None
    like = np.abs(pixels - colour).max(axis=2) < _PLAIN_LEVELS
    background = np.zeros_like(like)
    for turned, reached in ((like, background), (like.T, background.T)):
        reached |= np.logical_and.accumulate(turned, axis=0)
        reached[::-1] |= np.logical_and.accumulate(turned[::-1], axis=0)
    covered = 1 - background.mean()
    return ~background if _LEAST_COVERED < covered < _MOST_COVERED else None


def disturb(photo: Image.Image, background: Image.Image, random: np.random.Generator) -> Image.Image:
    """The same product shown less well: on another background, with a plain margin, or under a watermark.

    Args:
        photo: RGB.
        background: another photo; the product is set on it where its own background is plain.
        random: what it is drawn by.

    Returns:
        RGB, of the size of the photo; the photo itself where its background is to be exchanged and is not plain.
    """
    kind = random.random()
    if kind < 0.5:
        mask = product_mask(photo)
        if mask is None:
            return photo
        return Image.composite(photo, background.resize(photo.size), Image.fromarray(mask))
    if kind < 0.75:
        shade = 255 if random.random() < 0.7 else int(random.integers(200, 256))
        page = Image.new("RGB", photo.size, (shade,) * 3)
        width, height = (max(1, int(side * random.uniform(0.6, 0.95))) for side in photo.size)
        corner = (int(random.integers(photo.width - width + 1)), int(random.integers(photo.height - height + 1)))
        page.paste(photo.resize((width, height), Image.Resampling.BILINEAR), corner)
        return page
    layer = Image.new("RGBA", photo.size)
    word = "".join(random.choice(list(string.ascii_uppercase), int(random.integers(4, 12))))
    shade, opacity = int(random.choice([0, 128, 255])), int(random.integers(90, 200))
    corner = (int(random.integers(photo.width // 2)), int(random.integers(photo.height)))
    ImageDraw.Draw(layer).text(
        corner, word, (shade,) * 3 + (opacity,), font_size=max(8, int(photo.height * random.uniform(0.06, 0.18)))
    )
    return Image.alpha_composite(photo.convert("RGBA"), layer.rotate(random.uniform(-45, 45))).convert("RGB")
