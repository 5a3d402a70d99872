"""Feeds of price comparison sites and marketplaces, each known by its elements: YML, Hotline, Kaspi, Heureka, Ceneo, Skroutz."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.mapping import ATTRIBUTE_PREFIX, FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row
from product_files.tables.shipped_mappings import is_multiple
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows, machine_price, with_list_price
from product_files.values.cell_lists import deepest_first, levels_of
from product_files.values.html_text import html_to_text
from product_files.xml_files.xml_items import (
    OWN_TEXT,
    FeedSyntaxError,
    Item,
    XmlFile,
    other_root,
    root_of,
    rows_of_items,
)

# Items whose paths may be mapped; of the feeds known here, all paths are in the first ones.
_SAMPLE_ITEMS = 500
# A shop with more would fill the memory.
_MAX_CATEGORIES = 200_000
_HOST = re.compile(r"https?://([\w.-]+)")
# Of the countries in which such feeds are usual.
_CURRENCIES_OF_COUNTRIES = {"cz": "CZK", "sk": "EUR", "ua": "UAH", "ru": "RUB", "by": "BYN", "kz": "KZT"}
# Names that other XML has as its root, too.
_COMMON_ROOTS = frozenset(("SHOP", "offers", "price"))


@dataclass(frozen=True, slots=True)
class ComparisonSite:
    """How a feed has its products.

    Attributes:
        name: of the site, for the report.
        root: name of the root element.
        other_roots: names that it has on other sites which take the same feed.
        marks: elements of a product by which the feed is recognised among other XML with such a root; () for those of a title.
        item: name of the elements that are products.
        columns: paths of each field, below the product. Of several, the first that is not empty; of photos and tags, all.
        level_mark: between the levels of a category.
        roots: first levels of categories that say where the feed is published, each with the currency there.
        currency: that of prices which name none; "" if the site is in several countries.
        title_parts: paths whose texts make the title where there is none.
        pairs: path of the elements that are attributes of a product, and the attribute of an element that has its name.
        groups: path of elements with the name of an attribute and its values, and the path of the names.
        categories: path of the elements that are the names of categories, by `id` and `parentId`, as attributes or elements with a
            `name`; "" if products name theirs.
    """

    name: str
    root: str
    item: str
    columns: Mapping[str, tuple[str, ...]]
    level_mark: str
    other_roots: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    roots: Mapping[str, str] = field(default_factory=dict)
    currency: str = ""
    title_parts: tuple[str, ...] = ()
    pairs: tuple[str, str] = ("", "")
    groups: tuple[str, str] = ("", "")
    categories: str = ""


COMPARISON_SITES: Mapping[str, ComparisonSite] = {
    # https://yandex.ru/support/marketplace/assortment/files/yml.html
    "yml": ComparisonSite(
        name="Yandex Market (YML)",
        root="yml_catalog",
        other_roots=("torg_price",),
        item="offer",
        columns={
            "sku": ("@id", "shop-sku"),
            "title": ("name", "name_ua", "name_ru"),
            "description": ("description", "description_ua", "description_ru"),
            "category": ("categoryId", "category"),
            "brand": ("vendor", "brand"),
            "price": ("price", "Price"),
            "list_price": ("oldprice", "old_price", "price_old"),
            "currency": ("currencyId",),
            "available": ("@available", "available", "stock_quantity", "quantity_in_stock"),
            "family": ("@group_id",),
            "image": ("picture",),
            "attribute.gtin": ("barcode",),
            "attribute.mpn": ("vendorCode",),
            "attribute.link": ("url",),
        },
        level_mark=">",
        title_parts=("typePrefix", "vendor", "model"),
        pairs=("param", "name"),
        categories="categories/category",
    ),
    # https://hotline.ua/about/pricelists_specs/
    "hotline": ComparisonSite(
        name="Hotline",
        root="price",
        marks=("priceRUAH", "priceUAH"),
        item="item",
        columns={
            "sku": ("code", "id"),
            "title": ("name",),
            "description": ("description",),
            "category": ("categoryId",),
            "brand": ("vendor",),
            "price": ("priceRUAH", "priceUAH"),
            "list_price": ("oldprice",),
            "available": ("stock",),
            "image": ("image",),
            "attribute.gtin": ("barcode",),
            "attribute.link": ("url",),
        },
        level_mark=">",
        currency="UAH",
        pairs=("param", "name"),
        categories="categories/category",
    ),
    # https://guide.kaspi.kz/partner/ru/shop/goods/price_list
    "kaspi": ComparisonSite(
        name="Kaspi",
        root="kaspi_catalog",
        item="offer",
        columns={
            "sku": ("@sku",),
            "title": ("model",),
            "brand": ("brand",),
            "price": ("price", "cityprices/cityprice"),
            "available": ("availabilities/availability/@available",),
        },
        level_mark=">",
        currency="KZT",
    ),
    # Heureka, Zboží, Glami, Favi, Biano: https://sluzby.heureka.cz/napoveda/xml-feed/
    "heureka": ComparisonSite(
        name="Heureka",
        root="SHOP",
        item="SHOPITEM",
        columns={
            "sku": ("SKU", "ITEM_ID", "CODE", "EAN"),
            "title": ("PRODUCTNAME", "PRODUCT"),
            "description": ("DESCRIPTION",),
            "category": ("CATEGORYTEXT",),
            "brand": ("MANUFACTURER", "BRAND"),
            "price": ("PRICE_VAT", "PRICE"),
            "list_price": ("LIST_PRICE", "PRICE_BEFORE_DISCOUNT"),
            "currency": ("CURRENCY",),
            "available": ("STOCK",),
            "family": ("ITEMGROUP_ID",),
            "image": ("IMGURL", "IMGURL_ALTERNATIVE"),
            "attribute.gtin": ("EAN",),
            "attribute.mpn": ("PRODUCTNO",),
            "attribute.link": ("URL",),
        },
        level_mark="|",
        roots={"heureka.cz": "CZK", "heureka.sk": "EUR", "glami.cz": "CZK", "glami.sk": "EUR"},
        groups=("PARAM", "PARAM/PARAM_NAME"),
    ),
    # https://info.ceneo.pl/dane-produktowe
    "ceneo": ComparisonSite(
        name="Ceneo",
        root="offers",
        item="o",
        columns={
            "sku": ("@id",),
            "title": ("name",),
            "description": ("desc",),
            "category": ("cat",),
            "price": ("@price",),
            "available": ("@stock",),
            "image": ("imgs/main/@url", "imgs/i/@url"),
            "attribute.link": ("@url",),
        },
        level_mark="/",
        currency="PLN",
        pairs=("attrs/a", "name"),
    ),
    # https://developer.skroutz.gr/products/xml_feed/
    "skroutz": ComparisonSite(
        name="Skroutz",
        root="mywebstore",
        item="product",
        columns={
            "sku": ("id",),
            "title": ("name",),
            "description": ("description",),
            "category": ("category",),
            "brand": ("manufacturer",),
            "price": ("price_with_vat", "price"),
            "available": ("instock", "quantity"),
            "image": ("image", "additional_imageurl"),
            "attribute.color": ("color",),
            "attribute.size": ("size",),
            "attribute.gtin": ("ean",),
            "attribute.mpn": ("mpn",),
            "attribute.link": ("link",),
        },
        level_mark=">",
        currency="EUR",
    ),
}
# Names of attributes that are a field, as the sites prescribe them.
_FIELD_NAMES = {
    "producent": "brand",
    "marka": "brand",
    "ean": "gtin",
    "kod_producenta": "mpn",
    "kod producenta": "mpn",
}


def comparison_site(outline: Mapping[str, Collection[str]]) -> str:
    """The site that an XML file is for.

    Args:
        outline: the paths of the elements near its beginning, each with the names of its children.

    Returns:
        A key of COMPARISON_SITES, or "".
    """
    root = root_of(outline)
    for slug, site in COMPARISON_SITES.items():
        if root not in (site.root, *site.other_roots):
            continue
        inside = {name for path, names in outline.items() if path.rpartition("/")[2] == site.item for name in names}
        is_sure = root == site.root and root not in _COMMON_ROOTS
        if is_sure or not inside.isdisjoint(site.marks or (*site.columns["title"], *site.title_parts)):
            return slug
    return ""


class ComparisonFeed(ShopExport[ShopRows]):
    """A row per product of the feed, numbered in its order.

    Args:
        path: the file.
        mapping: how paths become fields; takes precedence over the site's.
        photos: folder of the photos that are not links.
        slug: a key of COMPARISON_SITES.

    Raises:
        InvalidSource: the file is not XML, or not of this site.
    """

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, slug: str) -> None:
        self.format = slug
        self._site = site = COMPARISON_SITES[slug]
        self._decimal = mapping.decimal
        self._file = XmlFile(path, site.item, mapping.encoding)
        if self._file.root not in (site.root, *site.other_roots):
            raise other_root(self._file.root, site.root, site.name)
        self._categories = _category_names(path, site.categories, mapping.encoding) if site.categories else {}
        mapped = [column for columns in mapping.columns.values() for column in columns]
        sample = self._sample()
        names = dict.fromkeys([*(name for item in sample for name in item.names), *mapped])
        self._currency, self._notes = self._usual_currency(sample)
        mapping = mapping.with_derived_currency()
        self._rows = ShopRows(
            mapping, list({**names, "currency": None}), photos=photos, system=site.name, read_as=row_facts.READ_AS_FEED
        )

    def __iter__(self) -> Iterator[Row]:
        skus = self._site.columns["sku"]
        return rows_of_items(self._file, lambda number, item: [self._row(number, item)], *skus)

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the feed."""
        return [*self._rows.notes, *self._notes]

    def _usual_currency(self, sample: Sequence[Item]) -> tuple[str, list[str]]:
        """The currency of prices which name none: of the site, a category, or the country of the shop's links; and a note."""
        site = self._site
        if named := site.currency or next((code for item in sample if (code := self._paths(item)[1])), ""):
            return named, []
        (link, *_), images = site.columns["attribute.link"], site.columns["image"]
        path = next((path for path in (link, *images) if any(item.text(path) for item in sample)), link)
        found = {_country(item.text(path)) for item in sample if item.text(path)}
        code = _CURRENCIES_OF_COUNTRIES.get(found.pop(), "") if len(found) == 1 else ""
        said = any(self._text(item, "currency") for item in sample) if "currency" in site.columns else False
        return code, [row_facts.CURRENCY_OF_COLUMN(currency=code, column=path)] if code and not said else []

    def _sample(self) -> list[Item]:
        items: list[Item] = []
        try:
            items.extend(islice(self._file, _SAMPLE_ITEMS))
        except FeedSyntaxError:
            # It is reported where the items are read.
            return items
        return items

    def _row(self, number: int, item: Item) -> Row:
        site = self._site
        record: dict[str, str | Sequence[str]] = {name: "\n".join(item.texts(name)) for name in item.names}
        attributes = self._attributes(item)
        for name in site.columns:
            if name.startswith(ATTRIBUTE_PREFIX):
                if text := self._text(item, name):
                    attributes.setdefault(name.removeprefix(ATTRIBUTE_PREFIX), text)
            elif is_multiple(name):
                record[name] = [text for path in site.columns[name] for text in item.texts(path)]
            else:
                record[name] = self._text(item, name)
        parts = map(item.text, site.title_parts)
        record["title"] = record["title"] or " ".join(part for part in parts if part)
        record["description"] = html_to_text(str(record.get("description", "")))
        record["brand"] = record.get("brand") or attributes.pop("brand", "")
        record["price"], record["list_price"] = with_list_price(
            machine_price(str(record["price"])), machine_price(str(record.get("list_price", ""))), self._decimal
        )
        paths, currency = self._paths(item)
        record["category"] = paths[0] if paths else ()
        record["currency"] = record.get("currency") or currency or self._currency
        for name in ("available", "currency"):
            # What the feed does not say stays as it is in the product.
            if not record.get(name):
                record.pop(name, None)
        return self._rows.build(
            ShopProduct(
                line=number,
                record=record,
                attributes=attributes,
                other_categories=paths[1:],
            )
        )

    def _text(self, item: Item, name: str) -> str:
        return item.text(*self._site.columns[name])

    def _paths(self, item: Item) -> tuple[list[tuple[str, ...]], str]:
        """The categories, the deepest first, and the currency of the country that they name."""
        site, currency = self._site, ""
        found: list[Sequence[str]] = []
        for text in (text for path in site.columns.get("category", ()) for text in item.texts(path)):
            if site.categories:
                # Without its number, a product names its category.
                levels = levels_of(text, self._categories.get) or ([] if text.isdigit() else [text])
            else:
                levels = [level for part in text.split(site.level_mark) if (level := part.strip())]
            if levels and (there := site.roots.get(levels[0].casefold())):
                levels, currency = levels[1:], there
            found.append(levels)
        return deepest_first(found), currency

    def _attributes(self, item: Item) -> dict[str, str]:
        """Attributes by their names in small letters."""
        found: dict[str, str] = {}
        group, group_names = self._site.groups
        pairs = []
        for text, name in zip(item.texts(group), item.texts(group_names), strict=False):
            # The text of an element that only has elements is a line each.
            values = [line for line in text.splitlines() if line.strip()]
            if name in values:
                values.remove(name)
                pairs += [(name, value) for value in values]
        path, attribute = self._site.pairs
        pairs += [(found.get(attribute, ""), text) for found, text in item.attributed.get(path, ())]
        for name, value in ((name, value) for name, value in pairs if name.strip() and value):
            key = " ".join(name.casefold().split())
            key = _FIELD_NAMES.get(key, key)
            found[key] = f"{found[key]}, {value}" if key in found else value
        return found


def _country(link: str) -> str:
    """The last part of the host's name."""
    host = _HOST.match(link)
    return host[1].rpartition(".")[2].lower() if host else ""


def _category_names(path: Path, item: str, encoding: str) -> dict[str, tuple[str, str]]:
    """Name and parent of each category by its id."""
    found: dict[str, tuple[str, str]] = {}
    try:
        for category in XmlFile(path, item, encoding):
            found[category.text("@id", "id")] = (
                category.text(OWN_TEXT, "name"),
                category.text("@parentId", "parentId"),
            )
            if len(found) > _MAX_CATEGORIES:
                raise InvalidSource(file_facts.TOO_MANY_CATEGORIES(limit=_MAX_CATEGORIES))
    except FeedSyntaxError:
        # It is reported where the items are read.
        return found
    return found
