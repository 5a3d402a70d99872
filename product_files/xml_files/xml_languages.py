"""Texts of XML in several languages, each in an element with an attribute that names its language."""

from __future__ import annotations

from collections.abc import Sequence

from product_files.columns.header_names import shop_language
from product_files.values.languages import LANGUAGE_NAMES
from product_files.xml_files.xml_items import Item


def texts_in_one_language(item: Item, *paths: str, names: Sequence[str] = ("lang",)) -> list[str]:
    """The texts of the first of these elements that has any, in the language of the shop, or else in the first one.

    Args:
        item: has the elements.
        paths: of the elements.
        names: of the attribute that names the language: `de`, `de-AT`, `deu`.

    Returns:
        All texts where they do not differ in their languages.
    """
    path = next((each for each in paths if item.texts(each)), "")
    found = [
        (_two_letters(next((attributes[name] for name in names if attributes.get(name)), "")), text)
        for attributes, text in item.attributed.get(path, ())
        if text
    ]
    languages = [language for language, _ in found]
    if len(found) != len(item.texts(path)) or len(set(languages)) <= 1:
        return item.texts(path)
    own = shop_language() if shop_language() in languages else languages[0]
    return [text for language, text in found if language == own]


def _two_letters(language: str) -> str:
    code = language.strip().lower()
    return LANGUAGE_NAMES.get(code, code[:2])
