"""IOF, the format in which shops of IdoSell and their suppliers give their offer to others: its file of whole products."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from babel.core import get_global

from product_files import row_facts
from product_files.columns.header_names import shop_language
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows, amount, machine_price, with_list_price
from product_files.values.html_text import html_to_text
from product_files.xml_files.xml_items import FeedSyntaxError, Item, XmlFile, XmlParser, other_root, rows_of_items

ROOT = "offer"
# An attribute of the root, by which it is recognised among other XML with such a root.
MARK = "@file_format"

_SIZE, _PARAMETER, _STOCK = "sizes/size", "parameters/parameter", "stock/@quantity"
# Of a stock without an end.
_UNLIMITED = re.compile(r"-1(?:\.0+)?")
_UNAVAILABLE = "unavailable"
_GTIN_DIGITS = range(8, 15)


class IofOffer(ShopExport[ShopRows]):
    """A row per size of a product, numbered by product. The sizes of a product, and the products of a group, are a family.

    Args:
        path: the file.
        mapping: how fields are filled; takes precedence over what is read.
        photos: folder of the photos that are not links.

    Raises:
        InvalidSource: the file is not such an offer.
    """

    format = "iof"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._file = XmlFile(path, "products/product", mapping.encoding, parts=(_SIZE, _PARAMETER))
        outline = self._file.outline()
        if self._file.root != ROOT or MARK not in outline[ROOT]:
            raise other_root(self._file.root, f"{ROOT} {MARK}", "IdoSell (IOF)")
        head = _Head(mapping.encoding or None)
        with contextlib.suppress(FeedSyntaxError):
            # It is reported where the products are read.
            self._file.feed(head, until=lambda: head.attributes is not None)
        attributes = head.attributes or {}
        self._currency, self._language = attributes.get("currency", ""), _language(attributes.get("language", ""))
        mapping = mapping.with_derived_currency()
        self._rows = ShopRows(
            mapping, ["currency"], photos=photos, system="IdoSell", read_as=row_facts.READ_AS_CATALOGUE
        )
        self._has_net = False

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file as a whole."""
        return [*super().notes, *([row_facts.NET_PRICES(types="net")] if self._has_net else [])]

    def __iter__(self) -> Iterator[Row]:
        return rows_of_items(self._file, self._product, "@id")

    def _product(self, number: int, item: Item) -> Iterator[Row]:
        sizes = item.parts.get(_SIZE) or [Item()]
        # The file of prices and stocks, `light.xml`, has no texts: what it does not say stays as it is.
        is_whole = bool(item.texts("description/name"))
        currency = item.text("@currency") or self._currency
        shared: dict[str, str | Sequence[str]] = {
            "title": self._text(item, "description/name"),
            "description": html_to_text(
                self._text(item, "description/long_desc") or self._text(item, "description/short_desc")
            ),
            "category": _category(item),
            "brand": item.text("producer/@name"),
            "currency": currency,
            "family": item.text("group/@first_product_id", "@id"),
            "image": _photos(item),
        }
        attributes = {**self._parameters(item), "link": item.text("card/@url")}
        for size in sizes:
            yield self._rows.build(
                ShopProduct(
                    line=number,
                    record={
                        **(shared if is_whole else {"currency": currency}),
                        "sku": _sku(item, size),
                        **self._offer(item, size),
                    },
                    attributes={
                        **{name: text for name, text in attributes.items() if text},
                        # There is nothing to choose where there is one size.
                        **({"size": size.text("@name")} if len(sizes) > 1 else {}),
                        **_codes(item, size),
                    },
                    has_attributes=is_whole,
                )
            )

    def _offer(self, item: Item, size: Item) -> dict[str, str]:
        """Price and availability of a size: what it does not say, its product says."""
        gross = size.text("price/@gross") or item.text("price/@gross")
        net = "" if gross else size.text("price/@net") or item.text("price/@net")
        self._has_net = self._has_net or bool(net)
        before = size.text("strikethrough_retail_price/@gross") or item.text("strikethrough_retail_price/@gross")
        price, list_price = with_list_price(machine_price(gross or net), machine_price(before), ".")
        offer = {"price": price, "list_price": list_price}
        stocks = size.texts(_STOCK)
        if size.text("@available") == _UNAVAILABLE or (stocks and not any(map(is_in_stock, stocks))):
            return {**offer, "available": "no"}
        return {**offer, "available": "yes"} if stocks or size.text("@available") else offer

    def _text(self, item: Item, path: str) -> str:
        """The text in the shop's language, or else in that of the file, or the first one."""
        texts = {_language(each.get("lang", "")): text for each, text in item.attributed.get(path, ()) if text}
        return texts.get(shop_language()) or texts.get(self._language) or item.text(path)

    def _parameters(self, item: Item) -> dict[str, str]:
        parameters = [(each, _language(each.text("@lang"))) for each in item.parts.get(_PARAMETER, ())]
        languages = {language for _, language in parameters}
        own = next((each for each in (shop_language(), self._language) if each in languages), None)
        found = {}
        for parameter, language in parameters:
            name = " ".join(parameter.text("@name", "name").casefold().split())
            values = parameter.texts("value/@name") or parameter.texts("value")
            if name and values and own in (None, language):
                found[name] = ", ".join(values)
        return found


class _Head(XmlParser):
    """Reads what holds for all products. attributes: of the element around them; None before it was read."""

    def __init__(self, encoding: str | None) -> None:
        super().__init__(encoding)
        self.attributes: dict[str, str] | None = None

    def start(self, namespace: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 -- the base's
        if self.path == [ROOT, "products"]:
            self.attributes = attributes


def _language(code: str) -> str:
    """The two letters of a language: of `pol`, too."""
    aliases: Mapping[str, str] = get_global("language_aliases")
    return aliases.get(code.lower(), code.lower()[:2])


def _sku(item: Item, size: Item) -> str:
    product = item.text("@code", "@id")
    own = size.text("@code")
    return own or "-".join(filter(None, (product, size.text("@id"))))


def _category(item: Item) -> list[str]:
    """The shop's own category, or else that of IdoSell's list."""
    path = item.text("category/@path", "category/@name").replace("\\", "/")
    levels = path.split("/") if path else item.text("category_idosell/@path").split(">")
    return [name for each in levels if (name := each.strip())]


def _photos(item: Item) -> list[str]:
    """The large photos by their priority; those without one stand as in the file."""
    found = [attributes for attributes, _ in item.attributed.get("images/large/image", ()) if attributes.get("url")]

    def place(attributes: Mapping[str, str]) -> int:
        priority = attributes.get("priority", "")
        return int(priority) if priority.isascii() and priority.isdigit() else 0

    return [attributes["url"] for attributes in sorted(found, key=place)]


def _codes(item: Item, size: Item) -> dict[str, str]:
    """The GTIN, or else the producer's own number."""
    codes = [size.text(name) or item.text(name) for name in ("@code_producer", "@code_external")]
    gtin = gtin_of(codes)
    return {"gtin": gtin} if gtin else {"mpn": codes[0]} if codes[0] else {}


def gtin_of(codes: Iterable[str]) -> str:
    """The first of these codes that has as many digits as a GTIN; "" for none."""
    return next((code for code in codes if code.isdigit() and len(code) in _GTIN_DIGITS), "")


def is_in_stock(quantity: str) -> bool:
    """Whether a stock has anything, or has no end.

    Args:
        quantity: as IdoSell writes it; -1 has no end.

    Returns:
        False for what is no number, too.
    """
    stock = amount(quantity, ".")
    return bool(_UNLIMITED.fullmatch(quantity)) or (stock is not None and stock > 0)
