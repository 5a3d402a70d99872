"""The bulk import file of Google's Vision API Product Search: one reference image a line, with its product, and no header.

Format: https://cloud.google.com/vision/product-search/docs/csv-format
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote

from product_files import file_facts, row_facts
from product_files.containers.encodings import find_encoding
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows
from product_files.temporary_database import TemporaryDatabase, text_key

_COLUMNS = (
    "image-uri",
    "image-id",
    "product-set-id",
    "product-id",
    "product-category",
    "product-display-name",
    "labels",
    "bounding-poly",
)
_REQUIRED_COLUMNS = 5
_BUCKET = "gs://"
_PUBLIC = "https://storage.googleapis.com/"
# Labels that have a field of their own.
_LABELS = {"brand": "brand", "price": "price", "retail_price": "price"}


class VisionProducts(ShopExport[ShopRows]):
    """A row per product, at the line of its first image. Its images may be anywhere in the file.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos that are not links.

    Attributes:
        headers: names of the columns, which the file does not have.
        total: number of lines.

    Raises:
        InvalidSource: the file is not such a file.
    """

    format = "vision"
    headers: Sequence[str] = _COLUMNS

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._path = path
        encoding = find_encoding(path, mapping.encoding)
        self._encoding = encoding.codec
        self._rows = ShopRows(mapping, _COLUMNS, photos=photos, system="Google Product Search")
        with path.open(encoding=self._encoding, errors="replace", newline="") as file:
            if not self.matches(file.read(1024)):
                raise InvalidSource(file_facts.NOT_VISION())
        self.total = encoding.lines

    @staticmethod
    def matches(head: str) -> bool:
        """Whether a file with these first characters is such a file, with or without the names of the columns."""
        first = head.lstrip("\ufeff \t\r\n").lower()
        return first.startswith((_BUCKET, f'"{_BUCKET}', ",".join(_COLUMNS[:3])))

    def __iter__(self) -> Iterator[Row]:
        schema = (
            "CREATE TABLE image (product BLOB, line INTEGER, cells TEXT, PRIMARY KEY (product, line)) WITHOUT ROWID"
        )
        with closing(TemporaryDatabase(schema, contents="images")) as images:
            for line, cells in self._lines():
                if len(cells) >= _REQUIRED_COLUMNS and cells[3].strip():
                    images.write(
                        "INSERT INTO image VALUES (?, ?, ?)", [(text_key(cells[3].strip()), line, json.dumps(cells))]
                    )
            for line, cells in self._lines():
                if len(cells) < _REQUIRED_COLUMNS:
                    reason = row_facts.COLUMNS_MISSING(found=len(cells), expected=len(_COLUMNS))
                    yield Row(line, "", error=reason, cells=(tuple(cells),))
                elif not (key := cells[3].strip()):
                    yield Row(line, "", error=row_facts.NO_PRODUCT_ID(), cells=(tuple(cells),))
                elif images.first("SELECT MIN(line) FROM image WHERE product = ?", text_key(key)) == (line,):
                    found = images.rows("SELECT cells FROM image WHERE product = ? ORDER BY line", text_key(key))
                    yield self._row(line, key, [json.loads(str(text)) for (text,) in found])

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        with self._path.open(encoding=self._encoding, errors="replace", newline="") as file:
            reader = csv.reader(file)
            for cells in reader:
                if any(cells) and cells[0].strip().lower() != _COLUMNS[0]:
                    yield reader.line_num, cells

    def _row(self, line: int, key: str, lines: Sequence[Sequence[str]]) -> Row:
        cells = dict(zip(_COLUMNS, [*lines[0], *[""] * len(_COLUMNS)], strict=False))
        labels = _labels(cells["labels"])
        name = cells["product-display-name"].strip()
        record: dict[str, str | Sequence[str]] = {
            **cells,
            "sku": key,
            "title": name or key,
            "category": [cells["product-category"].strip().removesuffix("-v2").capitalize()],
            "image": list(dict.fromkeys(_link(each[0].strip()) for each in lines if each[0].strip())),
        }
        record |= {field: labels.pop(label) for label, field in _LABELS.items() if label in labels}
        attributes = labels | {"product_set": cells["product-set-id"].strip()}
        kept = tuple(tuple(each) for each in lines)
        return self._rows.build(ShopProduct(line=line, record=record, attributes=attributes, cells=kept))


def _labels(text: str) -> dict[str, str]:
    """The labels of `style=womens,color=black`; signs in them are percent-encoded. A key may occur several times."""
    found: dict[str, str] = {}
    for pair in text.split(","):
        key, equals, value = (unquote(part).strip() for part in pair.partition("="))
        if equals and key and value:
            found[key.lower()] = f"{found[key.lower()]}, {value}" if key.lower() in found else value
    return found


def _link(uri: str) -> str:
    """The public address of a file in a bucket."""
    return f"{_PUBLIC}{quote(uri.removeprefix(_BUCKET))}" if uri.startswith(_BUCKET) else uri
