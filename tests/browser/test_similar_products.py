"""The strip of similar products, as a browser shows it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from django.conf import settings
from playwright.sync_api import Page, Route, expect

from catalog.models import Product
from recommender.rules.services import save_rule, save_set
from tests.browser.conftest import Api, answer, card, until
from tests.catalog.shop import stock
from tests.factories import jpeg

pytestmark = pytest.mark.django_db(transaction=True)

WIDGET = Path(settings.BASE_DIR) / "recommender" / "static" / "recommender" / "widget" / "similar.js"
STRIP = "similar-products"

# The document records events from the start; they must bubble out of the shadow tree to reach it.
NOTE_EVENTS = """
window.noted = [];
for (const name of ["load", "click", "error"])
  document.addEventListener(`similar:${name}`, (event) => window.noted.push([event.type, event.detail]));
"""
# All layout shifts while the page loads; shifts after an input of the visitor do not count.
NOTE_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
# How many pixels of an element its ancestors cut away.
CUT_AWAY = """(element) => {
  const { top, bottom, left, right } = element.getBoundingClientRect();
  let cut = Math.max(0, element.scrollWidth - element.clientWidth);
  for (let box = element.parentElement; box; box = box.parentElement) {
    if (box.matches("ul") || getComputedStyle(box).overflow === "visible") continue;
    const outer = box.getBoundingClientRect();
    cut += Math.max(0, outer.top - top, bottom - outer.bottom, outer.left - left, right - outer.right);
  }
  return cut;
}"""
# The focused element, also in shadow trees: its text or its label.
FOCUSED = """() => {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return (active?.getAttribute("aria-label") || active?.name || active?.innerText || "").trim().split("\\n")[0];
}"""


def open_product(page: Page, shop_url: str, product: Product) -> None:
    page.add_init_script(NOTE_EVENTS)
    page.goto(shop_url + product.get_absolute_url())


def events(page: Page) -> list[tuple[str, Any]]:
    """The events of the widget so far, by name and detail."""
    return [(name, detail) for name, detail in page.evaluate("window.noted")]


def asked_for_products(api: Api) -> list[str]:
    """The requests for recommendations, without those for events."""
    return [url for url in api.asked if not url.endswith("/api/events")]


def strip_with_cards(page: Page, count: int) -> None:
    expect(page.locator(f"{STRIP} a")).to_have_count(count)


def test_the_widget_stays_small(record_property: Callable[[str, object], None]) -> None:
    for name, most in (("similar.js", 9_000), ("photo-search.js", 12_000)):
        size = len(gzip.compress(WIDGET.with_name(name).read_bytes(), 9))
        record_property("note", f"{name}: {size:,} bytes gzipped")
        assert size <= most


def test_a_product_page_shows_similar_products_with_links_prices_and_pictures(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    open_product(page, shop_url, product)

    strip_with_cards(page, 5)
    expect(page.get_by_role("region", name="You may also like")).to_be_visible()
    first = page.locator(f"{STRIP} a").first
    assert first.evaluate("link => link.href") == f"{shop_url}/products/101/like-1/"
    expect(first).to_contain_text("Like 1")
    expect(first).to_contain_text("€11.50")
    expect(first.locator("img")).to_be_visible()
    # Screen readers hear the title once: the picture beside it has no name of its own.
    expect(page.get_by_role("link", name="Like 1 €11.50", exact=True)).to_be_visible()
    expect(page.locator(f"{STRIP} a").nth(1)).to_contain_text("Out of stock")


def test_the_widget_asks_for_the_product_the_number_and_the_collection_that_its_attributes_say(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    open_product(page, shop_url, product)
    strip_with_cards(page, 5)
    assert asked_for_products(api) == [f"{shop_url}/api/products/{product.pk}/similar?limit=8&collection=all"]

    page.locator(STRIP).evaluate(
        """strip => {
          strip.setAttribute("product-id", "7");
          strip.setAttribute("limit", "3");
          strip.setAttribute("collection", "food");
        }"""
    )

    until(page, lambda: len(events(page)) == 2)
    assert asked_for_products(api)[1:] == [f"{shop_url}/api/products/7/similar?limit=3&collection=food"]


def test_two_strips_show_what_rules_do(
    page: Page, shop_url: str, product: Product, serve_page: Callable[[str], str], index_photos: Callable[[], object]
) -> None:
    stock("Red mug", brand="Pier")
    index_photos()
    rules = save_set({"name": "main", "active": True})
    save_rule(rules, {"kind": "hide", "parameters": {"brand": ["Pier"]}})
    strip = f'<similar-products product-id="{product.pk}"'
    page.goto(
        serve_page(
            f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
            <script type="module" src="{shop_url}/widget/v1/similar.js"></script>
            {strip} heading="Before" rules="false"></similar-products>
            {strip} heading="After"><p slot="empty">Nothing.</p></similar-products>"""
        )
    )

    expect(page.get_by_role("region", name="Before").get_by_role("link")).to_have_text(re.compile("Red mug"))
    expect(page.get_by_text("Nothing.")).to_be_visible()
    expect(page.get_by_role("region", name="After").get_by_role("link")).to_have_count(0)


def test_visitors_say_what_shape_colour_and_pattern_count(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    api.answers(answer(5) | {"weights": {"shape": 1, "colour": 0.2, "pattern": 0.1}})
    open_product(page, shop_url, product)
    strip_with_cards(page, 5)
    expect(page.get_by_role("slider", name="Pattern")).to_have_value("0.1")

    page.get_by_role("slider", name="Colour").press("End")

    until(page, lambda: len(events(page)) == 2)
    assert asked_for_products(api)[1].endswith("&weights=shape%3A1%2Ccolour%3A1%2Cpattern%3A0.1")
    expect(page.get_by_role("slider", name="Colour")).to_be_focused()


def test_the_sliders_show_what_counted_where_their_script_comes_after_the_answer(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    late: list[Route] = []
    page.route("**/weights*.js", lambda route: late.append(route))
    api.answers(answer(5) | {"weights": {"shape": 1, "colour": 0.2, "pattern": 0.1}})
    page.goto(shop_url + product.get_absolute_url(), wait_until="commit")
    strip_with_cards(page, 5)

    [script] = late
    script.continue_()

    expect(page.get_by_role("slider", name="Pattern")).to_have_value("0.1")


def test_a_strip_with_nothing_to_show_is_hidden(page: Page, shop_url: str, product: Product, api: Api) -> None:
    api.answers(answer(0))

    open_product(page, shop_url, product)

    until(page, lambda: len(events(page)) == 1)
    expect(page.locator(STRIP)).to_be_hidden()
    expect(page.get_by_role("heading", name="Blue mug")).to_be_visible()


@pytest.mark.complaints("status of 503")
def test_a_failing_api_hides_the_strip_and_emits_an_error_event(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    urn = "urn:problem-type:lookalike:index-unavailable"
    api.answers(
        {"type": urn, "title": "Index unavailable", "detail": "Another process holds it.", "status": 503}, status=503
    )

    open_product(page, shop_url, product)

    until(page, lambda: len(events(page)) == 1)
    assert events(page) == [
        (
            "similar:error",
            {
                "status": 503,
                "title": "Index unavailable",
                "detail": "Another process holds it.",
                "type": "index-unavailable",
                "reason": "",
            },
        )
    ]
    expect(page.locator(STRIP)).to_be_hidden()


@pytest.mark.parametrize("body", ["<h1>Bad gateway</h1>", "null", '{"results": 3}'])
def test_an_answer_that_is_none_hides_the_strip(
    page: Page, shop_url: str, product: Product, api: Api, body: str
) -> None:
    api.answer = lambda route: route.fulfill(body=body, status=200)

    open_product(page, shop_url, product)

    until(page, lambda: len(events(page)) == 1)
    assert events(page)[0][0] == "similar:error"
    expect(page.locator(STRIP)).to_be_hidden()


@pytest.mark.complaints("ERR_FAILED")
def test_an_api_that_cannot_be_reached_hides_the_strip(page: Page, shop_url: str, product: Product, api: Api) -> None:
    api.answer = lambda route: route.abort()

    open_product(page, shop_url, product)

    until(page, lambda: len(events(page)) == 1)
    assert events(page)[0][1]["status"] == 0
    expect(page.locator(STRIP)).to_be_hidden()


def test_nothing_is_asked_before_the_strip_comes_near(page: Page, shop_url: str, product: Product, api: Api) -> None:
    page.set_viewport_size({"width": 390, "height": 300})
    open_product(page, shop_url, product)
    page.wait_for_load_state("networkidle")
    expect(page.locator(f"{STRIP} h2")).to_have_count(1)
    assert api.asked == []

    page.locator("footer").scroll_into_view_if_needed()

    strip_with_cards(page, 5)
    assert len(asked_for_products(api)) == 1


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_jumps_when_the_strip_fills(page: Page, shop_url: str, product: Product, api: Api, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 2000})
    page.add_init_script(NOTE_SHIFTS)
    held: list[Route] = []
    api.answer = held.append
    open_product(page, shop_url, product)
    expect(page.locator(STRIP)).to_be_visible()
    page.wait_for_load_state("load")
    until(page, lambda: held)
    footer = page.locator("footer").bounding_box()

    # What is seen is reported, too, and that request must end as well.
    api.answers(answer(8))
    held[0].fulfill(json=answer(8))
    strip_with_cards(page, 8)
    page.wait_for_load_state("networkidle")

    assert page.locator("footer").bounding_box() == footer
    assert page.evaluate("window.shift") < 0.02


@pytest.mark.parametrize("width", [390, 1280])
def test_the_room_of_the_strip_is_kept_while_its_script_is_on_the_way(
    page: Page, shop_url: str, product: Product, api: Api, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 2000})
    held: list[Route] = []
    page.route("**/widget/v1/similar.js", lambda route: held.append(route))
    page.add_init_script(NOTE_EVENTS)
    page.goto(shop_url + product.get_absolute_url(), wait_until="commit")
    expect(page.locator("footer")).to_be_visible()
    before = page.locator("footer").bounding_box()

    held[0].continue_()
    strip_with_cards(page, 5)
    after = page.locator("footer").bounding_box()

    assert before is not None
    assert after is not None
    assert after["y"] == pytest.approx(before["y"], abs=1)


def test_the_keyboard_reaches_everything_in_reading_order(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    api.answers(answer(8))
    open_product(page, shop_url, product)
    strip_with_cards(page, 8)

    focused = []
    for _ in range(36):
        page.keyboard.press("Tab")
        focused.append(page.evaluate(FOCUSED))

    expected = ["Skip to the content", "Lookalike", "q", "Search", "Search by photo", "Basket", "Home", "All products"]
    expected += [
        "Home",
        "Mugs",
        "Photos",
        "quantity",
        "Add to basket",
        "Next products",
        *(f"Like {number}" for number in range(1, 9)),
    ]
    assert [name for name in focused if name in {*expected}][: len(expected)] == expected


def test_the_arrows_turn_the_strip_to_its_end_and_back(page: Page, shop_url: str, product: Product, api: Api) -> None:
    api.answers(answer(8))
    page.emulate_media(reduced_motion="reduce")
    open_product(page, shop_url, product)
    strip_with_cards(page, 8)
    forward, back = page.get_by_label("Next products"), page.get_by_label("Previous products")
    expect(back).to_be_disabled()

    forward.click()

    expect(page.locator(f"{STRIP} a").last).to_be_in_viewport()
    expect(forward).to_be_disabled()
    back.click()
    expect(page.locator(f"{STRIP} a").first).to_be_in_viewport()
    expect(back).to_be_disabled()


def test_a_strip_written_from_right_to_left_turns_the_other_way(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    api.answers(answer(8))
    page.emulate_media(reduced_motion="reduce")
    page.add_init_script("document.addEventListener('DOMContentLoaded', () => (document.documentElement.dir = 'rtl'))")
    open_product(page, shop_url, product)
    strip_with_cards(page, 8)
    first, last = page.locator(f"{STRIP} a").first, page.locator(f"{STRIP} a").last
    page.locator(STRIP).scroll_into_view_if_needed()
    expect(first).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    page.get_by_label("Next products").click()

    expect(last).to_be_in_viewport()


@pytest.mark.complaints("status of 404")
def test_a_click_emits_an_event_with_product_and_position_and_follows_the_link(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    open_product(page, shop_url, product)
    strip_with_cards(page, 5)
    page.evaluate(
        """document.addEventListener("similar:click", (event) =>
          sessionStorage.setItem("click", JSON.stringify(event.detail)))"""
    )

    page.locator(f"{STRIP} a").nth(2).click()

    page.wait_for_url("**/products/103/like-3/")
    assert page.evaluate("JSON.parse(sessionStorage.getItem('click'))") == {
        "product": card(3),
        "score": 0.97,
        "position": 3,
    }


def test_a_page_that_cancels_the_click_goes_where_it_likes(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    open_product(page, shop_url, product)
    strip_with_cards(page, 5)
    page.evaluate("document.addEventListener('similar:click', (event) => event.preventDefault())")

    page.locator(f"{STRIP} a").first.click()

    until(page, lambda: len(events(page)) == 2)
    assert page.url == shop_url + product.get_absolute_url()


def test_what_products_are_called_is_never_read_as_markup(
    page: Page, shop_url: str, product: Product, api: Api, complaints: list[str]
) -> None:
    hostile = {"title": "<img src=x onerror=alert(1)>", "url": "javascript:alert(1)"}
    api.answers(answer(1, **hostile, currency="nonsense", price="1"))

    open_product(page, shop_url, product)

    strip_with_cards(page, 1)
    link = page.locator(f"{STRIP} a").first
    expect(link).to_contain_text("<img src=x onerror=alert(1)>")
    expect(link).to_contain_text("1 nonsense")
    expect(link).not_to_have_attribute("href", re.compile("javascript"))
    assert complaints == []


def test_a_product_without_price_photo_or_page_is_shown_all_the_same(
    page: Page, shop_url: str, product: Product, api: Api, complaints: list[str]
) -> None:
    api.answers(answer(1, price=None, image="", url=None))

    open_product(page, shop_url, product)

    strip_with_cards(page, 1)
    expect(page.locator(f"{STRIP} a")).to_have_text("Like 1")
    assert complaints == []


@pytest.mark.complaints("status of 404")
def test_a_photo_that_is_gone_leaves_no_broken_picture(page: Page, shop_url: str, product: Product, api: Api) -> None:
    page.route("**/canned/1.jpg", lambda route: route.fulfill(status=404))

    open_product(page, shop_url, product)

    strip_with_cards(page, 5)
    expect(page.locator(f"{STRIP} img")).to_have_count(4)


def test_everything_on_a_narrow_card_can_be_read_and_a_failing_picture_does_not_stretch_it(
    bare_page: Page, api: Api
) -> None:
    bare_page.route("**/canned/3.jpg", lambda route: route.fulfill(body="none", content_type="image/jpeg"))
    bare_page.evaluate("document.documentElement.lang = 'de'")
    bare_page.evaluate(ADD_PLACE, {"data-similar-to": "42", "style": "--similar-item-width: 6rem"})
    strip_with_cards(bare_page, 5)

    badge = bare_page.get_by_text("Nicht auf Lager")
    expect(badge).to_be_visible()
    assert badge.evaluate(CUT_AWAY) == 0
    # While pictures load, when one has come, and when one has failed.
    until(bare_page, lambda: bare_page.locator(f"{STRIP} img").count() == 4)
    heights = bare_page.locator(f"{STRIP} .media").evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert set(heights) == {96}


def test_the_keyboard_stays_on_the_arrow_at_the_end_of_the_strip(bare_page: Page, api: Api) -> None:
    api.answers(answer(8))
    bare_page.emulate_media(reduced_motion="reduce")
    bare_page.evaluate(ADD_PLACE, {"data-similar-to": "42"})
    strip_with_cards(bare_page, 8)
    forward = bare_page.get_by_label("Next products")
    forward.focus()

    bare_page.keyboard.press("Enter")

    expect(forward).to_be_disabled()
    expect(forward).to_be_focused()


def test_a_text_that_changes_is_followed_without_another_request(bare_page: Page, api: Api) -> None:
    bare_page.evaluate(ADD_PLACE, {"data-similar-to": "42", "data-heading": "Like it?"})
    strip_with_cards(bare_page, 5)
    asked = len(asked_for_products(api))

    bare_page.locator("main > div").evaluate(
        "place => { place.dataset.textOutOfStock = 'Sold'; place.dataset.heading = 'More'; }"
    )

    expect(bare_page.get_by_text("Sold", exact=True)).to_be_visible()
    expect(bare_page.get_by_role("region", name="More")).to_be_visible()
    assert len(asked_for_products(api)) == asked


def test_addresses_are_below_the_path_of_the_api_that_the_script_came_from(
    page: Page, shop_url: str, serve_page: Callable[[str], str], api: Api
) -> None:
    script = {
        "body": WIDGET.read_bytes(),
        "content_type": "text/javascript",
        "headers": {"Access-Control-Allow-Origin": "*"},
    }
    page.route("**/below/widget/v1/similar.js", lambda route: route.fulfill(**script))
    page.goto(
        serve_page(
            f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
            <script type="module" src="{shop_url}/below/widget/v1/similar.js"></script>
            <similar-products product-id="42"></similar-products>"""
        )
    )
    strip_with_cards(page, 5)

    assert asked_for_products(api)[0].startswith(f"{shop_url}/below/api/products/42/similar?")
    link = page.locator(f"{STRIP} a").first
    assert link.evaluate("link => link.href") == f"{shop_url}/below/products/101/like-1/"
    assert link.locator("img").evaluate("img => img.src") == f"{shop_url}/below/canned/1.jpg"


@pytest.mark.complaints("ERR_FAILED")
def test_a_script_that_is_blocked_leaves_no_hole(page: Page, shop_url: str, product: Product) -> None:
    page.route("**/widget/v1/similar.js", lambda route: route.abort())
    page.goto(shop_url + product.get_absolute_url())
    strip = page.locator(STRIP)
    assert strip.evaluate("strip => strip.offsetHeight") > 200

    page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")

    assert strip.evaluate("strip => strip.offsetHeight") == 0


def test_removing_the_strip_calls_off_its_request(page: Page, shop_url: str, product: Product, api: Api) -> None:
    held: list[Route] = []
    api.answer = held.append
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    open_product(page, shop_url, product)
    until(page, lambda: held)

    page.locator(STRIP).evaluate("strip => strip.remove()")

    until(page, lambda: failed)
    assert failed == api.asked
    assert events(page) == []


def test_a_product_page_gives_the_browser_nothing_to_complain_of(
    page: Page, shop_url: str, product: Product, api: Api, complaints: list[str]
) -> None:
    open_product(page, shop_url, product)
    strip_with_cards(page, 5)
    page.wait_for_load_state("networkidle")

    assert complaints == []


def test_prices_are_written_in_the_page_s_language(page: Page, shop_url: str, product: Product, api: Api) -> None:
    held: list[Route] = []
    api.answer = held.append
    open_product(page, shop_url, product)
    until(page, lambda: held)
    page.evaluate("document.documentElement.lang = 'de'")

    held[0].fulfill(json=answer(5))

    expect(page.locator(f"{STRIP} a").first).to_contain_text("11,50\N{NO-BREAK SPACE}€")


def test_a_shop_may_style_the_strip_by_parts_and_properties(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    open_product(page, shop_url, product)
    strip_with_cards(page, 5)

    page.evaluate(
        """() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`
            similar-products { --similar-item-width: 100px }
            similar-products::part(title) { color: rgb(1, 2, 3) }
          `);
          document.adoptedStyleSheets = [sheet];
        }"""
    )

    expect(page.locator(f"{STRIP} .title").first).to_have_css("color", "rgb(1, 2, 3)")
    expect(page.locator(f"{STRIP} li").first).to_have_css("width", "100px")


def test_the_true_api_fills_the_strip_with_the_other_products(
    page: Page, shop_url: str, product: Product, index_photos: Callable[[], object], complaints: list[str]
) -> None:
    others = {stock(f"Mug {number}").title for number in range(3)}
    index_photos()

    open_product(page, shop_url, product)

    strip_with_cards(page, 3)
    assert {title.strip() for title in page.locator(f"{STRIP} .title").all_inner_texts()} == others
    (name, detail), *_ = events(page)
    assert name == "similar:load"
    assert detail["fallback"] is False
    page.wait_for_load_state("networkidle")
    assert complaints == []


def test_a_page_of_another_origin_can_embed_the_strip(
    page: Page, shop_url: str, product: Product, serve_page: Callable[[str], str], complaints: list[str]
) -> None:
    stock("Red mug")
    article = serve_page(
        f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
        <script>{NOTE_EVENTS}</script><script type="module" src="{shop_url}/widget/v1/similar.js"></script>
        <similar-products product-id="{product.pk}" limit="2" heading="Like it?"></similar-products>"""
    )

    page.goto(article)

    strip_with_cards(page, 1)
    assert page.locator(f"{STRIP} a").evaluate("link => link.href").startswith(f"{shop_url}/products/")
    assert [name for name, _ in events(page)] == ["similar:load"]
    assert complaints == []


def test_a_key_is_sent_with_each_call_and_a_new_one_starts_afresh(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    keys: list[str | None] = []

    def respond(route: Route) -> None:
        keys.append(route.request.headers.get("x-api-key"))
        route.fulfill(json=answer(2))

    api.answer = respond
    open_product(page, shop_url, product)
    strip_with_cards(page, 2)

    page.locator(STRIP).evaluate("strip => strip.setAttribute('api-key', 'k-1')")

    until(page, lambda: len(keys) > 1)
    assert keys[:2] == [None, "k-1"]


def test_each_photo_is_loaded_as_small_as_its_place_allows(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    page.route("**/small/*.jpg", lambda route: route.fulfill(body=jpeg(), content_type="image/jpeg"))
    api.answers(answer(1, thumbnails={"320": "/small/320.jpg", "640": "/small/640.jpg"}))

    open_product(page, shop_url, product)

    picture = page.locator(f"{STRIP} img")
    until(page, lambda: picture.evaluate("img => img.currentSrc") == f"{shop_url}/small/320.jpg")


@pytest.mark.complaints("status of 404")
def test_where_a_thumbnail_is_missing_the_photo_itself_is_shown(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    page.route("**/small/*.jpg", lambda route: route.fulfill(status=404))
    api.answers(answer(1, thumbnails={"320": "/small/320.jpg"}))

    open_product(page, shop_url, product)

    picture = page.locator(f"{STRIP} img")
    until(page, lambda: picture.evaluate("img => img.currentSrc") == f"{shop_url}/canned/1.jpg")
    until(page, lambda: picture.evaluate("img => img.naturalWidth > 0"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_strip_takes_the_page_s_colours_by_day_and_by_night(
    page: Page, shop_url: str, product: Product, api: Api, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)

    open_product(page, shop_url, product)

    strip_with_cards(page, 5)
    ink = page.evaluate("getComputedStyle(document.body).color")
    expect(page.locator(f"{STRIP} .title").first).to_have_css("color", ink)
    expect(page.locator(f"{STRIP} h2")).to_have_css("color", ink)


@pytest.mark.parametrize(
    ("motion", "scroll", "animation"), [("reduce", "auto", "none"), ("no-preference", "smooth", "breathe")]
)
def test_nothing_moves_by_itself_for_those_who_want_it_still(
    page: Page, shop_url: str, product: Product, api: Api,
    motion: Literal["reduce", "no-preference"], scroll: str, animation: str,
) -> None:  # fmt: skip
    held: list[Route] = []
    api.answer = held.append
    page.emulate_media(reduced_motion=motion)

    open_product(page, shop_url, product)

    waiting = page.locator(f"{STRIP} ul")
    expect(waiting).to_have_css("scroll-behavior", scroll)
    expect(waiting).to_have_css("animation-name", animation)


@pytest.fixture
def bare_page(page: Page, shop_url: str, serve_page: Callable[[str], str], api: Api) -> Page:
    """A page of another shop with only the script."""
    page.goto(
        serve_page(
            f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
            <script type="module" src="{shop_url}/widget/v1/similar.js"></script><main></main>"""
        )
    )
    return page


ADD_PLACE = """(attributes) => {
  const place = document.createElement("div");
  for (const [name, value] of Object.entries(attributes)) place.setAttribute(name, value);
  document.querySelector("main").append(place);
}"""


def test_an_element_that_names_a_product_gets_a_strip_also_when_it_comes_later(
    bare_page: Page, shop_url: str, api: Api
) -> None:
    attributes = {"data-similar-to": "42", "data-limit": "3", "data-heading": "Like it?", "data-collection": "food"}

    bare_page.evaluate(ADD_PLACE, attributes | {"data-text-next": "Weiter"})

    strip_with_cards(bare_page, 5)
    assert asked_for_products(api) == [f"{shop_url}/api/products/42/similar?limit=3&collection=food"]
    expect(bare_page.get_by_role("region", name="Like it?")).to_be_visible()
    expect(bare_page.locator(STRIP)).to_have_attribute("text-next", "Weiter")


def test_a_strip_follows_its_element_s_attributes_and_goes_with_them(bare_page: Page, shop_url: str, api: Api) -> None:
    bare_page.evaluate(ADD_PLACE, {"data-similar-to": "42", "data-limit": "3"})
    strip_with_cards(bare_page, 5)

    bare_page.locator("main > div").evaluate("place => { place.dataset.similarTo = '43'; delete place.dataset.limit; }")

    until(bare_page, lambda: len(asked_for_products(api)) == 2)
    assert asked_for_products(api)[1] == f"{shop_url}/api/products/43/similar?limit=8&collection=all"
    bare_page.locator("main > div").evaluate("place => place.removeAttribute('data-similar-to')")
    expect(bare_page.locator(STRIP)).to_have_count(0)
    bare_page.locator("main > div").evaluate("place => (place.dataset.similarTo = '44')")
    strip_with_cards(bare_page, 5)
    bare_page.locator("main > div").evaluate("place => place.remove()")
    expect(bare_page.locator(STRIP)).to_have_count(0)


def test_a_strip_follows_the_sku_of_its_element(bare_page: Page, shop_url: str, api: Api) -> None:
    bare_page.evaluate(ADD_PLACE, {"data-similar-to-sku": "A/1 b?#%", "data-limit": "3"})
    strip_with_cards(bare_page, 5)

    bare_page.locator("main > div").evaluate("place => (place.dataset.similarToSku = 'A-2')")

    until(bare_page, lambda: len(asked_for_products(api)) == 2)
    encoded = f"{shop_url}/api/products/by-sku/A%2F1%20b%3F%23%25/similar?limit=3&collection=all"
    assert asked_for_products(api) == [encoded, f"{shop_url}/api/products/by-sku/A-2/similar?limit=3&collection=all"]
    bare_page.locator("main > div").evaluate("place => place.removeAttribute('data-similar-to-sku')")
    expect(bare_page.locator(STRIP)).to_have_count(0)


def test_an_element_that_its_page_empties_stays_empty(bare_page: Page, api: Api) -> None:
    bare_page.evaluate(ADD_PLACE, {"data-similar-to": "42"})
    strip_with_cards(bare_page, 5)

    bare_page.locator("main > div").evaluate("place => place.replaceChildren()")
    bare_page.evaluate(ADD_PLACE, {"class": "something-else"})

    bare_page.wait_for_timeout(100)
    expect(bare_page.locator(STRIP)).to_have_count(0)


@pytest.mark.parametrize(
    ("attributes", "shown", "said"),
    [
        ('product-id="1" limit="abc"', True, 'limit="abc" is no whole number from 1 to 100: 8 is taken'),
        ('product-id="1" limit="500"', True, 'limit="500" is no whole number from 1 to 100: 100 is taken'),
        ('product-id="MUG-1"', True, 'product-id="MUG-1" is no id of the API; the shop\'s own is the attribute sku'),
        ('product="1"', False, "names no product (product-id, sku or skus): it is hidden"),
        ('skus=" , "', False, "404 No product is named"),
        ('product-id="1" api="http://"', False, "No address of an API: http:// ("),
        ('product-id="1" api-key="pk_☃"', False, "No answer of the API (Failed to execute 'fetch'"),
    ],
)
def test_the_console_says_what_visitors_do_not_see(
    page: Page, shop_url: str, product: Product, api: Api, attributes: str, shown: bool, said: str
) -> None:
    lines: list[str] = []
    page.on("console", lambda message: lines.append(f"{message.type}: {message.text}"))
    open_product(page, shop_url, product)
    strip_with_cards(page, 5)

    page.evaluate(f"document.querySelector('{STRIP}').outerHTML = `<similar-products {attributes}></similar-products>`")

    until(page, lambda: bool(lines))
    assert lines[0].startswith(f"info: <similar-products>: {said}"), lines
    if shown:
        strip_with_cards(page, 5)
    else:
        expect(page.locator(STRIP)).to_be_hidden()


@pytest.mark.complaints("status of 400")
def test_the_console_says_which_attribute_the_api_refuses(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    errors = [{"parameter": "min_price", "detail": "must be a price such as 12 or 12.50"}]
    api.answers({"title": "Invalid parameters", "detail": "See `errors`.", "status": 400, "errors": errors}, status=400)

    open_product(page, shop_url, product)

    said = "<similar-products>: 400 min-price must be a price such as 12 or 12.50"
    until(page, lambda: any(line.startswith(said) for line in lines))
