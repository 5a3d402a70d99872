"""What the boosted ranker knows of a query and a product: a row of numbers, NaN for what is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from embeddings.ranking.candidates import AnalysedField, Asked, Candidate, Term, analysed
from embeddings.ranking.words import WordTable
from embeddings.text.bm25 import FIELD_WEIGHTS, B, saturated

# What is known of a product beside its text: how popular it is, how much it looks like the best that the words find, how near its
# text is by a text encoder.
SIGNALS = ("popularity", "looks", "dense")
_WITH_VECTORS = ("title", "text")

FEATURES = (
    "score", "share_of_best", "rank", "terms", "idf",
    *(f"bm25_{name}" for name in FIELD_WEIGHTS),
    *(f"found_{name}" for name in FIELD_WEIGHTS),
    "found", "found_idf", "found_exact_words", "neighbours_title", "neighbours", "first_position", "window",
    "title_is_query", "title_share", "title_length", "text_length",
    *(f"vectors_{name}" for name in _WITH_VECTORS), *(f"nearest_{name}" for name in _WITH_VECTORS),
    *SIGNALS,
)  # fmt: skip


def feature_rows(asked: Asked, candidates: Sequence[Candidate], table: WordTable) -> NDArray[np.float32]:
    """The features of a query's candidates.

    Args:
        asked: the query.
        candidates: best first by the text search.
        table: of word vectors.

    Returns:
        float32 [candidates, FEATURES].
    """
    terms = asked.terms
    vectors = table.vectors(term.word for term in terms)
    best = max((candidate.score for candidate in candidates), default=0.0) or 1.0
    rows = []
    for rank, candidate in enumerate(candidates, 1):
        known = {
            "score": candidate.score,
            "share_of_best": candidate.score / best,
            "rank": float(rank),
            "terms": float(len(terms)),
            "idf": sum(term.idf for term in terms) / max(1, len(terms)),
            **_text_features(asked, candidate, terms, vectors, table),
            **candidate.signals,
        }
        rows.append([known.get(name, np.nan) for name in FEATURES])
    return np.array(rows, np.float32).reshape(-1, len(FEATURES))


def _text_features(
    asked: Asked, candidate: Candidate, terms: Sequence[Term], vectors: NDArray[np.float32], table: WordTable
) -> dict[str, float]:
    fields = analysed(candidate.text, asked.language)
    whole = AnalysedField(
        [w for each in fields.values() for w in each.words], [i for each in fields.values() for i in each.ids]
    )
    title = fields["title"]
    wanted = set().union(*(term.ids for term in terms))
    total = sum(term.idf for term in terms) or 1.0
    present = {*whole.ids}
    typed = {term.word for term in terms}
    found = {
        "found": _share(terms, present),
        "found_idf": sum(term.idf for term in terms if term.ids & present) / total,
        "found_exact_words": len(typed & {*whole.words}) / max(1, len(typed)),
        "neighbours_title": _neighbours(terms, title.ids),
        "neighbours": _neighbours(terms, whole.ids),
        "first_position": next((float(place) for place, each in enumerate(whole.ids) if each in wanted), np.nan),
        "window": _window(terms, whole.ids),
        "title_is_query": float([*title.words] == [term.word for term in terms]),
        "title_share": sum(each in wanted for each in title.ids) / max(1, len(title.ids)),
        "title_length": float(len(title.ids)),
        "text_length": float(len(whole.ids)),
    }
    for name, part in fields.items():
        if part.ids:
            found[f"bm25_{name}"] = _bm25(terms, part, asked.lengths.get(name, 1.0))
            found[f"found_{name}"] = _share(terms, {*part.ids})
    for name, part in zip(_WITH_VECTORS, (title, whole), strict=True):
        if part.ids and terms:
            words = table.vectors(part.words)
            idf = np.array([term.idf for term in terms], np.float32)
            found[f"vectors_{name}"] = _cosine(idf @ vectors, words.sum(axis=0))
            # How near the nearest word is to each term, weighed by how well the term separates products.
            found[f"nearest_{name}"] = float(idf @ (vectors @ words.T).max(axis=1) / total)
    return found


def _share(terms: Sequence[Term], present: Collection[int]) -> float:
    return sum(not term.ids.isdisjoint(present) for term in terms) / max(1, len(terms))


def _bm25(terms: Sequence[Term], part: AnalysedField, mean_length: float) -> float:
    norm = 1 - B + B * len(part.ids) / mean_length
    counts = Counter(part.ids)
    return sum(term.idf * saturated(sum(counts[each] for each in term.ids) / norm) for term in terms)


def _neighbours(terms: Sequence[Term], ids: Sequence[int]) -> float:
    """The share of neighbouring terms of the query that are neighbours in the text, in their order; NaN for one term."""
    if len(terms) < 2:
        return float("nan")
    pairs = {*pairwise(ids)}
    both = [any((one, two) in pairs for one in a.ids for two in b.ids) for a, b in pairwise(terms)]
    return sum(both) / len(both)


def _window(terms: Sequence[Term], ids: Sequence[int]) -> float:
    """Words of the shortest part of the text with every term that it has, in parts of the number of these terms."""
    slots: Mapping[int, int] = {each: slot for slot, term in enumerate(terms) for each in term.ids}
    places = [(place, slots[each]) for place, each in enumerate(ids) if each in slots]
    number = len({slot for _, slot in places})
    if number < 2:
        return float("nan")
    last: dict[int, int] = {}
    shortest = len(ids)
    for place, slot in places:
        last[slot] = place
        if len(last) == number:
            shortest = min(shortest, place - min(last.values()) + 1)
    return shortest / number


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0
