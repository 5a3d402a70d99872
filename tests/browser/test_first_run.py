"""The first steps of a new shop: from an empty database to events of its visitors, by clicking alone."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import pytest
from django.core.cache import caches
from playwright.sync_api import Page, expect

from accounts.models import ApiKey, User
from catalog.importers.submission import IMPORT
from catalog.models import Product
from jobs.models import Job
from recommender import dashboard
from recommender.models import Event
from tests.browser.conftest import until
from tests.browser.pages import work_off
from tests.drawings import drawing
from tests.zips import packed

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = ["sku,title,category,price,currency,image"]
ROWS += [f"TOY-{number},Wooden ball {number},Toys > Balls,{number + 5},EUR,{number}.jpg" for number in range(4)]


@pytest.fixture
def fresh_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The overview counts again each time it is opened: a person does not click within half a minute."""
    monkeypatch.setattr(dashboard, "CACHE_S", 0)
    monkeypatch.setattr(dashboard, "EVENTS_CACHE_S", 0)
    caches["process"].clear()


@pytest.fixture
def export() -> bytes:
    """What the shop's system exports: a table and photos, in a zip."""
    photos = {f"{number}.jpg": drawing("balls", number) for number in range(4)}
    return packed({"products.csv": "\n".join(ROWS).encode(), **photos})


def follow(page: Page, name: str) -> None:
    """Follow a link of the first steps on the overview."""
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("region", name="irst steps").or_(
        page.get_by_role("region", name="Your shop is empty")
    ).get_by_role("link", name=name, exact=True).first.click()


def done(page: Page) -> int:
    """How many steps are ticked off."""
    page.get_by_role("link", name="Overview").click()
    return page.get_by_text("✓ Done:").count()


def import_file(page: Page, content: bytes) -> None:
    page.get_by_role("link", name="Import").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "export.zip", "mimeType": "application/zip", "buffer": content}
    )
    page.get_by_role("button", name="Upload and look at it").click()
    page.get_by_role("button", name="Check the whole file").click()
    work_off(Job.objects.get(kind=IMPORT, state=Job.State.QUEUED))
    page.get_by_role("button", name="Import these").click()
    expect(page.locator("#job-state")).to_have_text("queued")
    work_off(Job.objects.get(kind=IMPORT, state=Job.State.QUEUED))
    page.get_by_role("link", name="See the products").click()


@pytest.mark.usefixtures("fresh_figures")
def test_from_an_empty_database_to_events_by_clicking_alone(
    page: Page,
    shop_url: str,
    index_photos: Callable[[], object],
    serve_page: Callable[[str], str],
    export: bytes,
) -> None:
    User.objects.create_superuser("owner", "owner@shop.example", "secret")
    page.goto(f"{shop_url}/admin/")
    page.get_by_label("Username").fill("owner")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Your shop is empty: start here")).to_be_visible()
    assert done(page) == 0

    follow(page, "import a file or add the first one by hand")
    import_file(page, export)
    assert Product.objects.count() == 4
    # As the thread of the serving process does.
    index_photos()
    assert done(page) == 2

    follow(page, "a product")
    page.get_by_role("link", name="Wooden ball 3").click()
    page.get_by_role("tab", name="Similar products").click()
    expect(page.locator("similar-products a")).to_have_count(3)

    follow(page, "Embed in my pages")
    elsewhere = serve_page("")
    page.get_by_label("Origins of your pages").fill(elsewhere.rstrip("/"))
    page.get_by_role("button", name="Make a key").click()
    expect(page.locator("#embed-made")).to_contain_text("pk_")
    lines = page.locator("#embed-result pre").first.inner_text()
    assert ApiKey.objects.get().origin_list == [elsewhere.rstrip("/")]
    assert done(page) == 3

    # The shop's own page, of another origin, with nothing in it but the lines that were copied.
    serve_page(
        f"<!doctype html><html lang=en><title>Shop</title><link rel=icon href='{escape('data:,')}'>{lines}</html>"
    )
    page.goto(elsewhere)
    expect(page.locator("similar-products a")).to_have_count(3)
    until(page, lambda: Event.objects.filter(type=Event.Type.IMPRESSION).exists())
    page.locator("similar-products a").first.click()
    page.wait_for_url(f"{shop_url}/products/**")
    until(page, lambda: Event.objects.filter(type=Event.Type.CLICK).exists())

    page.goto(f"{shop_url}/admin/")
    expect(page.get_by_role("heading", name="Visitors")).to_be_visible()
    expect(page.get_by_role("heading", name="irst steps")).to_have_count(0)
    page.get_by_role("link", name="What recommendations bring").click()
    expect(page.get_by_role("heading", name="By collection and encoder version")).to_be_visible()
