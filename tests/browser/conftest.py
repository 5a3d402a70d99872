"""A real Chromium before a real server: what visitors see, and what their browsers complain of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.conf import LazySettings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, sync_playwright
from pytest_django.live_server_helper import LiveServer

from catalog.models import Product
from embeddings.selectors import forget_live_collections
from embeddings.services import drain
from tests.catalog.shop import stock
from tests.factories import jpeg

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_MS = 10_000

Answer = dict[str, Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it; the test is skipped where there is none."""
    executable = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip("no Chromium on the PATH and CHROMIUM is not set: nothing to look at the pages with")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread, and Django would refuse its database there.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor without a past, with a wide screen and English as language."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Page:
    """An empty page that writes down what the browser complains of."""
    page = context.new_page()

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


@pytest.fixture
def complaints() -> list[str]:
    """Errors and warnings of the browser's console: failed scripts, broken policies, missing files."""
    return []


@pytest.fixture
def shop_url(live_server: LiveServer) -> str:
    """The address of a running shop."""
    return str(live_server.url)


@pytest.fixture
def product(shop_url: str) -> Product:
    """A product whose page the test opens."""
    return stock("Blue mug", photos=2, description="Holds 350 ml.", attributes={"colour": "blue"})


@pytest.fixture
def index_photos(settings: LazySettings) -> Iterator[Callable[[], object]]:
    """Embeds and indexes every photo in the shop, in an index that starts empty: for tests with the true API."""
    settings.VECTOR_INDEX = {"BACKEND": "embeddings.vector_index.memory.MemoryVectorIndex", "OPTIONS": {}}
    forget_live_collections()
    yield drain
    forget_live_collections()


@pytest.fixture
def api(page: Page) -> Iterator[Api]:
    """The API's part, played by the test: what it answers, and what it was asked."""
    yield Api(page)
    page.unroute_all(behavior="ignoreErrors")


@pytest.fixture
def serve_page() -> Iterator[Callable[[str], str]]:
    """Serves a page from an origin of its own and returns its address."""
    body = b""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    def serve(html: str) -> str:
        nonlocal body
        body = html.encode()
        return f"http://127.0.0.1:{server.server_port}/"

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield serve
        server.shutdown()
        thread.join()


class Api:
    """Answers every call of the recommendations API in the page, in the API's own shape."""

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[Route], None] = lambda route: route.fulfill(json=answer(5))
        page.route("**/api/**", self._respond)
        page.route("**/canned/*.jpg", lambda route: route.fulfill(body=jpeg(), content_type="image/jpeg"))

    def answers(self, body: Answer, *, status: int = 200) -> None:
        """Answer all calls with this body."""
        kind = "application/json" if status < 400 else "application/problem+json"
        self.answer = lambda route: route.fulfill(json=body, status=status, content_type=kind)

    def _respond(self, route: Route) -> None:
        self.asked.append(route.request.url)
        self.answer(route)


def until(page: Page, condition: Callable[[], object]) -> None:
    """Wait for what Playwright has no expectation for; its own waiting needs an eval, which the policy forbids."""
    for _ in range(TIMEOUT_MS // 20):
        if condition():
            return
        page.wait_for_timeout(20)
    pytest.fail("what was waited for did not happen")


def answer(count: int, **first: Any) -> Answer:
    """So many similar products; keywords replace details of the first one."""
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
    """A product as the API describes it in a result."""
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
    """A photo on the visitor's disk."""
    path = tmp_path / "mug.jpg"
    path.write_bytes(jpeg())
    return path
