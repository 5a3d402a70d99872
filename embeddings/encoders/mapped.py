"""An encoder followed by a linear map, after which the vector is made of unit length again.

A map scales each entry. Before that it may turn the vectors: what an adaptation learns (see `embeddings.adaptation`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.encoders.base import Encoder
from embeddings.errors import EncoderMismatch, EncoderUnavailable, InvalidVector

MAP_SUFFIX = ".npz"


@dataclass(frozen=True, slots=True)
class Turn:
    """An affine map: the mean is taken off, and the rest turned.

    Attributes:
        mean: float32 [dim].
        matrix: float32 [dim, out].
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map vectors.

        Args:
            vectors: float32 [n, dim].

        Returns:
            float32 [n, out], each row L2-normalised.

        Raises:
            InvalidVector: a vector has no direction after it.
        """
        turned: NDArray[np.float32] = (vectors - self.mean).astype(np.float32) @ self.matrix
        return mapped(turned, np.ones(self.matrix.shape[1], np.float32))


class MappedEncoder:
    """An encoder behind an `.npz` file, which names the encoder that the map is for.

    The file has `encoder` (a name for `get_encoder`), `fingerprint` (of that encoder's model) and `scale`, float32 [dim]; with
    `mean` and `matrix`, a Turn before it.
    """

    def __init__(self, path: Path, open_base: Callable[[str], Encoder]) -> None:
        """Read the file; its encoder is opened when it is first needed.

        Args:
            path: of the file.
            open_base: gives the encoder of a name.

        Raises:
            EncoderUnavailable: the file cannot be read, or is no such file.
        """
        try:
            content = path.read_bytes()
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                self._base_name, self._base_fingerprint = str(arrays["encoder"]), str(arrays["fingerprint"])
                self.scale: NDArray[np.float32] = arrays["scale"].astype(np.float32)
                self.turn = Turn(arrays["mean"], arrays["matrix"]) if "matrix" in arrays else None
        except OSError as error:
            raise EncoderUnavailable(f"the map {path} cannot be read: {error.strerror or error}") from error
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            raise EncoderUnavailable(f"{path} is not a map of an encoder: {error}") from error
        self._path = path
        self._open_base = open_base
        self.fingerprint = hashlib.sha256(content).hexdigest()

    @property
    def base_name(self) -> str:
        """The name of the encoder before the map."""
        return self._base_name

    @property
    def base_fingerprint(self) -> str:
        """SHA-256 of that encoder's model file."""
        return self._base_fingerprint

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self._base.dim if self.turn is None else self.scale.size

    @property
    def input_size(self) -> int:
        """Side in pixels of the square that the model sees."""
        return self._base.input_size

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed images.

        Args:
            images: upright, RGB, of any size.

        Returns:
            float32 [n, dim], each row L2-normalised.

        Raises:
            InvalidVector: an embedding has no direction.
            EncoderUnavailable: the encoder before the map is not available.
            EncoderMismatch: it is another model than the map was made for.
        """
        vectors = self._base.encode(images)
        return mapped(vectors if self.turn is None else self.turn(vectors), self.scale)

    @cached_property
    def _base(self) -> Encoder:
        base = self._open_base(self._base_name)
        if base.fingerprint != self._base_fingerprint:
            raise EncoderMismatch(
                f"{self._path} is a map for model {self._base_fingerprint[:12]}, but {self._base_name!r} is now"
                f" {base.fingerprint[:12]}"
            )
        shape = self.scale.shape if self.turn is None else self.turn.mean.shape
        if shape != (base.dim,):
            raise EncoderUnavailable(
                f"{self._path} maps vectors of {shape[0]} dimensions, but {self._base_name!r} gives {base.dim}"
            )
        return base


def mapped(vectors: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map vectors.

    Args:
        vectors: float32 [n, dim].
        scale: float32 [dim].

    Returns:
        float32 [n, dim], each row L2-normalised.

    Raises:
        InvalidVector: a vector has no direction after it.
    """
    scaled = vectors * scale
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise InvalidVector("a map gave an embedding without a direction (all zeros, or not numbers)")
    return np.asarray(scaled / lengths, np.float32)


def write_map(
    path: Path, *, encoder: str, fingerprint: str, scale: NDArray[np.float32], turn: Turn | None = None
) -> None:
    """Write the file of a mapped encoder.

    Args:
        path: of the file, with MAP_SUFFIX.
        encoder: a name for `get_encoder`; not one of a mapped encoder.
        fingerprint: of that encoder's model.
        scale: float32 [dim], or [out] of the turn.
        turn: before the scale; None for none.
    """
    arrays: dict[str, Any] = {} if turn is None else {"mean": turn.mean, "matrix": turn.matrix}
    np.savez(
        path, encoder=np.array(encoder), fingerprint=np.array(fingerprint), scale=scale.astype(np.float32), **arrays
    )
