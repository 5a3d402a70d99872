"""Nobody is shut out: axe-core finds nothing serious or critical on any page, in any look.

axe-core comes from package.json; where it is not installed, these tests are skipped and say so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from accounts.models import User
from catalog.models import Product
from tests.browser.conftest import SCREENS, Screen
from tests.browser.pages import PAGES, furnish, opened
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)

AXE = Path(settings.BASE_DIR) / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
# The admin's box for choosing a related row is named by what is chosen in it, so that an empty one has no name: Django's own
# script (Select2) makes it, and leaves nothing to set.
NOT_OURS = [".select2-container"]

Violations = Callable[[Page], list[str]]


@pytest.fixture(scope="module")
def violations() -> Violations:
    """What axe-core finds in a page that is grave: rule, place, and what to do about it."""
    if not AXE.exists():
        pytest.skip(
            "axe-core is not installed (npm ci, which `make test` runs where there is npm): nothing to judge with"
        )
    script = AXE.read_text()

    def find(page: Page) -> list[str]:
        page.evaluate(script)
        found = page.evaluate("(exclude) => axe.run({ exclude }, { resultTypes: ['violations'] })", NOT_OURS)
        return [_told(rule, node) for rule in found["violations"] if rule["impact"] in GRAVE for node in rule["nodes"]]

    return find


def _told(rule: dict[str, Any], node: dict[str, Any]) -> str:
    target = " >>> ".join(" > ".join(part) if isinstance(part, list) else part for part in node["target"])
    return f"{rule['impact']} {rule['id']}: {target}\n    {node['html'][:200]}\n    {node['failureSummary']}"


@pytest.mark.parametrize("screen", SCREENS, ids=str)
def test_no_page_has_a_grave_violation(
    page: Page,
    screen: Screen,
    shop_url: str,
    index_photos: Callable[[], object],
    sign_in: Callable[[User], None],
    complaints: list[str],
    violations: Violations,
    subtests: pytest.Subtests,
) -> None:
    shop = furnish(shop_url, index_photos)
    for shown in [one for one in PAGES if one.ours]:
        if shown.signed_in:
            sign_in(shop.owner)
        with subtests.test(str(shown)), opened(page, shop, shown, complaints):
            found = violations(page)
            assert not found, "\n".join(found)


@pytest.mark.parametrize("screen", SCREENS, ids=str)
def test_the_strip_on_a_page_of_another_shop_has_no_grave_violation(
    page: Page,
    screen: Screen,
    shop_url: str,
    product: Product,
    serve_page: Callable[[str], str],
    violations: Violations,
) -> None:
    stock("Red mug", available=False)
    page.goto(
        serve_page(
            f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
            <meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
            <script type="module" src="{shop_url}/widget/v1/similar.js"></script>
            <main><h1>An article</h1>
            <similar-products product-id="{product.pk}" heading="Like it?"></similar-products></main>"""
        )
    )
    expect(page.locator("similar-products a")).to_have_count(1)
    found = violations(page)
    assert not found, "\n".join(found)


def test_a_grave_violation_is_found_also_inside_of_a_shadow_tree(
    page: Page, serve_page: Callable[[str], str], violations: Violations
) -> None:
    page.goto(
        serve_page(
            """<!doctype html><html lang="en"><title>Elsewhere</title><main><h1>An article</h1><div id="host"></div></main>
            <script>host.attachShadow({ mode: "open" }).innerHTML = "<button></button>"</script>"""
        )
    )
    (only,) = violations(page)
    assert only.startswith("critical button-name: #host > button")
