"""Search by a photo that is chosen, dropped or pasted, as a browser shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FileChooser, Page, Route, expect

from catalog.services import attach_image
from pictures.photos import validate_photo
from tests.browser.conftest import Api, answer, until
from tests.browser.looks import AXE, COLOUR_RULES, find_violations
from tests.catalog.shop import stock
from tests.factories import jpeg

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

PASTE = """(selector) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(100)], "mug.png", { type: "image/png" }));
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, composed: true });
  document.querySelector(selector).dispatchEvent(event);
}"""

REFUSED: dict[str, Any] = {
    "type": "urn:problem-type:lookalike:image-rejected",
    "title": "Invalid photo",
    "detail": "The file is damaged: save it again.",
    "status": 400,
    "reason": "damaged",
}
DAMAGED = "This photo is damaged. Try another one."
MAX_REQUEST_BYTES = 150_000


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
    assert b'name="photo"; filename="photo"' in sent[0]
    assert complaints == []


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_dropped_or_pasted_photo_is_searched_for(search_page: Page, api: Api, kind: str) -> None:
    search_page.evaluate(GIVE_FILE, [kind, "mug.png", "image/png", 100])

    expect(search_page.locator("visual-search a")).to_have_count(5)


def test_dropped_text_is_answered_with_what_to_do_and_nothing_is_sent(search_page: Page, api: Api) -> None:
    search_page.evaluate(GIVE_FILE, ["drop", "some words", "", 0])

    expect(search_page.get_by_role("status")).to_contain_text("not a photo file")
    assert api.asked == []


def test_a_file_that_is_no_picture_is_answered_at_once_and_not_sent(
    search_page: Page, api: Api, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture")

    choose(search_page, notes)

    expect(search_page.get_by_role("status")).to_contain_text("not a photo file")
    expect(search_page.locator("visual-search li")).to_have_count(0)
    assert api.asked == []


@pytest.mark.complaints("status of 400")
def test_after_a_refusal_the_same_button_takes_the_next_photo(
    search_page: Page, api: Api, tmp_path: Path, photo_file: Path
) -> None:
    api.answers(REFUSED, status=400)
    choose(search_page, photo_file)
    expect(search_page.get_by_role("status")).to_have_text(DAMAGED)
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
    expect(search_page.get_by_role("button", name="Remove photo")).to_be_focused()
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
def test_what_the_true_api_refuses_is_explained_in_the_language_of_the_page(page: Page, shop_url: str) -> None:
    page.goto(f"{shop_url}/visual-search/")
    expect(page.get_by_role("button", name="Choose a photo")).to_be_visible()
    page.evaluate("document.documentElement.lang = 'fr-CA'")

    # Neither the browser nor the API can read it: it is sent, since it might have been a picture.
    page.evaluate(GIVE_FILE, ["drop", "mug.heic", "image/heic", 100])

    expect(page.get_by_role("status")).to_have_text(re.compile("pas un fichier photo"))


def test_a_photo_of_a_camera_is_scaled_down_before_it_is_sent(search_page: Page, api: Api, tmp_path: Path) -> None:
    photo = tmp_path / "camera.jpg"
    noise = np.random.default_rng(7).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    Image.fromarray(noise).resize((4000, 3000), Image.Resampling.BICUBIC).save(photo, quality=95, exif=exif)
    sent: list[bytes] = []

    def respond(route: Route) -> None:
        sent.append(route.request.post_data_buffer or b"")
        route.fulfill(json=answer(3))

    api.answer = respond
    # The browser's own reading of a request leaves files out, so the page notes what it sends.
    search_page.evaluate(
        """() => {
          const send = window.fetch;
          window.fetch = async (url, options) => {
            const photo = options?.body?.get?.("photo");
            if (photo) window.photo = [...new Uint8Array(await photo.arrayBuffer())];
            return send(url, options);
          };
        }"""
    )

    choose(search_page, photo)

    expect(search_page.locator("visual-search a")).to_have_count(3)
    assert photo.stat().st_size > 1_000_000
    data = bytes(search_page.evaluate("window.photo"))
    assert len(data) + 1_000 < MAX_REQUEST_BYTES
    small = Image.open(BytesIO(data))
    assert (small.format, small.size) == ("WEBP", (640, 480))
    assert not small.getexif()


TWO_SEARCHES = """<style>body {{ color: #eee; background: #111 }}</style>
<script type="module" src="{shop}/widget/v1/similar.js"></script>
<main><h1>An article</h1><label>Notes <input></label><visual-search></visual-search><visual-search></visual-search></main>"""


@pytest.mark.complaints("status of 400")
def test_on_a_page_with_two_searches_one_answers_a_paste_and_text_fields_keep_theirs(
    page: Page, shop_url: str, serve_page: Callable[[str], str], api: Api
) -> None:
    head = '<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,">'
    page.goto(serve_page(head + TWO_SEARCHES.format(shop=shop_url)))
    expect(page.get_by_role("button", name="Choose a photo")).to_have_count(2)

    page.evaluate(PASTE, "input")
    page.evaluate(PASTE, "main")

    first, second = page.locator("visual-search").all()
    expect(first.locator("a")).to_have_count(5)
    expect(second.locator("li")).to_have_count(0)
    assert len(api.asked) == 1
    # The one that was used last is the one that is meant.
    second.locator(".choose-input").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": jpeg()})
    expect(second.locator("a")).to_have_count(5)
    api.answers(REFUSED, status=400)
    page.evaluate(PASTE, "main")
    expect(second.get_by_role("status")).to_have_text(DAMAGED)
    expect(first.locator("a")).to_have_count(5)
    # A text that changes is followed, and on a dark page that does not say so every text can be read.
    second.evaluate(
        "search => { search.setAttribute('text-damaged', 'Broken'); search.setAttribute('text-choose', 'Pick'); }"
    )
    expect(second.get_by_role("status")).to_have_text("Broken")
    expect(second.get_by_role("button", name="Pick")).to_be_visible()
    if AXE.exists():
        assert find_violations(page, COLOUR_RULES) == []
