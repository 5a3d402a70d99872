"""The basket and the filters of the demo shop, in a browser with scripts and in one without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from catalog.models import Product
from tests.browser.conftest import Api, until
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plain_page(browser: Browser) -> Iterator[Page]:
    """A page on a phone without JavaScript."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False, locale="en-GB")
    yield context.new_page()
    context.close()


def test_a_visitor_without_scripts_can_narrow_a_list_on_a_phone(plain_page: Page, shop_url: str) -> None:
    for brand, price in (("Alder", "5.00"), ("Alder", "50.00"), ("Birch", "20.00")):
        stock(f"{brand} {price}", brand=brand, price=price)
    plain_page.goto(f"{shop_url}/categories/home/")
    titles = plain_page.locator(".card .title")
    expect(plain_page.get_by_label("Alder")).to_be_hidden()

    plain_page.locator("summary").click()
    plain_page.get_by_label("Alder").check()
    plain_page.get_by_label("to", exact=True).fill("20")
    plain_page.get_by_role("button", name="Show products").click()

    expect(titles).to_have_text(["Alder 5.00"])
    plain_page.get_by_role("link", name="Remove the filter Alder").click()
    expect(titles).to_have_text(["Birch 20.00", "Alder 5.00"])
    plain_page.locator("summary").click()
    plain_page.get_by_label("Sort by").select_option("price")
    plain_page.get_by_role("button", name="Show products").click()
    expect(titles).to_have_text(["Alder 5.00", "Birch 20.00"])


def test_on_a_wide_screen_the_filters_stand_open_beside_the_list(page: Page, shop_url: str) -> None:
    stock(brand="Alder")
    stock(brand="Birch")

    page.goto(f"{shop_url}/products/")

    expect(page.get_by_label("Alder")).to_be_visible()
    expect(page.locator("summary")).to_be_hidden()
    filters, list_ = page.locator(".filters").bounding_box(), page.locator(".cards").bounding_box()
    assert filters is not None
    assert list_ is not None
    assert filters["x"] + filters["width"] <= list_["x"]


def test_a_visitor_without_scripts_can_buy(plain_page: Page, shop_url: str, product: Product) -> None:
    plain_page.goto(shop_url + product.get_absolute_url())
    plain_page.get_by_label("Quantity").select_option("2")
    plain_page.get_by_role("button", name="Add to basket").click()
    plain_page.get_by_role("link", name="Go to the basket").click()
    expect(plain_page.get_by_text("€25.00")).to_have_count(2)

    plain_page.get_by_label("Quantity of Blue mug", exact=True).fill("3")
    plain_page.get_by_role("button", name="Change the quantity of Blue mug").click()
    expect(plain_page.get_by_text("€37.50")).to_have_count(2)
    plain_page.get_by_role("button", name="Place the order").click()

    expect(plain_page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
    expect(plain_page.get_by_role("link", name="Basket", exact=True)).to_be_visible()


def test_what_is_added_is_said_to_screen_readers_and_counted_in_the_header(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    page.goto(shop_url + product.get_absolute_url())

    page.get_by_role("button", name="Add to basket").click()

    expect(page.get_by_role("status")).to_contain_text("“Blue mug” is in your basket.")
    expect(page.get_by_role("link", name="Basket items: 1")).to_be_visible()


def test_a_product_s_photos_are_turned_by_their_small_versions_without_a_jump(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(shop_url + product.get_absolute_url())
    first, second = (page.get_by_role("link", name=f"Show photo {number}") for number in (1, 2))
    expect(first).to_have_attribute("aria-current", "true")

    second.click()

    expect(page.get_by_alt_text("Blue mug, view 2")).to_be_in_viewport()
    expect(second).to_have_attribute("aria-current", "true")
    expect(first).not_to_have_attribute("aria-current", "true")
    assert page.evaluate("scrollY") == 0
    assert "#" not in page.url


def test_a_product_s_photos_can_be_turned_by_the_keyboard(
    page: Page, shop_url: str, product: Product, api: Api
) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(shop_url + product.get_absolute_url())

    page.get_by_label("Photos").focus()
    page.keyboard.press("ArrowRight")

    until(page, lambda: page.get_by_role("link", name="Show photo 2").get_attribute("aria-current"))


def test_a_product_s_photos_are_plain_links_without_scripts(plain_page: Page, shop_url: str, product: Product) -> None:
    plain_page.goto(shop_url + product.get_absolute_url())

    plain_page.get_by_role("link", name="Show photo 2").click()

    expect(plain_page.get_by_alt_text("Blue mug, view 2")).to_be_in_viewport()
