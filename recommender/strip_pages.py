"""Strips as HTML, for pages without JavaScript, mail and search engines; the widget takes such a strip over where it is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation

from catalog.money import money

_TEXTS = Path(__file__).parent / "static" / "recommender" / "widget" / "texts.json"
# For mail, whose readers know no style sheets; the widget has the same look in a strip that scrolls.
_MAIL_STYLES = {
    "list": "margin:0;padding:0;list-style:none",
    "item": "display:inline-block;vertical-align:top;width:160px;margin:0 12px 16px 0",
    "link": "color:inherit;text-decoration:none",
    "image": "display:block;width:160px;height:160px;object-fit:cover;border-radius:8px",
    "title": "display:block;margin-top:6px",
    "price": "font-weight:bold",
    "out-of-stock": "display:block;font-size:13px",
}


@cache
def texts() -> dict[str, dict[str, str]]:
    """The strip's own texts, which the widget has, too.

    Returns:
        The texts by language, then by name.
    """
    found: dict[str, dict[str, str]] = json.loads(_TEXTS.read_text())
    return found


def strip_page(answer: Mapping[str, Any], *, heading: str, language: str, for_mail: bool) -> str:
    """The strip of an answer.

    Args:
        answer: the JSON object of the API, with absolute addresses.
        heading: above the strip; "" for none.
        language: one of `texts`; prices are written as it writes them.
        for_mail: with styles in the elements, and without the data from which the widget takes over.

    Returns:
        HTML; "" if there are no results.
    """
    if not answer["results"]:
        return ""
    with translation.override(language):
        items = [_item(result["product"]) for result in answer["results"]]
    context = {
        "answer": None if for_mail else answer,
        "heading": heading,
        "items": items,
        "language": language,
        "out_of_stock": texts()[language]["out-of-stock"],
        "styles": _MAIL_STYLES if for_mail else {},
    }
    return render_to_string("recommender/strip.html", context)


def _item(product: Mapping[str, Any]) -> dict[str, Any]:
    price, list_price = product["price"], product["list_price"]
    is_reduced = price is not None and list_price is not None and Decimal(list_price) > Decimal(price)
    thumbnails: Mapping[str, str] = product["thumbnails"]
    return {
        **product,
        "price": "" if price is None else money(Decimal(price), product["currency"]),
        "list_price": money(Decimal(list_price), product["currency"]) if is_reduced else "",
        "srcset": ", ".join(f"{url} {side}w" for side, url in thumbnails.items()),
        "image": next(iter(thumbnails.values()), product["image"]),
    }
