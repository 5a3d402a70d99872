"""Runs an exported LiteRT model: one interpreter a thread, one XNNPACK thread an interpreter."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.encoders.preprocessing import to_input
from embeddings.errors import EncoderUnavailable, InvalidVector


class LiteRTEncoder:
    """An encoder behind a `.tflite` file: float32 [1, s, s, 3] in [0, 1] -> float32 [1, dim].

    Interpreters are made when they are first needed, so the object may be made before a fork.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Read the file; whether it is such a model shows when it is first used.

        Args:
            path: of the file.
            threads: how many photos are encoded at the same time.

        Raises:
            EncoderUnavailable: the file cannot be read.
        """
        try:
            self._model = path.read_bytes()
        except OSError as error:
            raise EncoderUnavailable(f"the model {path} cannot be read: {error.strerror or error}") from error
        self._path = path
        self._threads = threads
        self._idle: LifoQueue[Any] = LifoQueue()
        self.fingerprint = hashlib.sha256(self._model).hexdigest()

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self._shape[1]

    @property
    def input_size(self) -> int:
        """Side in pixels of the square that the model sees."""
        return self._shape[0]

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed images.

        Args:
            images: upright, RGB, of any size.

        Returns:
            float32 [n, dim], each row L2-normalised.

        Raises:
            InvalidVector: the model gives an embedding without a direction.
            EncoderUnavailable: the file is no such model.
        """
        if len(images) == 1:
            return self._encode_one(images[0])[None]
        if not images:
            return np.empty((0, self.dim), np.float32)
        with ThreadPoolExecutor(min(self._threads, len(images))) as pool:
            return np.stack(list(pool.map(self._encode_one, images)))

    def new_interpreter(self) -> Any:
        """An interpreter of the model for one thread, beside those that `encode` uses.

        Returns:
            The interpreter, its tensors allocated.

        Raises:
            EncoderUnavailable: the file is no model that runs here.
        """
        return self._made()

    def _made(self, **options: Any) -> Any:
        # Not above: most commands need no encoder.
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=self._model, num_threads=1, **options)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EncoderUnavailable(f"{self._path} is not a LiteRT model that runs here: {error}") from error
        return interpreter

    def _encode_one(self, image: Image.Image) -> NDArray[np.float32]:
        photo = to_input(image, self.input_size)
        with self._interpreter() as interpreter:
            interpreter.set_tensor(self._tensors[0], photo)
            interpreter.invoke()
            embedding: NDArray[np.float32] = interpreter.get_tensor(self._tensors[1])[0]
        length = math.sqrt(float(np.dot(embedding, embedding)))
        if not math.isfinite(length) or length == 0:
            raise InvalidVector(
                f"{self._path} gave an embedding without a direction (all zeros, or not numbers) for this photo"
            )
        return embedding / np.float32(length)

    @cached_property
    def _tensors(self) -> tuple[int, int]:
        """Indices of the input and the output, the same in every interpreter; asking for them takes as long as a resize."""
        with self._interpreter() as interpreter:
            return interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    @cached_property
    def _shape(self) -> tuple[int, int]:
        """(input side, dim), read from the model. Without XNNPACK, which takes longer to prepare and writes a line to stderr."""
        from ai_edge_litert.interpreter import OpResolverType

        interpreter = self._made(experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        taken, given = (tuple(int(n) for n in tensors[0]["shape"]) for tensors in (inputs, outputs))
        square = len(taken) == 4 and taken[0] == 1 and taken[1] == taken[2] and taken[3] == 3
        if not (
            square and len(given) == 2 and given[0] == 1 and inputs[0]["dtype"] == outputs[0]["dtype"] == np.float32
        ):
            raise EncoderUnavailable(
                f"{self._path} maps {list(taken)} to {list(given)}; an encoder maps float32 [1, s, s, 3] to float32 [1, dim]"
            )
        return taken[1], given[1]

    @contextmanager
    def _interpreter(self) -> Iterator[Any]:
        try:
            interpreter = self._idle.get_nowait()
        except Empty:
            interpreter = self.new_interpreter()
        try:
            yield interpreter
        finally:
            self._idle.put(interpreter)
