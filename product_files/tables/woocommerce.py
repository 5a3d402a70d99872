"""WooCommerce's own product export as CSV, with its columns in English or as WooCommerce translates them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row, RowRejected
from product_files.tables.csv_file import CsvTable, TableRow
from product_files.tables.shop_rows import (
    ShopExport,
    ShopProduct,
    ShopRows,
    SkusOfFile,
    amount,
    lasts,
    machine_price,
    split_escaped,
    with_list_price,
)
from product_files.temporary_database import TemporaryDatabase, text_key
from product_files.values.cell_lists import deepest_first
from product_files.values.html_text import html_to_text

# Names of the columns: English, then German, French, Spanish, Italian, Dutch, Polish, Portuguese (Brazil, Portugal) and
# Russian, of WooCommerce's language packs.
_COLUMNS = {
    "id": ("ID",),
    "type": ("Type", "Typ", "Tipo", "Тип"),
    "sku": ("SKU", "Artikelnummer", "UGS", "COD", "REF", "Артикул"),
    "gtin": ("GTIN, UPC, EAN, or ISBN", "GTIN, UPC, EAN oder ISBN"),
    "name": ("Name", "Nom", "Nombre", "Nome", "Naam", "Nazwa", "Имя"),
    "published": (
        "Published",
        "Veröffentlicht",
        "Publié",
        "Publicado",
        "Pubblicato",
        "Gepubliceerd",
        "Opublikowano",
        "Опубликован",
    ),
    "visibility": (
        "Visibility in catalog",
        "Sichtbarkeit im Katalog",
        "Visibilité dans le catalogue",
        "Visibilidad en el catálogo",
        "Visibilità nel catalogo",
        "Zichtbaarheid in catalogus",
        "Widoczność w katalogu",
        "Visibilidade no catálogo",
        "Видимость в каталоге",
    ),
    "short_description": (
        "Short description",
        "Kurzbeschreibung",
        "Description courte",
        "Descripción corta",
        "Breve descrizione",
        "Korte omschrijving",
        "Krótki opis",
        "Descrição curta",
        "Descrição breve",
        "Короткое описание",
    ),
    "description": (
        "Description",
        "Beschreibung",
        "Descripción",
        "Descrizione",
        "Beschrijving",
        "Opis",
        "Descrição",
        "Описание",
    ),
    "sale_starts": (
        "Date sale price starts",
        "Datum, an dem Angebotspreis beginnt",
        "Date de début de promo",
        "Día en que empieza el precio rebajado",
        "Data di partenza del prezzo in saldo",
        "Startdatum actieprijs",
        "Data rozpoczęcia promocji",
        "Data de preço promocional começa em",
        "Data de início do preço promocional",
        "Дата начала действия скидки",
    ),
    "sale_ends": (
        "Date sale price ends",
        "Datum, an dem Angebotspreis endet",
        "Date de fin de promo",
        "Día en que termina el precio rebajado",
        "Data in cui termina l'offerta",
        "Einddatum actieprijs",
        "Data zakończenia promocji",
        "Data de preço promocional termina em",
        "Data de término do preço promocional",
        "Дата окончания действия скидки",
    ),
    "in_stock": (
        "In stock?",
        "Vorrätig?",
        "En stock ?",
        "¿Existencias?",
        "Op voorraad?",
        "W magazynie?",
        "Em estoque?",
        "Em stock?",
        "В наличии?",
    ),
    "stock": (
        "Stock",
        "Lager",
        "Bestand",
        "Inventario",
        "Magazzino",
        "Voorraad",
        "Stan magazynowy",
        "Estoque",
        "Запасы",
    ),
    "backorders": (
        "Backorders allowed?",
        "Lieferrückstande erlaubt?",
        "Rückstände erlaubt?",
        "Autoriser les commandes de produits en rupture ?",
        "¿Permitir reservas de productos agotados?",
        "Abilita gli ordini arretrati?",
        "Nabestellingen toestaan?",
        "Pozwalać na zamówienia oczekujące (na dostawę do magazynu)?",
        "São permitidas encomendas?",
        "Permitir encomendas pendentes?",
        "Возможен ли предзаказ?",
    ),
    "sale_price": (
        "Sale price",
        "Angebotspreis",
        "Tarif promo",
        "Precio rebajado",
        "Prezzo in offerta",
        "Actieprijs",
        "Cena promocyjna",
        "Preço promocional",
        "Цена распродажи",
        "Акционная цена",
    ),
    "regular_price": (
        "Regular price",
        "Regulärer Preis",
        "Tarif régulier",
        "Precio normal",
        "Prezzo di listino",
        "Reguliere prijs",
        "Cena",
        "Preço",
        "Preço normal",
        "Базовая цена",
    ),
    "categories": (
        "Categories",
        "Kategorien",
        "Catégories",
        "Categorías",
        "Categorie",
        "Categorieën",
        "Kategorie",
        "Categorias",
        "Категории",
    ),
    "tags": ("Tags", "Schlagwörter", "Étiquettes", "Etiquetas", "Tag", "Tagi", "Метки"),
    "brands": ("Brands",),
    "images": (
        "Images",
        "Bilder",
        "Imágenes",
        "Immagine",
        "Immagini",
        "Afbeeldingen",
        "Obrazki",
        "Imagens",
        "Изображения",
    ),
    "parent": (
        "Parent",
        "Übergeordnetes Produkt",
        "Superior",
        "Genitore",
        "Hoofd",
        "Element nadrzędny",
        "Ascendente",
        "Pai",
        "Родительский",
    ),
}
_ATTRIBUTE_NAMES = (
    "Attribute {} name",
    "Attribut {} Name",
    "Nom de l'attribut {}",
    "Nombre del atributo {}",
    "Attributo {} nome",
    "Naam eigenschap {}",
    "Nazwa atrybutu {}",
    "Nome do atributo {}",
    "Atributo {} nome",
    "Имя атрибута {}",
    "Название атрибута {}",
)
_ATTRIBUTE_VALUES = (
    "Attribute {} value(s)",
    "Attribut {} Wert(e)",
    "Valeur(s) de l'attribut {}",
    "Valor(es) del atributo {}",
    "Attributo {} valuta(e)",
    "Waarde eigenschap {}",
    "Wartości atrybutu {}",
    "Valores do atributo {}",
    "Atributo {} valor(es)",
    "Значение(-я) атрибута(-ов) {}",
    "Значения атрибутов {}",
)
# A table is such an export if it has these, and one of the others.
_REQUIRED = frozenset(("name", "regular_price"))
_IDENTIFYING = frozenset(("type", "published", "in_stock", "visibility", "sale_price", "parent"))
_IDENTIFYING_AT_LEAST = 3

_PUBLISHED = {"": "yes", "1": "yes", "0": "no", "-1": "no", "2": "no"}
_ACTIVE_CONTENT = ("'=", "'+", "'-", "'@", "'\t", "'\r")
_LEVEL_MARK = ">"
_ID_PREFIX = "id:"
_DECIMAL_COMMA = re.compile(r"(\d+),(\d+)", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?", re.ASCII)


class WooCommerceExport(ShopExport[ShopRows]):
    """A row per product and per variation; the variations of a product are its family.

    The file is read twice: a variation takes from its parent what it lacks, and the parent may come behind it.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos that are not links.
        now: time that decides whether a sale is on; by default the current time.

    Attributes:
        headers: columns of the export.
        total: approximate number of rows.

    Raises:
        InvalidSource: the file is not such an export.
    """

    format = "woocommerce"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._decimal = mapping.decimal
        self._table = CsvTable(path, mapping)
        self.headers = headers = self._table.headers
        if not self.matches(headers):
            raise InvalidSource(
                file_facts.NOT_AN_EXPORT(
                    missing="Type, Name, Published, Regular price", system="WooCommerce", columns=", ".join(headers)
                )
            )
        self._names = _column_names(headers)
        self._attributes = _attribute_columns(headers)
        self._rows = ShopRows(mapping, headers, photos=photos, system="WooCommerce")
        self.total = self._table.total

    @staticmethod
    def matches(headers: Sequence[str]) -> bool:
        """Whether a table with these columns is such an export."""
        found = _column_names(headers).keys()
        return found >= _REQUIRED and len(found & _IDENTIFYING) >= _IDENTIFYING_AT_LEAST

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the export as a whole."""
        return [*super().notes, *self._table.notes]

    def __iter__(self) -> Iterator[Row]:
        with closing(_Parents()) as parents, closing(SkusOfFile()) as skus:
            for line in self._table:
                if not line.error:
                    self._remember(line, parents)
            for line in self._table:
                if line.error:
                    yield Row(line.line, "", error=line.error, cells=line.cells)
                else:
                    yield self._row(line, parents, skus)

    def _remember(self, line: TableRow, parents: _Parents) -> None:
        """Keep what variations take from their parent, and the lowest price of a parent's variations."""
        types = self._types(line)
        if "variable" in types:
            parents.add(self._references(line), self._parent(line))
        elif "variation" in types:
            try:
                price, _ = self._prices(line)
            except RowRejected:
                return
            if (value := amount(price, self._decimal)) is not None and self._cell(line, "published") in ("", "1"):
                parents.add_price(self._cell(line, "parent"), value, price)

    def _row(self, line: TableRow, parents: _Parents, skus: SkusOfFile) -> Row:
        warnings: list[str] = []
        is_variation = "variation" in self._types(line)
        reference = self._cell(line, "parent") if is_variation else ""
        parent = parents.get(reference) if reference else None
        own = self._parent(line)
        try:
            price, list_price = self._prices(line)
        except RowRejected as error:
            warnings.append(row_facts.SALE_LEFT_OUT(reason=str(error)))
            price, list_price = self._price(line, "regular_price"), ""
        if not price and "variable" in self._types(line):
            price = next((low for name in self._references(line) if (low := parents.lowest_price(name))), "")
        own_id = f"{_ID_PREFIX}{self._cell(line, 'id') or line.line}"
        sku, warning = skus.claim(own.sku, own_id, own_id)
        if warning and self._rows.derives("sku"):
            warnings.append(warning)
        source = parent or _Parent()
        categories = deepest_first(own.categories or source.categories)
        record: dict[str, str | Sequence[str]] = {
            **line.values,
            **self._known("price", price, "regular_price"),
            **self._known("list_price", list_price, "regular_price"),
            **self._known("description", own.description or source.description, "description", "short_description"),
            **self._known("category", categories[0] if categories else (), "categories"),
            **self._known("tags", own.tags or source.tags, "tags"),
            **self._known("brand", own.brand or source.brand, "brands"),
            **self._known("image", own.images or source.images, "images"),
            **self._known("available", _yes(self._is_available(own, parent)), "in_stock", "stock"),
            **self._known("active", self._active(own, parent), "published", "visibility"),
            "sku": sku,
            "title": self._cell(line, "name") or source.name,
        }
        if is_variation:
            record["family"] = parent.family if parent else reference
        elif "variable" in self._types(line):
            record["family"] = sku
        else:
            record["family"] = ""
        return self._rows.build(
            ShopProduct(
                line=line.line,
                record=record,
                attributes=self._attributes_of(line),
                other_categories=categories[1:],
                warnings=tuple(warnings),
                cells=line.cells,
            )
        )

    def _parent(self, line: TableRow) -> _Parent:
        """What a row says itself."""
        brands = split_escaped(self._cell(line, "brands"), ",")
        sku = self._cell(line, "sku")
        return _Parent(
            sku=sku,
            family=sku or f"{_ID_PREFIX}{self._cell(line, 'id')}",
            name=self._cell(line, "name"),
            categories=[_levels(path) for path in split_escaped(self._cell(line, "categories"), ",")],
            brand=_levels(brands[0])[-1] if brands else "",
            tags=split_escaped(self._cell(line, "tags"), ","),
            description=_text(self._cell(line, "description")) or _text(self._cell(line, "short_description")),
            images=split_escaped(self._cell(line, "images"), ","),
            in_stock=self._cell(line, "in_stock"),
            stock=self._cell(line, "stock"),
            backorders=self._cell(line, "backorders"),
            active=self._is_active(line),
        )

    def _references(self, line: TableRow) -> list[str]:
        """How variations name this product as their parent."""
        names = [self._cell(line, "sku"), f"{_ID_PREFIX}{self._cell(line, 'id')}"]
        return [name for name in names if name and name != _ID_PREFIX]

    def _prices(self, line: TableRow) -> tuple[str, str]:
        """The price that a buyer pays now, and the one before the reduction, or ""."""
        regular, sale = self._price(line, "regular_price"), self._price(line, "sale_price")
        if not sale or not lasts(self._cell(line, "sale_starts"), self._cell(line, "sale_ends"), self._now):
            return regular, ""
        return with_list_price(sale, regular, self._decimal)

    def _price(self, line: TableRow, name: str) -> str:
        """WooCommerce writes prices with the shop's decimal separator, and without groups of thousands."""
        text = self._cell(line, name)
        if self._decimal:
            return text
        return machine_price(_DECIMAL_COMMA.sub(r"\1.\2", text) if _DECIMAL_COMMA.fullmatch(text) else text)

    def _is_available(self, own: _Parent, parent: _Parent | None) -> bool:
        """Whether a product can be bought: by its stock status, unless its stock is used up."""
        stocked = parent if parent is not None and own.stock.lower() == "parent" else own
        status = (own.in_stock or stocked.in_stock).lower()
        if status in ("backorder", "onbackorder"):
            return True
        if status in ("0", "no", "outofstock"):
            return False
        is_used_up = bool(_NUMBER.fullmatch(stocked.stock)) and Decimal(stocked.stock.replace(",", ".")) <= 0
        return not is_used_up or stocked.backorders.lower() not in ("", "0", "no")

    def _active(self, own: _Parent, parent: _Parent | None) -> str:
        return "no" if parent is not None and parent.active == "no" else own.active

    def _is_active(self, line: TableRow) -> str:
        """As a text: the row builder rejects what is neither yes nor no."""
        published = self._cell(line, "published")
        return "no" if self._cell(line, "visibility").lower() == "hidden" else _PUBLISHED.get(published, published)

    def _attributes_of(self, line: TableRow) -> dict[str, str]:
        found = {}
        for name_column, value_column in self._attributes:
            name = _unescape(line.values.get(name_column, ""))
            values = split_escaped(_unescape(line.values.get(value_column, "")), ",")
            if name and values:
                found[name.lower()] = ", ".join(values)
        if gtin := self._cell(line, "gtin"):
            found["gtin"] = gtin
        return found

    def _types(self, line: TableRow) -> list[str]:
        return [part.strip().lower() for part in self._cell(line, "type").split(",")]

    def _known(self, name: str, value: str | Sequence[str], *columns: str) -> dict[str, str | Sequence[str]]:
        """The value of a field, if the export has one of its columns."""
        return {name: value} if any(column in self._names for column in columns) else {}

    def _cell(self, line: TableRow, name: str) -> str:
        return _unescape(line.values.get(self._names.get(name, ""), ""))


@dataclass(frozen=True, slots=True)
class _Parent:
    """What a row says, as far as variations take it from their parent."""

    sku: str = ""
    family: str = ""
    name: str = ""
    categories: list[list[str]] = field(default_factory=list)
    brand: str = ""
    tags: list[str] = field(default_factory=list)
    description: str = ""
    images: list[str] = field(default_factory=list)
    in_stock: str = ""
    stock: str = ""
    backorders: str = ""
    active: str = "yes"


class _Parents:
    """The products with variations of a file, and the lowest price of these, on the disk."""

    def __init__(self) -> None:
        self._parents = TemporaryDatabase(
            "CREATE TABLE parent (name BLOB PRIMARY KEY, content TEXT) WITHOUT ROWID",
            contents="products with variations",
        )
        self._prices = TemporaryDatabase(
            "CREATE TABLE price (name BLOB PRIMARY KEY, amount REAL, price TEXT) WITHOUT ROWID",
            contents="prices of variations",
        )

    def add(self, names: Sequence[str], parent: _Parent) -> None:
        content = json.dumps(asdict(parent))
        self._parents.write("INSERT OR IGNORE INTO parent VALUES (?, ?)", [(text_key(name), content) for name in names])

    def get(self, name: str) -> _Parent | None:
        found = self._parents.first("SELECT content FROM parent WHERE name = ?", text_key(name))
        return _Parent(**json.loads(str(found[0]))) if found else None

    def add_price(self, parent: str, amount: Decimal, price: str) -> None:
        self._prices.write(
            "INSERT INTO price VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET amount = excluded.amount, price = excluded.price"
            " WHERE excluded.amount < price.amount",
            [(text_key(parent), float(amount), price)],
        )

    def lowest_price(self, parent: str) -> str:
        found = self._prices.first("SELECT price FROM price WHERE name = ?", text_key(parent))
        return str(found[0]) if found else ""

    def close(self) -> None:
        self._parents.close()
        self._prices.close()


def _key(header: str) -> str:
    """A column name without regard to case, accents, kinds of spaces and of apostrophes."""
    text = unicodedata.normalize("NFKD", header.replace("\u2019", "'")).casefold()
    text = "".join(character for character in text if not unicodedata.combining(character))
    return " ".join(text.split()).replace(" ?", "?")


_NAMES = {_key(alias): name for name, aliases in _COLUMNS.items() for alias in aliases}


def _column_names(headers: Sequence[str]) -> dict[str, str]:
    """The columns of an export by what they hold."""
    found: dict[str, str] = {}
    for header in headers:
        if name := _NAMES.get(_key(header)):
            found.setdefault(name, header)
    return found


def _attribute_columns(headers: Sequence[str]) -> list[tuple[str, str]]:
    """The columns of the name and of the values of each attribute."""
    by_key = {_key(header): header for header in headers}
    found = []
    for number in range(1, len(headers) // 2 + 1):
        pairs = zip(_ATTRIBUTE_NAMES, _ATTRIBUTE_VALUES, strict=True)
        keys = ((_key(name.format(number)), _key(value.format(number))) for name, value in pairs)
        found += [(by_key[name], by_key[value]) for name, value in keys if name in by_key and value in by_key]
    return found


def _unescape(cell: str) -> str:
    """A cell without the apostrophe that keeps spreadsheets from executing it."""
    return cell[1:].strip() if cell.startswith(_ACTIVE_CONTENT) else cell.strip()


def _text(description: str) -> str:
    r"""A description, in which the export writes a line end as \n and a backslash before an n as \\n."""
    parts = description.split("\\\\n")
    return html_to_text("\\n".join(part.replace("\\n", "\n") for part in parts))


def _levels(path: str) -> list[str]:
    return [name.strip() for name in path.split(_LEVEL_MARK) if name.strip()]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
