"""Training drawings of three kinds, which a few epochs can distinguish, and patchworks, which are quick to draw. All differ."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

KINDS = ("balls", "combs", "crates")


def drawing(kind: str, seed: int, *, side: int = 96) -> bytes:
    """A JPEG file with one of the KINDS at a random position on coloured paper."""
    random = np.random.default_rng([KINDS.index(kind), seed])
    paper, ink = (tuple(random.integers(*level, size=3).tolist()) for level in ((150, 255), (0, 110)))
    image = Image.new("RGB", (side, side), paper)
    draw = ImageDraw.Draw(image)
    left, top = random.integers(4, side // 4, size=2).tolist()
    right, bottom = (side - random.integers(4, side // 4, size=2)).tolist()
    if kind == "balls":
        draw.ellipse((left, top, right, bottom), fill=ink)
    elif kind == "combs":
        for x in range(left, right, int(random.integers(9, 14))):
            draw.line((x, top, x, bottom), fill=ink, width=4)
    else:
        draw.rectangle((left, top, right, bottom), outline=ink, width=7)
        draw.line((left, top, right, bottom), fill=ink, width=7)
        draw.line((left, bottom, right, top), fill=ink, width=7)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()


def drawings(each: int, *, kinds: Sequence[str] = KINDS, first: int = 0) -> dict[str, bytes]:
    """Drawings of each kind, by path; the kind is the folder."""
    return {f"{kind}/{seed:03}.jpg": drawing(kind, seed) for kind in kinds for seed in range(first, first + each)}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, by path, and return the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_patchworks(folder: Path, count: int, *, name: str = "photos", categories: int = 5, side: int = 48) -> Path:
    """Write JPEG files of coloured patches for import_catalog (folder = category). Another `name` gives other patches."""
    random = np.random.default_rng([11, *name.encode()])
    for number in range(count):
        category = folder / f"{name} {number % categories}"
        category.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((side, side)).save(category / f"{name}-{number:05}.jpg")
    return folder
