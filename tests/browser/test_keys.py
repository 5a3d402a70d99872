"""The storefront and the admin when the API requires keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import LazySettings
from playwright.sync_api import Page, expect

from accounts import keys
from accounts.models import ApiKey, User
from recommender.models import Event
from tests.browser.conftest import until
from tests.browser.pages import Shop
from tests.factories import jpeg

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def widget_key(shop: Shop, settings: LazySettings) -> str:
    """The key of the widget for the shop's own pages; reading requires it."""
    settings.API_READS = "keys"
    settings.WIDGET_API_KEY = keys.create(ApiKey(name="Shop pages", origins=shop.url)).text
    return settings.WIDGET_API_KEY


@pytest.mark.usefixtures("widget_key")
def test_a_shoppers_pages_use_the_key_for_requests_and_events(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/products/")
    page.get_by_role("link", name="Blue mug", exact=False).first.click()
    page.locator("similar-products").scroll_into_view_if_needed()
    expect(page.locator("similar-products a").first).to_be_visible()
    page.get_by_role("button", name="Add to basket").click()
    until(page, lambda: Event.objects.filter(type=Event.Type.ADD_TO_CART).exists())

    page.goto(f"{shop.url}/visual-search/")
    page.locator("visual-search input[type=file]").first.set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": jpeg()}
    )
    expect(page.locator("visual-search a").first).to_be_visible()


@pytest.mark.usefixtures("widget_key")
def test_the_admins_pages_have_it_too(
    page: Page, shop: Shop, admin_user: User, sign_in: Callable[[User], None]
) -> None:
    sign_in(admin_user)
    page.goto(f"{shop.url}/admin/visual-search/")
    page.locator("visual-search input[type=file]").first.set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": jpeg()}
    )
    expect(page.locator("visual-search a").first).to_be_visible()


@pytest.mark.complaints("status of 401")
def test_a_revoked_key_leaves_a_page_without_a_strip(
    page: Page, shop: Shop, widget_key: str, complaints: list[str]
) -> None:
    keys.revoke(ApiKey.objects.get(origins=shop.url))
    page.goto(f"{shop.url}/products/")
    page.get_by_role("link", name="Blue mug", exact=False).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Blue mug")
    # It is hidden before it has asked, too.
    until(page, lambda: complaints)
    expect(page.locator("similar-products")).to_be_hidden()
