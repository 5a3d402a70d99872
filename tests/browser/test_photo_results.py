"""What a visitor does with the results of a search by photo: narrow them down, see more like one, come back, try an example."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from catalog.services import attach_image
from pictures.photos import validate_photo
from tests.browser.conftest import DEVICES, Api, Screen, until
from tests.browser.looks import AXE, find_violations_in_both
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)

FOUND = "Products that look like your photo"


@pytest.fixture
def shop(shop_url: str, photo_file: Path, index_photos: Callable[[], object]) -> str:
    """A shop with mugs and a jug of two brands, and the page for search by photo."""
    sought = stock("Sought mug", photos=0, brand="Harbour", price="12.50")
    attach_image(sought, validate_photo(photo_file.read_bytes()))
    stock("Red mug", brand="Harbour", price="20", available=False)
    stock("Jug", brand="Pier", price="90", category=("Home", "Jugs"))
    index_photos()
    return f"{shop_url}/visual-search/"


def titles(page: Page) -> Locator:
    return page.locator("visual-search .title")


def choose(page: Page, file: Path) -> None:
    page.locator("visual-search .choose-input").set_input_files(file)
    expect(page.get_by_role("status")).to_have_text(FOUND)


@pytest.mark.parametrize("screen", DEVICES)
def test_results_are_narrowed_down_by_brand_category_price_and_stock(
    page: Page, screen: Screen, shop: str, photo_file: Path
) -> None:
    page.goto(shop)
    choose(page, photo_file)
    expect(titles(page)).to_have_count(3)
    if AXE.exists():
        assert find_violations_in_both(page, screen.scheme) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")

    brand = page.get_by_label("Brand")
    brand.select_option("Pier")
    expect(titles(page)).to_have_text(["Jug"])
    brand.select_option("Harbour")
    expect(titles(page)).to_have_text(["Sought mug", "Red mug"])
    page.get_by_label("In stock").check()
    expect(titles(page)).to_have_text(["Sought mug"])
    page.get_by_label("Category").select_option(label="\u2003Jugs")

    expect(page.get_by_role("status")).to_contain_text("Nothing that fits your choice")
    brand.select_option("All")
    price = page.get_by_label("Price")
    price.select_option(index=price.locator("option").count() - 1)
    expect(titles(page)).to_have_text(["Jug"])
    # What was chosen is shown, also in another language.
    page.evaluate("document.documentElement.lang = 'de'; document.querySelector('visual-search').redraw()")
    expect(page.get_by_label("Auf Lager")).to_be_checked()


def test_more_like_a_result_is_shown_and_the_way_back_leads_to_its_card(
    page: Page, shop_url: str, api: Api, photo_file: Path
) -> None:
    page.goto(f"{shop_url}/visual-search/")
    choose(page, photo_file)
    api.asked.clear()

    page.get_by_role("button", name="More like this: Like 3").press("Enter")

    expect(page.get_by_role("status")).to_have_text("Products that look like “Like 3”")
    assert "/api/products/103/similar?" in api.asked[0]
    back = page.get_by_role("button", name="Back to your photo")
    expect(back).to_be_focused()
    api.asked.clear()
    back.press("Enter")
    expect(page.get_by_role("status")).to_have_text(FOUND)
    expect(page.get_by_role("button", name="More like this: Like 3")).to_be_focused()
    expect(back).to_be_hidden()
    # It was still there.
    assert not [address for address in api.asked if "/search" in address]


def test_the_shop_s_own_photos_are_examples(page: Page, shop: str) -> None:
    page.goto(shop)
    expect(page.get_by_text("Or try one of these")).to_be_visible()
    if AXE.exists():
        assert find_violations_in_both(page, "light") == []

    page.get_by_role("button", name="Jug").press("Enter")

    expect(titles(page).first).to_have_text("Jug")
    expect(page.get_by_role("application")).to_be_visible()


def test_the_photo_is_there_again_in_the_session_until_it_is_removed(page: Page, shop: str, photo_file: Path) -> None:
    page.goto(shop)
    choose(page, photo_file)
    page.get_by_role("application").press("Shift+ArrowLeft")
    expect(page.locator("visual-search .busy")).to_have_count(0)
    until(page, lambda: "0,0,0.96,1" in page.evaluate("sessionStorage.getItem('similar-photo') ?? ''"))

    page.get_by_role("link", name="Sought mug").click()
    page.goto(shop)

    expect(page.get_by_role("status")).to_have_text(FOUND)
    expect(titles(page).first).to_have_text("Sought mug")
    expect(page.get_by_role("button", name="Whole photo")).to_be_visible()
    page.get_by_role("button", name="Remove photo").press("Enter")
    expect(page.get_by_role("button", name="Choose a photo")).to_be_focused()
    expect(titles(page)).to_have_count(0)
    expect(page.get_by_role("application")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Or try one of these")).to_be_visible()
    expect(page.get_by_role("button", name="Remove photo")).to_be_hidden()


def test_a_page_may_keep_no_photo(
    page: Page, shop_url: str, serve_page: Callable[[str], str], api: Api, photo_file: Path
) -> None:
    page.goto(
        serve_page(
            f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
            <script type="module" src="{shop_url}/widget/v1/similar.js"></script>
            <main><h1>An article</h1><visual-search no-storage></visual-search></main>"""
        )
    )
    choose(page, photo_file)

    expect(page.locator("visual-search a")).to_have_count(5)
    assert page.evaluate("sessionStorage.length") == 0
