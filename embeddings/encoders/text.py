"""Turns texts into unit vectors by an exported LiteRT model: texts that mean the same are near each other, whatever their words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, LifoQueue
from threading import BoundedSemaphore
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import EncoderMismatch, EncoderUnavailable, InvalidVector

MODEL, TABLE, PIECES, TOKENIZER = "model.tflite", "table.npy", "pieces.npz", "tokenizer.json"
FILES = (MODEL, TABLE, PIECES, TOKENIZER)
# Begins the name of a folder of a text encoder; the beginning of its fingerprint follows.
PREFIX = "text-"
_NAMED = 24


class TextEncoder:
    """A text encoder behind a folder.

    Its files: `tokenizer.json` splits a text into word pieces. Each has a vector, `table.npy`, int8 [pieces, dim], times `scale` in
    `pieces.npz`, float32 [pieces]; and each place in the text, `positions`, float32 [length, dim]. They are added, and
    `model.tflite` makes one vector of them: float32 [n, dim] -> float32 [1, dim], for any n.

    The table is beside the model, since a model that looks it up keeps a copy of it in float32, four times as large; it stays in
    the file, of which processes read the few words that they meet. An interpreter has 11 MB, so there are no more than threads.
    Files are read when they are first needed, so the object may be made before a fork.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Look for the files.

        Args:
            folder: of the files.
            threads: how many texts are encoded at the same time.

        Raises:
            EncoderUnavailable: a file or the package that splits texts is missing.
        """
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise EncoderUnavailable(f"no text encoder {folder.name!r}: there is no file {folder / missing[0]}")
        if find_spec("tokenizers") is None:
            raise EncoderUnavailable(
                f"the text encoder {folder.name!r} needs the package tokenizers:"
                " pip install --no-deps --require-hashes -r requirements/text.txt"
            )
        self.folder = folder
        self._threads = threads
        self._free = BoundedSemaphore(threads)
        self._idle: LifoQueue[Any] = LifoQueue()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the files, hexadecimal.

        Raises:
            EncoderMismatch: the folder is named after other files.
        """
        found = fingerprint_of(self.folder)
        if self.folder.name.startswith(PREFIX) and self.folder.name != name_of(found):
            raise EncoderMismatch(
                f"the files of the text encoder {self.folder.name!r} were replaced: they are now {name_of(found)!r}"
            )
        return found

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return int(self._pieces[0].shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts.

        Args:
            texts: of which the first word pieces count, as many as there are positions.

        Returns:
            float32 [n, dim], each row L2-normalised.

        Raises:
            InvalidVector: the model gives an embedding without a direction.
            EncoderUnavailable: a file is damaged, or no such file.
            EncoderMismatch: the files were replaced.
        """
        if not texts:
            return np.empty((0, self.dim), np.float32)
        if len(texts) == 1 or self._threads == 1:
            return np.stack([self._encode_one(each) for each in texts])
        with ThreadPoolExecutor(min(self._threads, len(texts))) as pool:
            return np.stack(list(pool.map(self._encode_one, texts)))

    def _encode_one(self, text: str) -> NDArray[np.float32]:
        table, scale, positions = self._pieces
        ids = self._tokenizer.encode(text).ids[: len(positions)]
        pieces = table[ids] * scale[ids, None] + positions[: len(ids)]
        with self._interpreter() as interpreter:
            taken, given = (
                each[0]["index"] for each in (interpreter.get_input_details(), interpreter.get_output_details())
            )
            interpreter.resize_tensor_input(taken, pieces.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(taken, pieces.astype(np.float32, copy=False))
            interpreter.invoke()
            embedding: NDArray[np.float32] = interpreter.get_tensor(given)[0]
        length = float(np.linalg.norm(embedding))
        if not np.isfinite(length) or length == 0:
            raise InvalidVector(f"{self.folder} gave an embedding without a direction for {text[:60]!r}")
        return embedding / np.float32(length)

    @cached_property
    def _pieces(self) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
        """Table, scale and positions, once the files are known to be those that the folder is named after."""
        _ = self.fingerprint
        try:
            table = np.load(self.folder / TABLE, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise EncoderUnavailable(f"{self.folder / TABLE} is no table of word pieces: {error}") from error
        try:
            with np.load(self.folder / PIECES, allow_pickle=False) as arrays:
                return table, arrays["scale"], arrays["positions"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise EncoderUnavailable(f"{self.folder / PIECES} has no scale and positions: {error}") from error

    @cached_property
    def _tokenizer(self) -> Any:
        # Not above: processes without a text encoder do without it.
        from tokenizers import Tokenizer

        try:
            return Tokenizer.from_str((self.folder / TOKENIZER).read_text(encoding="utf-8"))
        except Exception as error:  # it raises nothing narrower
            raise EncoderUnavailable(f"{self.folder / TOKENIZER} is no tokenizer: {error}") from error

    @contextmanager
    def _interpreter(self) -> Iterator[Any]:
        with self._free:
            try:
                interpreter = self._idle.get_nowait()
            except Empty:
                interpreter = self._made()
            try:
                yield interpreter
            finally:
                self._idle.put(interpreter)

    def _made(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        try:
            # By its path: the weights stay in the file, and are read from there.
            interpreter = Interpreter(model_path=str(self.folder / MODEL), num_threads=1)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EncoderUnavailable(f"{self.folder / MODEL} is not a LiteRT model that runs here: {error}") from error
        shapes = [each[0]["shape"] for each in (interpreter.get_input_details(), interpreter.get_output_details())]
        if [len(shape) for shape in shapes] != [2, 2] or {int(shape[1]) for shape in shapes} != {self.dim}:
            raise EncoderUnavailable(
                f"{self.folder / MODEL} maps {shapes[0].tolist()} to {shapes[1].tolist()}; a text encoder maps"
                f" float32 [n, {self.dim}] to float32 [1, {self.dim}]"
            )
        return interpreter


def fingerprint_of(folder: Path) -> str:
    """SHA-256 of a text encoder's files, hexadecimal.

    Args:
        folder: of the files.

    Returns:
        The same for the same files.

    Raises:
        EncoderUnavailable: a file cannot be read.
    """
    whole = hashlib.sha256()
    for name in FILES:
        try:
            with (folder / name).open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise EncoderUnavailable(f"{folder / name} cannot be read: {error.strerror or error}") from error
    return whole.hexdigest()


def name_of(fingerprint: str) -> str:
    """The name of the folder of a text encoder. fingerprint: of its files."""
    return f"{PREFIX}{fingerprint[:_NAMED]}"
