"""The search box of the shop: suggestions while typing, results by how well they match, and the switch for similar looks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from embeddings.models import Collection
from embeddings.text_indexing import process_texts
from tests.browser.conftest import until
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


@pytest.mark.parametrize("is_tracked", [True, False])
def test_results_of_words_that_were_seen_and_clicked_are_events_unless_the_visitor_asks_for_none(
    page: Page, shop_url: str, index_photos: Callable[[], object], is_tracked: bool
) -> None:
    mugs = [stock(title) for title in ("Blue mug", "Red mug")]
    index_photos()
    process_texts()
    sent: list[dict[str, Any]] = []

    def respond(route: Route) -> None:
        sent.extend(json.loads(route.request.post_data or "")["events"])
        route.fulfill(status=202, json={"accepted": 1})

    page.route("**/api/events", respond)
    if not is_tracked:
        page.add_init_script("Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })")
    with page.expect_response("**/client.js"):
        page.goto(f"{shop_url}/products/?q=Blue+mug")
    page.wait_for_load_state("networkidle")
    if is_tracked:
        until(page, lambda: sent)
    page.locator(".cards a").nth(1).click()
    expect(page.locator("h1")).to_have_text("Red mug")
    if not is_tracked:
        assert sent == []
        return
    until(page, lambda: len(sent) == 2)
    version = Collection.objects.get(slug="all").active_version
    assert version is not None
    about = {"query": "Blue mug", "collection": "all", "encoder": version.label}
    assert sent == [
        {"type": "impression", **about, "results": [mug.pk for mug in mugs]},
        {"type": "click", **about, "result": mugs[1].pk, "position": 2},
    ]
