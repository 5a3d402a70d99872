"""BMEcat 1.2 and 2005, in which suppliers send their catalogues. https://www.bmecat.org/"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import cast

from pictures.photos import SUFFIXES
from product_files import row_facts
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder, is_link
from product_files.rows import Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows, machine_price
from product_files.temporary_database import TemporaryDatabase, key_text, text_key
from product_files.values.cell_lists import deepest_first
from product_files.values.html_text import html_to_text
from product_files.xml_files.xml_items import FeedSyntaxError, Item, XmlFile, other_root, rows_of_items
from product_files.xml_files.xml_languages import texts_in_one_language

ROOT = "BMECAT"
# Of version 1.2 and of 2005.
_KINDS = ("ARTICLE", "PRODUCT")
# Prices that shoppers pay, before those that resellers do.
_PRICE_TYPES = ("nrp", "gros_list", "net_list")
_NET = frozenset(("net_list", "net_customer", "net_customer_exp", "net"))
_GROUPS = (
    ("CATALOG_STRUCTURE", "GROUP_ID", "GROUP_NAME", "PARENT_ID"),
    ("CLASSIFICATION_GROUP", "CLASSIFICATION_GROUP_ID", "CLASSIFICATION_GROUP_NAME", "CLASSIFICATION_GROUP_PARENT_ID"),
)
_MEMBERS = ("ARTICLE_TO_CATALOGGROUP_MAP", "PRODUCT_TO_CATALOGGROUP_MAP")
_SKU = ("SUPPLIER_AID", "SUPPLIER_PID")
_FEATURES = tuple(f"{kind}_FEATURES/FEATURE" for kind in _KINDS)
_PIECE = "C62"
_MAX_DEPTH = 50


class BmeCat(ShopExport[ShopRows]):
    """A row per article, numbered in the order of the file.

    Args:
        path: the file.
        mapping: how fields are filled; takes precedence over what is read.
        photos: folder of the photos that are not links.

    Raises:
        InvalidSource: the file is not BMEcat.
    """

    format = "bmecat"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._path = path
        self._encoding = mapping.encoding
        self._file = XmlFile(path, _KINDS, mapping.encoding, parts=_FEATURES)
        if self._file.root != ROOT:
            raise other_root(self._file.root, ROOT, "BMEcat")
        head = self._head()
        self._photo_root = head.text("MIME_ROOT") if is_link(head.text("MIME_ROOT")) else ""
        self._currency = head.text("CURRENCY")
        self._only_changes = not any("/T_NEW_CATALOG" in name for name in self._file.outline())
        mapping = mapping.with_derived_currency()
        self._rows = ShopRows(
            mapping, ["currency"], photos=photos, system="BMEcat", read_as=row_facts.READ_AS_CATALOGUE
        )
        self._types: set[str] = set()

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file as a whole."""
        net = sorted(self._types & _NET)
        return [*super().notes, *([row_facts.NET_PRICES(types=", ".join(net))] if net else [])]

    def __iter__(self) -> Iterator[Row]:
        with closing(_Groups()) as groups:

            def items() -> Iterator[Item]:
                groups.read(self._path, self._encoding)
                yield from self._file

            yield from rows_of_items(items(), lambda number, item: [self._row(number, item, groups)], *_SKU)

    def _head(self) -> Item:
        try:
            return next(iter(XmlFile(self._path, "HEADER/CATALOG", self._encoding)), Item())
        except FeedSyntaxError:
            # It is reported where the articles are read.
            return Item()

    def _row(self, number: int, item: Item, groups: _Groups) -> Row:
        sku = item.text(*_SKU)
        paths = deepest_first(groups.paths(sku, [*_texts(item, "FEATURES/REFERENCE_FEATURE_GROUP_ID")]))
        price, currency = self._price(item)
        record: dict[str, str | Sequence[str]] = {
            "sku": sku,
            "title": _detail(item, "DESCRIPTION_SHORT"),
            "description": html_to_text(_detail(item, "DESCRIPTION_LONG")),
            "category": paths[0] if paths else (),
            "brand": _detail(item, "MANUFACTURER_NAME"),
            "tags": _own_texts(item, "DETAILS/KEYWORD"),
            "image": [self._photo(name) for name in item.texts("MIME_INFO/MIME/MIME_SOURCE") if _is_photo(name)],
            "active": "no" if item.text("@mode") == "delete" else "yes",
        }
        if price:
            record |= {"price": machine_price(price), "currency": currency or self._currency}
        more = {
            "gtin": _detail(item, "EAN") or _detail(item, "INTERNATIONAL_PID"),
            "mpn": _detail(item, "MANUFACTURER_AID") or _detail(item, "MANUFACTURER_PID"),
        }
        row = self._rows.build(
            ShopProduct(
                line=number,
                record=record,
                attributes={**_features(item), **{name: text for name, text in more.items() if text}},
                other_categories=paths[1:],
            )
        )
        return replace(row, only_changes=self._only_changes)

    def _price(self, item: Item) -> tuple[str, str]:
        """The amount and the currency of the price that shoppers pay, or else of the first one."""
        for kind in _KINDS:
            path = f"{kind}_PRICE_DETAILS/{kind}_PRICE"
            types, amounts = item.texts(f"{path}/@price_type"), item.texts(f"{path}/PRICE_AMOUNT")
            if amounts:
                known = types if len(types) == len(amounts) else [""] * len(amounts)
                chosen = next((name for name in _PRICE_TYPES if name in known), known[0])
                self._types.add(chosen)
                return amounts[known.index(chosen)], item.text(f"{path}/PRICE_CURRENCY")
        return "", ""

    def _photo(self, name: str) -> str:
        return name if is_link(name) or not self._photo_root else f"{self._photo_root.rstrip('/')}/{name.lstrip('/')}"


class _Groups:
    """The groups of a catalogue, and the articles in them, on the disk: they stand behind the articles."""

    def __init__(self) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE grouping (key BLOB PRIMARY KEY, name BLOB, parent BLOB) WITHOUT ROWID",
            "CREATE TABLE member (article BLOB, grouping BLOB)",
            "CREATE INDEX member_article ON member (article)",
            contents="groups",
        )

    def read(self, path: Path, encoding: str) -> None:
        """Read them."""
        for element, *names in _GROUPS:
            rows = ([text_key(item.text(name)) for name in names] for item in XmlFile(path, element, encoding))
            self._database.write("INSERT OR IGNORE INTO grouping VALUES (?, ?, ?)", rows)
        members = (
            [text_key(item.text("ART_ID", "PROD_ID")), text_key(item.text("CATALOG_GROUP_ID"))]
            for item in XmlFile(path, _MEMBERS, encoding)
        )
        self._database.write("INSERT INTO member VALUES (?, ?)", members)

    def paths(self, sku: str, keys: Sequence[str]) -> list[list[str]]:
        """The names of the groups of an article, from the root down. keys: groups that the article names itself."""
        rows = self._database.rows("SELECT grouping FROM member WHERE article = ?", text_key(sku))
        return [self._levels(key) for key in (*(key_text(key) for (key,) in rows), *keys)]

    def close(self) -> None:
        """Forget them."""
        self._database.close()

    def _levels(self, key: str) -> list[str]:
        levels: list[str] = []
        while len(levels) < _MAX_DEPTH:
            row = self._database.first("SELECT name, parent FROM grouping WHERE key = ?", text_key(key))
            if row is None:
                break
            name, key = (key_text(cast("bytes", text)) for text in row)
            levels.insert(0, name)
        # What has no parent is the catalogue itself.
        return levels[1:] if len(levels) > 1 and key == "0" else levels


def _texts(item: Item, end: str) -> list[str]:
    return [text for kind in _KINDS for text in item.texts(f"{kind}_{end}")]


def _own_texts(item: Item, end: str) -> list[str]:
    """Those in the language of the shop, or else in the first one."""
    return texts_in_one_language(item, *(f"{kind}_{end}" for kind in _KINDS))


def _detail(item: Item, name: str) -> str:
    return "".join(_own_texts(item, f"DETAILS/{name}")[:1]).strip()


def _features(item: Item) -> dict[str, str]:
    """The features by their names in small letters, with their units."""
    found: dict[str, str] = {}
    for feature in (each for path in _FEATURES for each in item.parts.get(path, ())):
        # A feature of a template of ECLASS has a code besides its name, and codes besides its values.
        name = texts_in_one_language(feature, "FNAME", "FTEMPLATE/FT_NAME")[:1]
        values = texts_in_one_language(feature, *(("FVALUE_DETAILS",) if feature.text("VALUE_IDREF") else ()), "FVALUE")
        unit = feature.text("FUNIT")
        # The heading of a block of features has its own name for a value.
        if name and values and values != name:
            found[name[0].lower()] = ", ".join(values) + (f" {unit}" if unit and unit != _PIECE else "")
    return found


def _is_photo(name: str) -> bool:
    suffix = PurePosixPath(name.partition("?")[0]).suffix.lower()
    return not suffix or suffix in SUFFIXES
