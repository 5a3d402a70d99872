"""The only factory: settings name the adapters, everything else gets a port."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from embeddings.encoders.base import Encoder
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.errors import EncoderUnavailable
from embeddings.vector_index.base import VectorIndex

BUNDLED = Path(__file__).parent / "encoders" / "bundled" / "model.tflite"

# Two threads that ask first would make two, and the second embedded index finds its files locked by the first.
_making = threading.Lock()


def get_encoder(name: str | None = None) -> Encoder:
    """The encoder of this name: "bundled", or the path of a LiteRT file, in ENCODERS_ROOT or as it stands. One instance a process.

    Raises EncoderUnavailable.
    """
    with _making:
        return _encoder(name or settings.DEFAULT_ENCODER)


def get_vector_index() -> VectorIndex:
    """The vector index that the setting VECTOR_INDEX names. One instance a process."""
    with _making:
        return _vector_index()


@cache
def _encoder(name: str) -> Encoder:
    places = [BUNDLED] if name == "bundled" else [settings.ENCODERS_ROOT / name, Path(name)]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise EncoderUnavailable(f"no encoder {name!r}: there is no file {' or '.join(map(str, places))}: put it there")
    return LiteRTEncoder(path, threads=settings.ENCODER_THREADS)


@cache
def _vector_index() -> VectorIndex:
    backend: type[VectorIndex] = import_string(settings.VECTOR_INDEX["BACKEND"])
    return backend(**settings.VECTOR_INDEX.get("OPTIONS", {}))


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "VECTOR_INDEX":
        _vector_index.cache_clear()
    elif setting in ("DEFAULT_ENCODER", "ENCODER_THREADS", "ENCODERS_ROOT"):
        _encoder.cache_clear()


setting_changed.connect(_forget)
