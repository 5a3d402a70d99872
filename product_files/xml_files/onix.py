"""Books in ONIX 3, in which publishers and their distributors send their catalogues. https://www.editeur.org/12/About-Release-3.0-and-3.1/

Codes are those of EDItEUR's lists, which each constant names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from product_files import row_facts
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.product_data import DEFAULT_CURRENCY
from product_files.rows import Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows, machine_price
from product_files.values.cell_lists import deepest_first
from product_files.values.currencies import currencies_of
from product_files.values.html_text import html_to_text
from product_files.xml_files.xml_items import FeedSyntaxError, Item, XmlFile, other_root, rows_of_items

ROOT = "ONIXMessage"
# Of messages with short tags, in lower case.
ROOTS = (ROOT, "ONIXmessage")

_IDENTIFIER, _TITLE = "ProductIdentifier", "DescriptiveDetail/TitleDetail"
_TITLE_ELEMENT = f"{_TITLE}/TitleElement"
_CONTRIBUTOR, _SUBJECT = "DescriptiveDetail/Contributor", "DescriptiveDetail/Subject"
_TEXT, _RESOURCE = "CollateralDetail/TextContent", "CollateralDetail/SupportingResource"
_PRICE, _AVAILABILITY = "ProductSupply/SupplyDetail/Price", "ProductSupply/SupplyDetail/ProductAvailability"
_PARTS = (_IDENTIFIER, _TITLE, _TITLE_ELEMENT, _CONTRIBUTOR, _SUBJECT, _TEXT, _RESOURCE, _PRICE)

# List 1, of notifications: the record is withdrawn.
_DELETED = "05"
# List 5, of identifiers: ISBN-13, GTIN-13, ISBN-10.
_GTINS, _ISBN_10 = ("15", "03"), "02"
# List 15, of titles, and list 149, of their levels: the distinctive title, of the product.
_DISTINCTIVE, _OF_PRODUCT = "01", "01"
# List 17, of contributors: written by.
_AUTHOR = "A01"
# List 27, of subjects: keywords.
_KEYWORDS = "20"
# List 153, of texts: description, short description.
_DESCRIPTIONS = ("03", "02")
# Lists 158 and 159, of resources: front cover, image.
_COVER, _IMAGE = "01", "03"
# List 58, of prices that readers pay: recommended, fixed, of the publisher; with tax, and without.
_GROSS, _NET = ("02", "04", "42"), ("01", "03", "41")
# List 59: for whom a price is. Everybody, consumers.
_FOR_ALL = ("", "00", "05")
# List 65, of availability.
_FIRST_DIGIT_SAYS = {"1": "preorder", "2": "yes", "3": "no", "4": "no", "5": "no"}
_NOT_AVAILABLE = ("01", "09")
_LEVELS = re.compile(r"\s+/\s+")


class OnixBooks(ShopExport[ShopRows]):
    """A row per product, numbered in the order of the file. Its SKU is the ISBN.

    Args:
        path: the file.
        mapping: how fields are filled; takes precedence over what is read.
        photos: folder of the photos that are not links.

    Raises:
        InvalidSource: the file is not ONIX 3 with its whole names.
    """

    format = "onix"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._file = XmlFile(path, "Product", mapping.encoding, parts=_PARTS)
        outline = self._file.outline()
        if self._file.root != ROOT or "DescriptiveDetail" not in outline.get(f"{ROOT}/Product", ("DescriptiveDetail",)):
            raise other_root(self._file.root, f'{ROOT} release="3.0"', "ONIX 3")
        self._currency_of_file = self._default_currency(path, mapping.encoding)
        self._wanted = (*currencies_of(mapping.values.get("currency", "")), DEFAULT_CURRENCY)[0]
        self._rows = ShopRows(
            mapping.with_derived_currency(),
            ["currency"],
            photos=photos,
            system="ONIX 3",
            read_as=row_facts.READ_AS_CATALOGUE,
        )
        self._has_net = False

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file as a whole."""
        return [*super().notes, *([row_facts.NET_PRICES(types=", ".join(_NET))] if self._has_net else [])]

    def __iter__(self) -> Iterator[Row]:
        return rows_of_items(self._file, self._row, "RecordReference")

    def _default_currency(self, path: Path, encoding: str) -> str:
        try:
            return next(iter(XmlFile(path, f"{ROOT}/Header", encoding)), Item()).text("DefaultCurrencyCode")
        except FeedSyntaxError:
            # It is reported where the products are read.
            return ""

    def _row(self, number: int, item: Item) -> Iterator[Row]:
        identifiers = {each.text("ProductIDType"): each.text("IDValue") for each in item.parts.get(_IDENTIFIER, ())}
        gtin = next((code for kind in _GTINS if (code := identifiers.get(kind, ""))), "")
        categories = _categories(item)
        record: dict[str, str | Sequence[str]] = {
            "sku": gtin or identifiers.get(_ISBN_10, "") or item.text("RecordReference"),
            "title": _title(item),
            "description": _description(item),
            "brand": item.text("PublishingDetail/Imprint/ImprintName", "PublishingDetail/Publisher/PublisherName"),
            "category": categories[0] if categories else (),
            "tags": _keywords(item),
            "image": _photos(item),
            "active": "no" if item.text("NotificationType") == _DELETED else "yes",
            **self._price(item),
        }
        if available := _availability(item):
            record["available"] = available
        attributes = {
            "author": ", ".join(_authors(item)),
            "language": item.text("DescriptiveDetail/Language/LanguageCode"),
            "gtin": gtin,
        }
        yield self._rows.build(
            ShopProduct(
                line=number,
                record=record,
                attributes={name: text for name, text in attributes.items() if text},
                other_categories=categories[1:],
            )
        )

    def _price(self, item: Item) -> Mapping[str, str]:
        """What readers pay, in the currency of the import and with tax if there is such a price; nothing of resellers' prices."""
        found = [
            (each.text("CurrencyCode") or self._currency_of_file, each.text("PriceType"), each.text("PriceAmount"))
            for each in item.parts.get(_PRICE, ())
            if each.text("PriceQualifier") in _FOR_ALL and each.text("PriceAmount")
        ]
        of_readers = [price for price in found if price[1] in (*_GROSS, *_NET)]
        if not of_readers:
            return {}
        currency, kind, amount = min(of_readers, key=lambda price: (price[0] != self._wanted, price[1] in _NET))
        self._has_net = self._has_net or kind in _NET
        return {"price": machine_price(amount), "currency": currency}


def _title(item: Item) -> str:
    """The distinctive title: that of the product, which may stand behind its collection's, or else the first one."""
    # Those with something in them, which have a text in their detail.
    elements = iter([each for each in item.parts.get(_TITLE_ELEMENT, ()) if each.names])
    of_details = [
        (detail, [next(elements, Item()) for _ in detail.texts("TitleElement")])
        for detail in item.parts.get(_TITLE, ())
    ]
    distinctive = next((own for detail, own in of_details if detail.text("TitleType") == _DISTINCTIVE), [])
    ordered = sorted(distinctive, key=lambda each: each.text("TitleElementLevel") != _OF_PRODUCT)
    return next(filter(None, map(_title_of, ordered)), "")


def _title_of(element: Item) -> str:
    parts = (element.text("TitlePrefix"), element.text("TitleWithoutPrefix"))
    whole = element.text("TitleText") or " ".join(filter(None, parts))
    return ": ".join(filter(None, (whole, element.text("Subtitle")))) if whole else ""


def _description(item: Item) -> str:
    texts = {each.text("TextType"): "\n".join(each.texts("Text")) for each in reversed(item.parts.get(_TEXT, []))}
    return html_to_text(next((text for kind in _DESCRIPTIONS if (text := texts.get(kind, ""))), ""))


def _authors(item: Item) -> list[str]:
    return [
        each.text("PersonName", "CorporateName", "PersonNameInverted")
        or " ".join(filter(None, (each.text("NamesBeforeKey"), each.text("KeyNames"))))
        for each in item.parts.get(_CONTRIBUTOR, ())
        if _AUTHOR in each.texts("ContributorRole")
    ]


def _categories(item: Item) -> list[tuple[str, ...]]:
    """The subjects that have a name, the deepest first."""
    subjects = [each for each in item.parts.get(_SUBJECT, ()) if each.text("SubjectSchemeIdentifier") != _KEYWORDS]
    named = dict.fromkeys(each.text("SubjectHeadingText") for each in subjects)
    return deepest_first([level for level in _LEVELS.split(name) if level] for name in named if name)


def _keywords(item: Item) -> list[str]:
    texts = [
        each.text("SubjectHeadingText")
        for each in item.parts.get(_SUBJECT, ())
        if each.text("SubjectSchemeIdentifier") == _KEYWORDS
    ]
    return [word for text in texts for each in text.split(";") if (word := each.strip())]


def _photos(item: Item) -> list[str]:
    """A link to each image, the front cover first; of one in several sizes, the first."""
    images = [each for each in item.parts.get(_RESOURCE, ()) if each.text("ResourceMode") == _IMAGE]
    ordered = sorted(images, key=lambda each: each.text("ResourceContentType") != _COVER)
    return [link for each in ordered if (link := each.text("ResourceVersion/ResourceLink"))]


def _availability(item: Item) -> str:
    """Of several suppliers, any that has the product; "" where no code says it."""
    found = [
        "no" if code in _NOT_AVAILABLE else _FIRST_DIGIT_SAYS.get(code[:1], "") for code in item.texts(_AVAILABILITY)
    ]
    return next((word for word in ("yes", "preorder", "no") if word in found), "")
