"""Facts: sentences that are kept as a code with parameters, and worded for whoever reads them."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from django.utils import translation

from catalog import facts
from jobs.facts import FactKind, fact_of, in_words, replaced, with_gaps, worded
from pictures import photo_facts
from pictures.photos import ImageRejected, PhotoRejectionReason
from product_files import row_facts


def kept(sentence: str) -> dict[str, object] | None:
    """What a database gives back."""
    content: dict[str, object] | None = json.loads(json.dumps(fact_of(sentence)))
    return content


def test_a_fact_is_its_english_sentence_whatever_the_language() -> None:
    with translation.override("de"):
        fact = photo_facts.FILE_TOO_LARGE(limit=20_000_000)
    assert fact == "the file is larger than 20,000,000 bytes: save it smaller"


def test_it_is_said_in_the_language_of_the_reader_with_its_numbers() -> None:
    fact = kept(photo_facts.FILE_TOO_LARGE(limit=20_000_000))
    with translation.override("de"):
        assert in_words(fact, "") == "die Datei ist größer als 20.000.000 Bytes: speichern Sie sie kleiner"
    with translation.override("en"):
        assert in_words(fact, "") == "the file is larger than 20,000,000 bytes: save it smaller"


def test_a_fact_within_a_fact_is_said_in_the_same_language() -> None:
    fact = kept(row_facts.SALE_LEFT_OUT(reason=row_facts.NOT_A_DATE(text="'soon'")))
    with translation.override("de"):
        assert in_words(fact, "") == "'soon' ist kein Datum wie 2026-12-31: das Angebot wurde weggelassen"


def test_the_message_of_an_error_stays_a_fact() -> None:
    error = ImageRejected(PhotoRejectionReason.NOT_AN_IMAGE, photo_facts.FILE_EMPTY())
    for message in (str(error), copy.deepcopy(str(error)), pickle.loads(pickle.dumps(str(error)))):  # noqa: S301 - ours
        with translation.override("de"):
            assert worded(message) == "die Datei ist leer"


@pytest.mark.parametrize("fact", [None, {}, {"code": "of-a-later-release", "parameters": {}}])
def test_what_was_kept_before_or_is_not_known_is_said_as_it_was_written(fact: dict[str, object] | None) -> None:
    with translation.override("de"):
        assert in_words(fact, "the file is empty") == "the file is empty"


def test_a_fact_about_a_file_under_another_name_is_still_one() -> None:
    fact = photo_facts.FILE_UNREADABLE(
        file="/up/1.import", error=photo_facts.FILE_UNREADABLE(file="/up/1.import/a", error="no")
    )
    renamed = replaced(fact, "/up/1.import", "spring.csv")
    assert renamed == "spring.csv cannot be read: spring.csv/a cannot be read: no"
    with translation.override("de"):
        assert worded(renamed) == "spring.csv kann nicht gelesen werden: spring.csv/a kann nicht gelesen werden: no"


def test_what_several_have_in_common_is_said_with_gaps() -> None:
    fact = kept(facts.FILE_MISSING(file="a/1.jpg"))
    with translation.override("de"):
        assert with_gaps(fact, "").startswith("die Datei … fehlt im Medienspeicher")


def test_a_code_is_used_once_and_a_placeholder_has_a_parameter() -> None:
    with pytest.raises(ValueError, match="file-empty"):
        FactKind("file-empty", "nothing is there")
    with pytest.raises(KeyError):
        photo_facts.FILE_TOO_LARGE()
