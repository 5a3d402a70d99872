"""The shop and the admin as people see them whose browsers ask for another language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest
from django.conf import LazySettings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from catalog.models import Category, Product
from catalog.services import withdraw_products
from tests.browser.conftest import SIZES, TIMEOUT_MS
from tests.browser.pages import BACK_OFFICE, Shop
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
def products(shop_url: str, index_photos: Callable[[], object], settings: LazySettings) -> list[Product]:
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


def see_all(page: Page, shop_url: str, products: list[Product]) -> Iterator[str]:
    """Open the pages of the shop one after another, and yield what each is called."""
    mug, bare, sold_out, gone = products
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
    visitor: Callable[[str], Page], shop_url: str, products: list[Product], subtests: pytest.Subtests
) -> None:
    data = {"Lookalike", "Alder", "Harbour", "Holds 350 ml.", "Colour", "blue"}
    data |= {text for row in Product.objects.values_list("title", "sku") for text in row}
    data |= set(Category.objects.values_list("name", flat=True))
    pages = {language: visitor(language) for language in ("en", *LANGUAGES)}
    for name, *_ in zip(*(see_all(page, shop_url, products) for page in pages.values()), strict=True):
        english = set(pages["en"].evaluate(_TEXTS))
        for language, same in LANGUAGES.items():
            page = pages[language]
            with subtests.test(f"{name}, {language}"):
                assert page.locator("html").get_attribute("lang") == language
                assert english & set(page.evaluate(_TEXTS)) - data - same == set()
                assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["phone"][0]


# The same in both languages, stored as it was written, or untranslated in Django.
_SAME = {
    *("Encoder", "Feeds", "Name", "Position", "Slug", "Status", "System", "Training", "Training: all", "Version"),
    *("API", "EUR", "Id", "Lookalike", "Recall@1", "SKU", "esc", "mAP", "DeepRank", "Median"),
    *(
        "The file is cut off.",
        "There are fewer than two categories with photos.",
        "the title is empty",
    ),
    *("Password-based authentication", "Enabled", "Disabled", "Hindi"),
    *("All products", "Hide", "Holds 350 ml.", '{"colour": "blue"}'),
    *("Lamps", "products.csv", "brand = Harbour", "sku = ArtNo"),
}
_STORED = re.compile(
    r"Axes \||Whether the user will be able to authenticate|Shop pages \(|admin:|: "
    r"|[0-9a-f]{64}$|[0-9a-f]{8}-[0-9a-f-]{27}$|\d+ ms$"
    r"|[^ ]*(@|://|/|_|-v\d|\*\*|…|\d-\d)|(all|trial|bundled|owner|spring\.csv)$",
    re.IGNORECASE,
)


class _Page(HTMLParser):
    """The texts of a page: what is read, and what names an element or is read by its script."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self._skipped: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        if self._skipped or tag in ("script", "style", "code") or "material-symbols-outlined" in given.get("class", ""):
            self._skipped += [tag] if not self._skipped or tag == self._skipped[0] else []
        for name, value in given.items():
            is_text = name.startswith("data-") and re.fullmatch(r"[A-Z\d%].* .*", value)
            if is_text or name in ("aria-label", "alt", "title", "placeholder"):
                self._keep(value)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped and tag == self._skipped[0]:
            self._skipped.pop()

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self._keep(data)

    def _keep(self, text: str) -> None:
        if re.search(r"[A-Za-z]{2}", text):
            self.texts.add(" ".join(text.split()))


def test_staff_see_every_page_of_the_admin_in_german(shop: Shop, client: Client, subtests: pytest.Subtests) -> None:
    client.force_login(shop.owner)
    data = {text for row in Product.objects.values_list("title", "sku", "brand") for text in row}
    data |= {text for row in Category.objects.values_list("name", "path", "slug") for text in row} | {
        "NEW-2",
        "Owner",
        "Trial",
    }
    for shown in BACK_OFFICE:
        texts = []
        for language in ("en", "de"):
            page = _Page()
            page.feed(client.get(shown.path(shop), headers={"Accept-Language": language}).content.decode())
            texts.append(page.texts)
        with subtests.test(shown.name):
            in_both = texts[0] & texts[1] - data - _SAME
            assert {text for text in in_both if not _STORED.match(text)} == set()
