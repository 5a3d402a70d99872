"""CommerceML 2, which 1C, MoySklad and others write for shops: a file with the catalogue, and others with offers, prices and stock.

A product is in `import.xml`, its price and stock are in `offers.xml` (of newer versions, in `prices.xml` and `rests.xml`). An offer
whose identifier is that of a product with `#` and another behind it is a variant of it.

https://v8.1c.ru/tekhnologii/obmen-dannymi-i-integratsiya/standarty-i-formaty/standarty-commerceml/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import cast

from product_files import file_facts, row_facts
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows, SkusOfFile, amount, machine_price
from product_files.temporary_database import TemporaryDatabase, text_key
from product_files.values.cell_lists import deepest_first, levels_of
from product_files.values.currencies import currencies_of
from product_files.values.html_text import html_to_text
from product_files.xml_files.xml_items import FeedSyntaxError, Item, XmlFile, XmlParser, other_root, rows_of_items

ROOT = "КоммерческаяИнформация"
CATALOGUE = "Каталог"
_OFFERS = "ПакетПредложений"
_GROUPS = ("Классификатор", "Группы")
_PRODUCT = "Каталог/Товары/Товар"
_OFFER = "Предложения/Предложение"
# Names of a property that is a field here.
_BRANDS = frozenset(("бренд", "производитель", "торговая марка", "виробник"))
# A type of prices that shoppers pay.
_RETAIL = re.compile(r"розн|роздр|сайт|инет|интернет|інтернет|retail", re.IGNORECASE)
_NOT_RETAIL = re.compile(r"опт|гурт|закуп|себест|собіварт|дилер|wholesale|cost", re.IGNORECASE)
_NUMERIC_CODES = {"643": "RUB", "810": "RUB", "980": "UAH", "933": "BYN", "398": "KZT", "840": "USD", "978": "EUR"}
_IN_STOCK_NAMES = ("Количество", "Остатки/Остаток/Количество", "Остатки/Остаток/Склад/Количество")
_STOCK_BY_STORE = "Склад/@КоличествоНаСкладе"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_MAX_NAMES = 500_000


def has_products(outline: Mapping[str, Iterable[str]]) -> bool:
    """Whether CommerceML of this outline has products, and is no file of offers."""
    paths = {"/".join(path.split("/")[1:3]) for path in outline}
    names = {path.partition("/")[0] for path in paths}
    return _OFFERS not in names and (CATALOGUE in names or "/".join(_GROUPS) in paths)


class CommerceML(ShopExport[ShopRows]):
    """A row per product, and per offer that is a variant of one, numbered by product.

    Args:
        path: the file with the catalogue.
        mapping: how paths become fields; takes precedence over what is read.
        photos: folder of the photos.
        alone: whether files beside it do not belong to it.

    Raises:
        InvalidSource: the file is not CommerceML, or has offers only.
    """

    format = "commerceml"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, alone: bool = False) -> None:
        self._products = XmlFile(path, _PRODUCT, mapping.encoding)
        if self._products.root != ROOT:
            raise other_root(self._products.root, ROOT, "CommerceML")
        self._names = _read_names(path, mapping.encoding)
        if self._names.has_offers and not self._names.has_catalogue:
            raise InvalidSource(file_facts.OFFERS_ALONE())
        self._encoding = mapping.encoding
        self._decimal = mapping.decimal
        self._offers = [] if alone else _files_of_offers(path)
        if self._names.has_offers:
            self._offers.insert(0, path)
        mapping = mapping.with_derived_currency()
        self._rows = ShopRows(
            mapping, ["currency"], photos=photos, system="1C (CommerceML)", read_as=row_facts.READ_AS_CATALOGUE
        )
        self._notes: list[str] = []
        if self._offers:
            names = ", ".join(sorted(each.name for each in self._offers))
            self._notes.append(row_facts.OFFERS_FROM(files=names))
        else:
            self._notes.append(row_facts.NO_OFFERS())

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the files as a whole."""
        return [*super().notes, *self._notes]

    def __iter__(self) -> Iterator[Row]:
        with closing(_Offers()) as offers, closing(SkusOfFile()) as skus:

            def items() -> Iterator[Item]:
                for path in self._offers:
                    offers.read(path, self._encoding)
                if note := offers.note:
                    self._notes.append(note)
                yield from self._products
                if left := offers.left:
                    self._notes.append(row_facts.OFFERS_LEFT_OUT(products=left))

            def rows_of(number: int, item: Item) -> Iterator[Row]:
                return self._rows_of(number, item, offers, skus)

            for row in rows_of_items(items(), rows_of, "Артикул"):
                yield replace(row, only_changes=self._names.only_changes)

    def _rows_of(self, number: int, item: Item, offers: _Offers, skus: SkusOfFile) -> Iterator[Row]:
        key = item.text("Ид")
        product, _, variant = key.partition("#")
        sku, warning = skus.claim(item.text("Артикул"), key, item.text("Артикул") or key)
        own, variants = offers.of(key)
        record = self._record(item)
        properties, problem = self._attributes(item)
        if brand := next((properties.pop(name) for name in list(properties) if name in _BRANDS), ""):
            record["brand"] = record["brand"] or brand
        common = ShopProduct(
            line=number,
            record=record,
            attributes=properties,
            other_categories=cast("Sequence[Sequence[str]]", record.pop("other_categories")),
            warnings=tuple(each for each in (warning, problem) if each),
        )
        family = sku if variants else product if variant else ""
        yield self._row(common, sku, family, _main_offer(own, variants))
        for offer in variants:
            options = "-".join(offer.attributes.values()) or offer.title or offer.key
            made, warning = skus.claim(
                offer.sku if offer.sku != item.text("Артикул") else "", offer.key, f"{sku}-{options}"
            )
            attributes = {**properties, **offer.attributes}
            yield self._row(common, made, family, offer, attributes=attributes, warning=warning)

    def _row(
        self,
        common: ShopProduct,
        sku: str,
        family: str,
        offer: _Offer | None,
        *,
        attributes: Mapping[str, str] | None = None,
        warning: str = "",
    ) -> Row:
        record = {**common.record, "sku": sku}
        if self._offers:
            record["family"] = family
        if offer is not None:
            # What the offers do not say stays as it is in the product.
            if offer.price:
                record |= {"price": machine_price(offer.price), "currency": offer.currency}
            if offer.stock:
                record["available"] = "yes" if Decimal(offer.stock) > 0 else "no"
        found = common.attributes if attributes is None else attributes
        gtin = offer.gtin if offer is not None and offer.gtin else str(common.record["gtin"])
        return self._rows.build(
            ShopProduct(
                line=common.line,
                record={name: value for name, value in record.items() if name != "gtin"},
                attributes={**found, **({"gtin": gtin} if gtin else {})},
                other_categories=common.other_categories,
                warnings=(*common.warnings, *((warning,) if warning else ())),
            )
        )

    def _record(self, item: Item) -> dict[str, str | Sequence[str]]:
        requisites = dict(_pairs(item.texts("ЗначенияРеквизитов/ЗначениеРеквизита")))
        paths = deepest_first(self._names.levels(key) for key in item.texts("Группы/Ид"))
        deleted = item.text("@Статус", "Статус") == "Удален" or item.text("ПометкаУдаления") == "true"
        return {
            "title": item.text("Наименование") or requisites.get("Полное наименование", ""),
            "description": html_to_text(item.text("Описание") or requisites.get("ОписаниеВФорматеHTML", "")),
            "category": paths[0] if paths else (),
            "other_categories": cast("Sequence[str]", paths[1:]),
            "brand": item.text("Изготовитель/Наименование", "Изготовитель/ОфициальноеНаименование", "ТорговаяМарка"),
            "active": "no" if deleted else "yes",
            "image": item.texts("Картинка"),
            "gtin": item.text("Штрихкод", "ШтрихКод"),
        }

    def _attributes(self, item: Item) -> tuple[dict[str, str], str]:
        """Properties and characteristics by their names in small letters, and a warning if names and values do not fit together."""
        found: dict[str, str] = {}
        for key, value in _pairs(item.texts("ЗначенияСвойств/ЗначенияСвойства")):
            name = self._names.properties.get(key, "")
            text = ", ".join(self._names.values.get(line, line) for line in value.splitlines() if line.strip())
            if name and text:
                found[name.lower()] = text
        characteristics, warning = _characteristics(item)
        return found | characteristics, warning


@dataclass(slots=True)
class _Offer:
    """An offer. stock: the sum of all stores, "" if the files do not say it."""

    key: str
    sku: str = ""
    title: str = ""
    gtin: str = ""
    price: str = ""
    currency: str = ""
    stock: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


class _Offers:
    """The offers of all files, by the identifiers of their products, on the disk."""

    def __init__(self) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE offer (key BLOB PRIMARY KEY, product BLOB, content BLOB, used INTEGER DEFAULT 0)",
            "CREATE INDEX offer_product ON offer (product)",
            contents="offers",
        )
        self._types: dict[str, tuple[str, str]] = {}
        self.note = ""

    @property
    def left(self) -> int:
        """How many products with offers were not asked for."""
        row = self._database.first("SELECT COUNT(DISTINCT product) FROM offer WHERE used = 0")
        return cast("int", row[0]) if row else 0

    def read(self, path: Path, encoding: str) -> None:
        """Read a file of offers. Of an offer in several files, each adds what it says."""
        self._types |= _read_names(path, encoding).price_types
        chosen = _type_of_shoppers({key: name for key, (name, _) in self._types.items()})
        if len(self._types) > 1:
            others = ", ".join(dict.fromkeys(name for key, (name, _) in self._types.items() if key != chosen))
            self.note = row_facts.PRICES_OF_TYPE(type=self._types[chosen][0], others=others)
        for item in XmlFile(path, _OFFER, encoding):
            key = item.text("Ид")
            if not key or item.error:
                continue
            price, currency = _price(item, chosen)
            declared = currency or self._types.get(chosen, ("", ""))[1]
            said = {
                "sku": item.text("Артикул"),
                "title": item.text("Наименование"),
                "gtin": item.text("Штрихкод", "ШтрихКод"),
                "price": price,
                "currency": _NUMERIC_CODES.get(declared, declared) if price else "",
                "stock": _stock(item),
                "attributes": _characteristics(item)[0],
            }
            self._add(key, {name: value for name, value in said.items() if value})

    def of(self, key: str) -> tuple[_Offer | None, list[_Offer]]:
        """The offer of a product, and those that are its variants."""
        # In older versions a product with a characteristic has the identifier of both, as its offer has.
        column = "key" if "#" in key else "product"
        rows = self._database.rows(f"SELECT content FROM offer WHERE {column} = ? ORDER BY rowid", text_key(key))  # noqa: S608
        found = [_Offer(**json.loads(cast("bytes", content).decode())) for (content,) in rows]
        self._database.write("UPDATE offer SET used = 1 WHERE product = ?", [(text_key(key.partition("#")[0]),)])
        return next((each for each in found if each.key == key), None), [each for each in found if each.key != key]

    def close(self) -> None:
        """Forget them."""
        self._database.close()

    def _add(self, key: str, said: Mapping[str, object]) -> None:
        known = self._database.first("SELECT content FROM offer WHERE key = ?", text_key(key))
        content = {"key": key, **(json.loads(cast("bytes", known[0]).decode()) if known else {}), **said}
        self._database.write(
            "INSERT INTO offer (key, product, content) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET content = excluded.content",
            [(text_key(key), text_key(key.partition("#")[0]), json.dumps(content).encode())],
        )


@dataclass(slots=True)
class _Names:
    """What the classifier and the head of a file name, by identifiers. groups: name and parent. price_types: name and currency."""

    groups: dict[str, tuple[str, str]] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    price_types: dict[str, tuple[str, str]] = field(default_factory=dict)
    has_catalogue: bool = False
    has_offers: bool = False
    only_changes: bool = False

    def levels(self, key: str) -> list[str]:
        """The names of a group's levels from the root down."""
        return levels_of(key, self.groups.get)


class _NamesParser(XmlParser):
    """Collects the names of a file. Elements of products and offers are passed over."""

    def __init__(self, encoding: str | None) -> None:
        super().__init__(encoding)
        self.names = _Names()
        self._texts: list[list[str]] = []
        # The texts of the children of each open element, by name; and the groups that are open.
        self._children: list[dict[str, str]] = []
        self._open_groups: list[str] = []

    def start(self, namespace: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 -- the base's
        self._texts.append([])
        self._children.append({})
        if len(self.path) == 2:
            self.names.has_catalogue |= self.path[1] == CATALOGUE
            self.names.only_changes |= attributes.get("СодержитТолькоИзменения", "").strip() in ("true", "1")
            self.names.has_offers |= self.path[1] == _OFFERS
        if self.path[1:3] == list(_GROUPS) and self.path[-1] == "Группа":
            self._open_groups.append("")

    def characters(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def end(self) -> None:
        name, children, text = self.path[-1], self._children.pop(), "".join(self._texts.pop()).strip()
        if self._children:
            self._children[-1].setdefault(name, text)
        in_groups = self.path[1:3] == list(_GROUPS)
        if in_groups and name == "Ид" and self.path[-2] == "Группа":
            self._open_groups[-1] = text
        elif in_groups and name == "Группа":
            self._open_groups.pop()
            parent = self._open_groups[-1] if self._open_groups else children.get("ИдРодителя", "")
            self.names.groups[children.get("Ид", "")] = (children.get("Наименование", ""), parent)
        elif name in ("Свойство", "СвойствоНоменклатуры"):
            self.names.properties[children.get("Ид", "")] = children.get("Наименование", "")
        elif name == "Справочник" and "ИдЗначения" in children:
            self.names.values[children["ИдЗначения"]] = children.get("Значение", "")
        elif name == "ТипЦены" and "Ид" in children:
            self.names.price_types[children["Ид"]] = (children.get("Наименование", ""), children.get("Валюта", ""))
        if len(self.names.groups) + len(self.names.properties) + len(self.names.values) > _MAX_NAMES:
            raise InvalidSource(file_facts.CLASSIFIER_TOO_LARGE(limit=_MAX_NAMES))

    @property
    def is_done(self) -> bool:
        """Whether the products or offers have begun: all names stand in front of them."""
        return self.path[1:3] in ([CATALOGUE, "Товары"], [_OFFERS, "Предложения"])


def _read_names(path: Path, encoding: str) -> _Names:
    parser = _NamesParser(encoding or None)
    try:
        XmlFile(path, encoding=encoding).feed(parser, until=lambda: parser.is_done)
    except FeedSyntaxError:
        # It is reported where the products are read.
        return parser.names
    return parser.names


def _files_of_offers(path: Path) -> list[Path]:
    """The files with offers, prices or stock beside a catalogue."""
    found = []
    for each in sorted(path.parent.glob("*.xml")):
        if each != path and each.is_file():
            with each.open("rb") as file:
                head = file.read(64 * 1024)
            if ROOT.encode() in head or ROOT.encode("cp1251") in head:
                names = _read_names(each, "")
                if names.has_offers and not names.has_catalogue:
                    found.append(each)
    return found


def _pairs(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The name and the value of elements that have nothing else: their text is a line each."""
    for text in texts:
        name, _, value = text.partition("\n")
        if name.strip() and value.strip():
            yield name.strip(), value.strip()


def _characteristics(item: Item) -> tuple[dict[str, str], str]:
    path = "ХарактеристикиТовара/ХарактеристикаТовара"
    names, values = item.texts(f"{path}/Наименование"), item.texts(f"{path}/Значение")
    if len(names) != len(values):
        return {}, row_facts.NAMES_WITHOUT_VALUES(field="ХарактеристикиТовара", names=len(names), values=len(values))
    return {name.lower(): value for name, value in zip(names, values, strict=True)}, ""


def _type_of_shoppers(types: Mapping[str, str]) -> str:
    """The type of prices that shoppers pay: one that says so, or else the first that is not for resellers; "" without types."""
    retail = (key for key, name in types.items() if _RETAIL.search(name))
    others = (key for key, name in types.items() if not _NOT_RETAIL.search(name))
    return next(retail, None) or next(others, None) or next(iter(types), "")


def _price(item: Item, chosen: str) -> tuple[str, str]:
    """The amount and the currency of the price of this type; of the first one, if the file names no types."""
    for text in item.texts("Цены/Цена"):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        types = item.texts("Цены/Цена/ИдТипаЦены")
        type_of_price = chosen or next(iter(types), "")
        if type_of_price in lines:
            # It is followed by the price of a unit, and this by its currency.
            price, currency, *_ = [*lines[lines.index(type_of_price) + 1 :], "", ""]
            return price, currency if currencies_of(currency) or currency in _NUMERIC_CODES else ""
    return ("", "") if chosen else (item.text("Цены/Цена/ЦенаЗаЕдиницу"), "")


def _stock(item: Item) -> str:
    for path in (*_IN_STOCK_NAMES, _STOCK_BY_STORE):
        numbers = [text for each in item.texts(path) if _NUMBER.fullmatch(text := each.replace(",", ".").strip())]
        if numbers:
            return str(sum(map(Decimal, numbers), Decimal(0)))
    return ""


def _main_offer(own: _Offer | None, variants: Sequence[_Offer]) -> _Offer | None:
    """The offer of a product with variants: its own price or the lowest of theirs, and the stock of all."""
    if not variants:
        return own
    every = [*([own] if own else []), *variants]
    priced = [(found, each) for each in every if (found := amount(each.price)) is not None]
    cheapest = own if own and own.price else min(priced, key=lambda pair: pair[0])[1] if priced else variants[0]
    stocks = [Decimal(each.stock) for each in every if each.stock]
    stock = str(sum(stocks, Decimal(0))) if stocks else ""
    return _Offer(key="", price=cheapest.price, currency=cheapest.currency, stock=stock)
