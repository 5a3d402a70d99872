"""The admin's search over everything, by keyboard and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from embeddings.text_indexing import process_texts
from tests.browser.conftest import DEVICES, Screen
from tests.browser.looks import AXE, find_violations_in_both
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("screen", DEVICES)
def test_the_owner_searches_from_any_page_by_keyboard_or_by_a_button(
    page: Page,
    screen: Screen,
    shop_url: str,
    index_photos: Callable[[], object],
    sign_in: Callable[[User], None],
) -> None:
    mugs = [stock(title) for title in ("Blue mug", "Red mug")]
    index_photos()
    process_texts()
    sign_in(User.objects.create_superuser("owner", "owner@shop.example", "secret"))
    page.goto(f"{shop_url}/admin/jobs/job/")
    opening = page.get_by_role("button", name="Search over everything")
    dialog = page.get_by_role("dialog", name="Search over everything")
    field = dialog.get_by_role("searchbox")

    if screen.device == "phone":
        opening.click()
    else:
        page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    page.keyboard.type("mug")
    expect(dialog.get_by_role("status")).to_have_text("3 results")
    if AXE.exists():
        found = find_violations_in_both(page, screen.scheme)
        assert not found, "\n".join(found)

    page.keyboard.press("ArrowDown")
    expect(dialog.get_by_role("link").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    opening.click()
    field.fill("encoder")
    page.keyboard.press("Enter")
    expect(page).to_have_url(shop_url + reverse("admin:embeddings_encoderversion_changelist"))
    page.get_by_role("button", name="Search over everything").click()
    dialog.get_by_role("searchbox").fill(mugs[1].sku)
    dialog.get_by_role("link", name="Red mug").click()
    expect(page).to_have_url(shop_url + reverse("admin:catalog_product_change", args=[mugs[1].pk]))


@pytest.mark.complaints("Failed to load resource", "status of 503")
def test_a_search_that_does_not_answer_says_so(page: Page, shop_url: str, sign_in: Callable[[User], None]) -> None:
    sign_in(User.objects.create_superuser("owner", "owner@shop.example", "secret"))
    page.goto(f"{shop_url}/admin/")
    page.route("**/admin/search/**", lambda route: route.fulfill(status=503))

    page.keyboard.press("Control+k")
    page.keyboard.type("mug")

    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("The search did not answer. Try again.")
