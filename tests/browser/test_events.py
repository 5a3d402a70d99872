"""Which events are counted for what visitors see, click and buy, and when nothing is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from catalog.models import Product
from recommender.models import Event
from tests.browser.conftest import Api, answer, until
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)

STRIP = "similar-products"
# Longer than a strip must be visible for an impression.
A_WHILE_MS = 1_500
UNTRACKED = {
    "do not track": "Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })",
    "global privacy control": "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })",
}
BLOCKED = {
    "missing": "delete Navigator.prototype.sendBeacon",
    "broken": "Navigator.prototype.sendBeacon = () => { throw new Error('blocked') }",
    "refusing": "Navigator.prototype.sendBeacon = () => false",
}
# As Prototype.js does before its version 1.7.3, Magento 1's, too.
CHANGED_ARRAYS = """
Array.from = (items) => Array.apply(null, { length: items.length }).map((_, place) => items[place]);
Array.prototype.toJSON = function () { return `[${this.map((each) => JSON.stringify(each)).join(", ")}]`; };
"""

Events = list[dict[str, Any]]


@pytest.fixture
def sent(page: Page, api: Api) -> Events:
    """The events sent by the page, in their order; each request has one event and needs no preflight."""
    events: Events = []

    def respond(route: Route) -> None:
        assert route.request.method == "POST"
        assert route.request.headers["content-type"] == "text/plain;charset=utf-8"
        [event] = json.loads(route.request.post_data or "")["events"]
        events.append(event)
        route.fulfill(status=202, json={"accepted": 1})

    page.route("**/api/events", respond)
    return events


def test_a_strip_that_was_on_the_screen_for_a_second_is_an_impression_once(
    page: Page, shop_url: str, product: Product, sent: Events
) -> None:
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.goto(shop_url + product.get_absolute_url())

    until(page, lambda: sent)
    page.wait_for_timeout(A_WHILE_MS)

    assert sent == [
        {
            "type": "impression",
            "product": 1,
            "results": [101, 102, 103, 104, 105],
            "collection": "all",
            "encoder": "bundled-v1",
        }
    ]


def test_a_strip_that_is_loaded_but_not_yet_seen_is_none(
    page: Page, shop_url: str, product: Product, sent: Events
) -> None:
    page.set_viewport_size({"width": 390, "height": 300})
    page.goto(shop_url + product.get_absolute_url())
    page.locator(STRIP).evaluate(
        "strip => scrollTo(0, strip.getBoundingClientRect().top + scrollY - innerHeight - 100)"
    )
    expect(page.locator(f"{STRIP} a")).to_have_count(5)

    page.wait_for_timeout(A_WHILE_MS)
    assert sent == []

    page.locator(f"{STRIP} ul").scroll_into_view_if_needed()
    until(page, lambda: sent)


def test_a_strip_higher_than_twice_the_screen_is_an_impression_where_it_fills_half_of_it(
    page: Page, shop_url: str, product: Product, sent: Events
) -> None:
    page.set_viewport_size({"width": 568, "height": 320})
    page.goto(shop_url + product.get_absolute_url())
    page.locator(STRIP).evaluate("strip => strip.style.setProperty('--similar-item-height', '800px')")
    page.locator(STRIP).scroll_into_view_if_needed()
    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    look = "(list, part) => scrollTo(0, list.getBoundingClientRect().top + scrollY - innerHeight * (1 - part))"

    # Of the screen it fills a third first.
    page.locator(f"{STRIP} ul").evaluate(look, 1 / 3)
    page.wait_for_timeout(A_WHILE_MS)
    assert sent == []

    page.locator(f"{STRIP} ul").evaluate(look, 0.9)
    until(page, lambda: sent)
    assert [event["type"] for event in sent] == ["impression"]


@pytest.mark.parametrize("style", ["opacity: 0", "visibility: hidden"])
def test_a_strip_in_a_drawer_that_is_closed_is_none_until_it_opens(
    page: Page, shop_url: str, product: Product, sent: Events, style: str
) -> None:
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.goto(shop_url + product.get_absolute_url())
    page.locator("main").evaluate("(drawer, style) => (drawer.style = style)", style)
    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    page.wait_for_timeout(A_WHILE_MS)
    assert sent == []

    page.locator("main").evaluate("drawer => (drawer.style = '')")

    until(page, lambda: sent)


@pytest.mark.parametrize("button", ["left", "middle"])
def test_a_click_is_counted_with_the_product_and_its_place(
    page: Page, shop_url: str, product: Product, api: Api, sent: Events, button: Any
) -> None:
    found = answer(3)
    found["results"][1]["product"]["url"] = "/visual-search/"
    api.answers(found)
    page.goto(shop_url + product.get_absolute_url())

    page.locator(f"{STRIP} a").nth(1).click(button=button)

    until(page, lambda: [event for event in sent if event["type"] == "click"])
    for opened in page.context.pages:
        opened.wait_for_load_state("networkidle")
    assert [event for event in sent if event["type"] == "click"] == [
        {
            "type": "click",
            "product": 1,
            "result": 102,
            "position": 2,
            "collection": "all",
            "encoder": "bundled-v1",
        }
    ]


def test_a_click_that_leads_nowhere_is_not_counted_unless_the_page_leads_on(
    page: Page, shop_url: str, product: Product, api: Api, sent: Events
) -> None:
    api.answers(answer(2, url=None))
    page.goto(shop_url + product.get_absolute_url())
    card = page.locator(f"{STRIP} a").first

    card.click()
    page.evaluate("document.addEventListener('similar:click', (event) => event.preventDefault())")
    page.locator(f"{STRIP} a").nth(1).click()

    until(page, lambda: [event for event in sent if event["type"] == "click"])
    assert [event["result"] for event in sent if event["type"] == "click"] == [102]


def test_the_results_of_a_photo_are_an_impression_of_no_product(
    page: Page, shop_url: str, api: Api, sent: Events, photo_file: Path
) -> None:
    found = answer(2)
    del found["product"]
    api.answers(found)
    page.goto(f"{shop_url}/visual-search/")

    page.locator("visual-search .choose-input").set_input_files(photo_file)

    until(page, lambda: sent)
    assert (sent[0]["type"], sent[0]["product"], sent[0]["results"]) == ("impression", None, [101, 102])


def look_and_buy(page: Page, address: str) -> None:
    """Do everything that is normally counted."""
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.goto(address)
    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    page.wait_for_timeout(A_WHILE_MS)
    page.get_by_role("button", name="Add to basket").click()
    expect(page.get_by_text("is in your basket")).to_be_visible()


@pytest.mark.parametrize("wish", UNTRACKED)
def test_nothing_is_sent_for_a_visitor_who_asks_not_to_be_tracked(
    page: Page, shop_url: str, product: Product, sent: Events, wish: str
) -> None:
    page.add_init_script(UNTRACKED[wish])

    look_and_buy(page, shop_url + product.get_absolute_url())

    assert sent == []


def test_nothing_is_sent_of_a_strip_that_says_so(page: Page, shop_url: str, product: Product, sent: Events) -> None:
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.goto(shop_url + product.get_absolute_url())
    page.locator(STRIP).evaluate("strip => strip.setAttribute('no-events', '')")
    expect(page.locator(f"{STRIP} a")).to_have_count(5)

    page.wait_for_timeout(A_WHILE_MS)

    assert sent == []


@pytest.mark.parametrize("way", BLOCKED)
def test_a_page_works_where_nothing_can_be_sent(
    page: Page, shop_url: str, product: Product, sent: Events, way: str
) -> None:
    page.add_init_script(BLOCKED[way])

    look_and_buy(page, shop_url + product.get_absolute_url())

    assert sent == []


def test_a_page_s_own_script_may_track(page: Page, shop_url: str, product: Product, sent: Events) -> None:
    page.goto(shop_url + product.get_absolute_url())

    taken = page.evaluate(
        """async (address) => {
          const { track } = await import(address);
          return track("purchase", { product: 4, quantity: 2 });
        }""",
        f"{shop_url}/widget/v1/similar.js",
    )

    assert taken is True
    until(page, lambda: {"type": "purchase", "product": 4, "quantity": 2} in sent)


def test_libraries_that_change_arrays_change_neither_placeholders_nor_events(
    page: Page, shop_url: str, product: Product, api: Api, sent: Events
) -> None:
    held: list[Route] = []
    api.answer = held.append
    page.add_init_script(CHANGED_ARRAYS)
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.goto(shop_url + product.get_absolute_url())
    until(page, lambda: held)

    expect(page.locator(f"{STRIP} li .media")).to_have_count(8)
    held[0].fulfill(json=answer(2))
    until(page, lambda: sent)

    assert sent[0]["results"] == [101, 102]


def test_markup_alone_may_track_what_is_used_and_what_appears(
    page: Page, shop_url: str, serve_page: Callable[[str], str], sent: Events
) -> None:
    page.goto(
        serve_page(
            f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
            <script type="module" src="{shop_url}/widget/v1/similar.js"></script>
            <p data-track="purchase" data-product="5" data-quantity="2">Thank you</p>
            <button data-track="add_to_cart" data-product="4"><b>Buy</b></button>"""
        )
    )
    until(page, lambda: sent)

    page.get_by_text("Buy").click()

    until(page, lambda: len(sent) == 2)
    assert sent == [
        {"type": "purchase", "product": 5, "quantity": 2},
        {"type": "add_to_cart", "product": 4},
    ]


def test_the_true_api_keeps_what_was_seen_clicked_added_and_bought(
    page: Page, shop_url: str, product: Product, index_photos: Callable[[], object]
) -> None:
    other = stock("Other mug")
    index_photos()
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.goto(shop_url + product.get_absolute_url())
    until(page, lambda: Event.objects.filter(type="impression", product_id=product.pk).exists())

    page.locator(f"{STRIP} a").click()
    page.wait_for_url(f"**{other.get_absolute_url()}")
    page.get_by_role("button", name="Add to basket").click()
    page.get_by_role("link", name="Go to the basket").click()
    page.get_by_role("button", name="Place the order").click()

    until(page, lambda: Event.objects.filter(type="purchase").exists())
    click = Event.objects.get(type="click")
    assert (click.product_id, click.result_id, click.position) == (product.pk, other.pk, 1)
    assert Event.objects.get(type="add_to_cart").product_id == other.pk
    bought = Event.objects.get(type="purchase")
    assert (bought.product_id, bought.quantity) == (other.pk, 1)
