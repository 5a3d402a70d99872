"""Features of a frozen backbone, computed once and kept: several augmented views of each photo, by LiteRT on all cores."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray
from PIL import Image

from embeddings.dataset import LabelledPhoto
from embeddings.encoders.base import Encoder
from embeddings.errors import InvalidVector
from jobs.progress import ProgressCallback, StageProgress
from training.augmentation import random_view
from training.errors import TrainingFailed

Features = NDArray[np.float16]

# Raised with every change of what an augmented view is.
_AUGMENTATION = 1
_BATCH = 256
_KEPT = 6


def view_features(
    backbone: Encoder,
    photos: Sequence[LabelledPhoto],
    hashes: Sequence[str],
    *,
    views: int,
    seed: int,
    cache: Path,
    stage: str = "features",
    on_progress: ProgressCallback | None = None,
) -> Features:
    """Features of augmented views of photos, kept in a file of `cache`.

    An interrupted run continues where it stopped, and the next training starts at once.

    Args:
        backbone: what computes them.
        photos: the photos.
        hashes: SHA-256 of each of them, hexadecimal; they seed its views.
        views: of each photo. The first is the whole photo, the second its mirror image.
        seed: of the other views.
        cache: folder of the file.
        stage: what the progress is called.
        on_progress: called after each photo.

    Returns:
        float16 [n, views, features], each of unit length.

    Raises:
        TrainingFailed: the disk has no room for them, or the backbone finds nothing at all in a photo.
    """
    key = json.dumps([_AUGMENTATION, backbone.fingerprint, views, seed, list(hashes)])
    path = cache / f"features-{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
    done_path = path.with_suffix(".done")
    shape = (len(photos), views, backbone.dim)
    # Written after the file itself: where it is missing, the file is not whole.
    if not (path.exists() and done_path.exists()):
        cache.mkdir(parents=True, exist_ok=True)
        _make_room(cache, 2 * math.prod(shape))
        np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape).flush()
        done_path.write_text("0")
    path.touch()
    mapped = np.lib.format.open_memmap(path, mode="r+")
    features: Features = mapped
    done = int(done_path.read_text() or 0)
    progress = StageProgress(on_progress, stage, len(photos), done=done)

    def compute(number: int) -> None:
        photo = photos[number].image(at_least=backbone.input_size)
        random = np.random.default_rng([seed, int(hashes[number][:12], 16)])
        for index in range(views):
            try:
                features[number, index] = backbone.encode([_view(photo, index, random)])[0]
            except InvalidVector as error:
                raise TrainingFailed(
                    f"the backbone finds nothing in {photos[number].name} (all features are zero, or not numbers):"
                    " leave the photo out, or take another backbone"
                ) from error
        progress.advance()

    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        while done < len(photos):
            end = min(done + _BATCH, len(photos))
            list(pool.map(compute, range(done, end)))
            mapped.flush()
            done = end
            done_path.write_text(str(done))
    return features


def _view(photo: Image.Image, index: int, random: np.random.Generator) -> Image.Image:
    if index == 0:
        return photo
    mirrored = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return mirrored if index == 1 else random_view(mirrored if random.random() < 0.5 else photo, random)


def _make_room(cache: Path, needed_bytes: int) -> None:
    """Drop the features that were used longest ago, and see that the disk takes what comes."""
    kept = sorted(cache.glob("features-*.npy"), key=lambda path: path.stat().st_mtime)
    for path in kept[: max(0, len(kept) - _KEPT + 1)]:
        path.with_suffix(".done").unlink(missing_ok=True)
        path.unlink()
    free = shutil.disk_usage(cache).free
    if free < 1.1 * needed_bytes:
        raise TrainingFailed(
            f"the features need {needed_bytes / 1e9:.1f} GB, and the disk has {free / 1e9:.1f} GB left:"
            " free some, or take fewer views"
        )
