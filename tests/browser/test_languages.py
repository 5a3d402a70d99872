"""The shop as visitors see it whose browsers ask for another language."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import LazySettings
from playwright.sync_api import Browser, BrowserContext, Page, expect

from catalog.models import Category, Product
from catalog.services import withdraw_products
from tests.browser.conftest import SIZES, TIMEOUT_MS
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)

# With the words that are the same in English.
LANGUAGES = {"de": {"Shop"}, "ja": set[str]()}
# All that a visitor reads or hears, also in the widget's elements.
_TEXTS = """() => {
  const texts = [];
  const read = (root) => {
    for (const element of root.querySelectorAll("*:not(script, style)")) {
      texts.push(...["aria-label", "alt", "title", "placeholder"].map((name) => element.getAttribute(name) ?? ""));
      texts.push(...[...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data));
      if (element.shadowRoot) read(element.shadowRoot);
    }
  };
  read(document);
  const shown = texts.map((text) => text.replace(/ · Lookalike$/, "").replace(/\\s+/g, " ").trim());
  return shown.filter((text) => /[A-Za-z]{2}/.test(text));
}"""


@pytest.fixture
def shop(shop_url: str, index_photos: Callable[[], object], settings: LazySettings) -> list[Product]:
    """A product in two photos, one without photo and price, one sold out and one that is gone."""
    settings.SHOP_SUBSTITUTES = True
    details = {"brand": "Harbour", "description": "Holds 350 ml.", "attributes": {"colour": "blue"}}
    products = [stock(f"Mug {number}", brand="Alder", photos=0) for number in range(24)]
    products += [
        stock("Blue mug", photos=2, **details),
        stock("Teapot", photos=0, price=None, category=("Home", "Teapots")),
        stock("Old mug", available=False),
        stock("Gone mug"),
    ]
    index_photos()
    withdraw_products([products[-1].pk])
    return products[-4:]


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens an empty page on a phone, in a language."""
    contexts: list[BrowserContext] = []

    def open_page(language: str) -> Page:
        width, height = SIZES["phone"]
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, locale=language))
        contexts[-1].set_default_timeout(TIMEOUT_MS)
        return contexts[-1].new_page()

    yield open_page
    for context in contexts:
        context.close()


def see_all(page: Page, shop_url: str, shop: list[Product]) -> Iterator[str]:
    """Open the pages of the shop one after another, and yield what each is called."""
    mug, bare, sold_out, gone = shop
    for name, path in (
        ("home", "/"),
        ("list", "/products/?page=2&min_price=a"),
        (
            "filtered",
            "/categories/home/mugs/?brand=Alder&brand=Harbour&min_price=5&max_price=20&available=1&sort=price",
        ),
        ("search", "/products/?q=mug"),
        ("nothing found", "/products/?q=nothing"),
        ("nothing left", "/products/?q=nothing&available=1"),
        ("without photo and price", bare.get_absolute_url()),
        ("photo search", "/visual-search/"),
        ("empty basket", "/basket/"),
        ("not found", "/nowhere/at/all"),
        ("no product", "/products/999999/none/"),
    ):
        page.goto(shop_url + path)
        yield name
    for name, product in (("sold out", sold_out), ("gone", gone), ("product", mug)):
        page.goto(shop_url + product.get_absolute_url())
        page.locator("similar-products").scroll_into_view_if_needed()
        expect(page.locator("similar-products a").first).to_be_visible()
        yield name
    page.locator(".buy button").click()
    expect(page.locator(".notice.good")).to_be_visible()
    yield "added"
    page.locator(".notice.good a").click()
    expect(page.locator(".basket")).to_be_visible()
    yield "basket"
    page.locator(".sum button").click()
    expect(page.locator(".order-confirmation")).to_be_visible()
    yield "ordered"


def test_a_shopper_sees_the_shop_in_the_language_of_the_browser(
    visitor: Callable[[str], Page], shop_url: str, shop: list[Product], subtests: pytest.Subtests
) -> None:
    data = {"Lookalike", "Alder", "Harbour", "Holds 350 ml.", "Colour", "blue"}
    data |= {text for row in Product.objects.values_list("title", "sku") for text in row}
    data |= set(Category.objects.values_list("name", flat=True))
    pages = {language: visitor(language) for language in ("en", *LANGUAGES)}
    for name, *_ in zip(*(see_all(page, shop_url, shop) for page in pages.values()), strict=True):
        english = set(pages["en"].evaluate(_TEXTS))
        for language, same in LANGUAGES.items():
            page = pages[language]
            with subtests.test(f"{name}, {language}"):
                assert page.locator("html").get_attribute("lang") == language
                assert english & set(page.evaluate(_TEXTS)) - data - same == set()
                assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["phone"][0]
