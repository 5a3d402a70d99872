"""Every page is complete on a phone and on a desktop, light and dark, and causes no complaints of the browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from bench.product_page import MOST_SHIFT, NOTE_FIGURES
from catalog.models import Product
from tests.browser.conftest import DEVICES, SCREENS, SIZES, Api, Screen, answer, until
from tests.browser.looks import Look
from tests.browser.pages import PAGES

pytestmark = pytest.mark.django_db(transaction=True)

LATE_MS = 500


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_whole_and_has_a_title_a_heading_and_no_more_width_than_the_screen(
    screen: Screen, looks: dict[str, Look], subtests: pytest.Subtests
) -> None:
    for shown in PAGES:
        look = looks[shown.name]
        with subtests.test(str(shown)):
            assert not look.trouble, look.trouble
            assert look.title
            assert look.headings == 1
            # On a phone the browser widens its viewport if an element overflows.
            assert look.width <= SIZES[screen.device][0]


@pytest.mark.parametrize("screen", DEVICES)
def test_a_product_page_never_jumps_while_it_is_scrolled_and_its_strip_comes_late(
    page: Page, screen: Screen, shop_url: str, product: Product, api: Api
) -> None:
    held: list[Route] = []
    api.answer = held.append
    page.add_init_script(NOTE_FIGURES)
    page.goto(shop_url + product.get_absolute_url())
    page.locator("footer").scroll_into_view_if_needed()
    until(page, lambda: held)
    page.wait_for_timeout(LATE_MS)

    api.answers(answer(8))
    for route in held:
        api.answer(route)

    expect(page.locator("similar-products a")).to_have_count(8)
    page.locator("footer").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.figures.shift") < MOST_SHIFT


@pytest.mark.complaints(
    "error: on purpose", "status of 404.*/gone", "outside request: http://elsewhere.invalid/", "uncaught: .*broken"
)
def test_whatever_a_browser_complains_of_is_noticed(
    page: Page, shop_url: str, serve_page: Callable[[str], str]
) -> None:
    page.route("http://elsewhere.invalid/**", lambda route: route.fulfill(body=""))
    page.goto(
        serve_page(
            f"""<script>console.error("on purpose"); fetch("{shop_url}/gone", {{ mode: "no-cors" }})</script>
            <script src="http://elsewhere.invalid/tracker.js"></script><script>broken()</script>"""
        )
    )
    page.wait_for_load_state("networkidle")
