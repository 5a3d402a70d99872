"""The page "Embed in my pages" in a browser: preview and lines follow the form, without a click."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.catalog.shop import stock

WIDTH = "document.querySelector('.embed-page').offsetWidth"

pytestmark = pytest.mark.django_db(transaction=True)


def test_preview_and_lines_follow_the_form(
    page: Page, shop_url: str, sign_in: Callable[[User], None], index_photos: Callable[[], object]
) -> None:
    stock("Red mug", sku="MUG-1")
    stock("Blue mug", sku="MUG-2", available=False)
    index_photos()
    sign_in(User.objects.create_superuser("owner", "owner@shop.example", "secret"))
    page.goto(f"{shop_url}/admin/embed/?sku=MUG-1")
    strip = page.locator(".embed-page")
    strip.scroll_into_view_if_needed()
    expect(strip.get_by_role("link", name="Blue mug")).to_be_visible()

    page.get_by_label("Heading").fill("From the same studio")
    strip.scroll_into_view_if_needed()
    expect(strip.get_by_role("heading", name="From the same studio")).to_be_visible()
    expect(page.get_by_text('heading="From the same studio"')).to_be_visible()
    assert page.evaluate(WIDTH) == 390
    page.get_by_label("On a desktop").check()
    assert page.evaluate(WIDTH) == 1100

    page.get_by_text("Only what is in stock").click()
    expect(page.get_by_text('available="true"')).to_be_visible()
    strip.scroll_into_view_if_needed()
    expect(strip.get_by_text("Nothing is shown beside this product.")).to_be_visible()

    page.get_by_label("Origins of your pages").fill("https://shop.example")
    page.get_by_role("button", name="Make a key").click()
    made = page.locator("#embed-made").inner_text()
    expect(page.get_by_text(f'available="true" api-key="{made}"')).to_be_visible()
