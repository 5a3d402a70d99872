"""How often n-grams find a word that was typed wrong, by its letters, and how often they find something for any other word.

Usage: REAL_DATA=... python -m bench.short_words
Words of the titles of `chorus_icecat`, typed with one error (a letter left out, doubled or swapped with the next), by the letters
of what was typed. "right word among ten": a title with the right word is among the first ten products. "other words that find
something": words of so many letters of `ir_cranfield` and `ir_med` that no product has and that are not typed wrong, so that
whatever is found is something else.
"""

from __future__ import annotations

import random
from collections import defaultdict
from unittest.mock import patch

from bench.tables import Row, publish, real_data
from bench.text_collections import chorus_icecat, cranfield, med
from bench.text_relevance import LANGUAGE, SEED
from embeddings.ranking.corpus import Corpus
from embeddings.text import ranking
from embeddings.text.analysis import split_words, term_of
from embeddings.text.bm25 import ProductText, field_lengths, mean_lengths
from embeddings.text.queries import query_of

LETTERS = range(2, 9)
WORDS = 300


def main() -> None:
    """Measure, print and save the results."""
    data, chance = real_data(), random.Random(SEED)
    shop = chorus_icecat(data)
    # As in a shop, whose descriptions are not found by n-grams.
    texts = {number: ProductText({"title": text.fields["title"]}) for number, text in shop.documents.items()}
    titles = {number: {*split_words(text.fields["title"])} for number, text in texts.items()}
    known = {term_of(word, LANGUAGE) for words in titles.values() for word in words}
    typed: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for word in sorted({word for words in titles.values() for word in words if word.isalpha()}):
        wrong = _wrong(word, chance)
        if term_of(wrong, LANGUAGE) not in known:
            typed[len(wrong)][wrong] = word
    others: defaultdict[int, set[str]] = defaultdict(set)
    for collection in (cranfield(data), med(data)):
        for text in collection.documents.values():
            for word in split_words(text.fields["description"]):
                if word.isalpha() and (term := term_of(word, LANGUAGE)) and term not in known:
                    others[len(word)].add(word)
    rows: list[Row] = []
    for letters in LETTERS:
        wrongs = chance.sample(sorted(typed[letters]), min(WORDS, len(typed[letters])))
        strangers = chance.sample(sorted(others[letters]), min(WORDS, len(others[letters])))
        found = _found(texts, [*wrongs, *strangers])
        right = sum(any(typed[letters][word] in titles[number] for number in [*found[word]][:10]) for word in wrongs)
        rows.append(
            {
                "letters typed": letters,
                "words typed wrong": len(wrongs),
                "right word among ten": right / max(1, len(wrongs)),
                "other words": len(strangers),
                "other words that find something": sum(bool(found[word]) for word in strangers)
                / max(1, len(strangers)),
            }
        )
    publish("short_words", rows, {"products": len(texts)})


def _wrong(word: str, chance: random.Random) -> str:
    if len(word) < 2:
        return word
    place = chance.randrange(1, len(word))
    swapped = word[:place] + word[place + 1 : place + 2] + word[place] + word[place + 2 :]
    return chance.choice([word[:place] + word[place + 1 :], word[:place] + word[place] + word[place:], swapped])


def _found(texts: dict[int, ProductText], words: list[str]) -> dict[str, dict[int, float]]:
    asked = {word: query_of(word, LANGUAGE, {}) for word in words}
    lengths = mean_lengths(field_lengths(text, LANGUAGE) for text in texts.values())
    corpus = Corpus(asked.values(), LANGUAGE, lengths)
    corpus.add(texts)
    with patch.object(ranking, "LEAST_LETTERS", 1):
        return {word: corpus.search(query, 100) for word, query in asked.items()}


if __name__ == "__main__":
    main()
