"""What rankers add to text search: nDCG@10 by five folds of the judged queries, on product searches and on abstracts.

Usage: REAL_DATA=... python -m bench.deeprank
Each query is ranked by a ranker that was trained on the other four folds; all of them order the same 50 candidates, those of the
shop's search. DeepRank is trained on titles before, which no judgement says anything of, once for all folds. "Against": the mean of
the queries' differences, with its 95% confidence interval.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.tables import publish, real_data
from bench.text_collections import TextCollection, chorus_icecat, cranfield
from embeddings.ranking.candidates import RERANKED, Candidate, JudgedQuery, Ranker
from embeddings.ranking.corpus import Corpus
from embeddings.ranking.deeprank import DeepRankRanker
from embeddings.ranking.quality import Mean, figures, mean_of, ndcg
from embeddings.ranking.titles import title_queries
from embeddings.ranking.trees import BoostedRanker
from embeddings.ranking.words import WordTable
from embeddings.text.bm25 import field_lengths, mean_lengths
from embeddings.text.queries import query_of
from training.boosted import train_trees
from training.deeprank import train_network, write_network
from training.word_vectors import word_table

LANGUAGE = "en"
FOLDS = 5
DEPTH = 100
SEED = 0
Figures = np.ndarray[Any, np.dtype[np.float64]]
Train = Callable[[Sequence[JudgedQuery]], Ranker]


def main() -> None:
    """Measure, print and save the results."""
    data, table = real_data(), word_table()
    rows = []
    for collection in (cranfield(data), chorus_icecat(data)):
        queries, bm25 = searched(collection)
        orders: dict[str, Figures] = {"BM25": bm25, "the shop's search": figures(None, queries)}
        costs: dict[str, float] = {}
        for name, train in _trainers(collection, table).items():
            orders[name], costs[name] = by_folds(queries, train, name)
        for name, each in orders.items():
            rows.append(
                {
                    "collection": collection.name,
                    "queries": len(queries),
                    "order": name,
                    "nDCG@10": float(each.mean()),
                    "against BM25": _shown(mean_of(each - bm25)) if name != "BM25" else "",
                    "against the search": _shown(mean_of(each - orders["the shop's search"])) if name in costs else "",
                    "ms a query": costs.get(name, ""),
                }
            )
    publish("deeprank", rows)


def searched(collection: TextCollection) -> tuple[list[JudgedQuery], Figures]:
    """What the shop's search finds for the judged queries, and nDCG@10 of BM25 alone."""
    lengths = mean_lengths(field_lengths(text, LANGUAGE) for text in collection.documents.values())
    queries = {number: query_of(text, LANGUAGE, {}) for number, text in collection.queries.items()}
    corpus = Corpus(queries.values(), LANGUAGE, lengths)
    corpus.add(collection.documents)
    found, bm25 = [], []
    for number, query in queries.items():
        gains = collection.judgements[number]
        judged = [*gains.values()]
        scores = corpus.search(query, DEPTH)
        best = [*scores][:RERANKED]
        candidates = [Candidate(collection.documents[each], scores[each]) for each in best]
        grades = np.array([gains.get(each, 0.0) for each in best], np.float32)
        found.append(JudgedQuery(number, corpus.asked(query), candidates, grades, judged))
        bm25.append(ndcg([gains.get(each, 0.0) for each in corpus.by_words(query, DEPTH)], judged))
    return found, np.array(bm25)


def by_folds(queries: Sequence[JudgedQuery], train: Train, name: str) -> tuple[Figures, float]:
    """nDCG@10 of each query, by a ranker that was trained on the other folds, and milliseconds of processor time of a query."""
    found, seconds = np.zeros(len(queries)), 0.0
    fold = np.random.default_rng(SEED).permutation(len(queries)) % FOLDS
    for each in range(FOLDS):
        kept_aside = np.flatnonzero(fold == each).tolist()
        ranker = train([queries[i] for i in np.flatnonzero(fold != each).tolist()])
        started = time.process_time()
        found[kept_aside] = figures(ranker, [queries[i] for i in kept_aside])
        seconds += time.process_time() - started
        print(f"{name}, fold {each + 1} of {FOLDS}: {found[kept_aside].mean():.4f}", flush=True)
    return found, 1000 * seconds / len(queries)


def _trainers(collection: TextCollection, table: WordTable) -> Mapping[str, Train]:
    titles = title_queries(collection.documents, LANGUAGE)
    print(f"{collection.name}: {len(titles)} titles to begin with", flush=True)
    beginner = train_network([], titles, table, SEED) if titles else None

    def deeprank(queries: Sequence[JudgedQuery]) -> Ranker:
        with tempfile.TemporaryDirectory() as folder:
            write_network(train_network(queries, [], table, SEED, begin_with=beginner), Path(folder))
            return DeepRankRanker(Path(folder), table)

    return {
        "boosted trees": lambda queries: BoostedRanker(train_trees(queries, table, SEED), table),
        "DeepRank": deeprank,
    }


def _shown(difference: Mean) -> str:
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


if __name__ == "__main__":
    main()
