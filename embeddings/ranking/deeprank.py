"""Runs DeepRank (`training.deeprank`) by its two LiteRT files: one measures contexts, the other adds up what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import RankerUnavailable
from embeddings.ranking.candidates import RERANKED, Asked, Candidate
from embeddings.ranking.contexts import MAX_CONTEXTS, Contexts, Vocabulary, contexts_of
from embeddings.ranking.words import WordTable

MEASURE, AGGREGATION = "measure.tflite", "aggregation.tflite"
# Shapes of the files are fixed: so many contexts are measured at a time, and so many texts are added up.
CONTEXTS_AT_ONCE = 64
TEXTS_AT_ONCE = RERANKED


class DeepRankRanker:
    """Scores candidates by the contexts of the query's terms."""

    def __init__(self, folder: Path, table: WordTable) -> None:
        """Read the files.

        Args:
            folder: of the version.
            table: of word vectors.

        Raises:
            RankerUnavailable: a file is missing, or no model that runs here.
        """
        self._table = table
        self._measure, self._aggregation = _Model(folder / MEASURE), _Model(folder / AGGREGATION)

    def scores(self, asked: Asked, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """See `Ranker`."""
        vocabulary = Vocabulary(self._table)
        contexts = contexts_of(asked, candidates, vocabulary)
        cells = self._cells(contexts, vocabulary.vectors(), len(candidates))
        found = []
        for start in range(0, len(candidates), TEXTS_AT_ONCE):
            some = _padded(cells[start : start + TEXTS_AT_ONCE], TEXTS_AT_ONCE)
            lexical = _padded(contexts.lexical[start : start + TEXTS_AT_ONCE, None], TEXTS_AT_ONCE)
            query = np.broadcast_to(contexts.query, (TEXTS_AT_ONCE, *contexts.query.shape))
            gates = np.broadcast_to(contexts.gates, (TEXTS_AT_ONCE, *contexts.gates.shape))
            found.append(self._aggregation(contexts=some, query=query, gates=gates, lexical=lexical)[:, 0])
        return np.concatenate(found)[: len(candidates)] if found else np.empty(0, np.float32)

    def _cells(self, contexts: Contexts, words: NDArray[np.float32], texts: int) -> NDArray[np.float32]:
        """float32 [texts, terms, MAX_CONTEXTS, channels + 2]: what was measured of a context, its position, and 1."""
        query = np.broadcast_to(contexts.query, (CONTEXTS_AT_ONCE, *contexts.query.shape))
        measured = []
        for start in range(0, max(1, len(contexts.windows)), CONTEXTS_AT_ONCE):
            window = words[contexts.windows[start : start + CONTEXTS_AT_ONCE]]
            measured.append(self._measure(query=query, window=_padded(window, CONTEXTS_AT_ONCE)))
        values = np.concatenate(measured)[: len(contexts.windows)]
        cells = np.zeros((texts, len(contexts.gates), MAX_CONTEXTS, values.shape[1] + 2), np.float32)
        there = np.ones((len(values), 1), np.float32)
        cells[contexts.document, contexts.term, contexts.place] = np.hstack([values, contexts.position[:, None], there])
        return cells


class _Model:
    """A LiteRT file with named inputs and one output: an interpreter for each thread that runs it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._content = path.read_bytes()
        except OSError as error:
            raise RankerUnavailable(f"{path} cannot be read: {error.strerror or error}") from error
        self._idle: LifoQueue[Any] = LifoQueue()
        with self._interpreter():
            pass

    def __call__(self, **inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._interpreter() as interpreter:
            for name, place in self._inputs(interpreter).items():
                interpreter.set_tensor(place, np.ascontiguousarray(inputs[name]))
            interpreter.invoke()
            output: NDArray[np.float32] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return output

    def _inputs(self, interpreter: Any) -> Mapping[str, int]:
        """Places of the inputs by their names, which stand as `serving_default_query:0`."""
        return {
            each["name"].removeprefix("serving_default_").partition(":")[0]: each["index"]
            for each in interpreter.get_input_details()
        }

    @contextmanager
    def _interpreter(self) -> Iterator[Any]:
        try:
            interpreter = self._idle.get_nowait()
        except Empty:
            # Not above: most commands need none.
            from ai_edge_litert.interpreter import Interpreter

            try:
                interpreter = Interpreter(model_content=self._content, num_threads=1)
                interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                raise RankerUnavailable(f"{self._path} is not a LiteRT model that runs here: {error}") from error
        try:
            yield interpreter
        finally:
            self._idle.put(interpreter)


def _padded(rows: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    missing = number - len(rows)
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), np.float32)]) if missing else rows
