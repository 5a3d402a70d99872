"""Maps a text's vector to what its product looks like, learned from a shop's own pairs of text and photo.

Kernel ridge regression (Saunders, Gammerman and Vovk, 1998) with some of the texts as anchors (Nyström: Williams and Seeger, 2001):
a closed form, solved in a second without TensorFlow. A linear head that was trained contrastively found fewer products
(`bench/text_map`).
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import EncoderUnavailable

MAX_ANCHORS = 1000
# How fast texts stop being alike as their cosine falls, and how much the fit is smoothed.
_SHARPNESS, _RIDGE = 1.5, 0.01

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class TextMap:
    """A fitted map.

    Attributes:
        text_encoder: name of the text encoder whose vectors it takes.
        anchors: float32 [anchors, text dim], texts that others are compared with.
        coefficients: float32 [anchors, dim].
        centre: float32 [dim], the mean of what products look like: what all share distinguishes none of them.
    """

    text_encoder: str
    anchors: Vectors
    coefficients: Vectors
    centre: Vectors

    def looks(self, texts: Vectors) -> Vectors:
        """What products with these texts look like.

        Args:
            texts: float32 [n, text dim], each of unit length.

        Returns:
            float32 [n, dim], directions from the centre, each of unit length.
        """
        return _units(_kernel(texts, self.anchors) @ self.coefficients)

    def similarities(self, looks: Vectors, photos: Vectors) -> Vectors:
        """How much photos look like that.

        Args:
            looks: float32 [n, dim], of `looks`.
            photos: float32 [m, dim], vectors of photos as the index has them.

        Returns:
            float32 [n, m], cosines seen from the centre.
        """
        return np.asarray(looks @ _units(_units(photos) - self.centre).T, np.float32)

    def file(self) -> tuple[str, bytes]:
        """It as a file.

        Returns:
            Name of the file, by its content, and the content.
        """
        content = io.BytesIO()
        np.savez(
            content,
            text_encoder=np.array(self.text_encoder),
            anchors=self.anchors.astype(np.float16),
            coefficients=self.coefficients.astype(np.float32),
            centre=self.centre,
        )
        written = content.getvalue()
        return f"text-map-{hashlib.sha256(written).hexdigest()[:24]}.npz", written


def read_text_map(path: Path) -> TextMap:
    """Read a map.

    Args:
        path: of a file that `TextMap.file` gave.

    Returns:
        The map.

    Raises:
        EncoderUnavailable: the file is missing, damaged or no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return TextMap(
                str(arrays["text_encoder"]),
                *(arrays[name].astype(np.float32) for name in ("anchors", "coefficients", "centre")),
            )
    except OSError as error:
        raise EncoderUnavailable(f"the text map {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, EOFError, BadZipFile) as error:
        raise EncoderUnavailable(f"{path} is no text map: {error}") from error


def fit_text_map(text_encoder: str, texts: Vectors, looks: Vectors, *, seed: int = 0) -> TextMap:
    """Learn what products look like from their texts.

    Args:
        text_encoder: name of the encoder of the texts.
        texts: float32 [n, text dim], each of unit length, one for each product.
        looks: float32 [n, dim], each product's mean vector.
        seed: of the choice of anchors, where there are more than MAX_ANCHORS different texts.

    Returns:
        The map.
    """
    unit = _units(looks)
    centre = unit.mean(axis=0)
    different, group = np.unique(texts.astype(np.float16), axis=0, return_inverse=True)
    # Products of one text count as one, which looks like their mean.
    means = np.zeros((len(different), unit.shape[1]), np.float64)
    np.add.at(means, group.reshape(-1), unit)
    wanted = _units(means) - centre
    chosen = np.random.default_rng(seed).permutation(len(different))[:MAX_ANCHORS]
    every = different.astype(np.float32)
    anchors = every[np.sort(chosen)]
    near = _kernel(every, anchors).astype(np.float64)
    among = _kernel(anchors, anchors).astype(np.float64)
    left = near.T @ near + _RIDGE * among + 1e-6 * np.eye(len(anchors))
    coefficients = np.linalg.solve(left, near.T @ wanted)
    return TextMap(text_encoder, anchors, coefficients.astype(np.float32), centre.astype(np.float32))


def _kernel(texts: Vectors, anchors: Vectors) -> Vectors:
    return np.asarray(np.exp(_SHARPNESS * (texts @ anchors.T - 1)), np.float32)


def _units(vectors: NDArray[np.floating]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
