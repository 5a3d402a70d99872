"""Documents of Marqo: the answers of its `documents` endpoints, the bodies that were sent to them, or one document a line.

Fields of product documents: https://marqo.pages.dev/latest/home/add-products
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from product_files.containers.encodings import find_encoding
from product_files.json_files.json_objects import json_objects
from product_files.json_files.json_source import JsonUnreadable
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder, is_link
from product_files.rows import Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows, SkusOfFile, machine_price
from product_files.values.html_text import html_to_text

_HEAD = re.compile(r'\s*(?:\{\s*"(?:results|documents)"\s*:\s*)?\[?\s*\{')
# A document has these, and no other format that is read here.
_MARKS = ('"_found"', '"_tensor_facets"', '"parentProductId"', '"productTitle"')

# Names of the fields in product documents, and those that documents of one's own often have, in small letters.
_FIELDS = {
    "title": ("varianttitle", "producttitle", "title", "name"),
    "description": ("description", "productdescription"),
    "brand": ("brand", "vendor"),
    "category": ("category", "producttype"),
    "price": ("price",),
    "list_price": ("compareatprice", "compare_at_price", "list_price"),
    "currency": ("currency",),
    "available": ("available", "instock", "in_stock", "availability"),
    "tags": ("tags", "productcollections", "collections"),
    "family": ("parentproductid",),
    "image": ("variantimageurl", "productimageurl", "image_url", "imageurl", "image"),
}
_USED = frozenset(name for names in _FIELDS.values() for name in names)


class MarqoDocuments(ShopExport[ShopRows]):
    """A row per document, whose id is the SKU. Documents of the same parent product are a family.

    Args:
        path: the file.
        mapping: how fields of documents become fields.
        photos: folder of the photos that are not links.

    Raises:
        InvalidSource: the encoding is not supported.
    """

    format = "marqo"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._path = path
        self._encoding = find_encoding(path, mapping.encoding).codec
        # Any field may be mapped; whether it occurs is unknown before the end.
        named = [column for columns in mapping.columns.values() for column in columns]
        self._rows = ShopRows(mapping, list(dict.fromkeys(["currency", *named])), photos=photos, system="Marqo")

    @staticmethod
    def matches(head: str) -> bool:
        """Whether a file with these first characters has such documents."""
        return bool(_HEAD.match(head)) and '"_id"' in head and any(mark in head for mark in _MARKS)

    def __iter__(self) -> Iterator[Row]:
        number = 0
        with closing(SkusOfFile()) as skus:
            try:
                for number, document in enumerate(json_objects(self._path, self._encoding), start=1):
                    yield self._row(number, document, skus)
            except JsonUnreadable as error:
                yield Row(number + 1, "", error=str(error), is_last_readable=True)

    def _row(self, number: int, document: Mapping[str, Any], skus: SkusOfFile) -> Row:
        sku = _text(document.get("_id"))
        if document.get("_found") is False:
            return Row(number, sku, error=_text(document.get("message")) or "Marqo did not find this document")
        sku, _ = skus.claim(sku, sku or str(number), f"document {number}")
        by_name = {name.lower(): value for name, value in document.items() if not name.startswith("_")}
        record: dict[str, str | Sequence[str]] = {name: _value(value) for name, value in document.items()}
        for name, names in _FIELDS.items():
            values = [by_name[each] for each in names if each in by_name and by_name[each] not in (None, "", [])]
            if not values:
                continue
            if name == "image":
                record[name] = [link for value in values for link in _list(value) if is_link(link)] or _list(values[0])
            elif name == "tags":
                record[name] = [tag for value in values for tag in _list(value)]
            elif name == "category":
                record[name] = _list(values[0])
            else:
                record[name] = _text(values[0])
        record["sku"] = sku
        record["description"] = html_to_text(_text(record.get("description", "")))
        for name in ("price", "list_price"):
            record[name] = machine_price(_text(record.get(name, "")))
        attributes = {
            name.lower(): _text(value)
            for name, value in document.items()
            if not name.startswith("_") and name.lower() not in _USED and _text(value)
        }
        return self._rows.build(ShopProduct(line=number, record=record, attributes=attributes))


def _value(value: Any) -> str | list[str]:
    return _list(value) if isinstance(value, list) else _text(value)


def _list(value: Any) -> list[str]:
    return [text for each in (value if isinstance(value, list) else [value]) if (text := _text(each))]


def _text(value: Any) -> str:
    """A value as text; "" for objects and for lists of them, such as vectors with their weights."""
    match value:
        case None | dict():
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_list(value))
        case _:
            return str(value).strip()
