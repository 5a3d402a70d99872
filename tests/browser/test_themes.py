"""The widget in pages as the themes of shops make them: their layouts, roots, locales, spaces, and copies of what is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Api, answer, until

pytestmark = pytest.mark.django_db(transaction=True)

STRIP = "similar-products"
# As Turbo does: a copy of the page is kept, and shown when the visitor goes back.
SHOW_THE_COPY = """() => {
  const copy = document.body.cloneNode(true);
  document.body.replaceWith(document.createElement("body"));
  setTimeout(() => document.body.replaceWith(copy));
}"""


@pytest.fixture
def show(page: Page, shop_url: str, serve_page: Callable[[str], str], api: Api) -> Callable[..., Page]:
    """Opens a page of a shop with the script, this style and this markup."""

    def show(markup: str, style: str = "", lang: str = "en") -> Page:
        page.goto(
            serve_page(
                f"""<!doctype html><html lang="{lang}"><title>Elsewhere</title><link rel="icon" href="data:,">
                <style>{style}</style><script type="module" src="{shop_url}/widget/v1/similar.js"></script>{markup}"""
            )
        )
        return page

    return show


@pytest.fixture
def sent(api: Api) -> list[Any]:
    """The events that the page has sent."""
    events: list[Any] = []

    def respond(route: Route) -> None:
        if route.request.method == "POST":
            events.extend(json.loads(route.request.post_data or "")["events"])
        route.fulfill(status=202, json={"accepted": 1})

    api.answer = respond
    return events


@pytest.mark.parametrize(
    "style",
    [
        "main { display: grid; grid-template-columns: 1fr 300px }",
        "main { display: flex } main > * { flex: 1 }",
        "main { display: flex; flex-direction: column; align-items: center }",
        "main > div { float: left }",
        "main { display: table; width: 100% } main > div { display: table-cell }",
    ],
)
def test_a_strip_makes_no_layout_of_a_page_wider(show: Callable[..., Page], api: Api, style: str) -> None:
    heading = "Das gefällt Ihnen auch"
    page = show(f'<main><div><{STRIP} sku="1" heading="{heading}"></{STRIP}></div><aside>Price</aside></main>', style)
    api.answers(answer(20))

    expect(page.locator(f"{STRIP} a").first).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator(STRIP).evaluate("strip => strip.clientWidth") > 300


def test_a_long_word_in_a_heading_makes_a_phone_s_page_no_wider(show: Callable[..., Page], api: Api) -> None:
    page = show(f'<{STRIP} sku="1" heading="Donaudampfschifffahrtsgesellschaftsmützen"></{STRIP}>')
    page.set_viewport_size({"width": 240, "height": 600})
    expect(page.locator(f"{STRIP} a")).to_have_count(5)

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_strip_is_as_large_as_the_page_s_text_whatever_its_root_is(show: Callable[..., Page], api: Api) -> None:
    # Of Shopify's Dawn and Magento's Luma.
    page = show(f'<{STRIP} sku="1" heading="More"></{STRIP}>', "html { font-size: 62.5% } body { font-size: 1.6rem }")
    page.set_viewport_size({"width": 800, "height": 600})
    expect(page.locator(f"{STRIP} a")).to_have_count(5)

    expect(page.locator(f"{STRIP} h2")).to_have_css("font-size", "22px")
    expect(page.locator(f"{STRIP} li").first).to_have_css("width", "216px")
    expect(page.locator(f"{STRIP} button").first).to_have_css("width", "44px")
    expect(page.locator(f"{STRIP} button").first).to_have_css("height", "44px")


@pytest.mark.parametrize(
    "style",
    [
        # Against the gaps between inline blocks.
        "main { font-size: 0 }",
        "* { font-size: 0 }",
        # What a framework's wrappers get.
        "similar-products { display: contents }",
        "* { all: initial }",
        "main { white-space: nowrap; text-indent: 3em; line-height: 0 }",
        "* { box-sizing: content-box; margin: 0; float: left }",
    ],
)
def test_what_a_theme_resets_leaves_a_strip_readable(show: Callable[..., Page], api: Api, style: str) -> None:
    api.answers(answer(5, title="A teapot with a name that is long enough for two lines"))
    page = show(f'<main><{STRIP} sku="1" heading="More"></{STRIP}></main>', style)

    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    title, heading = page.locator(f"{STRIP} .title").first, page.locator(f"{STRIP} h2")
    expect(title).to_have_css("font-size", "16px")
    # Two lines, as wide as the card.
    assert title.evaluate("({ scrollHeight, scrollWidth }) => [scrollHeight, scrollWidth]") == [45, 216]
    assert heading.evaluate("({ offsetWidth }) => offsetWidth") > 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_strip_as_wide_as_the_page_does_not_make_it_scroll(show: Callable[..., Page], api: Api) -> None:
    page = show(f'<{STRIP} sku="1" heading="More"></{STRIP}>', "body { margin: 0 }")
    expect(page.locator(f"{STRIP} a")).to_have_count(5)

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    places = [page.locator(f"{STRIP} {part}").first.bounding_box() for part in ("h2", "a")]
    assert [place["x"] for place in places if place] == [0, 0]


def test_a_narrow_column_holds_whole_words_and_whole_products(show: Callable[..., Page], api: Api) -> None:
    page = show(f'<main><{STRIP} sku="1" heading="You may also like"></{STRIP}></main>', "main { width: 120px }")
    expect(page.locator(f"{STRIP} a")).to_have_count(5)

    heading, link = page.locator(f"{STRIP} h2").bounding_box(), page.locator(f"{STRIP} a").first.bounding_box()
    assert heading is not None
    assert link is not None
    # Two lines.
    assert heading["height"] < 60
    assert link["width"] <= 120


def test_title_and_price_of_a_centred_page_are_one_below_the_other(show: Callable[..., Page], api: Api) -> None:
    api.answers(answer(3, list_price="20.00"))
    page = show(f'<{STRIP} sku="1" heading="More"></{STRIP}>', "body { text-align: center }")
    expect(page.locator(f"{STRIP} a")).to_have_count(3)

    middles = (
        page.locator(f"{STRIP} li")
        .nth(1)
        .evaluate(
            """(card) => [".title", ".price"].map((part) => {
          const range = document.createRange();
          range.selectNodeContents(card.querySelector(part));
          const { left, right } = range.getBoundingClientRect();
          return (left + right) / 2;
        })"""
        )
    )
    assert middles[0] == pytest.approx(middles[1], abs=1)


def test_a_list_price_that_finds_no_room_beside_the_price_is_below_it(show: Callable[..., Page], api: Api) -> None:
    api.answers(answer(3, price="123456.00", list_price="1234567.00"))
    page = show(f'<{STRIP} sku="1"></{STRIP}>', f"{STRIP} {{ --similar-item-width: 8em }}")
    expect(page.locator(f"{STRIP} a")).to_have_count(3)

    price, list_price = (page.locator(f"{STRIP} {part}").bounding_box() for part in (".price >> nth=0", "s"))
    assert price is not None
    assert list_price is not None
    assert list_price["x"] == price["x"]
    assert list_price["y"] > price["y"]
    expect(page.locator(f"{STRIP} .out-of-stock")).to_have_css("word-spacing", "0px")


def test_placeholders_are_not_printed(show: Callable[..., Page], api: Api) -> None:
    held: list[Route] = []
    api.answer = held.append
    page = show(f'<{STRIP} sku="1" heading="More"></{STRIP}>')
    until(page, lambda: held)

    page.emulate_media(media="print")

    expect(page.get_by_text("More")).to_be_hidden()
    held[0].fulfill(json=answer(2))
    expect(page.locator(f"{STRIP} a")).to_have_count(2)
    expect(page.locator(f"{STRIP} a").last).to_be_visible()


@pytest.mark.parametrize(
    ("lang", "price", "label"),
    [
        ("de_DE", "11,50\N{NO-BREAK SPACE}€", "Weitere Produkte"),
        ("x", "€11.50", "Next products"),
        ("", "€11.50", "Next products"),
    ],
)
def test_a_language_as_themes_write_it_is_understood(
    show: Callable[..., Page], api: Api, lang: str, price: str, label: str
) -> None:
    page = show(f'<{STRIP} sku="1"></{STRIP}>', lang=lang)

    expect(page.locator(f"{STRIP} .price").first).to_have_text(price)
    expect(page.locator(f"{STRIP} button").nth(1)).to_have_attribute("aria-label", label)


def test_a_strip_in_another_component_has_the_language_of_the_page(show: Callable[..., Page], api: Api) -> None:
    page = show("<article></article>", lang="de")

    page.locator("article").evaluate(
        f"""(article) => article.attachShadow({{ mode: "open" }}).append(
          Object.assign(document.createElement("{STRIP}"), {{ id: "strip" }}))"""
    )
    page.locator(STRIP).evaluate("strip => strip.setAttribute('sku', '1')")

    expect(page.locator(f"{STRIP} .price").first).to_have_text("11,50\N{NO-BREAK SPACE}€")


def test_spaces_that_a_template_leaves_round_values_do_not_count(show: Callable[..., Page], api: Api) -> None:
    show(f'<{STRIP} sku="\n  MUG 17\n  " limit=" 4 " category=" home/mugs\n" api-key=" pk_1 "></{STRIP}>')

    until_asked(api, 1)
    (url,) = asked(api)
    assert url.endswith("/api/products/by-sku/MUG%2017/similar?limit=4&collection=all&category=home%2Fmugs")


def test_spaces_that_a_template_leaves_round_an_address_do_not_count(
    show: Callable[..., Page], shop_url: str, api: Api
) -> None:
    page = show(f'<{STRIP} sku="1" api="\n  {shop_url}/ "></{STRIP}>')

    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    assert [urlsplit(url).path for url in asked(api)] == ["/api/products/by-sku/1/similar"]


def test_spaces_that_a_template_leaves_round_a_sku_do_not_count_in_events(
    show: Callable[..., Page], shop_url: str, sent: list[Any]
) -> None:
    page = show(f'<p data-track="purchase" data-sku="\n  MUG 17 " data-api=" {shop_url}\n">Thank you</p>')

    until(page, lambda: sent)
    assert sent[0]["sku"] == "MUG 17"


def test_a_copy_of_a_page_has_each_strip_and_each_card_once(show: Callable[..., Page], api: Api) -> None:
    page = show(
        f"""<div data-similar-to="1" data-heading="More"></div>
        <{STRIP} sku="2"><template slot="item"><article><a><slot name="title"></slot></a></article></template></{STRIP}>"""
    )
    expect(page.locator("article")).to_have_count(5)
    expect(page.locator(f"{STRIP} .title")).to_have_count(5)

    page.evaluate(SHOW_THE_COPY)

    until_asked(api, 4)
    expect(page.locator(STRIP)).to_have_count(2)
    expect(page.locator(f"{STRIP} .title")).to_have_count(5)
    expect(page.locator("article")).to_have_count(5)
    expect(page.locator("article").last).to_be_visible()


def test_a_purchase_is_counted_once_where_a_copy_of_the_page_is_shown(
    show: Callable[..., Page], sent: list[Any]
) -> None:
    page = show('<p data-track="purchase" data-product="5">Thank you</p>')
    until(page, lambda: sent)

    page.evaluate(SHOW_THE_COPY)
    expect(page.get_by_text("Thank you")).to_be_visible()
    # Another, so that what the copy sent would have come before it.
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p data-track=purchase data-product=6>Thanks</p>')")

    until(page, lambda: sent[-1]["product"] == 6)
    assert [each["product"] for each in sent] == [5, 6]


def test_a_page_that_was_stored_as_it_was_shown_counts_in_each_visit(
    show: Callable[..., Page], sent: list[Any]
) -> None:
    page = show('<p data-track="purchase" data-product="5">Thank you</p>')
    until(page, lambda: sent)
    stored = page.locator("p").evaluate("element => element.outerHTML")

    show(stored)

    until(page, lambda: len(sent) == 2)
    assert [each["product"] for each in sent] == [5, 5]


def test_a_line_that_is_copied_for_another_product_counts(show: Callable[..., Page], sent: list[Any]) -> None:
    page = show('<p data-track="purchase" data-product="5">Thank you</p>')
    until(page, lambda: sent)

    page.locator("p").evaluate(
        "line => line.after(Object.assign(line.cloneNode(true), { textContent: 'Thanks' }))"
        " ?? (line.nextSibling.dataset.product = 6)"
    )

    until(page, lambda: len(sent) == 2)
    assert [each["product"] for each in sent] == [5, 6]


def asked(api: Api) -> list[str]:
    """The requests for recommendations."""
    return [url for url in api.asked if not urlsplit(url).path.endswith("/events")]


def until_asked(api: Api, times: int) -> None:
    """Wait for so many requests for recommendations."""
    until(api.page, lambda: len(asked(api)) >= times)
