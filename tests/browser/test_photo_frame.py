"""The frame on a visitor's photo: the part of it that is searched, by keyboard, mouse and finger, and as the API proposes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import DEVICES, SCREENS, Api, Screen, answer, until
from tests.browser.looks import AXE, find_violations_in_both

pytestmark = pytest.mark.django_db(transaction=True)

LANGUAGES = ("de", "fr", "es", "it", "nl", "pl", "ja", "en")
PROPOSED = [0.25, 0.1, 0.5, 0.6]
TARGET_PX = 44


@pytest.fixture
def crops(api: Api) -> list[str]:
    """The `crop` of each search, "" for the whole photo; the API proposes a part of that."""
    asked: list[str] = []

    def respond(route: Route) -> None:
        if not route.request.url.endswith("/search"):
            return route.fulfill(json={})
        form = (route.request.post_data_buffer or b"").decode("latin-1")
        found = re.search(r'name="crop"\r\n\r\n([\d.,]+)', form)
        asked.append(found[1] if found else "")
        return route.fulfill(json=answer(5) | ({} if found else {"proposed_crop": PROPOSED}))

    api.answer = respond
    return asked


@pytest.fixture
def frame(page: Page, shop_url: str, photo_file: Path, crops: list[str]) -> Locator:
    """The frame, on a photo that was searched for."""
    page.goto(f"{shop_url}/visual-search/")
    page.locator("visual-search .choose-input").set_input_files(photo_file)
    expect(page.locator("visual-search a")).to_have_count(5)
    frame = page.get_by_role("application")
    expect(frame).to_be_visible()
    return frame


def edges(frame: Locator) -> list[int]:
    """Per cent from the left, from the top, width and height, as the frame says them."""
    return [int(each) for each in re.findall(r"(\d+)\s?%", frame.get_attribute("aria-label") or "")]


def follow(page: Page, crops: Sequence[str], wanted: Sequence[float]) -> None:
    """Wait until this part was searched, and its results are there."""

    def is_near() -> bool:
        given = [float(each) for each in crops[-1].split(",") if each]
        return given == pytest.approx(wanted, abs=0.015)

    until(page, is_near)
    expect(page.get_by_role("status")).to_have_text("Products that look like your photo")


def test_arrow_keys_resize_and_move_the_frame_and_the_results_follow(
    page: Page, frame: Locator, crops: list[str]
) -> None:
    assert edges(frame) == [0, 0, 100, 100]

    for key in ["Shift+ArrowLeft"] * 5 + ["Shift+ArrowUp"] * 5 + ["ArrowRight"] * 2 + ["ArrowDown"]:
        frame.press(key)

    assert edges(frame) == [8, 4, 80, 80]
    follow(page, crops, [0.08, 0.04, 0.8, 0.8])
    expect(page.locator("visual-search [aria-live]")).to_have_text(re.compile("8% from the left, 4% from the top"))
    # At the photo's edge the frame grows on its other side, and it never leaves the photo.
    for key in ["ArrowRight"] * 9 + ["Shift+ArrowRight"] * 9 + ["ArrowUp"] * 9 + ["Shift+ArrowDown"] * 9:
        frame.press(key)
    assert edges(frame) == [0, 0, 100, 100]
    follow(page, crops, [])


def test_a_mouse_draws_the_frame_pulls_its_corners_and_moves_it(page: Page, frame: Locator, crops: list[str]) -> None:
    stage = page.locator("visual-search .stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None

    def drag(*points: tuple[float, float]) -> None:
        for number, (x, y) in enumerate(points):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if number == 0:
                page.mouse.down()
        page.mouse.up()

    drag((0.2, 0.3), (0.4, 0.5), (0.6, 0.7))
    assert edges(frame) == pytest.approx([20, 30, 40, 40], abs=1)
    drag((0.6, 0.7), (0.7, 0.9))
    assert edges(frame) == pytest.approx([20, 30, 50, 60], abs=1)
    drag((0.45, 0.5), (0.2, 0.1))
    assert edges(frame) == pytest.approx([0, 0, 50, 60], abs=1)
    follow(page, crops, [0, 0, 0.5, 0.6])
    # A click alone changes nothing.
    drag((0.8, 0.8), (0.8, 0.8))
    assert edges(frame) == pytest.approx([0, 0, 50, 60], abs=1)


@pytest.mark.parametrize("screen", [SCREENS[0]])
def test_a_finger_pulls_a_corner(page: Page, screen: Screen, frame: Locator, crops: list[str]) -> None:
    handle = page.locator("visual-search .handle.right.bottom")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= TARGET_PX
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)

    for kind, moved in (("touchStart", 0), ("touchMove", -60), ("touchMove", -120), ("touchEnd", 0)):
        points = [] if kind == "touchEnd" else [{"x": x + moved, "y": y + moved}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    left, top, width, height = edges(frame)
    assert (left, top) == (0, 0)
    assert 20 < width < 90
    assert 20 < height < 90
    follow(page, crops, [0, 0, width / 100, height / 100])


def test_the_part_that_the_api_proposes_is_one_click_away_and_so_is_the_whole_photo(
    page: Page, frame: Locator, crops: list[str]
) -> None:
    assert crops == [""]
    expect(page.get_by_role("button", name="Whole photo")).to_be_hidden()

    page.get_by_role("button", name="Just the product").click()

    follow(page, crops, PROPOSED)
    expect(frame).to_be_focused()
    expect(page.get_by_role("button", name="Just the product")).to_be_hidden()
    page.get_by_role("button", name="Whole photo").click()
    follow(page, crops, [])
    expect(page.get_by_role("button", name="Just the product")).to_be_visible()
    expect(frame).to_be_focused()


@pytest.mark.complaints("status of 400")
def test_a_photo_that_the_browser_cannot_show_has_no_frame(page: Page, shop_url: str) -> None:
    page.goto(f"{shop_url}/visual-search/")

    page.locator("visual-search .choose-input").set_input_files(
        {"name": "mug.heic", "mimeType": "image/heic", "buffer": b"no picture"}
    )

    expect(page.get_by_role("status")).to_contain_text("not a photo file")
    expect(page.get_by_role("application")).to_have_count(0)


@pytest.mark.parametrize("screen", DEVICES)
def test_the_frame_is_accessible_and_fits_in_every_language(
    page: Page, screen: Screen, frame: Locator, api: Api, crops: list[str]
) -> None:
    held: list[Route] = []
    respond = api.answer
    api.answer = lambda route: held.append(route) if route.request.url.endswith("/search") else respond(route)
    page.get_by_role("button", name="Just the product").click()
    expect(frame).to_be_focused()
    # While the answer is awaited: the products of the last one can still be read.
    until(page, lambda: held)
    expect(page.get_by_role("status")).to_have_text("Looking for similar products …")
    if AXE.exists():
        assert find_violations_in_both(page, screen.scheme) == []
    respond(held[0])
    follow(page, crops, PROPOSED)
    said = set()
    for language in LANGUAGES:
        page.evaluate("language => (document.documentElement.lang = language)", language)
        page.evaluate("document.querySelector('visual-search').redraw()")
        said.add(frame.get_attribute("aria-label"))
        assert len(edges(frame)) == 4
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    assert len(said) == len(LANGUAGES)
