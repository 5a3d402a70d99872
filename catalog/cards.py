"""Product cards: what a list of products shows. Each field is declared once, for both readers, the JSON and the OpenAPI schema.

`product_cards` reads the cards of a queryset. `visible_cards` reads those of some ids with a statement that the ORM compiled once:
on the path of every recommendation, building the query takes longer than running it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

from django.db import connection
from django.db.models import Aggregate, F, OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Coalesce

from catalog.kept import Kept
from catalog.models import Product, ProductImage
from catalog.statements import fetched, marks
from jobs.process import process


@dataclass(frozen=True, slots=True)
class CardColumn:
    """One field of a card.

    Attributes:
        name: of the field of ProductCard and of the member in JSON.
        value_type: the annotation of the field, e.g. `Decimal | None`.
        expression: what is selected, from Product.
        convert: what makes the field's value of the database's; None where it is the same.
        public: whether the API shows it as it is.
        help: for the API's documentation.
    """

    name: str
    value_type: Any
    expression: Any
    convert: Callable[[Any], Any] | None
    public: bool
    help: str


@dataclass(frozen=True)
class _Column:
    """What the annotation of a field says, see CardColumn; without an expression, that is the field of this name."""

    expression: Any = None
    _: KW_ONLY
    convert: Callable[[Any], Any] | None = None
    public: bool = True
    help: str = ""


@lru_cache(maxsize=4096, typed=True)
def _price(value: Any) -> Decimal | None:
    """SQLite has no decimals: its driver gives a float or an int. Equal prices are one object, as many cards are kept."""
    return value if value is None or isinstance(value, Decimal) else Decimal(f"{value:.3f}")


def _text(value: str | None) -> str:
    return value or ""


def _name(value: str | None) -> str:
    """The name of something that many products share: one object for all of them."""
    return sys.intern(value or "")


def _lines(value: str | None) -> tuple[str, ...]:
    return tuple(value.split("\n")) if value else ()


class _JoinedLines(Aggregate):
    """Texts, one a line. Without parameters, which `_select_visible` could not take."""

    output_field = TextField()

    def as_sqlite(self, *args: Any, **options: Any) -> Any:
        return super().as_sql(*args, template="GROUP_CONCAT(%(expressions)s, CHAR(10))", **options)

    def as_postgresql(self, *args: Any, **options: Any) -> Any:
        return super().as_sql(*args, template="STRING_AGG(%(expressions)s, CHR(10))", **options)


_OTHER_CATEGORIES = (
    Product.other_categories.through.objects.filter(product=OuterRef("pk"))
    .order_by()
    .values("product")
    .values_list(_JoinedLines("category__path"))
)
_FIRST_IMAGE = ProductImage.objects.filter(product=OuterRef("pk")).order_by("position", "id").values("file")[:1]


class ProductCard(NamedTuple):
    """What a list of products shows.

    Attributes:
        category: slug path, or "".
        other_categories: slug paths, in no order.
        list_price: the price before a reduction; None without one.
        image: path of the first photo in the media storage, or "".
        family: id of the main product of a variant, else the product's own.
    """

    id: Annotated[int, _Column()]
    sku: Annotated[str, _Column()]
    slug: Annotated[str, _Column(public=False)]
    title: Annotated[str, _Column()]
    category: Annotated[
        str, _Column(F("category__path"), convert=_name, help='Slug path of its category, "" without one.')
    ]
    other_categories: Annotated[
        tuple[str, ...],
        _Column(
            Subquery(_OTHER_CATEGORIES), convert=_lines, help="Slug paths of the other categories that it is found in."
        ),
    ]
    brand: Annotated[str, _Column(convert=_name)]
    price: Annotated[Decimal | None, _Column(convert=_price)]
    list_price: Annotated[
        Decimal | None, _Column(convert=_price, help="The price before a reduction; null without one.")
    ]
    currency: Annotated[str, _Column(convert=_name, help="ISO 4217.")]
    available: Annotated[bool, _Column(convert=bool)]
    image: Annotated[str, _Column(Subquery(_FIRST_IMAGE), convert=_text, public=False)]
    family: Annotated[int, _Column(Coalesce("variant_of", "id"), public=False)]


def _columns() -> tuple[CardColumn, ...]:
    columns = []
    for name, annotation in get_type_hints(ProductCard, include_extras=True).items():
        value_type, column = get_args(annotation)
        columns.append(
            CardColumn(name, value_type, column.expression or F(name), column.convert, column.public, column.help)
        )
    return tuple(columns)


COLUMNS = _columns()
_CONVERSIONS = tuple((position, column.convert) for position, column in enumerate(COLUMNS) if column.convert)


def product_cards(products: QuerySet[Product]) -> list[ProductCard]:
    """Read cards in one query.

    Args:
        products: which ones, in their order.

    Returns:
        One card for each product.
    """
    return [_card(row) for row in _selected(products)]


class _KeptCards(Kept[int, ProductCard]):
    """Cards by product id, in some 70 MB."""

    most = 100_000


def visible_cards(product_ids: Collection[int], stamp: int | None = None) -> dict[int, ProductCard]:
    """Read the cards of products by id, without building a query.

    Args:
        product_ids: any ids; unknown ones and those of products that may not be shown are passed over.
        stamp: of the catalogue, read before; cards that were read since are not read again. None: all are read.

    Returns:
        Cards by product id.
    """
    return process.get(_KeptCards).get_each(stamp, product_ids, _read_visible)


def _read_visible(product_ids: Sequence[int]) -> dict[int, ProductCard]:
    if not product_ids:
        return {}
    return {card.id: card for card in map(_card, _rows([*product_ids]))}


def _card(row: Sequence[Any]) -> ProductCard:
    values = list(row)
    for position, convert in _CONVERSIONS:
        values[position] = convert(values[position])
    return ProductCard._make(values)


def _selected(products: QuerySet[Product]) -> QuerySet[Product, tuple[Any, ...]]:
    """The columns of these products. Aliases of their own: an annotation must not have the name of a field of the model."""
    expressions = {f"card_{column.name}": column.expression for column in COLUMNS}
    return products.annotate(**expressions).values_list(*expressions)


def _rows(product_ids: list[int]) -> list[Any]:
    found = fetched(_statement(len(product_ids)), product_ids)
    return json.loads(found[0][0]) if connection.vendor == "sqlite" else found


@lru_cache(maxsize=128)
def _statement(number: int) -> str:
    """The statement that reads so many visible products."""
    select = f"{_select_visible()} {marks(number)}"
    if connection.vendor != "sqlite":
        return select
    # SQLite's driver releases the interpreter for every row, and on a busy server waits to get it back each time: fetch one.
    names = ", ".join(column.name for column in COLUMNS)
    return f"WITH card ({names}) AS ({select}) SELECT json_group_array(json_array({names})) FROM card"


@cache
def _select_visible() -> str:
    """The statement that reads visible products, up to the list of ids that has to follow."""
    sql, params = _selected(Product.objects.visible().order_by()).query.sql_with_params()
    if params:
        raise TypeError(f"the columns of a card must not have parameters, as they have in {sql}")
    key = ".".join(map(connection.ops.quote_name, (Product._meta.db_table, "id")))
    return f"{sql} AND {key} IN"
