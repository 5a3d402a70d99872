"""System checks: the addresses in answers are right, and names of settings are spelt right."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage

from lookalike import environment


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


def check_names(**_: Any) -> list[CheckMessage]:
    """A name of the `.env` file that is nearly that of a variable is a mistake: it sets nothing."""
    return [
        checks.Warning(
            f"{name} in the .env file is no setting of Lookalike, and sets nothing.",
            hint=f"If it is to be {near}, rename it.",
            id="lookalike.W002",
        )
        for name, near in environment.misspelt()
    ]


def register_checks() -> None:
    """Register them; called once, when the apps are loaded."""
    checks.register(check_addresses)
    checks.register(check_names)
