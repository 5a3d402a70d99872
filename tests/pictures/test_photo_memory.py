"""What decoding a photo takes in memory, measured in processes of their own, for every format and mode."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no /proc here to read memory from")

SIDE = 1500
# Strips, codecs and their first use.
BESIDE = 6 * 1024**2

# Reads files one after another; of each: the bytes that decoding it is said to take, the peak of a process that decodes it, and the
# size of what comes out.
SCRIPT = """
import json, os, re, sys, traceback
import django; django.setup()
from django.conf import settings
import pillow_heif
from pictures.photos import ImageRejected, open_visitors_photo, validate_photo

def memory(name):
    return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

def measured(content):
    said = settings.SEARCH_PHOTO_MAX_DECODED_BYTES = 1
    while True:
        # The header of a PNG is checked first, then the mode.
        try:
            open_visitors_photo(content, min_side=224)
            break
        except ImageRejected as error:
            said = int(re.search(r"would take ([\\d,]+) bytes", str(error))[1].replace(",", ""))
            settings.SEARCH_PHOTO_MAX_DECODED_BYTES = said
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")
    before = memory("VmRSS")
    picture = open_visitors_photo(content, min_side=224)
    return said, memory("VmHWM") - before, picture.size

for path in sys.argv[1:]:
    reader, writer = os.pipe()
    if not os.fork():
        try:
            os.write(writer, json.dumps(measured(open(path, "rb").read())).encode())
        except Exception:
            traceback.print_exc()
        os._exit(0)
    os.close(writer)
    print(os.read(reader, 1000).decode())
    os.wait()
"""


def picture(mode: str) -> Image.Image:
    grey = Image.linear_gradient("L").resize((SIDE, SIDE))
    if mode == "I;16":
        return Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    if mode == "RGBA":
        return Image.merge("RGBA", (grey, grey.rotate(90), grey, grey.rotate(180)))
    return Image.merge("LAB", (grey, grey, grey)) if mode == "LAB" else grey.convert(mode)


PHOTOS: dict[str, tuple[str, str, dict[str, Any]]] = {
    **{f"png-{mode}": ("PNG", mode, {"compress_level": 1}) for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")},
    "png-with-a-transparent-colour": ("PNG", "RGB", {"compress_level": 1, "transparency": (1, 1, 1)}),
    "bmp": ("BMP", "RGB", {}),
    "gif": ("GIF", "P", {}),
    **{f"tiff-{mode}": ("TIFF", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I", "I;16", "LAB")},
    **{f"tiff-{name}": ("TIFF", "RGB", {"compression": name}) for name in ("jpeg", "tiff_lzw")},
    "webp": ("WEBP", "RGB", {"quality": 50, "method": 0}),
    "webp-lossless": ("WEBP", "RGB", {"lossless": True, "quality": 0, "method": 0}),
    "webp-transparent": ("WEBP", "RGBA", {"quality": 50, "method": 0}),
    "webp-lossless-transparent": ("WEBP", "RGBA", {"lossless": True, "quality": 0, "method": 0}),
    "avif": ("AVIF", "RGB", {"speed": 10, "subsampling": "4:4:4"}),
    "avif-transparent": ("AVIF", "RGBA", {"speed": 10, "subsampling": "4:4:4"}),
    "heic": ("HEIF", "RGB", {}),
    **{f"jpeg-{mode}": ("JPEG", mode, {"progressive": True, "subsampling": 0}) for mode in ("L", "RGB", "CMYK")},
}  # fmt: skip


def test_no_photo_takes_more_memory_than_it_is_said_to(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    paths = []
    for name, (file_format, mode, options) in PHOTOS.items():
        paths.append(tmp_path / name)
        picture(mode).save(paths[-1], file_format, **options)

    command = [sys.executable, "-c", SCRIPT, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    assert not done.stderr

    too_much = {}
    for name, line in zip(PHOTOS, done.stdout.splitlines(), strict=True):
        said, taken, size = json.loads(line)
        assert 224 <= min(size) < 450, name
        if taken > said + BESIDE:
            too_much[name] = f"{taken / SIDE**2:.1f} bytes a pixel, not {said / SIDE**2:.1f}"
    assert not too_much
