"""Prices in the smallest unit of their currency, several in a cell: `EUR 1990;DE-EUR 1890;EUR 1490 b2b` (commercetools)."""

from __future__ import annotations

import re
from decimal import Decimal

from product_files.values.currencies import precision

_PRICE = re.compile(
    r"(?:(?P<country>[A-Z]{2})-)?(?P<currency>[A-Z]{3}) (?P<amount>\d+)(?:\|(?P<reduced>\d+))?(?P<buyers>[ #$~].*)?",
    re.ASCII,
)
_NUMBER = re.compile(r"\d{1,20}", re.ASCII)


def first_price(text: str) -> dict[str, str]:
    """The price that everybody pays everywhere, or else the first one.

    Args:
        text: the prices: each may have a country in front of it, a reduced price behind `|`, and a group of customers, a channel
            or dates behind it. A number alone is in hundredths, whatever its currency (Sylius).

    Returns:
        The fields `price`, `list_price` and `currency`; only the price, as it stands, where it cannot be read.
    """
    found = [match for part in text.split(";") if (match := _PRICE.fullmatch(part.strip()))]
    for_all = (match for match in found if not match["country"] and not match["buyers"])
    chosen = next(for_all, found[0] if found else None)
    if chosen is None:
        return {"price": str(Decimal(text).scaleb(-2)) if _NUMBER.fullmatch(text) else text}
    unit = -precision(chosen["currency"])
    amounts = [str(Decimal(each).scaleb(unit)) for each in chosen.group("reduced", "amount") if each]
    return {"price": amounts[0], "list_price": "".join(amounts[1:]), "currency": chosen["currency"]}
