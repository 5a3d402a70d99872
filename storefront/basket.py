"""The basket: product ids and quantities in the session. Nothing else is stored about the visitor."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.contrib.sessions.backends.base import SessionBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog.cards import ProductCard, product_cards
from catalog.selectors import visible_products

MAX_QUANTITY = 99
# Bounds the size of a session.
MAX_PRODUCTS = 50

_BASKET = "basket"
_ORDERED = "ordered"


class ProductNotAvailable(Exception):
    """This product cannot be bought."""


class BasketFull(Exception):
    """The basket cannot hold more products, or more of this product."""


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A product and its quantity."""

    product: ProductCard
    quantity: int

    @property
    def total(self) -> Decimal | None:
        """Price of the line; None if the product cannot be bought any more."""
        price = self.product.price
        return None if price is None or not self.product.available else price * self.quantity


@dataclass(frozen=True, slots=True)
class Basket:
    """The contents of a basket.

    Attributes:
        lines: in the order in which they were added.
        totals: by currency, of the lines that can be bought.
    """

    lines: tuple[BasketLine, ...]
    totals: dict[str, Decimal]


def is_purchasable(product: ProductCard) -> bool:
    """Whether the product is in stock and has a price."""
    return product.available and product.price is not None


def item_count(session: SessionBase) -> int:
    """Sum of the quantities in the basket. Reads the session only."""
    return sum(_quantities(session).values())


def get_basket(session: SessionBase) -> Basket:
    """The basket, in one query. Products that are no longer visible are removed from it."""
    basket = _basket(_quantities(session))
    if len(basket.lines) < len(_quantities(session)):
        _store(session, _BASKET, {line.product.id: line.quantity for line in basket.lines})
    return basket


def add(session: SessionBase, product_id: int, quantity: int) -> ProductCard:
    """Add a product to the basket, or increase its quantity.

    Args:
        session: of the visitor.
        product_id: any id.
        quantity: to add, from 1.

    Returns:
        The product.

    Raises:
        ProductNotAvailable: the product does not exist, is not visible or cannot be bought.
        BasketFull: the basket has `MAX_PRODUCTS` other products, or the quantity would exceed `MAX_QUANTITY`.
    """
    product = next(iter(product_cards(visible_products().filter(pk=product_id))), None)
    if product is None:
        raise ProductNotAvailable(_("This product is no longer in the shop."))
    if not is_purchasable(product):
        raise ProductNotAvailable(_("“%(title)s” is currently not available.") % {"title": product.title})
    quantities = _quantities(session)
    if product_id not in quantities and len(quantities) >= MAX_PRODUCTS:
        full = ngettext("A basket holds %d product.", "A basket holds %d different products.", MAX_PRODUCTS)
        raise BasketFull(full % MAX_PRODUCTS)
    _set_quantity(session, quantities, product_id, quantities.get(product_id, 0) + quantity)
    return product


def set_quantity(session: SessionBase, product_id: int, quantity: int) -> None:
    """Set the quantity of a product in the basket. Does nothing if the product is not in it.

    Args:
        session: of the visitor.
        product_id: any id.
        quantity: 0 removes the product.

    Raises:
        BasketFull: the quantity exceeds `MAX_QUANTITY`.
    """
    quantities = _quantities(session)
    if product_id in quantities:
        _set_quantity(session, quantities, product_id, quantity)


def place_order(session: SessionBase) -> bool:
    """Move the lines that can be bought from the basket to the order.

    Args:
        session: of the visitor.

    Returns:
        Whether there were any.
    """
    bought = {line.product.id: line.quantity for line in get_basket(session).lines if line.total is not None}
    remaining = {product_id: n for product_id, n in _quantities(session).items() if product_id not in bought}
    if bought:
        _store(session, _BASKET, remaining)
        _store(session, _ORDERED, bought)
    return bool(bought)


def pop_order(session: SessionBase) -> Basket:
    """The last order, removed from the session: the demo shop stores no orders."""
    return _basket(_load(session.pop(_ORDERED, {})))


def _basket(quantities: dict[int, int]) -> Basket:
    cards = (
        {card.id: card for card in product_cards(visible_products().filter(pk__in=quantities))} if quantities else {}
    )
    lines = tuple(BasketLine(cards[product_id], n) for product_id, n in quantities.items() if product_id in cards)
    totals: dict[str, Decimal] = {}
    for line in lines:
        if line.total is not None:
            totals[line.product.currency] = totals.get(line.product.currency, Decimal(0)) + line.total
    return Basket(lines, totals)


def _set_quantity(session: SessionBase, quantities: dict[int, int], product_id: int, quantity: int) -> None:
    if quantity > MAX_QUANTITY:
        raise BasketFull(_("The maximum quantity per product is %(max)d.") % {"max": MAX_QUANTITY})
    changed = {**quantities, product_id: quantity}
    _store(session, _BASKET, {key: n for key, n in changed.items() if n})


def _quantities(session: SessionBase) -> dict[int, int]:
    return _load(session.get(_BASKET, {}))


def _load(stored: dict[str, int]) -> dict[int, int]:
    return {int(product_id): quantity for product_id, quantity in stored.items()}


def _store(session: SessionBase, key: str, quantities: dict[int, int]) -> None:
    """Sessions are stored as JSON, whose keys are strings."""
    session[key] = {str(product_id): quantity for product_id, quantity in quantities.items()}
