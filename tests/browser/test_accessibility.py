"""Accessibility: axe-core finds nothing of any level on any page, on any screen.

axe-core comes from package.json; where it is not installed, these tests are skipped and say so.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from catalog.models import Product
from tests.browser.conftest import DEVICES, SCREENS, Screen
from tests.browser.looks import (
    AXE,
    COLOUR_RULES,
    Look,
    Scheme,
    change_scheme,
    find_violations,
    find_violations_in_both,
)
from tests.browser.pages import PAGES
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)

Violations = Callable[[Page], list[str]]


@pytest.fixture
def violations() -> Violations:
    """The findings of axe-core in a page; the test is skipped if axe-core is not installed."""
    if not AXE.exists():
        pytest.skip(
            "axe-core is not installed (npm ci, which `make test` runs where there is npm): nothing to judge with"
        )
    return find_violations


@pytest.mark.parametrize("screen", SCREENS)
def test_no_page_has_a_violation(
    screen: Screen, violations: Violations, looks: dict[str, Look], subtests: pytest.Subtests
) -> None:
    for shown in [one for one in PAGES if one.ours]:
        look = looks[shown.name]
        with subtests.test(str(shown)):
            assert not look.trouble, look.trouble
            assert not look.violations, "\n".join(look.violations)


@pytest.mark.parametrize("screen", DEVICES)
@pytest.mark.usefixtures("violations")
def test_the_strip_on_a_page_of_another_shop_has_no_violation(
    page: Page,
    screen: Screen,
    shop_url: str,
    product: Product,
    serve_page: Callable[[str], str],
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
    found = find_violations_in_both(page, screen.scheme)
    assert not found, "\n".join(found)


@pytest.mark.usefixtures("violations")
def test_pages_in_the_colours_of_a_shop_have_no_violation(
    page: Page,
    screen: Screen,
    shop_url: str,
    product: Product,
    settings: LazySettings,
    sign_in: Callable[[User], None],
) -> None:
    settings.BRAND_COLOUR, settings.BRAND_COLOUR_DARK = "#8a1c5c", "#f29ac8"
    sign_in(User.objects.create_superuser("owner", "owner@shop.example", "secret"))
    for path in (
        product.get_absolute_url(),
        reverse("admin:index"),
        reverse("admin:catalog_product_change", args=[product.pk]),
    ):
        page.goto(shop_url + path)
        found = find_violations_in_both(page, screen.scheme)
        assert not found, "\n".join([path, *found])


def test_a_violation_is_found_also_inside_of_a_shadow_tree(
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


def test_colours_are_looked_at_again_after_the_visitors_scheme_has_changed(
    page: Page, serve_page: Callable[[str], str], violations: Violations
) -> None:
    page.goto(
        serve_page(
            """<!doctype html><html lang="en"><title>Elsewhere</title><main><h1>An article</h1><p>Like it?</p></main>
            <style>@media (prefers-color-scheme: dark) { p { color: #444; background: #333; transition: color 9s } }</style>"""
        )
    )
    assert not violations(page)
    change_scheme(page, "dark")
    (only,) = find_violations(page, COLOUR_RULES)
    assert only.startswith("serious color-contrast: p")


@pytest.mark.parametrize(("before", "after"), [("light", "dark"), ("dark", "light")])
def test_the_admin_changes_with_the_visitors_scheme(page: Page, shop_url: str, before: Scheme, after: Scheme) -> None:
    page.emulate_media(color_scheme=before)
    page.goto(shop_url + reverse("admin:login"))
    background = "getComputedStyle(document.body).backgroundColor"
    as_opened = page.evaluate(background)
    change_scheme(page, after)
    assert page.evaluate(background) != as_opened
