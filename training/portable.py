"""Turns a version's SavedModel into files for other places: LiteRT float and int8, for phones and small boards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from embeddings.encoders.preprocessing import to_input
from embeddings.errors import EncoderUnavailable
from training.export import export_litert, export_saved_model
from training.litert_files import read_litert


class Portable:
    """An encoder as TensorFlow sees it, loaded from a SavedModel or from a file of weights that a recipe exported.

    Raises EncoderUnavailable for another SavedModel, ValueError for another file.
    """

    def __init__(self, source: Path, input_size: int | None = None) -> None:
        """Load it; input_size: of a SavedModel, which leaves it open. A file of weights has its own."""
        if source.suffix == ".tflite":
            network = read_litert(source)
            self.input_size = int(network.input_shape[1])
            self._forward: Any = lambda images: network(images, training=False)
            self._variables = [variable.value for variable in network.variables]
            self._loaded: Any = None
            return
        if input_size is None:
            raise ValueError(f"{source} is a SavedModel: its input size has to be given")
        self.input_size = input_size
        try:
            self._loaded = tf.saved_model.load(str(source))
        except (OSError, ValueError) as error:
            raise EncoderUnavailable(f"{source} is not a SavedModel that can be read: {error}") from error
        self._forward, self._variables = self._loaded, list(self._loaded.weights)

    def litert(self) -> bytes:
        """LiteRT with float32 weights."""
        return export_litert(self._forward, self.input_size, self._variables)

    def litert_int8(self, photos: Iterable[Image.Image]) -> bytes:
        """LiteRT with int8 weights and activations, their ranges taken from some hundred photos; input and output stay float32."""
        return export_litert(self._forward, self.input_size, self._variables, photos=self._inputs(photos))

    def saved_model(self, folder: Path) -> None:
        """A SavedModel in the form of TF Hub's image feature vectors."""
        export_saved_model(self._forward, self.input_size, self._variables, folder, beside=self._loaded)

    def _inputs(self, photos: Iterable[Image.Image]) -> Iterator[NDArray[np.float32]]:
        for photo in photos:
            yield to_input(photo, self.input_size)
