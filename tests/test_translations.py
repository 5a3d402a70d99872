"""No text of the pages is without a translation, in the languages that are complete; placeholders and compiled files are right."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.utils.translation import gettext, ngettext, override

from lookalike.environment import BASE_DIR, LANGUAGES
from lookalike.translations import AREAS, SHOP, TRANSLATIONS, Area, mo_file, po_file

# One worker reads the source.
pytestmark = pytest.mark.xdist_group("translations")

ALL = [pytest.param(area, language, id=f"{area.name}-{language}") for area in AREAS for language in TRANSLATIONS]
COMPLETE = [pytest.param(area, language, id=f"{area.name}-{language}") for area in AREAS for language in area.complete]


@pytest.mark.parametrize(("area", "language"), COMPLETE)
def test_no_text_is_without_a_translation(area: Area, language: str) -> None:
    missing = area.missing(language)
    assert not missing, f"run make messages, and translate in {area.po_path(language)}: {missing}"


@pytest.mark.parametrize(("area", "language"), COMPLETE)
def test_files_have_the_texts_of_the_source_and_no_others(area: Area, language: str) -> None:
    assert area.po_path(language).read_bytes() == po_file(area.catalog(language)), "run make messages"


@pytest.mark.parametrize(("area", "language"), ALL)
def test_translations_have_the_placeholders_of_their_texts(area: Area, language: str) -> None:
    assert area.with_wrong_placeholders(language) == []


@pytest.mark.parametrize(("area", "language"), ALL)
def test_compiled_files_are_what_people_wrote(area: Area, language: str) -> None:
    po = area.po_path(language).read_bytes()
    assert area.mo_path(language).read_bytes() == mo_file(po, language), "run make messages"


def test_shoppers_have_the_storefront_in_all_languages_of_the_widget() -> None:
    widget = BASE_DIR / "recommender" / "static" / "recommender" / "widget"
    assert set(json.loads((widget / "texts.json").read_text())) == set(LANGUAGES)
    assert (LANGUAGES[0], *SHOP.complete) == LANGUAGES
    assert {code for code, _name in settings.LANGUAGES} == set(LANGUAGES)


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("de", ["1 Produkt", "3 Produkte", "5 Produkte"]),
        ("ja", ["1点", "3点", "5点"]),
        ("pl", ["1 produkt", "3 produkty", "5 produktów"]),
    ],
)
def test_numbers_take_the_forms_of_their_language(language: str, shown: list[str]) -> None:
    with override(language):
        assert [
            ngettext("%(counter)s product", "%(counter)s products", count) % {"counter": count} for count in (1, 3, 5)
        ] == shown


def test_a_variant_of_a_language_has_the_texts_of_the_language() -> None:
    with override("de-at"):
        assert gettext("Add to basket") == "In den Warenkorb"
