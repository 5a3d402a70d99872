"""Features of a frozen backbone: computed once, kept, and gone on with after an interruption."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from embeddings.dataset import inspect, read_folder
from embeddings.encoders.preprocessing import squash
from embeddings.errors import InvalidVector
from tests.drawings import drawings, write
from training import features as features_module
from training.errors import TrainingFailed
from training.features import Features, view_features


class PixelEncoder:
    """A photo's features are its pixels, 4 x 4; `asked` counts the views that were encoded."""

    dim = 48
    input_size = 4

    def __init__(self, fingerprint: str = "p" * 64) -> None:
        self.fingerprint = fingerprint
        self.asked = 0
        self.fails_after: int | None = None
        self._lock = threading.Lock()

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        with self._lock:
            if self.asked == self.fails_after:
                raise KeyboardInterrupt
            self.asked += len(images)
        return np.stack([pixels(image) for image in images])


def pixels(image: Image.Image) -> NDArray[np.float32]:
    values = np.asarray(squash(image, 4), dtype=np.float32).ravel()
    return np.asarray(values / np.linalg.norm(values), np.float32)


@pytest.fixture
def look(tmp_path):
    """Twelve drawings, looked at."""
    return inspect(read_folder(write(tmp_path / "set", drawings(4))))


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def computed(encoder, look, cache, **options) -> Features:
    return view_features(
        encoder,
        look.photos,
        look.hashes,
        **{"views": 4, "seed": 0, "cache": cache, **options},
    )


def test_the_first_view_is_the_whole_photo_the_second_its_mirror_image_and_the_others_differ(look, cache):
    found = computed(PixelEncoder(), look, cache)
    assert found.shape == (12, 4, 48)
    assert found.dtype == np.float16
    assert np.allclose(np.linalg.norm(found.astype(np.float32), axis=2), 1, atol=1e-3)
    for photo, views in zip(look.photos, found, strict=True):
        whole = photo.image(at_least=4)
        assert np.allclose(views[0], pixels(whole), atol=1e-3)
        assert np.allclose(views[1], pixels(ImageOps.mirror(whole)), atol=1e-3)
        assert len(np.unique(views, axis=0)) == 4


def test_features_are_kept_and_the_encoder_is_not_asked_again(look, cache):
    encoder = PixelEncoder()
    first = np.array(computed(encoder, look, cache))
    assert encoder.asked == 48
    assert np.array_equal(computed(encoder, look, cache), first)
    assert encoder.asked == 48


@pytest.mark.parametrize("change", [{"views": 3}, {"seed": 1}, {"encoder": PixelEncoder("q" * 64)}])
def test_what_is_asked_for_otherwise_is_computed_anew(look, cache, change):
    computed(PixelEncoder(), look, cache)
    encoder = change.pop("encoder", PixelEncoder())
    computed(encoder, look, cache, **change)
    assert encoder.asked > 0


def test_views_are_the_same_whatever_else_is_in_the_set_and_however_many_threads_compute_them(look, cache, settings):
    settings.ENCODER_THREADS = 1
    alone = view_features(PixelEncoder(), look.photos[5:6], look.hashes[5:6], views=4, seed=0, cache=cache)
    settings.ENCODER_THREADS = 3
    assert np.array_equal(computed(PixelEncoder(), look, cache)[5], alone[0])


def test_an_interrupted_computation_goes_on_where_it_stopped(look, cache, monkeypatch):
    monkeypatch.setattr(features_module, "_BATCH", 4)
    straight = np.array(computed(PixelEncoder(), look, cache / "straight"))
    encoder = PixelEncoder()
    encoder.fails_after = 25
    with pytest.raises(KeyboardInterrupt):
        computed(encoder, look, cache)
    encoder.fails_after, encoder.asked = None, 0
    seen: list[tuple[str, int, int]] = []
    resumed = computed(encoder, look, cache, on_progress=lambda *progress: seen.append(progress))
    assert encoder.asked == 8 * 4
    assert [seen[0], seen[-1]] == [("features", 4, 12), ("features", 12, 12)]
    assert np.array_equal(resumed, straight)


@pytest.mark.parametrize("left", [None, ""])
def test_a_computation_that_was_killed_while_it_began_begins_again(look, cache, left):
    straight = np.array(computed(PixelEncoder(), look, cache))
    (done,) = cache.glob("*.done")
    (kept,) = cache.glob("*.npy")
    if left is None:
        done.unlink()
        kept.write_bytes(kept.read_bytes()[:500])
    else:
        done.write_text(left)
    encoder = PixelEncoder()
    assert np.array_equal(computed(encoder, look, cache), straight)
    assert encoder.asked == 48


def test_features_that_were_used_longest_ago_are_dropped(look, cache):
    for seed in range(6):
        computed(PixelEncoder(), look, cache, seed=seed)
        for path in cache.glob("*.npy"):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))
    computed(PixelEncoder(), look, cache, seed=0)
    computed(PixelEncoder(), look, cache, seed=6)
    kept, dropped = PixelEncoder(), PixelEncoder()
    computed(kept, look, cache, seed=0)
    assert (len(list(cache.glob("*.npy"))), len(list(cache.glob("*.done")))) == (6, 6)
    computed(dropped, look, cache, seed=1)
    assert (kept.asked, dropped.asked) == (0, 48)


def test_a_full_disk_is_reported_before_anything_is_computed(look, cache, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4000))
    encoder = PixelEncoder()
    with pytest.raises(TrainingFailed, match=r"the disk has 0\.0 GB left: free some, or take fewer views") as caught:
        computed(encoder, look, cache)
    assert str(cache) not in str(caught.value)
    assert encoder.asked == 0
    assert list(cache.iterdir()) == []


def test_a_photo_in_which_the_backbone_finds_nothing_is_named(look, cache):
    class Blind(PixelEncoder):
        def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
            raise InvalidVector("/srv/model.tflite gave an embedding without a direction")

    with pytest.raises(TrainingFailed, match=r"finds nothing in balls/000\.jpg .* leave the photo out") as caught:
        computed(Blind(), look, cache)
    assert "/srv" not in str(caught.value)
