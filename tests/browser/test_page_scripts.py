"""The widget beside the scripts of pages: functions they replace, elements they move and hide, answers of proxies in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import Page, Route, expect

from tests import loopback
from tests.browser.conftest import Api, answer, until

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


def test_what_a_page_s_script_sets_before_the_widget_is_there_counts(show: Callable[..., Page], api: Api) -> None:
    page = show(
        f"""<{STRIP} sku="1"></{STRIP}><script>
        const strip = document.querySelector("{STRIP}");
        strip.transformItems = (results) => results.slice(0, 2);
        strip.renderItem = ({{ product }}) => `Ours: ${{product.title}}`;
        </script>"""
    )

    expect(page.locator(f"{STRIP} > div")).to_have_text(["Ours: Like 1", "Ours: Like 2"])


def test_a_strip_that_is_moved_shows_the_same_without_another_request_or_impression(
    show: Callable[..., Page], api: Api, sent: list[Any]
) -> None:
    page = show(f'<{STRIP} sku="1" heading="More"></{STRIP}><aside></aside>')
    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    until(page, lambda: sent)

    page.evaluate(f"document.querySelector('aside').append(document.querySelector('{STRIP}'))")
    expect(page.locator(f"aside {STRIP} a")).to_have_count(5)
    page.wait_for_timeout(1_500)
    assert (len(asked(api)), len(sent)) == (1, 1)

    # What it is about may change meanwhile.
    page.evaluate(
        f"""() => {{
          const strip = document.querySelector("{STRIP}");
          strip.remove();
          strip.setAttribute("sku", "2");
          document.querySelector("main").append(strip);
        }}"""
    )
    until(page, lambda: len(asked(api)) == 2)
    assert asked(api)[1] == "/api/products/by-sku/2/similar"
    expect(page.locator(f"{STRIP} a")).to_have_count(5)


def test_a_late_answer_about_another_product_is_not_shown(show: Callable[..., Page], api: Api) -> None:
    held: list[Route] = []
    api.answer = held.append
    page = show(f'<{STRIP} product-id="1"></{STRIP}>')
    until(page, lambda: held)

    page.locator(STRIP).evaluate("strip => strip.setAttribute('product-id', '2')")
    until(page, lambda: len(held) == 2)
    held[1].fulfill(json=answer(3, title="Of the second"))
    expect(page.locator(f"{STRIP} a")).to_have_count(3)
    held[0].fulfill(json=answer(5, title="Of the first"))
    page.wait_for_timeout(100)

    expect(page.locator(f"{STRIP} .title").first).to_have_text("Of the second")
    expect(page.locator(f"{STRIP} a")).to_have_count(3)


@pytest.mark.parametrize(
    ("markup", "reveal"),
    [
        (f'<{STRIP} sku="1" hidden></{STRIP}>', f"document.querySelector('{STRIP}').hidden = false"),
        (f'<section style="display: none"><{STRIP} sku="1"></{STRIP}></section>', "document.querySelector('section').style = ''"),
        (f"<dialog><{STRIP} sku='1'></{STRIP}></dialog>", "document.querySelector('dialog').showModal()"),
        (f"<details><{STRIP} sku='1'></{STRIP}></details>", "document.querySelector('details').open = true"),
        (
            f"<template><{STRIP} sku='1'></{STRIP}></template>",
            "document.querySelector('main').append(document.querySelector('template').content.cloneNode(true))",
        ),
    ],
)  # fmt: skip
def test_a_strip_that_its_page_hides_loads_when_it_is_shown(
    show: Callable[..., Page], api: Api, markup: str, reveal: str
) -> None:
    page = show(markup)
    page.wait_for_function(f"!!customElements.get('{STRIP}')")
    page.wait_for_timeout(200)
    expect(page.locator(f"{STRIP}:visible")).to_have_count(0)
    assert api.asked == []

    page.evaluate(f"() => {{ {reveal} }}")

    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    expect(page.locator(STRIP)).to_be_visible()


def test_a_strip_without_results_stays_empty_where_its_page_shows_it(show: Callable[..., Page], api: Api) -> None:
    api.answers(answer(0))
    page = show(f'<{STRIP} sku="1" heading="More"></{STRIP}>')
    expect(page.locator(STRIP)).to_be_hidden()

    page.locator(STRIP).evaluate("strip => strip.removeAttribute('hidden')")
    expect(page.get_by_text("More")).to_be_hidden()

    api.answers(answer(3))
    page.locator(STRIP).evaluate("strip => strip.setAttribute('sku', '2')")
    expect(page.locator(f"{STRIP} a")).to_have_count(3)
    expect(page.get_by_text("More")).to_be_visible()


def test_an_element_that_its_page_empties_gets_a_strip_for_another_product(show: Callable[..., Page], api: Api) -> None:
    page = show('<div data-similar-to="1"></div>')
    expect(page.locator(f"{STRIP} a")).to_have_count(5)

    page.locator("main > div").evaluate("place => { place.innerHTML = ''; place.dataset.similarTo = '2'; }")

    until(page, lambda: "/api/products/2/similar" in asked(api))
    expect(page.locator(f"{STRIP} a")).to_have_count(5)


@pytest.fixture
def serve_slowly() -> Iterator[Callable[..., str]]:
    """Serves a page in pieces, each as soon as it is let go, and returns its URL."""
    waiting: list[tuple[str, Callable[[], object]]] = []

    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            for piece, wait in waiting:
                wait()
                self.wfile.write(piece.encode())
                self.wfile.flush()

    with loopback.serving(Handler) as port:

        def serve(*pieces: tuple[str, Callable[[], object]]) -> str:
            waiting.extend(pieces)
            return f"http://127.0.0.1:{port}/"

        yield serve


@pytest.mark.parametrize("element", [f'<{STRIP} sku="1">', '<div data-similar-to-sku="1">'])
def test_what_is_in_an_element_counts_also_where_the_script_runs_before_it_is_read(
    page: Page, shop_url: str, serve_slowly: Callable[..., str], origins: set[str], api: Api, element: str
) -> None:
    script, read = Event(), Event()
    response = json.dumps(answer(2))
    address = serve_slowly(
        (
            f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
            <script async type="module" src="{shop_url}/widget/v1/similar.js"></script>{" " * 1024}<main>{element}""",
            lambda: None,
        ),
        (
            f"""<section data-similar-strip><h2 part="heading">From the server</h2><ul part="list"></ul>
            <script type="application/json">{response}</script></section><p slot="empty">Nothing like it</p>""",
            lambda: script.wait(20),
        ),
        ("</main>", lambda: read.wait(20)),
    )
    origins.add(address.rstrip("/"))
    page.goto(address, wait_until="commit")
    page.wait_for_function(f"!!document.querySelector('{STRIP}')?.shadowRoot")

    script.set()
    read.set()

    expect(page.get_by_role("region", name="From the server").get_by_role("link")).to_have_count(2)
    expect(page.get_by_text("Nothing like it")).to_be_hidden()
    assert asked(api) == []


@pytest.mark.complaints("uncaught: .*ours")
def test_a_page_s_function_that_fails_leaves_no_placeholders(show: Callable[..., Page], api: Api) -> None:
    page = show(
        f"""<{STRIP} sku="1" heading="More"><p slot="error">Not now</p></{STRIP}><{STRIP} sku="2"></{STRIP}><script>
        for (const strip of document.querySelectorAll("{STRIP}")) strip.renderItem = () => {{ throw new Error("ours"); }};
        </script>"""
    )

    expect(page.get_by_text("Not now")).to_be_visible()
    expect(page.locator(STRIP).nth(1)).to_be_hidden()


@pytest.mark.complaints("status of 503")
@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"status": "503", "title": "upstream"}], "type": None},
        {"errors": {"id": ["is wrong"]}, "type": 7},
        "Service unavailable",
        [],
    ],
)
def test_what_a_proxy_answers_in_place_of_the_api_hides_the_strip(
    show: Callable[..., Page], page: Page, api: Api, body: Any
) -> None:
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    api.answer = lambda route: route.fulfill(json=body, status=503)

    show(f'<{STRIP} sku="1"></{STRIP}>')

    expect(page.locator(STRIP)).to_be_hidden()
    assert [line.split(" JSHandle")[0] for line in lines if STRIP in line] == [f"<{STRIP}>: 503 No answer of the API"]


@pytest.mark.complaints("status of 503")
def test_a_page_without_a_console_has_no_placeholders_either(show: Callable[..., Page], api: Api) -> None:
    api.answers({"title": "Index unavailable", "status": 503}, status=503)

    page = show(f'<{STRIP} sku="1"></{STRIP}>', "<script>window.console = {}</script>")

    expect(page.locator(STRIP)).to_be_hidden()


@pytest.mark.parametrize("results", [[None], [{}], {"length": 1}])
def test_results_without_products_hide_the_strip(show: Callable[..., Page], api: Api, results: Any) -> None:
    api.answers(answer(0) | {"results": results})

    page = show(f'<{STRIP} sku="1"></{STRIP}>')

    expect(page.locator(STRIP)).to_be_hidden()


def test_an_address_that_is_none_costs_its_card_a_link_or_a_picture_only(show: Callable[..., Page], api: Api) -> None:
    api.answers(answer(3, url="https://[shop/1", image="https://[cdn/1.jpg", thumbnails={"320": "https://[cdn/2.jpg"}))

    page = show(f'<{STRIP} sku="1"></{STRIP}>')

    expect(page.locator(f"{STRIP} .title")).to_have_text(["Like 1", "Like 2", "Like 3"])
    expect(page.locator(f"{STRIP} img")).to_have_count(2)
    expect(page.locator(f"{STRIP} a[href]")).to_have_count(2)


FORBIDDEN = (
    "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
)


@pytest.mark.parametrize("storage", [FORBIDDEN, "Object.defineProperty(window, 'sessionStorage', { value: null })"])
def test_a_search_by_photo_works_without_storage_and_where_the_page_has_no_font_size(
    show: Callable[..., Page], api: Api, photo_file: Path, storage: str
) -> None:
    page = show("<visual-search></visual-search>", f"<script>{storage}</script><style>main {{ font-size: 0 }}</style>")
    expect(page.get_by_role("button", name="Choose a photo")).to_have_css("font-size", "16px")

    page.locator("visual-search .choose-input").set_input_files(photo_file)

    expect(page.locator("visual-search a")).to_have_count(5)
    expect(page.locator("visual-search .title").first).to_have_css("font-size", "16px")
    page.get_by_role("button", name="Remove photo").click()
    expect(page.locator("visual-search a")).to_have_count(0)


def test_the_results_of_a_photo_move_nothing_below_them(show: Callable[..., Page], api: Api, photo_file: Path) -> None:
    held: list[Route] = []
    api.answer = held.append
    page = show("<visual-search limit='4'></visual-search><p>Below</p>", "<style>p { margin: 0 }</style>")
    page.locator("visual-search .choose-input").set_input_files(photo_file)
    until(page, lambda: held)
    expect(page.locator("visual-search li")).to_have_count(4)
    before = page.locator("visual-search ul").bounding_box()

    held[0].fulfill(json=answer(4))

    expect(page.locator("visual-search a")).to_have_count(4)
    assert page.locator("visual-search ul").bounding_box() == before


def test_a_search_whose_element_has_no_box_goes_on_with_the_photo_of_the_session(
    show: Callable[..., Page], api: Api, photo_file: Path
) -> None:
    search = ("<visual-search></visual-search>", "<style>visual-search { display: contents }</style>")
    page = show(*search)
    page.locator("visual-search .choose-input").set_input_files(photo_file)
    expect(page.locator("visual-search a")).to_have_count(5)

    show(*search)

    expect(page.locator("visual-search a")).to_have_count(5)
