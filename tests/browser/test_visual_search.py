"""Search by a photo that is chosen, dropped or pasted, as a browser shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FileChooser, Page, Route, expect

from catalog.photos import validate_photo
from catalog.services import attach_image
from tests.browser.conftest import Api, answer, until
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db(transaction=True)

# A script cannot drag or copy a file into the page, so the page creates one itself.
GIVE_FILE = """([kind, name, type, size]) => {
  const data = new DataTransfer();
  if (size) data.items.add(new File([new Uint8Array(size)], name, { type }));
  else data.setData("text/plain", name);
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  const zone = document.querySelector("visual-search").shadowRoot.querySelector(".drop");
  (kind === "paste" ? document.body : zone).dispatchEvent(event);
}"""

REFUSED: dict[str, Any] = {
    "type": "about:blank",
    "title": "The photo was refused",
    "detail": "The file is not a picture: use JPEG, PNG or WebP.",
    "status": 400,
}


@pytest.fixture
def search_page(page: Page, shop_url: str, api: Api) -> Page:
    """The page for search by photo, loaded."""
    page.goto(f"{shop_url}/visual-search/")
    expect(page.get_by_role("button", name="Choose a photo")).to_be_visible()
    return page


def choose(page: Page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a photo").click()
    chooser.value.set_files(file)


def test_a_chosen_photo_is_sent_and_what_looks_like_it_is_shown(
    search_page: Page, api: Api, photo_file: Path, complaints: list[str]
) -> None:
    sent: list[bytes] = []

    def respond(route: Route) -> None:
        # The form as the browser reports it, without the content of the file.
        sent.append(route.request.post_data_buffer or b"")
        route.fulfill(json=answer(3))

    api.answer = respond

    choose(search_page, photo_file)

    expect(search_page.locator("visual-search a")).to_have_count(3)
    expect(search_page.get_by_role("status")).to_have_text("Products that look like your photo")
    expect(search_page.locator("visual-search .drop canvas")).to_be_visible()
    assert api.asked[0].endswith("/api/collections/all/search")
    assert b'name="photo"; filename="mug.jpg"' in sent[0]
    assert complaints == []


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_dropped_or_pasted_photo_is_searched_for(search_page: Page, api: Api, kind: str) -> None:
    search_page.evaluate(GIVE_FILE, [kind, "mug.png", "image/png", 100])

    expect(search_page.locator("visual-search a")).to_have_count(5)


def test_dropped_text_is_answered_with_what_to_do_and_nothing_is_sent(search_page: Page, api: Api) -> None:
    search_page.evaluate(GIVE_FILE, ["drop", "some words", "", 0])

    expect(search_page.get_by_role("status")).to_contain_text("not a photo file")
    assert api.asked == []


@pytest.mark.complaints("status of 400")
def test_a_file_that_is_refused_is_answered_with_the_api_s_own_reason(
    search_page: Page, api: Api, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture")
    api.answers(REFUSED, status=400)

    choose(search_page, notes)

    expect(search_page.get_by_role("status")).to_have_text(REFUSED["detail"])
    expect(search_page.locator("visual-search li")).to_have_count(0)


@pytest.mark.complaints("status of 400")
def test_after_a_refusal_the_same_button_takes_the_next_photo(
    search_page: Page, api: Api, tmp_path: Path, photo_file: Path
) -> None:
    api.answers(REFUSED, status=400)
    choose(search_page, photo_file)
    expect(search_page.get_by_role("status")).to_have_text(REFUSED["detail"])
    api.answers(answer(2))

    choose(search_page, photo_file)

    expect(search_page.locator("visual-search a")).to_have_count(2)


def test_a_photo_that_nothing_looks_like_is_answered_in_words(search_page: Page, api: Api, photo_file: Path) -> None:
    api.answers(answer(0))

    choose(search_page, photo_file)

    expect(search_page.get_by_role("status")).to_contain_text("Nothing in this shop looks like your photo")


@pytest.mark.complaints("ERR_FAILED")
def test_an_unreachable_shop_shows_a_message(search_page: Page, api: Api, photo_file: Path) -> None:
    api.answer = lambda route: route.abort()

    choose(search_page, photo_file)

    expect(search_page.get_by_role("status")).to_contain_text("cannot be reached")


def test_only_the_latest_photo_s_results_are_shown(search_page: Page, api: Api, photo_file: Path) -> None:
    held: list[Route] = []
    api.answer = held.append
    choose(search_page, photo_file)
    until(search_page, lambda: held)
    api.answers(answer(2))

    choose(search_page, photo_file)

    expect(search_page.locator("visual-search a")).to_have_count(2)
    expect(search_page.get_by_role("status")).to_have_text("Products that look like your photo")


def test_the_search_works_by_keyboard_alone(search_page: Page, api: Api, photo_file: Path) -> None:
    choosers: list[FileChooser] = []
    search_page.on("filechooser", lambda chooser: choosers.append(chooser))
    search_page.get_by_role("button", name="Choose a photo").focus()

    search_page.keyboard.press("Enter")
    until(search_page, lambda: choosers)
    choosers[0].set_files(photo_file)

    expect(search_page.locator("visual-search a")).to_have_count(5)
    search_page.keyboard.press("Tab")
    expect(search_page.locator("visual-search a").first).to_be_focused()


def test_a_touch_screen_offers_the_camera(page: Page, shop_url: str, api: Api) -> None:
    assert page.context.browser is not None
    phone = page.context.browser.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    screen = phone.new_page()

    screen.goto(f"{shop_url}/visual-search/")

    expect(screen.get_by_role("button", name="Take a photo")).to_be_visible()
    phone.close()
    page.goto(f"{shop_url}/visual-search/")
    expect(page.get_by_role("button", name="Choose a photo")).to_be_visible()
    expect(page.get_by_role("button", name="Take a photo")).to_be_hidden()


def test_the_true_api_finds_the_product_of_the_photo(
    page: Page, shop_url: str, photo_file: Path, index_photos: Callable[[], object], complaints: list[str]
) -> None:
    stock("Red mug")
    sought = stock("Sought mug", photos=0)
    attach_image(sought, validate_photo(photo_file.read_bytes()))
    index_photos()
    page.goto(f"{shop_url}/visual-search/")

    choose(page, photo_file)

    expect(page.locator("visual-search a").first).to_contain_text("Sought mug")
    assert complaints == []


@pytest.mark.complaints("status of 400")
def test_the_true_api_s_reason_for_refusing_a_text_is_shown(page: Page, shop_url: str, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture")
    page.goto(f"{shop_url}/visual-search/")

    choose(page, notes)

    expect(page.get_by_role("status")).to_contain_text("use JPEG, PNG or WebP")
