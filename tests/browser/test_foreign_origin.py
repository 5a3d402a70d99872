"""The widget in a page of another shop, with the Content-Security-Policy of docs/how-to/widget.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from accounts import keys
from accounts.models import ApiKey
from catalog.models import Product
from recommender.models import Event
from tests.browser.conftest import POLICY, until
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_policy_is_the_one_that_the_docs_name() -> None:
    docs = (Path(settings.BASE_DIR) / "docs" / "how-to" / "widget.md").read_text()

    for directive in POLICY.format(api="https://recommender.example").split("; "):
        assert directive in docs


@pytest.mark.parametrize(
    "markup",
    [
        '<similar-products product-id="{product}" heading="Like it?"></similar-products>',
        '<similar-products product-id="{product}" heading="Like it?" api-key="{key}"></similar-products>',
        '<div data-similar-to="{product}" data-heading="Like it?"></div>',
        '<similar-products sku="{sku}" heading="Like it?"></similar-products>',
        '<div data-similar-to-sku="{sku}" data-heading="Like it?"></div>',
    ],
)
def test_a_strip_works_in_a_page_of_another_origin_under_a_strict_policy(
    page: Page, product: Product, serve_strictly: Callable[[str], str], complaints: list[str], markup: str
) -> None:
    other = stock("Red mug")
    Product.objects.filter(pk=product.pk).update(sku="MUG/17 blau.ü")
    key = keys.create(ApiKey(name="That page"))
    address = serve_strictly(markup.format(product=product.pk, sku="MUG/17 blau.ü", key=key.text))
    ApiKey.objects.update(origins=address.rstrip("/"))

    page.goto(address)

    expect(page.get_by_role("region", name="Like it?").get_by_role("link")).to_have_count(1)
    picture = page.locator("similar-products img")
    until(page, lambda: picture.evaluate("img => img.naturalWidth > 0"))
    assert "/thumbs/" in picture.evaluate("img => img.currentSrc")
    expect(page.locator("similar-products .title")).to_have_css("color", "rgb(1, 2, 3)")
    until(page, lambda: Event.objects.exists())
    seen = Event.objects.get()
    assert (seen.type, seen.product_id, seen.results) == ("impression", product.pk, [other.pk])
    assert complaints == []


def test_a_search_by_photo_works_there_too(
    page: Page,
    serve_strictly: Callable[[str], str],
    photo_file: Path,
    index_photos: Callable[[], object],
    complaints: list[str],
) -> None:
    stock("Red mug")
    index_photos()
    page.goto(serve_strictly("<visual-search></visual-search>"))

    page.locator("visual-search .choose-input").set_input_files(photo_file)

    expect(page.locator("visual-search a")).to_have_count(1)
    expect(page.locator("visual-search canvas")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("by", ["product", "sku"])
def test_markup_alone_tracks_there(page: Page, product: Product, serve_strictly: Callable[[str], str], by: str) -> None:
    name = {"product": product.pk, "sku": product.sku}[by]
    page.goto(serve_strictly(f'<button data-track="add_to_cart" data-{by}="{name}">Buy</button>'))

    page.get_by_role("button", name="Buy").click()

    until(page, lambda: Event.objects.exists())
    assert (Event.objects.get().type, Event.objects.get().product_id) == ("add_to_cart", product.pk)
