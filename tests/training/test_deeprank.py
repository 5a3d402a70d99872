"""DeepRank: its loss against brute force, what it learns, and its LiteRT files beside the network."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make setup")

from embeddings.ranking.candidates import Candidate, JudgedQuery
from embeddings.ranking.contexts import Vocabulary, contexts_of
from embeddings.ranking.corpus import Corpus
from embeddings.ranking.deeprank import DeepRankRanker
from embeddings.ranking.words import WordTable
from embeddings.text.bm25 import ProductText, field_lengths, mean_lengths
from embeddings.text.queries import query_of
from training.deeprank import DeepRank, PairwiseHinge, train_network, write_network

# TensorFlow's arrays are older than NumPy's keyword `copy`.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

THINGS = ["mug", "lamp", "sofa", "table", "plate", "chair", "clock", "vase"]
PIECES = [*THINGS, "red", "green", "cleaner", "for", "with", "stripes", "nice"]
TABLE = WordTable(PIECES, np.random.default_rng(0).normal(size=(len(PIECES), 8)).astype(np.float32))


@pytest.fixture(scope="module")
def judged() -> list[JudgedQuery]:
    """Who asks for a red mug wants one with red stripes, and no cleaner for a red mug; BM25 finds both alike."""
    texts, wanted = {}, {}
    for number, (colour, thing) in enumerate(product(["red", "green"], THINGS)):
        texts[2 * number] = ProductText({"title": f"cleaner {colour} {thing}"})
        texts[2 * number + 1] = ProductText({"title": f"{colour} {thing} stripes"})
        wanted[f"{colour} {thing}"] = 2 * number + 1
    queries = {text: query_of(text, "en", {}) for text in wanted}
    corpus = Corpus(queries.values(), "en", mean_lengths(field_lengths(each, "en") for each in texts.values()))
    corpus.add(texts)
    found = []
    for asked, query in queries.items():
        scores = corpus.search(query, 20)
        candidates = [Candidate(texts[each], score) for each, score in scores.items()]
        grades = np.array([float(each == wanted[asked]) for each in scores], np.float32)
        found.append(JudgedQuery(asked, corpus.asked(query), candidates, grades, [1.0]))
    return found


@pytest.fixture(scope="module")
def network(judged: list[JudgedQuery]) -> DeepRank:
    return train_network(judged, judged, TABLE, seed=0)


@pytest.fixture(scope="module")
def ranker(network: DeepRank, tmp_path_factory: pytest.TempPathFactory) -> DeepRankRanker:
    folder = tmp_path_factory.mktemp("deeprank")
    write_network(network, folder)
    return DeepRankRanker(folder, TABLE)


def test_the_loss_is_the_mean_hinge_of_each_query_over_its_pairs() -> None:
    labels = np.array([[0, 2], [0, 0], [0, 1], [1, 1], [1, 0], [2, 1]], np.float32)
    scores = np.array([[0.2], [0.5], [0.1], [3.0], [1.0], [9.0]], np.float32)
    first = [1 - (0.2 - 0.5), 1 - (0.2 - 0.1), 1 - (0.1 - 0.5)]
    # A query without a pair says nothing.
    expected = (np.mean(first) + 0.0) / 2
    assert float(PairwiseHinge()(labels, scores)) == pytest.approx(expected, abs=1e-6)


def test_it_learns_from_what_stands_around_the_words(judged: list[JudgedQuery], ranker: DeepRankRanker) -> None:
    before = [query.grades[0] for query in judged]
    after = [query.grades[ranker.scores(query.asked, query.candidates).argmax()] for query in judged]
    assert np.mean(before) < 0.5
    assert np.mean(after) > 0.9


def test_the_files_that_are_served_score_as_the_network_that_was_trained(
    judged: list[JudgedQuery], network: DeepRank, ranker: DeepRankRanker
) -> None:
    query = judged[3]
    vocabulary = Vocabulary(TABLE)
    contexts = contexts_of(query.asked, query.candidates, vocabulary)
    of_network = DeepRank(vocabulary.vectors())
    for name in ("measure", "reading", "gate", "search"):
        setattr(of_network, name, getattr(network, name))
    number = len(query.candidates)
    expected = of_network(
        {
            "query": np.repeat(contexts.query[None], number, axis=0),
            "gates": np.repeat(contexts.gates[None], number, axis=0),
            "windows": contexts.windows,
            "cells": np.stack([contexts.document, contexts.term, contexts.place], axis=1),
            "position": contexts.position,
            "lexical": contexts.lexical[:, None],
        }
    )
    assert ranker.scores(query.asked, query.candidates) == pytest.approx(np.asarray(expected)[:, 0], abs=1e-4)


def test_texts_without_a_match_are_in_the_order_of_their_scores(
    judged: list[JudgedQuery], ranker: DeepRankRanker
) -> None:
    others = [Candidate(ProductText({"title": "nice vase"}), score) for score in (0.1, 0.4)]
    scores = ranker.scores(judged[0].asked, others)
    assert scores[0] < scores[1]
    assert ranker.scores(judged[0].asked, []).shape == (0,)
