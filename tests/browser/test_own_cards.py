"""A strip as a shop makes it its own: filters, several products, own cards, slots and languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from catalog.models import Product
from recommender.models import Event
from tests.browser.conftest import Api, answer, card, until
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)

STRIP = "similar-products"


@pytest.fixture
def show(page: Page, shop_url: str, serve_page: Callable[[str], str], api: Api) -> Callable[[str], Page]:
    """Opens a page of another shop with the script and this markup."""

    def show(markup: str) -> Page:
        page.goto(
            serve_page(
                f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
                <style>.own {{ color: rgb(1, 2, 3) }}</style>
                <script type="module" src="{shop_url}/widget/v1/similar.js"></script><main>{markup}</main>"""
            )
        )
        return page

    return show


def asked(api: Api) -> list[tuple[str, list[tuple[str, str]]]]:
    """The requests for recommendations: path and parameters."""
    urls = [urlsplit(url) for url in api.asked if not url.split("?")[0].endswith("/events")]
    return [(url.path, parse_qsl(url.query)) for url in urls]


def reported(route: Route) -> list[Any]:
    """The events of a request."""
    return list(json.loads(route.request.post_data or "")["events"])


def test_every_filter_is_an_attribute(show: Callable[[str], Page], api: Api) -> None:
    page = show(
        """<similar-products sku="MUG-17" limit="4" available category="home/mugs" min-price="5" tag="new, blue"
        not-brand="Acme" exclude="7,8" attribute="colour=blue, colour=red, size=L" max-score="0.99"></similar-products>"""
    )
    expect(page.locator(f"{STRIP} a")).to_have_count(5)
    ((path, parameters),) = asked(api)
    assert path == "/api/products/by-sku/MUG-17/similar"
    assert sorted(parameters) == sorted(
        [
            ("limit", "4"), ("collection", "all"), ("available", "true"), ("category", "home/mugs"), ("min_price", "5"),
            ("tag", "new"), ("tag", "blue"), ("not_brand", "Acme"), ("exclude", "7"), ("exclude", "8"),
            ("attribute.colour", "blue"), ("attribute.colour", "red"), ("attribute.size", "L"), ("max_score", "0.99"),
        ]
    )  # fmt: skip

    page.locator(STRIP).evaluate("strip => strip.removeAttribute('category')")

    until(page, lambda: len(asked(api)) == 2)
    assert "category" not in dict(asked(api)[1][1])


def test_the_results_of_several_products_take_turns_without_these_products(
    show: Callable[[str], Page], api: Api
) -> None:
    events: list[Any] = []

    def found(product: int, *numbers: int) -> dict[str, Any]:
        return answer(0) | {"product": product, "results": [{"product": card(each), "score": 0.9} for each in numbers]}

    def respond(route: Route) -> None:
        if route.request.method == "POST":
            events.extend(reported(route))
            route.fulfill(status=202, json={"accepted": 1})
        elif "by-sku/LIKE-1/" in route.request.url:
            route.fulfill(json=found(101, 2, 3, 4))
        elif "by-sku/LIKE-2/" in route.request.url:
            route.fulfill(json=found(102, 1, 3, 5))
        else:
            route.fulfill(status=404, json={"title": "Product not found", "status": 404})

    api.answer = respond
    page = show("<div></div>")
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.locator("main > div").evaluate("place => (place.dataset.similarToSkus = 'LIKE-1, LIKE-2')")

    expect(page.locator(f"{STRIP} .title")).to_have_text(["Like 3", "Like 5", "Like 4"])
    # Each impression is of the product that the results are similar to.
    until(page, lambda: len(events) == 2)
    assert [(each["product"], each["results"]) for each in events] == [(101, [103, 104]), (102, [105])]


TEMPLATE = """<similar-products product-id="42" heading="More">
  <template slot="item">
    <article class="own"><a><slot name="image"></slot><h3><slot name="title"></slot></h3></a>
    <p><slot name="brand">No brand</slot> <b><slot name="price"></slot></b> <i><slot name="out-of-stock">In stock</slot></i></p>
    <form data-track="add_to_cart" data-product action="#">
    <input type="hidden" name="sku" data-value="sku"><button>Buy</button></form>
    </article>
  </template>
</similar-products>"""


def test_own_cards_come_from_a_template_in_the_page_and_are_counted(show: Callable[[str], Page], api: Api) -> None:
    events: list[Any] = []

    def respond(route: Route) -> None:
        if route.request.method == "POST":
            events.extend(reported(route))
        route.fulfill(json=answer(2, brand=""))

    api.answer = respond
    page = show(TEMPLATE)

    own = page.locator("article.own")
    expect(own).to_have_count(2)
    expect(own.first).to_have_css("color", "rgb(1, 2, 3)")
    expect(own.first.locator("p")).to_have_text("No brand €11.50 In stock")
    expect(own.nth(1).locator("p")).to_have_text("Harbour €21.50 Out of stock")
    expect(own.first.locator("img")).to_be_visible()
    assert own.first.locator("a").evaluate("link => new URL(link.href).pathname") == "/products/101/like-1/"
    expect(page.locator("input[name=sku]").nth(1)).to_have_value("LIKE-2")
    own.nth(1).get_by_role("button", name="Buy").click()
    page.evaluate("document.addEventListener('similar:click', (event) => event.preventDefault())")
    own.first.locator("h3").click()
    until(page, lambda: [each["type"] for each in events if each["type"] != "impression"] == ["add_to_cart", "click"])
    assert [each.get("product") for each in events if each["type"] == "add_to_cart"] == [102]
    assert [each["result"] for each in events if each["type"] == "click"] == [101]


def test_a_page_s_script_changes_results_and_draws_cards(show: Callable[[str], Page], api: Api) -> None:
    page = show('<similar-products product-id="42"></similar-products>')
    expect(page.locator(f"{STRIP} a")).to_have_count(5)

    page.locator(STRIP).evaluate(
        """strip => {
          strip.transformItems = (results) => results.filter(({ product }) => product.available).reverse();
          strip.renderItem = ({ product, position }) => position === 1 ? null : `${position}: ${product.title}`;
        }"""
    )

    expect(page.locator(f"{STRIP} > div")).to_have_text(["2: Like 4", "3: Like 3", "4: Like 1"])
    expect(page.locator(f"{STRIP} .title")).to_have_text("Like 5")
    assert len(asked(api)) == 1


def test_the_usual_card_may_have_brand_list_price_and_basket(show: Callable[[str], Page], api: Api) -> None:
    events: list[Any] = []

    def respond(route: Route) -> None:
        if route.request.method == "POST":
            events.extend(reported(route))
        route.fulfill(json=answer(2, list_price="20.00"))

    api.answer = respond
    page = show('<similar-products product-id="42" show-brand add-to-basket lang="nl"></similar-products>')

    link = page.locator(f"{STRIP} a").first
    expect(link.locator("s")).to_contain_text("20,00")
    expect(link).to_contain_text("Harbour")
    # What is out of stock cannot be bought.
    page.get_by_role("button", name="In winkelmandje: Like 1").click()
    expect(page.get_by_role("button", name="In winkelmandje")).to_have_count(1)
    until(page, lambda: [each for each in events if each["type"] == "add_to_cart"])
    assert [each["product"] for each in events if each["type"] == "add_to_cart"] == [101]


@pytest.mark.complaints("status of 404")
def test_slots_replace_the_heading_and_say_what_is_missing(show: Callable[[str], Page], api: Api) -> None:
    found = answer(2) | {"fallback": True}
    api.answers(found)
    slots = "<h2 slot='header'>Ours</h2><p slot='empty'>Nothing like it</p><p slot='error'>Not now</p>"
    page = show(f'<similar-products product-id="42" heading="More">{slots}</similar-products>')
    strip = page.locator(STRIP)
    expect(page.get_by_role("heading", name="Ours")).to_be_visible()
    expect(page.get_by_role("heading", name="More")).to_have_count(0)
    expect(page.get_by_text("Nothing like it")).to_be_hidden()

    # Products that are only new are not shown where the page wants similar ones.
    strip.evaluate("strip => strip.setAttribute('fallback', 'false')")
    expect(page.get_by_text("Nothing like it")).to_be_visible()
    expect(page.locator(f"{STRIP} a")).to_have_count(0)

    strip.evaluate(
        """strip => {
          strip.removeAttribute("fallback");
          strip.setAttribute("heading-fallback", "New here");
          strip.querySelector("[slot=header]").remove();
        }"""
    )
    expect(page.get_by_role("heading", name="New here")).to_be_visible()

    api.answers({"title": "Product not found", "status": 404}, status=404)
    strip.evaluate("strip => strip.setAttribute('product-id', '43')")
    expect(page.get_by_text("Not now")).to_be_visible()
    expect(page.get_by_text("Nothing like it")).to_be_hidden()


def test_a_strip_of_the_server_is_shown_without_a_script_and_taken_over_by_it(
    page: Page, browser: Browser, shop_url: str, product: Product, serve_page: Callable[[str], str],
    index_photos: Callable[[], object],
) -> None:  # fmt: skip
    other = stock("Red mug")
    index_photos()
    html = page.request.get(f"{shop_url}/api/products/by-sku/{product.sku}/similar.html?heading=Like+it%3F").text()
    address = serve_page(
        f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
        <link rel="stylesheet" href="{shop_url}/widget/v1/similar.css">
        <script type="module" src="{shop_url}/widget/v1/similar.js"></script>
        <similar-products sku="{product.sku}">{html}</similar-products>"""
    )
    without = browser.new_context(java_script_enabled=False)
    plain = without.new_page()
    plain.goto(address)
    expect(plain.get_by_role("region", name="Like it?").get_by_role("link")).to_have_text("Red mug €12.50")
    expect(plain.locator("li img")).to_be_visible()
    without.close()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))

    page.goto(address)

    expect(page.get_by_role("region", name="Like it?").get_by_role("link", name="Red mug €12.50")).to_be_visible()
    expect(page.locator(f"{STRIP} [data-similar-strip]")).to_have_count(0)
    until(page, lambda: Event.objects.exists())
    seen = Event.objects.get()
    assert (seen.type, seen.product_id, seen.results) == ("impression", product.pk, [other.pk])
    assert not [url for url in requests if "/similar?" in url]
