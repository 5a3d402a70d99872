"""The catalogue of Salesforce Commerce Cloud, once Demandware: its XML of products, categories and what belongs to them.

What a product with variations has stands in its own element only, in any place, and so do the categories of products. So the file
is read once for these, and then for its products.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from product_files import row_facts
from product_files.columns.header_names import shop_language
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder, is_link
from product_files.rows import Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows
from product_files.temporary_database import TemporaryDatabase, key_text, text_key
from product_files.values.cell_lists import deepest_first, levels_of
from product_files.values.currencies import currencies_of
from product_files.values.html_text import html_to_text
from product_files.xml_files.salesforce_offers import Offers, OffersBeside
from product_files.xml_files.xml_items import Item, XmlFile, other_root, rows_of_items

ROOT = "catalog"
# A child of the root, by which it is recognised among other XML with such a root.
MARK = "@catalog-id"

_SKU = "@product-id"
_VARIANTS = "variations/variants/variant/@product-id"
_PHOTOS = "images/image-group/image/@path"
_ANY_LANGUAGE = "x-default"


def has_products(outline: Mapping[str, Collection[str]]) -> bool:
    """Whether a catalogue of this outline may have products: those of a site have its categories alone."""
    children = outline.get(ROOT, ())
    return "product" in children or "category-assignment" not in children


class SalesforceCatalogue(ShopExport[ShopRows]):
    """A row per product, numbered in the order of the file; one with variations in the file is none, and they are its family.

    Args:
        path: the file.
        mapping: how fields are filled; takes precedence over what is read.
        photos: folder of the photos that are not links.
        alone: whether files beside it do not belong to it; otherwise price books and inventory lists do.

    Raises:
        InvalidSource: the file is not such a catalogue.
    """

    format = "salesforce"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, alone: bool = False) -> None:
        self._path = path
        self._encoding = mapping.encoding
        self._file = XmlFile(path, "product", mapping.encoding)
        if self._file.root != ROOT:
            raise other_root(self._file.root, ROOT, "Salesforce Commerce Cloud")
        currency = (*currencies_of(mapping.values.get("currency", "")), "")[0]
        self._beside = None if alone else OffersBeside(path, currency)
        has_prices = self._beside is not None and self._beside.has_prices
        self._rows = ShopRows(
            mapping.with_derived_currency() if has_prices else mapping,
            ["currency"] if has_prices else [],
            photos=photos,
            system="Salesforce Commerce Cloud",
            read_as=row_facts.READ_AS_CATALOGUE,
        )
        self._photo_root = ""

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file as a whole, and those beside it."""
        return [*super().notes, *(self._beside.notes if self._beside else ())]

    def __iter__(self) -> Iterator[Row]:
        with closing(_Belongings()) as belongings, ExitStack() as stack:
            offers: list[Offers] = []

            def items() -> Iterator[Item]:
                self._photo_root = self._location_of_photos()
                belongings.read(self._path, self._encoding)
                if self._beside is not None:
                    if not belongings.has_members:
                        belongings.read_categories(self._beside.catalogues)
                    offers.append(stack.enter_context(self._beside.opened()))
                yield from self._file

            def rows_of(number: int, item: Item) -> Iterator[Row]:
                if not any(map(belongings.is_listed, item.texts(_VARIANTS))):
                    yield self._row(number, item, belongings, offers)

            yield from rows_of_items(items(), rows_of, _SKU)

    def _location_of_photos(self) -> str:
        head = next(iter(XmlFile(self._path, "header/image-settings", self._encoding)), Item())
        return head.text("external-location/https-url", "external-location/http-url")

    def _row(self, number: int, item: Item, belongings: _Belongings, offers: Sequence[Offers]) -> Row:
        sku = item.text(_SKU)
        master, shared = belongings.master(sku)
        own = _fields(item)
        record = {name: value or shared.texts.get(name, "") for name, value in own.texts.items()}
        record |= {"sku": sku, "family": master, "image": [self._photo(name) for name in record["image"]]}
        paths = deepest_first(belongings.categories(sku) or belongings.categories(master))
        record["category"] = paths[0] if paths else ()
        for each in offers:
            record |= each.fields(sku)
        problem = self._beside.problems.get(sku, "") if self._beside else ""
        return self._rows.build(
            ShopProduct(
                line=number,
                record=record,
                attributes={**shared.attributes, **own.attributes},
                other_categories=paths[1:],
                warnings=(problem,) if problem else (),
            )
        )

    def _photo(self, name: str) -> str:
        is_whole = is_link(name) or not self._photo_root
        return name if is_whole else f"{self._photo_root.rstrip('/')}/{name.lstrip('/')}"


@dataclass(frozen=True, slots=True)
class _Fields:
    """What an element of a product says. texts: by field."""

    texts: dict[str, str | Sequence[str]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


def _fields(item: Item) -> _Fields:
    attributes = {
        " ".join(name.casefold().split()): ", ".join(text.splitlines())
        for found, text in item.attributed.get("custom-attributes/custom-attribute", ())
        if (name := found.get("attribute-id", "")) and text
    }
    for name, path in (("gtin", "ean"), ("gtin", "upc"), ("mpn", "manufacturer-sku")):
        if text := item.text(path):
            attributes.setdefault(name, text)
    texts: dict[str, str | Sequence[str]] = {
        "title": _text(item, "display-name"),
        "description": html_to_text(_text(item, "long-description") or _text(item, "short-description")),
        "brand": item.text("brand", "manufacturer-name"),
        "active": item.text("online-flag"),
        "image": _photos(item),
    }
    return _Fields(texts, attributes)


def _text(item: Item, path: str) -> str:
    """The text in the shop's language, or else in any."""
    texts = {attributes.get("lang", ""): text for attributes, text in item.attributed.get(path, ()) if text}
    return texts.get(shop_language()) or texts.get(_ANY_LANGUAGE) or item.text(path)


def _photos(item: Item) -> list[str]:
    """The photos in their largest size: those of other sizes have the same names in other folders."""
    found: dict[str, str] = {}
    for path in item.texts(_PHOTOS):
        *folders, name = path.split("/")
        if "swatch" not in folders:
            found.setdefault(name, path)
    return list(found.values())


class _Belongings:
    """Products with variations, whose they are, and the categories of products."""

    def __init__(self) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE listed (sku BLOB PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE master (sku BLOB PRIMARY KEY, content TEXT) WITHOUT ROWID",
            "CREATE TABLE variant (sku BLOB PRIMARY KEY, master BLOB) WITHOUT ROWID",
            "CREATE TABLE category (id BLOB PRIMARY KEY, name BLOB, parent BLOB) WITHOUT ROWID",
            "CREATE TABLE member (sku BLOB, category BLOB, PRIMARY KEY (sku, category)) WITHOUT ROWID",
            contents="categories and variations of the file",
        )

    def read(self, path: Path, encoding: str) -> None:
        """Read them.

        Args:
            path: the file.
            encoding: of the file; "" for the one that it declares.

        Raises:
            FeedSyntaxError: the file cannot be read to its end.
        """
        for item in XmlFile(path, ("catalog/product", "catalog/category", "catalog/category-assignment"), encoding):
            product, category = item.text(_SKU), item.text("@category-id", "classification-category")
            if not product:
                name, parent = _text(item, "display-name"), item.text("parent")
                self._write("INSERT OR REPLACE INTO category VALUES (?, ?, ?)", category, name, parent)
                continue
            if category:
                self._write("INSERT OR REPLACE INTO member VALUES (?, ?)", product, category)
            if not item.text("@category-id"):
                self._write("INSERT OR REPLACE INTO listed VALUES (?)", product)
            if variants := item.texts(_VARIANTS):
                fields = _fields(item)
                content = json.dumps([fields.texts, fields.attributes])
                self._database.write("INSERT OR REPLACE INTO master VALUES (?, ?)", [(text_key(product), content)])
                for variant in variants:
                    self._write("INSERT OR REPLACE INTO variant VALUES (?, ?)", variant, product)

    def read_categories(self, paths: Iterable[Path]) -> None:
        """Read categories and their products alone: a site has its own catalogue of them, beside that of all products.

        Args:
            paths: of other catalogues, in whose encodings their files are declared. Of categories of one id, the first counts.

        Raises:
            FeedSyntaxError: a file cannot be read to its end.
        """
        for path in paths:
            for item in XmlFile(path, ("catalog/category", "catalog/category-assignment")):
                if product := item.text(_SKU):
                    self._write("INSERT OR IGNORE INTO member VALUES (?, ?)", product, item.text("@category-id"))
                else:
                    name, parent = _text(item, "display-name"), item.text("parent")
                    self._write(
                        "INSERT OR IGNORE INTO category VALUES (?, ?, ?)", item.text("@category-id"), name, parent
                    )

    @property
    def has_members(self) -> bool:
        """Whether any product has a category."""
        return self._database.first("SELECT 1 FROM member LIMIT 1") is not None

    def is_listed(self, sku: str) -> bool:
        """Whether the file has an element for this product."""
        return self._database.first("SELECT 1 FROM listed WHERE sku = ?", text_key(sku)) is not None

    def master(self, sku: str) -> tuple[str, _Fields]:
        """The SKU of the product that this one is a variation of, and its fields; "" and none of another."""
        found = self._database.first("SELECT master FROM variant WHERE sku = ?", text_key(sku))
        if found is None:
            return "", _Fields()
        content = self._database.first("SELECT content FROM master WHERE sku = ?", found[0])
        return key_text(found[0]), _Fields(*json.loads(cast("str", content[0]))) if content else _Fields()

    def categories(self, sku: str) -> list[list[str]]:
        """The paths of a product's categories."""
        found = self._database.rows("SELECT category FROM member WHERE sku = ?", text_key(sku))
        return [levels for (key,) in found if (levels := levels_of(key_text(key), self._category))]

    def close(self) -> None:
        """Forget them."""
        self._database.close()

    def _category(self, key: str) -> tuple[str, str] | None:
        found = self._database.first("SELECT name, parent FROM category WHERE id = ?", text_key(key))
        return None if found is None else (key_text(found[0]), key_text(found[1]))

    def _write(self, statement: str, *texts: str) -> None:
        self._database.write(statement, [tuple(map(text_key, texts))])
