"""Trade items of GS1's network GDSN 3, in which manufacturers send their products to retailers. https://www.gs1.org/services/gdsn

An element stands in one of many modules, which differ from sender to sender: it is found by its name wherever it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from product_files import row_facts
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows
from product_files.values.html_text import html_to_text
from product_files.xml_files.xml_items import Item, XmlFile, other_root, rows_of_items
from product_files.xml_files.xml_languages import texts_in_one_language

ROOT = "catalogueItemNotificationMessage"

_SKU = "gtin"
# The first that a trade item has; the regulated name is that of its kind, such as `soup`.
_TITLES = ("tradeItemDescription", "descriptionShort", "regulatedProductName", "functionalName")
_DESCRIPTIONS = ("tradeItemMarketingMessage", "additionalTradeItemDescription", "descriptionShort")
_BRANDS = ("brandName", "languageSpecificBrandName")
_CATEGORIES = ("gpcCategoryName",)
_FILE, _KIND_OF_FILE = "uniformResourceIdentifier", "referencedFileTypeCode"
_PHOTO = "PRODUCT_IMAGE"
_OF_CONSUMERS = "isTradeItemAConsumerUnit"
_LANGUAGES = ("languageCode", "lang")
_ATTRIBUTES = {
    "colour": "colourDescription",
    "size": "descriptiveSize",
    "model": "manufacturerPartNumber",
    "content": "netContentStatement",
    "ingredients": "ingredientStatement",
}
_CODE = re.compile(r"\d+", re.ASCII)


class GdsnItems(ShopExport[ShopRows]):
    """A row per trade item that consumers buy, numbered in the order of the file. Its SKU is its GTIN.

    Args:
        path: the file.
        mapping: how fields are filled; takes precedence over what is read.
        photos: folder of the photos that are not links.

    Raises:
        InvalidSource: the file is not a message about trade items.
    """

    format = "gdsn"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        outline = XmlFile(path, "tradeItem", mapping.encoding).outline()
        places = {path.partition("/tradeItem/")[2] for path, names in outline.items() if _KIND_OF_FILE in names}
        self._files = sorted(filter(None, places))
        self._file = XmlFile(path, "tradeItem", mapping.encoding, parts=self._files)
        if self._file.root != ROOT:
            raise other_root(self._file.root, ROOT, "GDSN 3")
        self._rows = ShopRows(mapping, [], photos=photos, system="GDSN", read_as=row_facts.READ_AS_CATALOGUE)
        self._others = 0

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file as a whole."""
        others = [row_facts.OTHER_OBJECTS(others=self._others)] if self._others else []
        return [*super().notes, *others]

    def __iter__(self) -> Iterator[Row]:
        self._others = 0
        return rows_of_items(self._file, self._row, _SKU)

    def _row(self, number: int, item: Item) -> Iterator[Row]:
        if item.text(_SKU) and _text(item, _OF_CONSUMERS) == "false":
            # A case or pallet of others.
            self._others += 1
            return
        gtin, title = item.text(_SKU), _text(item, *_TITLES)
        description = html_to_text("\n".join(_texts(item, *_DESCRIPTIONS)))
        categories = [text for text in _texts(item, *_CATEGORIES) if not _CODE.fullmatch(text)]
        record: dict[str, str | Sequence[str]] = {
            "sku": gtin,
            "title": title,
            "description": "" if description == title else description,
            "brand": _text(item, *_BRANDS),
            "image": self._photos(item),
        }
        if categories:
            record["category"] = categories[:1]
        attributes = {name: text for name, path in _ATTRIBUTES.items() if (text := _text(item, path))}
        yield self._rows.build(
            ShopProduct(line=number, record=record, attributes={**attributes, "gtin": gtin} if gtin else attributes)
        )

    def _photos(self, item: Item) -> list[str]:
        files = [each for place in self._files for each in item.parts.get(place, ())]
        return list(
            dict.fromkeys(link for each in files if each.text(_KIND_OF_FILE) == _PHOTO and (link := each.text(_FILE)))
        )


def _texts(item: Item, *names: str) -> list[str]:
    """The texts of the first of these elements that a trade item has, in one language."""
    paths = [path for name in names for path in item.names if path.rpartition("/")[2] == name]
    return texts_in_one_language(item, *paths, names=_LANGUAGES)


def _text(item: Item, *names: str) -> str:
    return " ".join("".join(_texts(item, *names)[:1]).split())
