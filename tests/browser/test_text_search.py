"""The search box of the shop: suggestions while typing, results by how well they match, and the switch for similar looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from embeddings.text_indexing import process_texts
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_search_box_suggests_while_typing_and_finds_words_in_any_order(
    page: Page, shop_url: str, index_photos: Callable[[], object]
) -> None:
    for title in ("Blue mug", "Red mug", "Blue plate", "Straw hat"):
        stock(title)
    index_photos()
    process_texts()
    page.goto(shop_url)
    box = page.get_by_role("combobox", name="Search the shop")

    box.press_sequentially("blue mu")
    options = page.get_by_role("option")
    expect(options.first).to_have_text("Blue mug")
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    box.press("Escape")
    expect(options).to_have_count(0)

    box.fill("mug, blue")
    box.press("Enter")
    expect(page.locator(".cards .title").first).to_contain_text("Blue mug")
    switch = page.get_by_role("switch", name="Similar looks")
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(page.get_by_role("switch", name="Similar looks")).to_have_attribute("aria-checked", "true")
    expect(page).to_have_url(f"{shop_url}/products/?q=mug%2C+blue&looks=1")
