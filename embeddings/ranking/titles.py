"""Queries without judgements, to begin with: the title of a product asks for the rest of its text.

A shop has hundreds of judged queries at best, and a network with few parameters still wants more (Dehghani et al., "Neural Ranking
Models with Weak Supervision", SIGIR 2017).
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from embeddings.ranking.candidates import Candidate, JudgedQuery
from embeddings.ranking.corpus import Corpus
from embeddings.text.bm25 import ProductText, field_lengths, mean_lengths
from embeddings.text.queries import query_of

# A title of one word asks for what many products have.
MIN_TERMS = 2
MAX_QUERIES = 1500
# Of which one is the product itself.
CANDIDATES = 20
_DEPTH = 40


def title_queries(texts: Mapping[int, ProductText], language: str, seed: int = 0) -> list[JudgedQuery]:
    """Queries that are titles, among texts without titles.

    Args:
        texts: by product.
        language: a key of LANGUAGES.
        seed: of the choice, where there are more than MAX_QUERIES.

    Returns:
        Those that find their own product among others; its grade is 1.
    """
    rest = {number: _without_title(text) for number, text in texts.items()}
    titled = [
        number for number, text in texts.items() if text.fields.get("title") and any(rest[number].fields.values())
    ]
    chosen = sorted(random.Random(seed).sample(titled, min(MAX_QUERIES, len(titled))))
    queries = {number: query_of(texts[number].fields["title"], language, {}) for number in chosen}
    corpus = Corpus(queries.values(), language, mean_lengths(field_lengths(text, language) for text in rest.values()))
    corpus.add(rest)
    found = []
    for number, query in queries.items():
        scores = corpus.search(query, _DEPTH)
        if number not in scores or len(scores) < 2 or len(query.words) < MIN_TERMS:
            continue
        best = [*scores][:CANDIDATES]
        if number not in best:
            best[-1] = number
        candidates = [Candidate(rest[each], scores[each]) for each in best]
        grades = np.array([float(each == number) for each in best], np.float32)
        found.append(JudgedQuery(texts[number].fields["title"], corpus.asked(query), candidates, grades, [1.0]))
    return found


def _without_title(text: ProductText) -> ProductText:
    """A text without its title, also where the description begins with it."""
    title = " ".join(text.fields.get("title", "").split())
    fields = {name: " ".join(value.split()) for name, value in text.fields.items() if name != "title"}
    return ProductText({name: value.removeprefix(title) for name, value in fields.items()})
