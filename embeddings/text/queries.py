"""From what somebody typed to what is asked of the index."""

from __future__ import annotations

from collections.abc import Sequence

from embeddings.text.analysis import code_of, grams_of, split_words, term_id, term_of
from embeddings.text.bm25 import CODES, GRAMS, QueryText, gram_ids_of
from embeddings.text.synonyms import Synonyms, widened

# Further words make no difference.
MAX_QUERY_WORDS = 32
_MIN_CODE = 3
_MIN_UNFINISHED = 2


def query_of(text: str, language: str, synonyms: Synonyms, *, unfinished: bool = False) -> QueryText:
    """Analyse a query.

    Args:
        text: what was typed.
        language: a key of LANGUAGES.
        synonyms: what is asked for as well.
        unfinished: the last word is still being typed, so it is found as the beginning of a word, too.

    Returns:
        What the text asks for.
    """
    words = split_words(text)[:MAX_QUERY_WORDS]
    terms = [(word, term) for word in words if (term := term_of(word, language))]
    if not terms:
        # Nothing but stop words: "the who".
        terms = [(word, word) for word in words]
    weights = widened([term for _, term in terms], synonyms)
    typed = {term_id(term, language): word for word, term in terms}
    last = words[-1] if unfinished and words and not text[-1:].isspace() and len(words[-1]) >= _MIN_UNFINISHED else ""
    grams: dict[str, Sequence[int]] = {word: gram_ids_of(word) for word in typed.values() if word != last}
    if last:
        grams[last] = [term_id(gram, GRAMS) for gram in grams_of(last, is_whole=False)]
    candidates = dict.fromkeys(
        [code_of(text), *(code_of(part) for part in text.split() if any(map(str.isdigit, part)))]
    )
    codes = [term_id(code, CODES) for code in candidates if len(code) >= _MIN_CODE]
    meant = {
        term_id(term, language): [term_id(each, language) for phrase in synonyms.get((term,), {}) for each in phrase]
        for _, term in terms
    }
    asked = {term_id(term, language): weight for term, weight in weights.items()}
    return QueryText(asked, typed, codes, last, grams, meant)
