"""Checks of all pages on a screen: each page is opened once for all tests that use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from playwright.sync_api import Error, Page

from accounts.models import User
from tests.browser.pages import PAGES, Shop, Shown, opened

AXE = Path(settings.BASE_DIR) / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
# The accessible name of the admin's select box for a related row is the selected value, so an empty box has no name. Django's
# script (Select2) creates the box and has no setting for the name.
NOT_OURS = [".select2-container"]


@dataclass(frozen=True)
class Look:
    """The results of one page.

    Attributes:
        title: of the document.
        headings: number of first-level headings.
        width: in CSS pixels, of all that can be scrolled to.
        violations: of accessibility, serious and critical ones; empty where axe-core is not installed.
        trouble: why the page did not open whole, or what the browser complained of; empty where all was well.
    """

    title: str = ""
    headings: int = 0
    width: float = 0
    violations: list[str] = field(default_factory=list)
    trouble: str = ""


def look_at_all(page: Page, shop: Shop, sign_in: Callable[[User], None], complaints: list[str]) -> dict[str, Look]:
    """Open every page of the shop, and return the results by the page's name."""
    looks = {}
    for shown in sorted(PAGES, key=lambda one: one.signed_in):
        if shown.signed_in:
            sign_in(shop.owner)
        looks[shown.name] = _look_at(page, shop, shown, complaints)
    return looks


def _look_at(page: Page, shop: Shop, shown: Shown, complaints: list[str]) -> Look:
    try:
        with opened(page, shop, shown, complaints):
            return Look(
                title=page.title().strip(),
                headings=page.get_by_role("heading", level=1).count(),
                width=page.evaluate("document.documentElement.scrollWidth"),
                violations=grave_violations(page) if shown.ours and AXE.exists() else [],
            )
    except (AssertionError, Error) as error:
        return Look(trouble=str(error))


def grave_violations(page: Page) -> list[str]:
    """The serious and critical findings of axe-core in a page: rule, place and remedy."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("(exclude) => axe.run({ exclude }, { resultTypes: ['violations'] })", NOT_OURS)
    return [_described(rule, node) for rule in found["violations"] if rule["impact"] in GRAVE for node in rule["nodes"]]


def _described(rule: dict[str, Any], node: dict[str, Any]) -> str:
    target = " >>> ".join(" > ".join(part) if isinstance(part, list) else part for part in node["target"])
    return f"{rule['impact']} {rule['id']}: {target}\n    {node['html'][:200]}\n    {node['failureSummary']}"
