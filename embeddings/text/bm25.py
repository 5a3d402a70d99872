"""BM25 over weighted fields as sparse vectors: what a document holds, and what a query asks for.

BM25F (Robertson, Zaragoza and Taylor, 2004): the frequencies of a term in the fields are weighted and added before they are
saturated. The document's vector has that part, the query's vector the inverse document frequencies, so that their product is the
score. Document frequencies are a table of ours: an engine counts them by shard, and with documents that were deleted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from embeddings.text.analysis import CACHED_WORDS, EVERY_DOCUMENT, code_of, grams_of, split_words, term_id, term_of
from embeddings.vector_index.base import SparseVector

# Measured on graded product searches (bench/text_relevance): from 0.9 to 1.6 and 0.5 to 0.75 it makes a difference of 0.01.
K1 = 1.2
B = 0.75
# How often a word counts in each field, beside once in the description.
FIELD_WEIGHTS: Mapping[str, float] = {
    "title": 2.0,
    "brand": 2.0,
    "categories": 1.5,
    "tags": 1.5,
    "attributes": 1.0,
    "description": 1.0,
}
# Fields whose words are found with a typing error. A description has so many n-grams that it matches everything a little.
GRAM_FIELDS = ("title", "brand", "categories", "tags")
# Fields that a product shares with few others.
_OWN_FIELDS = ("title", "description")
# Texts of other fields whose terms a process keeps, in some 20 MB: a long one, as of a data sheet, is hardly another product's.
_CACHED_TEXTS, _CACHED_CHARACTERS = 4096, 150

WORDS, GRAMS, CODES = "words", "grams", "codes"
# The sparse vectors of a product.
SPARSE_VECTORS = (WORDS, GRAMS, CODES)
# Mean number of distinct n-grams of a product's short fields; that of a shop is near enough.
_MEAN_GRAMS = 60

# A frequency, or those of many terms.
Number = TypeVar("Number", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class ProductText:
    """What is searched of a product.

    Attributes:
        fields: texts by the names of FIELD_WEIGHTS.
        codes: article numbers and barcodes.
    """

    fields: Mapping[str, str]
    codes: Sequence[str] = ()

    @property
    def whole(self) -> str:
        """What a text encoder reads: the fields in the order of FIELD_WEIGHTS."""
        return " ".join(text for name in FIELD_WEIGHTS if (text := self.fields.get(name, "").strip()))


@dataclass(frozen=True, slots=True)
class Document:
    """A product's text as vectors.

    Attributes:
        vectors: by the names of SPARSE_VECTORS; a vector without entries is left out.
        terms: what counts in document frequencies, EVERY_DOCUMENT among them.
    """

    vectors: Mapping[str, SparseVector]
    terms: frozenset[int]


def field_lengths(text: ProductText, language: str) -> dict[str, int]:
    """How many terms each field has."""
    return {
        name: sum(1 for word in split_words(text.fields.get(name, "")) if term_of(word, language))
        for name in FIELD_WEIGHTS
    }


def mean_lengths(lengths: Iterable[Mapping[str, int]]) -> dict[str, float]:
    """Mean lengths of the fields of some documents, of those in which a field has any text.

    Args:
        lengths: from `field_lengths`.

    Returns:
        By field; 1 where no document has the field.
    """
    sums: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for each in lengths:
        for name, length in each.items():
            sums[name] += length
            counts[name] += length > 0
    return {name: sums[name] / counts[name] if counts[name] else 1.0 for name in FIELD_WEIGHTS}


def documents_of(texts: Iterable[ProductText], language: str, lengths: Mapping[str, float]) -> list[Document]:
    """The vectors of products.

    Args:
        texts: of the products.
        language: a key of LANGUAGES.
        lengths: mean lengths of the fields, from `mean_lengths`.

    Returns:
        The vectors of each, and the terms that it adds to the document frequencies.
    """
    words: list[dict[int, float]] = []
    grams: list[set[int]] = []
    codes: list[dict[int, float]] = []
    for text in texts:
        frequencies, grams_of_it = _counted(text, language, lengths)
        words.append(frequencies)
        grams.append(grams_of_it)
        codes.append({term_id(code, CODES): 1.0 for each in text.codes if (code := code_of(each))})
    # Of all documents at once: NumPy takes longer to be called for each than to sort all.
    norms = [1 - B + B * len(each) / _MEAN_GRAMS for each in grams]
    saturated_grams = np.repeat([saturated(1 / norm) for norm in norms], [len(each) for each in grams])
    vectors = {
        WORDS: _vectors(words, saturated(_values(words))),
        GRAMS: _vectors(grams, saturated_grams),
        CODES: _vectors(codes, _values(codes)),
    }
    return [
        Document(
            {name: each[number] for name, each in vectors.items() if len(each[number])},
            frozenset((EVERY_DOCUMENT, *frequencies, *grams_of_it)),
        )
        for number, (frequencies, grams_of_it) in enumerate(zip(words, grams, strict=True))
    ]


def _counted(text: ProductText, language: str, lengths: Mapping[str, float]) -> tuple[dict[int, float], set[int]]:
    """The frequencies of a product's terms, weighted and normalised, and its n-grams."""
    frequencies: dict[int, float] = {}
    grams: set[int] = set()
    for name, weight in FIELD_WEIGHTS.items():
        whole = text.fields.get(name, "")
        if not whole:
            continue
        # Many products have the same brand, categories, tags and values of attributes.
        is_own = name in _OWN_FIELDS or len(whole) > _CACHED_CHARACTERS
        analysed = (_analysed if is_own else _shared)(whole, language, name in GRAM_FIELDS)
        norm = 1 - B + B * analysed.length / lengths.get(name, 1.0)
        for term, count in analysed.terms:
            frequencies[term] = frequencies.get(term, 0.0) + weight * count / norm
        grams |= analysed.grams
    return frequencies, grams


def _values(weights: Sequence[Mapping[int, float]]) -> NDArray[np.float64]:
    """All their values, one after the other."""
    return np.fromiter(chain.from_iterable(each.values() for each in weights), np.float64)


def _vectors(indices: Sequence[AnyCollection[int]], values: NDArray[np.float64]) -> list[SparseVector]:
    """The vectors with these indices. values: of all, one after the other."""
    lengths = np.fromiter(map(len, indices), np.uint64, len(indices))
    # By vector, and by index within each.
    keys = np.repeat(np.arange(len(lengths), dtype=np.uint64) << np.uint64(32), lengths.astype(np.intp))
    keys |= np.fromiter(chain.from_iterable(indices), np.uint64, len(values))
    order = keys.argsort()
    all_indices, all_values = keys[order].astype(np.uint32), values.astype(np.float32)[order]
    ends = lengths.cumsum()
    return [
        SparseVector(all_indices[end - length : end], all_values[end - length : end])
        for length, end in zip(lengths.tolist(), ends.tolist(), strict=True)
    ]


class _Analysed(NamedTuple):
    """A text of a field: ids of its terms with how often each occurs, how many terms there are, and ids of its n-grams."""

    terms: Sequence[tuple[int, int]]
    length: int
    grams: frozenset[int]


def _analysed(text: str, language: str, with_grams: bool) -> _Analysed:
    words = split_words(text)
    ids = [number for word in words if (number := _term_id_of(word, language))]
    grams = frozenset().union(*map(gram_ids_of, words)) if with_grams else frozenset()
    # In short texts nearly every word is there once; a Counter takes longer to make than such a text to count.
    counts = [(number, 1) for number in ids] if len({*ids}) == len(ids) else [*Counter(ids).items()]
    return _Analysed(counts, len(ids), grams)


_shared = lru_cache(maxsize=_CACHED_TEXTS)(_analysed)


@lru_cache(maxsize=CACHED_WORDS)
def _term_id_of(word: str, language: str) -> int:
    """The id of the term of a word from `split_words`; 0 for a stop word."""
    term = term_of(word, language)
    return term_id(term, language) if term else 0


@lru_cache(maxsize=CACHED_WORDS)
def gram_ids_of(word: str) -> tuple[int, ...]:
    """The indices in GRAMS of the character n-grams of a whole word from `split_words`, in order."""
    return tuple(term_id(gram, GRAMS) for gram in grams_of(word))


def saturated(frequency: Number) -> Number:
    """The part of BM25 that a document holds: of a term's frequency, weighted and normalised by length, 0 to K1 + 1."""
    return frequency * (K1 + 1) / (frequency + K1)


def inverse_document_frequency(documents: int, of: int) -> float:
    """How much a term separates documents, as Lucene counts it: above 0 also for a term that most documents have.

    Args:
        documents: that have the term.
        of: how many there are.

    Returns:
        The weight of the term in a query.
    """
    return math.log(1 + (max(of, documents) - documents + 0.5) / (documents + 0.5))


@dataclass(frozen=True, slots=True)
class QueryText:
    """What a text asks for, before document frequencies are looked up.

    Attributes:
        terms: id of each term that is asked for, with its weight: 1 for a word that was typed, less for its synonyms.
        words: the words that were typed, by the id of their term; stop words left out.
        codes: ids of what may be an article number or a barcode: the whole text, and each word with a digit.
        unfinished: the last word, if it may go on; "" otherwise.
        gram_ids: ids of the n-grams of each word, from its beginning to its end.
        synonyms: ids of the terms of a word's synonyms, by the id of its term.
    """

    terms: Mapping[int, float]
    words: Mapping[int, str]
    codes: Sequence[int] = ()
    unfinished: str = ""
    gram_ids: Mapping[str, Sequence[int]] = field(default_factory=dict)
    synonyms: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @property
    def looked_up(self) -> set[int]:
        """Ids whose document frequencies the query needs."""
        return {EVERY_DOCUMENT, *self.terms, *(gram for ids in self.gram_ids.values() for gram in ids)}


def words_query(query: QueryText, frequencies: Mapping[int, int]) -> SparseVector:
    """The vector that is looked for in WORDS.

    Args:
        query: what was typed.
        frequencies: documents by term id; a term that no document has may be missing.

    Returns:
        The inverse document frequencies of the terms that documents have; of length 0 if they have none. A synonym that fewer
        documents have than the word itself counts as if as many had it.
    """
    total = frequencies.get(EVERY_DOCUMENT, 0)
    least = {
        synonym: frequencies.get(term, 0)
        for term, synonyms in query.synonyms.items()
        for synonym in synonyms
        if synonym not in query.words
    }
    return SparseVector.of(
        {
            term: weight * inverse_document_frequency(max(count, least.get(term, 0)), total)
            for term, weight in query.terms.items()
            if (count := frequencies.get(term, 0)) > 0
        }
    )


def grams_query(words: Iterable[str], query: QueryText, frequencies: Mapping[int, int]) -> SparseVector:
    """The vector that is looked for in GRAMS.

    Args:
        words: of the query, those that may have typing errors or be unfinished.
        query: what was typed.
        frequencies: documents by id.

    Returns:
        The inverse document frequencies of their n-grams, scaled to a sum of 1 for each word, so that a long word does not
        count more than a short one.
    """
    total = frequencies.get(EVERY_DOCUMENT, 0)
    weights: Counter[int] = Counter()
    for word in words:
        known = {gram: inverse_document_frequency(frequencies.get(gram, 0), total) for gram in query.gram_ids[word]}
        whole = sum(known.values())
        for gram, weight in known.items():
            if frequencies.get(gram, 0):
                weights[gram] += weight / whole  # type: ignore[assignment]  # a Counter adds floats as well
    return SparseVector.of(weights)
