"""Synonyms from a file, in the format of Solr: they widen what a query asks for, so that a change needs no reindex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from embeddings.errors import InvalidSynonyms
from embeddings.text.analysis import terms_of

# A synonym counts a little less than the word that was typed.
SYNONYM_WEIGHT = 0.7
MAX_WORDS = 5
MAX_BYTES = 10 * 1024**2

# What is asked for as well, by the terms of what was typed.
Synonyms = Mapping[tuple[str, ...], Sequence[tuple[str, ...]]]


def read_synonyms(path: Path, language: str) -> Synonyms:
    """Read a file of synonyms: `sofa, couch, settee` are the same; `trainers => sneakers, running shoes` works one way. `#`
    begins a comment.

    Args:
        path: of the file, UTF-8.
        language: whose stemmer the words go through, so that `couches` is found as `couch`.

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
    found: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
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
            found.setdefault(phrase, []).extend(other for other in meant if other != phrase)
    return {phrase: [*dict.fromkeys(others)] for phrase, others in found.items() if others}


def widened(terms: Sequence[str], synonyms: Synonyms) -> dict[str, float]:
    """What a query asks for with its synonyms.

    Args:
        terms: of the query, in order.
        synonyms: from `read_synonyms`.

    Returns:
        The weight of each term: 1 or more for those that were typed, SYNONYM_WEIGHT for synonyms, shared among the words of one.
    """
    weights: dict[str, float] = {}
    for term in terms:
        weights[term] = weights.get(term, 0.0) + 1.0
    typed = {*terms}
    for start in range(len(terms)):
        for length in range(1, MAX_WORDS + 1):
            for phrase in (
                synonyms.get(tuple(terms[start : start + length]), ()) if start + length <= len(terms) else ()
            ):
                for term in phrase:
                    if term not in typed:
                        weights[term] = max(weights.get(term, 0.0), SYNONYM_WEIGHT / len(phrase))
    return weights


def _phrases(text: str, language: str) -> list[tuple[str, ...]]:
    return [phrase for each in text.split(",") if (phrase := tuple(terms_of(each, language)))]
