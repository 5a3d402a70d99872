"""What a visitor means to buy: ids and quantities in the session, and nothing else of the visitor."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.contrib.sessions.backends.base import SessionBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog.cards import ProductCard, product_cards
from catalog.selectors import visible_products

MOST_OF_ONE = 99
# So that nobody's session grows without end.
MOST_PRODUCTS = 50

_BASKET = "basket"
_ORDERED = "ordered"


class NotForSale(Exception):
    """This product cannot be bought."""


class BasketFull(Exception):
    """No more of this fits into a basket."""


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one product. total: None where it cannot be bought any more."""

    product: ProductCard
    quantity: int

    @property
    def total(self) -> Decimal | None:
        """What the line costs."""
        price = self.product.price
        return None if price is None or not self.product.available else price * self.quantity


@dataclass(frozen=True, slots=True)
class Basket:
    """Lines in the order in which they were added; totals by currency, of what can be bought."""

    lines: tuple[Line, ...]
    totals: dict[str, Decimal]


def for_sale(product: ProductCard) -> bool:
    """Whether it is in stock and has a price."""
    return product.available and product.price is not None


def count(session: SessionBase) -> int:
    """How many things are in the basket; asks no database but the session's own."""
    return sum(_quantities(session).values())


def contents(session: SessionBase) -> Basket:
    """The basket, in one query. A product that is no longer in the shop leaves it."""
    basket = _basket(_quantities(session))
    if len(basket.lines) < len(_quantities(session)):
        _store(session, _BASKET, {line.product.id: line.quantity for line in basket.lines})
    return basket


def add(session: SessionBase, product_id: int, quantity: int) -> ProductCard:
    """Put so many more of a product into the basket. Raises NotForSale, BasketFull."""
    product = next(iter(product_cards(visible_products().filter(pk=product_id))), None)
    if product is None:
        raise NotForSale(_("This product is no longer in the shop."))
    if not for_sale(product):
        raise NotForSale(_("“%(title)s” cannot be bought at the moment.") % {"title": product.title})
    quantities = _quantities(session)
    if product_id not in quantities and len(quantities) >= MOST_PRODUCTS:
        full = ngettext("A basket holds %d product.", "A basket holds %d different products.", MOST_PRODUCTS)
        raise BasketFull(full % MOST_PRODUCTS)
    _set(session, quantities, product_id, quantities.get(product_id, 0) + quantity)
    return product


def change(session: SessionBase, product_id: int, quantity: int) -> None:
    """Have so many of a product that is in the basket; 0 takes it out. Raises BasketFull."""
    quantities = _quantities(session)
    if product_id in quantities:
        _set(session, quantities, product_id, quantity)


def order(session: SessionBase) -> bool:
    """Take what can be bought out of the basket, as ordered. False where there is nothing of the kind."""
    bought = {line.product.id: line.quantity for line in contents(session).lines if line.total is not None}
    left = {product_id: n for product_id, n in _quantities(session).items() if product_id not in bought}
    if bought:
        _store(session, _BASKET, left)
        _store(session, _ORDERED, bought)
    return bool(bought)


def take_ordered(session: SessionBase) -> Basket:
    """What was ordered last, once: the demo shop keeps no orders."""
    return _basket(_load(session.pop(_ORDERED, {})))


def _basket(quantities: dict[int, int]) -> Basket:
    cards = (
        {card.id: card for card in product_cards(visible_products().filter(pk__in=quantities))} if quantities else {}
    )
    lines = tuple(Line(cards[product_id], n) for product_id, n in quantities.items() if product_id in cards)
    totals: dict[str, Decimal] = {}
    for line in lines:
        if line.total is not None:
            totals[line.product.currency] = totals.get(line.product.currency, Decimal(0)) + line.total
    return Basket(lines, totals)


def _set(session: SessionBase, quantities: dict[int, int], product_id: int, quantity: int) -> None:
    if quantity > MOST_OF_ONE:
        raise BasketFull(_("A basket holds at most %(most)d of one product.") % {"most": MOST_OF_ONE})
    wanted = (
        {**quantities, product_id: quantity} if quantity else {k: v for k, v in quantities.items() if k != product_id}
    )
    _store(session, _BASKET, wanted)


def _quantities(session: SessionBase) -> dict[int, int]:
    return _load(session.get(_BASKET, {}))


def _load(stored: dict[str, int]) -> dict[int, int]:
    return {int(product_id): quantity for product_id, quantity in stored.items()}


def _store(session: SessionBase, key: str, quantities: dict[int, int]) -> None:
    """A session is kept as JSON, where every key is a text."""
    session[key] = {str(product_id): quantity for product_id, quantity in quantities.items()}
