"""A whole visit by keyboard alone: find, open, next, search by photo, basket. The focus is visible at each stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FileChooser, Locator, Page, expect

from catalog.services import attach_image
from embeddings.text_indexing import process_texts
from pictures.photos import validate_photo
from tests.browser.conftest import until
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)

# More stops than any of the pages has.
MOST_STOPS = 80
FOCUSED = """() => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  const { outlineStyle, boxShadow } = getComputedStyle(node);
  return { name: node.outerHTML.slice(0, 120), isVisible: outlineStyle !== "none" || boxShadow !== "none" };
}"""


@pytest.fixture
def shop(shop_url: str, index_photos: Callable[[], object], photo_file: Path) -> str:
    """A shop with more mugs than fit into a strip, and a jug, of which the visitor has a photo."""
    for number in range(9):
        stock(f"Mug {number}")
    jug = stock("Enamel jug", photos=0, category=("Home", "Jugs"))
    attach_image(jug, validate_photo(photo_file.read_bytes()))
    index_photos()
    process_texts()
    return shop_url


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press Tab until something has the focus, which each stop shows."""
    expect(target).to_be_visible()
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        focused = page.evaluate(FOCUSED)
        if "<body" not in focused["name"]:
            assert focused["isVisible"], f"the focus cannot be seen: {focused['name']}"
        if target.evaluate("node => node.matches(':focus')"):
            return
    pytest.fail(f"{target} cannot be reached by {key}")


def enter(page: Page, target: Locator) -> None:
    tab_to(page, target)
    page.keyboard.press("Enter")


def test_a_visitor_finds_opens_searches_by_photo_and_buys_by_keyboard_alone(
    page: Page, shop: str, photo_file: Path
) -> None:
    page.goto(shop)

    # Find, and open.
    tab_to(page, page.get_by_label("Search the shop"))
    page.keyboard.type("mug 4")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Results for “mug 4”")).to_be_visible()
    enter(page, page.locator(".card a").filter(has_text="Mug 4").first)
    expect(page.get_by_role("heading", name="Mug 4", level=1)).to_be_visible()

    # Next, and open one of those.
    strip = page.get_by_role("region", name="You may also like")
    strip.scroll_into_view_if_needed()
    expect(strip.get_by_role("link")).to_have_count(8)
    following = strip.get_by_role("button", name="Next products")
    expect(following).to_have_attribute("aria-disabled", "false")
    enter(page, following)
    expect(strip.get_by_role("button", name="Previous products")).to_have_attribute("aria-disabled", "false")
    expect(following).to_be_focused()
    title = strip.locator(".title").last.inner_text()
    enter(page, strip.get_by_role("link").last)
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()

    # Search by a part of a photo, and open what it shows.
    enter(page, page.get_by_role("link", name="Search by photo").first)
    choosers: list[FileChooser] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    enter(page, page.get_by_role("button", name="Choose a photo"))
    until(page, lambda: choosers)
    choosers[0].set_files(photo_file)
    expect(page.get_by_role("status")).to_have_text("Products that look like your photo")
    tab_to(page, page.get_by_role("application"), "Shift+Tab")
    with page.expect_response("**/search"):
        page.keyboard.press("Shift+ArrowLeft")
    expect(page.get_by_role("button", name="Whole photo")).to_be_visible()
    expect(page.locator("visual-search .busy")).to_have_count(0)
    enter(page, page.locator("visual-search a").filter(has_text="Enamel jug"))
    expect(page.get_by_role("heading", name="Enamel jug", level=1)).to_be_visible()

    # Buy it.
    tab_to(page, page.get_by_label("Quantity"))
    page.keyboard.press("ArrowDown")
    enter(page, page.get_by_role("button", name="Add to basket"))
    enter(page, page.get_by_role("link", name="Go to the basket"))
    expect(page.get_by_role("heading", name="Enamel jug", level=2)).to_be_visible()
    enter(page, page.get_by_role("button", name="Place the order"))
    expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
