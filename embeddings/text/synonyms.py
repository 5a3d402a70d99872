"""Synonyms: colours, and a file in the format of Solr; they widen what a query asks for, so that a change needs no reindex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from catalog.colour_words import FAMILIES
from embeddings.errors import InvalidSynonyms
from embeddings.text.analysis import term_id, terms_of

# A synonym counts a little less than the word that was typed.
SYNONYM_WEIGHT = 0.7
# "Burgundy" for "red": so little that a title, tags and an attribute with it come below an attribute that says red.
SHADE_WEIGHT = 0.4
MAX_WORDS = 5
MAX_BYTES = 10 * 1024**2

_Phrase = tuple[str, ...]
# What is asked for as well and how much it counts, by the terms of what was typed.
Synonyms = Mapping[_Phrase, Mapping[_Phrase, float]]


@lru_cache(maxsize=64)
def colour_synonyms(language: str) -> Synonyms:
    """The colours of a family: who asks for red gets burgundy, too, and who asks for burgundy nothing else.

    Args:
        language: a key of LANGUAGES.

    Returns:
        What is asked for as well, by the term of a colour; nothing for a language whose colours are not known.
    """
    found: dict[_Phrase, dict[_Phrase, float]] = {}
    for by_language in FAMILIES.values():
        family = by_language.get(language)
        if family is None:
            continue
        names, shades = ({*_phrases(",".join(words), language)} for words in (family.names, family.shades))
        for name in names:
            others = dict.fromkeys(shades, SHADE_WEIGHT) | dict.fromkeys(names, SYNONYM_WEIGHT)
            found.setdefault(name, {}).update({other: others[other] for other in sorted(others) if other != name})
    return {name: others for name, others in found.items() if others}


@lru_cache(maxsize=64)
def colour_term_ids(language: str) -> frozenset[int]:
    """The ids of the terms of all colours and shades. language: a key of LANGUAGES."""
    families = [by_language[language] for by_language in FAMILIES.values() if language in by_language]
    return frozenset(
        term_id(term, language)
        for each in families
        for word in (*each.names, *each.shades)
        for term in terms_of(word, language)
    )


def read_synonyms(path: Path, language: str, beside: Synonyms | None = None) -> Synonyms:
    """Read a file of synonyms: `sofa, couch, settee` are the same; `trainers => sneakers, running shoes` works one way. `#`
    begins a comment.

    Args:
        path: of the file, UTF-8.
        language: whose stemmer the words go through, so that `couches` is found as `couch`.
        beside: synonyms to which words that are the same are added, and which one-way lines replace.

    Returns:
        What is asked for as well, by the terms of what was typed.

    Raises:
        InvalidSynonyms: the file cannot be read, or a line is no such thing.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidSynonyms(f"{path} has more than {MAX_BYTES // 1024**2} MB: it is no file of synonyms")
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise InvalidSynonyms(f"the synonyms {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidSynonyms(f"the synonyms {path} are not UTF-8: save the file as UTF-8") from error
    found: dict[_Phrase, dict[_Phrase, float]] = {}
    replaced: set[_Phrase] = set()
    for number, line in enumerate(lines, 1):
        text = line.split("#")[0].strip()
        if not text:
            continue
        left, arrow, right = text.partition("=>")
        asked = _phrases(left, language)
        meant = _phrases(right, language) if arrow else asked
        if not asked or not meant or (not arrow and len(asked) < 2):
            raise InvalidSynonyms(
                f"{path}, line {number}: write `sofa, couch` for words that mean the same, or `trainers => sneakers` for one way"
            )
        if any(len(phrase) > MAX_WORDS for phrase in (*asked, *meant)):
            raise InvalidSynonyms(f"{path}, line {number}: a synonym has {MAX_WORDS} words at most")
        for phrase in asked:
            found.setdefault(phrase, {}).update({other: SYNONYM_WEIGHT for other in meant if other != phrase})
        replaced.update(asked if arrow else ())
    kept = {phrase: others for phrase, others in (beside or {}).items() if phrase not in replaced}
    whole = {phrase: {**kept.get(phrase, {}), **found.get(phrase, {})} for phrase in {**kept, **found}}
    return {phrase: others for phrase, others in whole.items() if others}


def widened(terms: Sequence[str], synonyms: Synonyms) -> dict[str, float]:
    """What a query asks for with its synonyms.

    Args:
        terms: of the query, in order.
        synonyms: from `read_synonyms`, or `colour_synonyms`.

    Returns:
        The weight of each term: 1 or more for those that were typed, that of the synonym for others, shared among its words.
    """
    weights: dict[str, float] = {}
    for term in terms:
        weights[term] = weights.get(term, 0.0) + 1.0
    typed = {*terms}
    for start in range(len(terms)):
        for length in range(1, MAX_WORDS + 1):
            if start + length > len(terms):
                break
            for phrase, weight in synonyms.get(tuple(terms[start : start + length]), {}).items():
                for term in phrase:
                    if term not in typed:
                        weights[term] = max(weights.get(term, 0.0), weight / len(phrase))
    return weights


def _phrases(text: str, language: str) -> list[_Phrase]:
    return [phrase for each in text.split(",") if (phrase := tuple(terms_of(each, language)))]
