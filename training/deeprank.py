"""DeepRank (Pang et al., "DeepRank: A New Deep Architecture for Relevance Ranking in Information Retrieval", CIKM 2017).

The network looks at the windows round each match of a query's term (`embeddings.ranking.contexts`). A measure network compares a
window with the query: one 3 x 3 convolution of 4 channels over the interaction tensor, global max pooling, leaky ReLU. A
bidirectional GRU of 3 units reads the windows of a term in their order, with the position of each. The terms are added by gates
that begin as inverse document frequencies.

Beside the paper: the score of the text search is a further input, from which the order begins, and the network is trained on titles
before judgements (`embeddings.ranking.titles`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from embeddings.ranking.candidates import JudgedQuery
from embeddings.ranking.contexts import MAX_CONTEXTS, MAX_TERMS, WINDOW, Contexts, Vocabulary, contexts_of
from embeddings.ranking.deeprank import AGGREGATION, CONTEXTS_AT_ONCE, MEASURE, TEXTS_AT_ONCE
from embeddings.ranking.words import WordTable
from jobs.progress import ProgressCallback, StageProgress

CHANNELS = 4
UNITS = 3
SLOPE = 0.2
MARGIN = 1.0
# What the score of the best counts at first, beside a margin of 1.
SEARCH_WEIGHT = 5.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the training. The learning rate falls from the one that is given to 0 by a cosine.

    Attributes:
        epochs: passes over the queries.
        learning_rate: of Adam.
        batch_size: queries of a step.
    """

    epochs: int
    learning_rate: float
    batch_size: int


ON_TITLES = Phase(epochs=2, learning_rate=1e-2, batch_size=16)
ON_JUDGEMENTS = Phase(epochs=4, learning_rate=3e-3, batch_size=8)


class PairwiseHinge(keras.losses.Loss):
    """Mean hinge over the pairs of candidates of one query of which one has a higher grade (Herbrich et al., 2000).

    Labels are float32 [B, 2]: which query, and the grade.
    """

    def __init__(self, margin: float = MARGIN) -> None:
        super().__init__(name="pairwise_hinge", reduction=None)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """float32 scalar; each query with a pair counts the same."""
        query, grade, score = y_true[:, 0], y_true[:, 1], y_pred[:, 0]
        better = (query[:, None] == query[None]) & (grade[:, None] > grade[None])
        pairs = tf.cast(better, tf.float32)
        # The pairs of a query count by how many it has.
        same = tf.cast(query[:, None] == query[None], tf.float32)
        number = tf.reduce_sum(same * tf.reduce_sum(pairs, axis=1)[None], axis=1)
        weight = pairs / tf.maximum(number, 1.0)[:, None]
        hinge = tf.nn.relu(self.margin - (score[:, None] - score[None]))
        return tf.reduce_sum(weight * hinge) / tf.maximum(tf.reduce_sum(weight), 1e-6)


def measure_network(dim: int) -> keras.Model:
    """Compares windows with their query.

    Args:
        dim: length of a word vector.

    Returns:
        float32 [N, MAX_TERMS, dim] and [N, WINDOW, dim] -> float32 [N, CHANNELS].
    """
    query = keras.Input((MAX_TERMS, dim), name="query")
    window = keras.Input((WINDOW, dim), name="window")
    of_query = keras.layers.Dense(1, use_bias=False, name="query_weight")(query)
    of_window = keras.layers.Dense(1, use_bias=False, name="window_weight")(window)
    tensor = keras.layers.Lambda(_interactions, output_shape=(MAX_TERMS, WINDOW, 3))(
        [query, window, of_query, of_window]
    )
    measured = keras.layers.Conv2D(CHANNELS, 3, padding="same", name="convolution")(tensor)
    pooled = keras.layers.GlobalMaxPooling2D()(measured)
    return keras.Model([query, window], keras.layers.LeakyReLU(negative_slope=SLOPE)(pooled), name="measure")


def _interactions(tensors: Sequence[Any]) -> Any:
    query, window, of_query, of_window = tensors
    cosine = tf.matmul(query, window, transpose_b=True)
    one = tf.ones_like(cosine)
    return tf.stack([one * of_query, one * tf.transpose(of_window, [0, 2, 1]), cosine], axis=-1)


def reading_network() -> keras.Model:
    """Reads the contexts of a term in a text, in their order.

    Returns:
        float32 [S, contexts, CHANNELS + 2] (measured, position, and 1 where there is a context) -> float32 [S, 1].
    """
    contexts = keras.Input((None, CHANNELS + 2), name="contexts")
    mask = keras.layers.Lambda(lambda each: each[..., -1] > 0.5, output_shape=(None,))(contexts)
    steps = keras.layers.Lambda(lambda each: each[..., :-1], output_shape=(None, CHANNELS + 1))(contexts)
    read = keras.layers.Bidirectional(keras.layers.GRU(UNITS), name="gru")(steps, mask=mask)
    # From zeros: the order begins as that of the text search.
    return keras.Model(contexts, keras.layers.Dense(1, kernel_initializer="zeros", name="term")(read), name="reading")


class DeepRank(keras.Model):
    """The whole network, over the contexts of some queries at once. Only contexts and terms that there are take time."""

    def __init__(self, words: NDArray[np.float32]) -> None:
        """words: float32 [words, dim], the frozen word vectors of a vocabulary."""
        super().__init__(name="deeprank")
        self.words = tf.constant(words)
        self.measure, self.reading = measure_network(words.shape[1]), reading_network()
        # A gate is the inverse document frequency at first.
        self.gate = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="gate")
        begin = keras.initializers.Constant(SEARCH_WEIGHT)
        self.search = keras.layers.Dense(1, use_bias=False, kernel_initializer=begin, name="search")
        self.gate.build((None, MAX_TERMS, words.shape[1]))
        self.search.build((None, 1))

    def call(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG002  # Keras names it; nothing is random here
        """float32 [B, 1]: a score of each text. inputs: from `_batch`."""
        query, document, term = inputs["query"], inputs["cells"][:, 0], inputs["cells"][:, 1]
        measured = self.measure([tf.gather(query, document), tf.gather(self.words, inputs["windows"])])
        there = tf.ones_like(inputs["position"])
        values = tf.concat([measured, tf.stack([inputs["position"], there], axis=1)], axis=1)
        pairs, of_pair = tf.unique(document * MAX_TERMS + term)
        place = inputs["cells"][:, 2]
        longest = tf.maximum(tf.reduce_max(place) + 1, 1)
        shape = tf.stack([tf.size(pairs), longest, CHANNELS + 2])
        read = self.reading(tf.scatter_nd(tf.stack([of_pair, place], axis=1), values, shape))
        gates = inputs["gates"] * tf.exp(self.gate(query)[..., 0])
        gated = read[:, 0] * tf.gather(tf.reshape(gates, [-1]), pairs)
        total = tf.math.unsorted_segment_sum(gated, pairs // MAX_TERMS, tf.shape(query)[0])
        return total[:, None] + self.search(inputs["lexical"])

    def aggregate(self, contexts: Any, query: Any, gates: Any, lexical: Any) -> Any:
        """Add up what was measured, with all terms and contexts that there may be: for LiteRT, whose shapes are fixed.

        Args:
            contexts: float32 [B, MAX_TERMS, MAX_CONTEXTS, CHANNELS + 2], as `reading_network` has them.
            query: float32 [B, MAX_TERMS, dim].
            gates: float32 [B, MAX_TERMS], inverse document frequencies.
            lexical: float32 [B, 1], scores of the text search.

        Returns:
            float32 [B, 1].
        """
        read = self.reading(tf.reshape(contexts, [-1, MAX_CONTEXTS, CHANNELS + 2]))
        there = contexts[:, :, 0, -1]
        gated = tf.reshape(read, [-1, MAX_TERMS]) * there * gates * tf.exp(self.gate(query)[..., 0])
        return tf.reduce_sum(gated, axis=1, keepdims=True) + self.search(lexical)


def train_network(
    judged: Sequence[JudgedQuery],
    titles: Sequence[JudgedQuery],
    table: WordTable,
    seed: int,
    on_progress: ProgressCallback | None = None,
    *,
    begin_with: DeepRank | None = None,
) -> DeepRank:
    """Train DeepRank.

    Args:
        judged: queries with judgements.
        titles: queries that it is trained on before; may be none.
        table: of word vectors.
        seed: of the initial weights and of the order of queries.
        on_progress: called with the stages "DeepRank: titles" and "DeepRank: judgements", by steps.
        begin_with: a network whose weights it begins with.

    Returns:
        The network.
    """
    keras.utils.set_random_seed(seed)
    vocabulary = Vocabulary(table)
    before, own = _examples(titles, vocabulary), _examples(judged, vocabulary)
    network = DeepRank(vocabulary.vectors())
    if begin_with is not None:
        network.set_weights(begin_with.get_weights())
    for stage, phase, examples in (("titles", ON_TITLES, before), ("judgements", ON_JUDGEMENTS, own)):
        if examples:
            _fit(network, examples, phase, seed, f"DeepRank: {stage}", on_progress)
    return network


def write_network(network: DeepRank, folder: Path) -> None:
    """Write the two LiteRT files of a network. folder: of its version."""
    dim = network.words.shape[1]
    query = [MAX_TERMS, dim]
    measured = {"query": [CONTEXTS_AT_ONCE, *query], "window": [CONTEXTS_AT_ONCE, WINDOW, dim]}
    added = {
        "contexts": [TEXTS_AT_ONCE, MAX_TERMS, MAX_CONTEXTS, CHANNELS + 2],
        "query": [TEXTS_AT_ONCE, *query],
        "gates": [TEXTS_AT_ONCE, MAX_TERMS],
        "lexical": [TEXTS_AT_ONCE, 1],
    }
    bidirectional = network.reading.get_layer("gru")
    directions = (bidirectional.forward_layer, bidirectional.backward_layer)
    try:
        for layer in directions:
            # LiteRT runs no loop of TensorFlow's.
            layer.unroll = True
        measure = _litert(lambda query, window: network.measure([query, window]), measured, network)
        aggregation = _litert(network.aggregate, added, network)
    finally:
        for layer in directions:
            layer.unroll = False
    (folder / MEASURE).write_bytes(measure)
    (folder / AGGREGATION).write_bytes(aggregation)


@dataclass(frozen=True)
class _Example:
    """A query with its candidates. grades: float32 [candidates]."""

    contexts: Contexts
    grades: NDArray[np.float32]


def _examples(queries: Sequence[JudgedQuery], vocabulary: Vocabulary) -> list[_Example]:
    graded = [query for query in queries if len({*query.grades.tolist()}) > 1]
    return [_Example(contexts_of(each.asked, each.candidates, vocabulary), each.grades) for each in graded]


def _fit(
    network: DeepRank,
    examples: Sequence[_Example],
    phase: Phase,
    seed: int,
    stage: str,
    on_progress: ProgressCallback | None,
) -> None:
    steps = -(-len(examples) // phase.batch_size)
    generator = np.random.default_rng(seed)

    def batches() -> Iterator[Any]:
        for _ in range(phase.epochs):
            order = generator.permutation(len(examples))
            for start in range(0, len(order), phase.batch_size):
                yield _batch([examples[each] for each in order[start : start + phase.batch_size]])

    dim = network.words.shape[1]
    shapes = {
        "query": tf.TensorSpec([None, MAX_TERMS, dim]),
        "gates": tf.TensorSpec([None, MAX_TERMS]),
        "windows": tf.TensorSpec([None, WINDOW], tf.int32),
        "cells": tf.TensorSpec([None, 3], tf.int32),
        "position": tf.TensorSpec([None]),
        "lexical": tf.TensorSpec([None, 1]),
    }
    data = tf.data.Dataset.from_generator(batches, output_signature=(shapes, tf.TensorSpec([None, 2])))
    falling = keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps * phase.epochs)
    network.compile(keras.optimizers.Adam(falling), loss=PairwiseHinge())
    progress = StageProgress(on_progress, stage, steps * phase.epochs)
    network.fit(
        data, epochs=phase.epochs, steps_per_epoch=steps, callbacks=[_Steps(progress)], shuffle=False, verbose=0
    )


class _Steps(keras.callbacks.Callback):
    """Reports each step."""

    def __init__(self, progress: StageProgress) -> None:
        super().__init__()
        self._progress = progress

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._progress.advance()


def _batch(examples: Sequence[_Example]) -> tuple[dict[str, NDArray[Any]], NDArray[np.float32]]:
    """The inputs of `DeepRank` and the labels of `PairwiseHinge`, with the texts of all queries one behind another."""
    sizes = [len(each.grades) for each in examples]
    starts = np.cumsum([0, *sizes[:-1]])
    contexts = [each.contexts for each in examples]
    cells = [
        np.stack([each.document + start, each.term, each.place], axis=1)
        for each, start in zip(contexts, starts, strict=True)
    ]
    inputs = {
        "query": np.repeat(np.stack([each.query for each in contexts]), sizes, axis=0),
        "gates": np.repeat(np.stack([each.gates for each in contexts]), sizes, axis=0),
        "windows": np.concatenate([each.windows for each in contexts]),
        "cells": np.concatenate(cells).astype(np.int32),
        "position": np.concatenate([each.position for each in contexts]),
        "lexical": np.concatenate([each.lexical for each in contexts])[:, None],
    }
    queries = np.repeat(np.arange(len(examples), dtype=np.float32), sizes)
    return inputs, np.stack([queries, np.concatenate([each.grades for each in examples])], axis=1)


def _litert(forward: Callable[..., Any], shapes: Mapping[str, list[int]], network: DeepRank) -> bytes:
    """A function of a network as LiteRT, whose inputs keep their names. shapes: of its inputs."""
    # The converter freezes the variables it finds on this object; it finds none on a Keras 3 model, and would write zeros.
    holder = tf.Module()
    holder.weights = [variable.value for variable in network.variables]
    signature = {name: tf.TensorSpec(shape, tf.float32, name=name) for name, shape in shapes.items()}

    @tf.function  # type: ignore[untyped-decorator]
    def serve(**inputs: Any) -> Any:
        return forward(**inputs)

    function = serve.get_concrete_function(**signature)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([function], holder).convert())
