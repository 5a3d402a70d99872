"""The main tasks of visitors and staff from start to end, with the real API and index, on every device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from catalog.importers.submission import IMPORT
from catalog.models import Product
from embeddings.text_indexing import process_texts
from jobs.models import Job
from tests.browser.conftest import DEVICES, Screen
from tests.browser.pages import CATALOGUE, Shop, work_off

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.parametrize("screen", DEVICES)]


def open_filters(page: Page) -> None:
    """Open the filters, which are collapsed on a phone."""
    if not page.get_by_role("button", name="Show products").is_visible():
        page.get_by_text("Filter and sort").click()


def send_catalogue(page: Page, shop: Shop) -> None:
    """Choose a file on the import page, and start its dry run."""
    page.goto(f"{shop.url}/admin/catalog/product/import/")
    page.locator("input[type=file]").set_input_files({"name": "new.csv", "mimeType": "text/csv", "buffer": CATALOGUE})
    page.get_by_role("button", name="Upload and look at it").click()
    expect(page.get_by_role("heading", name="First products")).to_be_visible()
    page.get_by_role("button", name="Check the whole file").click()


def waiting_job() -> Job:
    return Job.objects.get(kind=IMPORT, state=Job.State.QUEUED)


def test_a_visitor_goes_from_one_product_to_one_that_looks_like_it_and_buys_that(
    page: Page, screen: Screen, shop: Shop
) -> None:
    page.goto(f"{shop.url}/products/")
    page.get_by_role("link", name="Blue mug", exact=False).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Blue mug")

    page.locator("similar-products").scroll_into_view_if_needed()
    other = page.locator("similar-products a").filter(has_not_text="Out of stock").filter(has_text="€").first
    title = other.locator(".title").inner_text()
    other.click()

    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    page.get_by_role("button", name="Add to basket").click()
    page.get_by_role("link", name="Go to the basket").click()
    expect(page.get_by_role("heading", name=title, level=2)).to_be_visible()
    page.get_by_role("button", name="Place the order").click()
    expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()


def test_a_category_is_narrowed_by_price_and_stock_and_widened_again(page: Page, screen: Screen, shop: Shop) -> None:
    page.goto(f"{shop.url}/categories/home/")
    page.get_by_role("navigation", name="Narrow down").get_by_role("link", name="Mugs").click()
    everything = page.locator(".listing-head p").inner_text()

    open_filters(page)
    page.get_by_label("In stock").check()
    page.get_by_role("button", name="Show products").click()

    expect(page.get_by_role("link", name="Clear all")).to_be_visible()
    expect(page.locator(".card .sold-out")).to_have_count(0)
    assert page.locator(".listing-head p").inner_text() != everything
    page.get_by_role("link", name="Clear all").click()
    expect(page.locator(".listing-head p")).to_have_text(everything)


def test_a_visitor_s_photo_leads_to_the_product_that_it_shows(
    page: Page, screen: Screen, shop: Shop, photo_file: Path
) -> None:
    page.goto(shop.url)
    page.get_by_role("link", name="Search by photo").first.click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a photo").click()
    chooser.value.set_files(photo_file)

    page.locator("visual-search a").first.click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Blue mug")


def test_another_shop_s_page_gets_the_strip_by_one_script_and_one_attribute(
    page: Page, screen: Screen, shop: Shop, serve_page: Callable[[str], str]
) -> None:
    page.goto(
        serve_page(
            f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">
            <meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
            <script type="module" src="{shop.url}/widget/v1/similar.js"></script>
            <main><h1>An article</h1><div data-similar-to="{shop.product.pk}" data-heading="Like it?"></div></main>"""
        )
    )

    strip = page.get_by_role("region", name="Like it?")
    expect(strip.get_by_role("link")).to_have_count(8)
    title = strip.locator(".title").first.inner_text()
    strip.get_by_role("link").first.click()

    page.wait_for_url(f"{shop.url}/products/**")
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()


def test_the_owner_signs_in_and_sees_how_the_shop_does(page: Page, screen: Screen, shop: Shop) -> None:
    page.goto(f"{shop.url}/admin/")
    page.get_by_label("Username").fill("owner")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_role("heading", name="Popular products with poor recommendations")).to_be_visible()
    page.get_by_role("link", name="Blue mug").first.click()
    page.locator("similar-products").scroll_into_view_if_needed()
    expect(page.locator("similar-products a").first).to_be_visible()


def test_the_owner_searches_by_photo_and_sees_scores(
    page: Page, screen: Screen, shop: Shop, sign_in: Callable[[User], None], photo_file: Path
) -> None:
    sign_in(shop.owner)
    page.goto(f"{shop.url}/admin/visual-search/")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a photo").click()
    chooser.value.set_files(photo_file)

    expect(page.locator("#search-rows tr").first).to_contain_text("Blue mug")


def test_the_owner_tries_a_file_out_imports_it_and_finds_its_products_in_the_shop(
    page: Page, screen: Screen, shop: Shop, sign_in: Callable[[User], None]
) -> None:
    sign_in(shop.owner)
    send_catalogue(page, shop)
    expect(page.locator("#job-state")).to_have_text("queued")

    work_off(waiting_job())

    expect(page.get_by_role("heading", name="Would be imported")).to_be_visible()
    expect(page.get_by_text("the title is empty")).to_be_visible()
    page.get_by_role("button", name="Import these 2 rows").click()
    expect(page.locator("#job-state")).to_have_text("queued")
    work_off(waiting_job())
    expect(page.get_by_role("heading", name="Imported")).to_be_visible()
    process_texts()
    page.goto(f"{shop.url}/products/?q=straw")
    expect(page.get_by_role("link", name="Straw hat")).to_be_visible()


def test_the_owner_calls_an_import_off(page: Page, screen: Screen, shop: Shop, sign_in: Callable[[User], None]) -> None:
    sign_in(shop.owner)
    send_catalogue(page, shop)

    page.get_by_role("button", name="Cancel").click()

    expect(page.locator(".admin-job").get_by_text("cancelled")).to_be_visible()
    assert not Product.objects.filter(sku__startswith="NEW-").exists()


def test_the_owner_merges_two_products_that_are_one(
    page: Page, screen: Screen, shop: Shop, sign_in: Callable[[User], None]
) -> None:
    sign_in(shop.owner)
    page.goto(f"{shop.url}/admin/catalog/duplicatepair/")
    group = page.locator("section", has=page.get_by_text("Blue mug, once more"))
    group.get_by_label("Blue mug is the main product").check()
    group.get_by_text("Merge …").click()
    group.get_by_role("button", name="Merge into the main product").click()

    expect(page.get_by_text("1 product was merged into “Blue mug”")).to_be_visible()
    twin = Product.objects.get(title="Blue mug, once more")
    page.goto(shop.url + twin.get_absolute_url())
    expect(page.get_by_role("heading", name="Blue mug", exact=True, level=1)).to_be_visible()
