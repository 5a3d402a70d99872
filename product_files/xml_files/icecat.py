"""XML of Icecat: its columns, and the language of its texts. A file may have each text in several, known by numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from product_files import row_facts
from product_files.columns.header_names import shop_language
from product_files.xml_files.xml_items import Item

ROOT = "ICECAT-interface"
# Attributes have names that say little: `Code` is whether a product was found.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "sku": ("@Prod_id",),
    "title": ("@Title", "@Name"),
    "description": ("ProductDescription/@LongDesc", "SummaryDescription/LongSummaryDescription"),
    "category": ("Category/Name/@Value",),
    "brand": ("Supplier/@Name",),
    "image": ("@HighPic", "ProductGallery/ProductPicture/@Pic"),
    "attribute.gtin": ("EANCode/@EAN",),
}

_LANGUAGE = "langid"
_ENGLISH = "1"
# Of texts that are the same in all languages.
_INTERNATIONAL = "0"
_OF_TEXTS = ("ProductDescription", "SummaryDescription/LongSummaryDescription", "Category/Name")


class IcecatLanguage:
    """The language that is taken of texts in several: English where the shop has it, or else the first of the file.

    Args:
        items: some of the file.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        found = dict.fromkeys(
            language
            for item in items
            for path in _OF_TEXTS
            for attributes, _ in item.attributed.get(path, ())
            if (language := attributes.get(_LANGUAGE, _INTERNATIONAL)) != _INTERNATIONAL
        )
        self._all = list(found)
        self._chosen = _ENGLISH if shop_language() == "en" and _ENGLISH in found else next(iter(found), "")

    @property
    def notes(self) -> list[str]:
        """Which language is taken, if there are several."""
        if len(self._all) < 2:
            return []
        others = ", ".join(each for each in self._all if each != self._chosen)
        return [row_facts.ICECAT_LANGUAGE(language=self._chosen, others=others)]

    def texts(self, item: Item, column: str) -> list[str]:
        """The texts of a column in the language that is taken, or else in all.

        Args:
            item: has the texts.
            column: a path, of an element or of an attribute.

        Returns:
            The texts; none where the column names no language.
        """
        path, mark, name = column.partition("/@")
        elements = item.attributed.get(path, ())
        if path not in _OF_TEXTS or len(self._all) < 2:
            return []
        pairs = [
            (attributes.get(_LANGUAGE), attributes.get(name, "") if mark else text) for attributes, text in elements
        ]
        return [text for language, text in pairs if language == self._chosen and text]
