"""The admin's list of products: cards on a phone, a table on a desktop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.conftest import DEVICES, SIZES, Screen
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("screen", [Screen("phone", "light")], ids=str)
def test_a_product_is_a_card_of_some_lines_on_a_phone(
    page: Page, screen: Screen, shop_url: str, sign_in: Callable[[User], None]
) -> None:
    stock("A teapot with a name that takes two lines of the card", brand="Harbour", category=("Home", "Teapots"))
    sign_in(User.objects.create_superuser("owner", "owner@shop.example", "secret"))
    page.goto(f"{shop_url}/admin/catalog/product/")

    card = page.locator("#result_list .data-row")
    box = card.bounding_box()
    assert box is not None
    assert box["height"] < 200
    assert box["width"] <= SIZES["phone"][0]
    for text in ("A teapot", "€12.50", "Harbour", "home/teapots"):
        expect(card.get_by_text(text)).to_be_visible()
    expect(card.locator("img")).to_be_visible()
    select = card.get_by_role("checkbox")
    touched = select.bounding_box()
    assert touched is not None
    assert min(touched["width"], touched["height"]) >= 24

    title = page.get_by_role("heading", level=1).get_by_text("Products", exact=True)
    assert title.evaluate("shown => shown.scrollWidth <= shown.clientWidth"), "the title of the page is cut off"

    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.get_by_role("columnheader", name="Photos")).to_be_visible()


@pytest.mark.parametrize("screen", DEVICES)
def test_lists_that_belong_together_are_all_in_sight(
    page: Page, screen: Screen, shop_url: str, sign_in: Callable[[User], None]
) -> None:
    sign_in(User.objects.create_superuser("owner", "owner@shop.example", "secret"))
    for number in range(30):
        stock(f"Mug {number}", photos=0, category=("Home", f"Mugs {number}"))
    page.goto(f"{shop_url}/admin/catalog/category/")
    lists = page.get_by_role("navigation", name="Related lists")
    expect(lists.get_by_role("link", name="Categories")).to_have_attribute("aria-current", "page")
    lists.get_by_role("link", name="Products").click()
    expect(lists.get_by_role("link", name="Products")).to_have_attribute("aria-current", "page")
    expect(lists.get_by_role("link", name="Categories")).to_be_visible()


@pytest.mark.parametrize("screen", [Screen("phone", "light")], ids=str)
def test_long_brands_paths_and_words_leave_room_for_the_rest_on_a_phone(
    page: Page, screen: Screen, shop_url: str, sign_in: Callable[[User], None]
) -> None:
    path = ("Home & Garden", "Kitchen & Dining", "Kitchen Appliances", "Coffee Makers & Espresso Machines")
    product = stock(
        "Dedica coffee machine, beige", photos=0, brand="Harbour Household Appliances Limited", category=path
    )
    word = stock("Donaudampfschifffahrtsgesellschaftskapitän" * 3, photos=0, brand="X" * 100)
    sign_in(User.objects.create_superuser("owner", "owner@shop.example", "secret"))

    page.goto(f"{shop_url}/admin/catalog/product/?q=Dedica")
    title = page.locator("#result_list .field-title").bounding_box()
    assert title is not None
    assert title["width"] > 120

    page.goto(f"{shop_url}/admin/catalog/category/?q=coffee")
    cut = page.locator("#result_list .field-path").evaluate("cell => cell.scrollHeight - cell.clientHeight")
    assert cut <= 0

    for address in (
        f"{shop_url}/admin/catalog/product/{product.pk}/change/",
        f"{shop_url}/admin/catalog/product/{word.pk}/change/",
        f"{shop_url}/admin/catalog/product/{word.pk}/delete/",
        shop_url + word.get_absolute_url(),
    ):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["phone"][0], address
