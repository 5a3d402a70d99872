"""The widget beside the scripts of pages: functions they replace, elements they move and hide, and proxies that answer for the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Api, until

pytestmark = pytest.mark.django_db(transaction=True)

STRIP = "similar-products"
WIDGET = Path(settings.BASE_DIR) / "recommender" / "static" / "recommender" / "widget" / "similar.js"
# As monitors of requests do, which read the address as a text.
WATCHED_REQUESTS = """
const original = fetch;
window.fetch = (input, options) => {
  const address = typeof input === "string" ? input : input.url;
  if (address.includes("/graphql")) throw new Error("not here");
  return original(input, options);
};
const beacon = Navigator.prototype.sendBeacon;
Navigator.prototype.sendBeacon = function (address, body) {
  return !address.startsWith("https://ads.example/") && beacon.call(this, address, body);
};
"""
# As libraries for old browsers did.
EXTENDED_PROTOTYPES = """
for (const type of [Object, Array, String, Function]) {
  for (const name of ["extend", "get", "set", "value", "each", "first", "last", "remove", "entries"])
    type.prototype[name] = function () { return this; };
}
"""


@pytest.fixture
def show(page: Page, shop_url: str, serve_page: Callable[[str], str], api: Api) -> Callable[..., Page]:
    """Opens a page of a shop with the script, these lines of its head, and this markup."""

    def show(markup: str, head: str = "") -> Page:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(
            serve_page(
                f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">{head}
                <script type="module" src="{shop_url}/widget/v1/similar.js"></script><main>{markup}</main>"""
            )
        )
        return page

    return show


@pytest.fixture
def sent(page: Page, api: Api) -> list[Any]:
    """The events that the page has sent."""
    events: list[Any] = []

    def respond(route: Route) -> None:
        events.extend(json.loads(route.request.post_data or "")["events"])
        route.fulfill(status=202, json={"accepted": 1})

    page.route("**/api/events*", respond)
    return events


def asked(api: Api) -> list[str]:
    """The paths of the requests for recommendations."""
    return [urlsplit(url).path for url in api.asked if not urlsplit(url).path.endswith("/events")]


@pytest.mark.parametrize("script", [WATCHED_REQUESTS, EXTENDED_PROTOTYPES], ids=["watched", "extended"])
def test_a_page_that_replaces_or_extends_what_browsers_have_shows_and_counts(
    show: Callable[..., Page], sent: list[Any], script: str
) -> None:
    page = show(f'<{STRIP} sku="1"></{STRIP}>', f"<script>{script}</script>")

    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    until(page, lambda: sent)
    assert (sent[0]["type"], sent[0]["results"]) == ("impression", [101, 102, 103, 104, 105])


def test_the_base_of_a_page_changes_no_address(show: Callable[..., Page], shop_url: str, sent: list[Any]) -> None:
    page = show(f'<{STRIP} sku="1"></{STRIP}>', '<base href="https://cdn.example/">')

    link = page.locator(f"{STRIP} a").first
    assert link.evaluate("link => link.href") == f"{shop_url}/products/101/like-1/"
    assert link.locator("img").evaluate("img => img.src") == f"{shop_url}/canned/1.jpg"
    until(page, lambda: sent)


def test_a_bundle_asks_the_origin_of_its_page_whatever_the_base_is(
    page: Page, serve_page: Callable[[str], str], api: Api
) -> None:
    page.route("**/bundle.js", lambda route: route.fulfill(body=WIDGET.read_bytes(), content_type="text/javascript"))
    address = serve_page(
        f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
        <script type="module" src="/bundle.js"></script><base href="https://cdn.example/"><{STRIP} sku="1"></{STRIP}>"""
    )
    page.goto(address)

    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    assert api.asked[0].startswith(f"{address}api/products/by-sku/1/similar?")
