"""Fixtures for tests with a real Chromium and a real server."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product as every_pair
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings, settings
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    Route,
    expect,
    sync_playwright,
)
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from bench.chromium import FLAGS, NAMES
from catalog.models import Product
from embeddings.indexing import process_outbox
from embeddings.selectors import clear_live_collection_cache
from tests import loopback
from tests.browser.furnished import FurnishedShops
from tests.browser.looks import Device, Look, Scheme, look_at_all
from tests.browser.pages import Shop, assert_quiet
from tests.catalog.shop import stock
from tests.factories import jpeg

# What V8 optimises for a page is hardly used before the next one is opened: without that, a page takes five sixths of the time.
_SCRIPTS = "--js-flags=--max-optimized-bytecode-size=0"
# No process is started ahead for a next site: each test is a visitor of its own, whose pages no process of another may show.
_NO_SPARE = "--renderer-process-limit=1"
# Long, for a busy machine: a test that passes does not wait for it.
TIMEOUT_MS = 20_000

Answer = dict[str, Any]

# Of a shop's page, as docs/how-to/widget.md recommends it.
POLICY = "default-src 'none'; script-src {api}; connect-src {api}; img-src {api}; style-src 'self'"
STYLE = "similar-products { --similar-item-width: 120px } similar-products::part(title) { color: rgb(1, 2, 3) }"

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@dataclass(frozen=True)
class Screen:
    """A device and its colour scheme."""

    device: Device
    scheme: Scheme

    def __str__(self) -> str:
        return f"{self.device}-{self.scheme}"


# One worker runs all tests of a device, and opens each page once.
SCREENS = [
    pytest.param(screen, id=str(screen), marks=pytest.mark.xdist_group(screen.device))
    for screen in (Screen(*both) for both in every_pair(("phone", "desktop"), ("light", "dark")))
]

# For what differs between devices, and between colour schemes in nothing but colours. Each scheme is on one of them.
DEVICES = [SCREENS[0], SCREENS[3]]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium, started once by each worker; the test is skipped if there is none."""
    executable = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip("no Chromium on the PATH and CHROMIUM is not set: nothing to look at the pages with")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread, in which Django refuses to use the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=executable, args=(*FLAGS, _SCRIPTS, _NO_SPARE))
        yield browser
        browser.close()


@pytest.fixture
def screen() -> Screen:
    """The screen of the visitor; a test with the parameter `screen` runs on each of SCREENS or DEVICES."""
    return Screen("desktop", "light")


@pytest.fixture
def context(browser: Browser, screen: Screen, complaints: list[str], origins: set[str]) -> Iterator[BrowserContext]:
    """A new visitor with English as language; the errors of all pages are collected."""
    width, height = SIZES[screen.device]
    phone = screen.device == "phone"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        has_touch=phone,
        is_mobile=phone,
        color_scheme=screen.scheme,
        locale="en-GB",
    )
    context.set_default_timeout(TIMEOUT_MS)
    expect.set_options(timeout=TIMEOUT_MS)
    _listen(context, complaints, origins)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty page in the visitor's browser."""
    return context.new_page()


@pytest.fixture
def complaints(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """The browser's complaints: errors of scripts and policies, error responses, requests to other servers.

    The test fails if there are any, except expected ones: `@pytest.mark.complaints("a pattern")`.
    """
    heard: list[str] = []
    yield heard
    expected = [pattern for mark in request.node.iter_markers("complaints") for pattern in mark.args]
    assert_quiet(heard, *expected)
    missing = [pattern for pattern in expected if not re.search(pattern, "\n".join(heard))]
    assert not missing, f"the browser was to complain of {missing}, and said {heard}"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker for expected complaints of the browser."""
    config.addinivalue_line("markers", "complaints(pattern, ...): the browser complains of this, and has to")


def _listen(context: BrowserContext, complaints: list[str], origins: set[str]) -> None:
    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def on_request(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and f"{address.scheme}://{address.netloc}" not in origins:
            complaints.append(f"outside request: {request.url}")

    def on_response(response: Response) -> None:
        if response.status >= 400:
            complaints.append(f"status of {response.status}: {response.url}")

    context.on("console", on_console)
    context.on("request", on_request)
    context.on("response", on_response)
    context.on("weberror", lambda error: complaints.append(f"uncaught: {error.error}"))


@pytest.fixture
def origins(shop_url: str) -> set[str]:
    """The origins that a page may load from; `serve_page` adds its own."""
    return {shop_url}


@pytest.fixture
def sign_in(context: BrowserContext, shop_url: str) -> Callable[[User], None]:
    """Signs a user in without the form."""

    def sign_in(user: User) -> None:
        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": shop_url}])

    return sign_in


@pytest.fixture(scope="session")
def live_server(django_db_setup: None, live_server: LiveServer) -> LiveServer:
    """The server, started after the test database is set up; before that, all its threads would share one connection."""
    return live_server


@pytest.fixture
def shop_url(live_server: LiveServer) -> str:
    """The URL of a running shop."""
    return str(live_server.url)


@pytest.fixture
def product(shop_url: str) -> Product:
    """A product whose page the test opens."""
    return stock("Blue mug", photos=2, description="Holds 350 ml.", attributes={"colour": "blue"})


@pytest.fixture
def index_photos(settings: LazySettings) -> Iterator[Callable[[], object]]:
    """Embeds and indexes all photos of the shop in an empty index, for tests with the real API."""
    settings.VECTOR_INDEX = {"BACKEND": "tests.memory_index.MemoryVectorIndex", "OPTIONS": {}}
    clear_live_collection_cache()
    yield process_outbox
    clear_live_collection_cache()


@pytest.fixture(scope="session")
def furnished_shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FurnishedShops]:
    """What each worker furnishes once."""
    shops = FurnishedShops(tmp_path_factory.mktemp("furnished"))
    yield shops
    shops.close()


@pytest.fixture
def shop(furnished_shops: FurnishedShops, shop_url: str, index_photos: Callable[[], object]) -> Shop:
    """A shop with content for every page; other fixtures that make rows have to come after it."""
    return furnished_shops.make(shop_url, index_photos)


@pytest.fixture
def api(page: Page) -> Iterator[Api]:
    """A fake API: its responses, and the requests that it got."""
    yield Api(page)
    # Later requests of the page must not reach the server, which does not know their products.
    if not page.is_closed():
        page.goto("about:blank")
    page.unroute_all(behavior="ignoreErrors")


@pytest.fixture(scope="session")
def looks_of_devices() -> dict[Device, dict[Scheme, dict[str, Look]]]:
    """The results of each device so far."""
    return {}


@pytest.fixture
def looks(
    looks_of_devices: dict[Device, dict[Scheme, dict[str, Look]]],
    furnished_shops: FurnishedShops,
    page: Page,
    screen: Screen,
    shop_url: str,
    index_photos: Callable[[], object],
    sign_in: Callable[[User], None],
    complaints: list[str],
    settings: LazySettings,
) -> dict[str, Look]:
    """The results of all pages on the screen, by the page's name."""
    settings.SHOP_SUBSTITUTES = True
    if screen.device not in looks_of_devices:
        shop = furnished_shops.make(shop_url, index_photos)
        looks_of_devices[screen.device] = look_at_all(page, screen.device, shop, sign_in, complaints)
    return looks_of_devices[screen.device][screen.scheme]


@pytest.fixture
def serve_page(origins: set[str]) -> Iterator[Callable[[str], str]]:
    """Serves a page from an origin of its own and returns its URL."""
    body = b""

    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

    def serve(html: str) -> str:
        nonlocal body
        body = html.encode()
        origins.add(f"http://127.0.0.1:{port}")
        return f"http://127.0.0.1:{port}/"

    with loopback.serving(Handler) as port:
        yield serve


@pytest.fixture
def serve_strictly(shop_url: str, origins: set[str]) -> Iterator[Callable[[str], str]]:
    """Serves a page and its style sheet from another origin with the policy; returns the page's URL."""
    body = ""

    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            kind, content = ("css", STYLE) if self.path == "/shop.css" else ("html", body)
            self.send_response(200)
            self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
            self.send_header("Content-Security-Policy", POLICY.format(api=shop_url))
            self.end_headers()
            self.wfile.write(content.encode())

    def serve(markup: str) -> str:
        nonlocal body
        body = f"""<!doctype html><html lang="en"><title>Elsewhere</title><link rel="stylesheet" href="/shop.css">
        <script type="module" src="{shop_url}/widget/v1/similar.js"></script>{markup}"""
        address = f"http://127.0.0.1:{port}"
        origins.add(address)
        return f"{address}/"

    with loopback.serving(Handler) as port:
        yield serve


class Api:
    """Answers all requests of the page to the recommendation API, with valid responses."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.answer: Callable[[Route], None] = lambda route: route.fulfill(json=answer(5))
        page.route("**/api/**", self._respond)
        page.route("**/canned/*.jpg", lambda route: route.fulfill(body=jpeg(), content_type="image/jpeg"))

    def answers(self, body: Answer, *, status: int = 200) -> None:
        """Answer all requests with this body."""
        kind = "application/json" if status < 400 else "application/problem+json"
        self.answer = lambda route: route.fulfill(json=body, status=status, content_type=kind)

    def _respond(self, route: Route) -> None:
        self.asked.append(route.request.url)
        self.answer(route)


def until(page: Page, condition: Callable[[], object]) -> None:
    """Wait for a condition in Python; Playwright's own wait needs eval, which the policy forbids."""
    for _ in range(TIMEOUT_MS // 20):
        if condition():
            return
        page.wait_for_timeout(20)
    pytest.fail("what was waited for did not happen")


def answer(count: int, **first: Any) -> Answer:
    """A response with similar products; keywords replace fields of the first one."""
    return {
        "product": 1,
        "collection": "all",
        "encoder": "bundled-v1",
        "results": [
            {"product": card(number) | (first if number == 1 else {}), "score": 1 - number / 100}
            for number in range(1, count + 1)
        ],
        "fallback": False,
    }


def card(number: int) -> Answer:
    """A product as in a result of the API."""
    return {
        "id": 100 + number,
        "sku": f"LIKE-{number}",
        "title": f"Like {number}",
        "category": "home/mugs",
        "brand": "Harbour",
        "price": f"{number}1.50",
        "currency": "EUR",
        "available": number != 2,
        "image": f"/canned/{number}.jpg",
        "url": f"/products/{100 + number}/like-{number}/",
    }


@pytest.fixture
def photo_file(tmp_path: Path) -> Path:
    """A photo file of the visitor."""
    path = tmp_path / "mug.jpg"
    path.write_bytes(jpeg())
    return path
