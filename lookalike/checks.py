"""System checks: the addresses in answers are right."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage


def check_addresses(**_: Any) -> list[CheckMessage]:
    """A recommender that runs apart has no pages of products itself: somebody has to say where they are."""
    if settings.SERVICE != "recommender" or settings.PUBLIC_URL or settings.PRODUCT_URL:
        return []
    return [
        checks.Warning(
            "Neither PUBLIC_URL nor PRODUCT_URL is set, so recommended products link to the storefront's pages at whatever"
            " host a request names.",
            hint="Set PUBLIC_URL to the address of the proxy, e.g. https://shop.example, or PRODUCT_URL to the shop's own pages,"
            " e.g. https://shop.example/p/{sku}.",
            id="lookalike.W001",
        )
    ]


def register_checks() -> None:
    """Register them; called once, when the apps are loaded."""
    checks.register(check_addresses)
