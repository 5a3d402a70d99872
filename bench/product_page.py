"""Size and loading times of a product page with its strip of similar products: the metrics of Lighthouse, in Chromium.

Usage: python -m bench.product_page [--visits 5] [--products 300]
A demo shop, served by one process as in production. Each visit is a new browser without a cache, without network delay. The visitor
scrolls to the strip as soon as the page is loaded. Medians over the visits.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page

from bench.chromium import chromium
from bench.demo_shop import demo_shop
from bench.tables import median, publish

SCREENS = {"phone, 390 px": (390, 844), "desktop, 1280 px": (1280, 900)}
MOST_SHIFT = 0.02
SETTLE_MS = 1000

# Runs before the page's own scripts. Layout shifts after an input of the visitor are not counted.
NOTE_FIGURES = """
window.figures = { shift: 0, largestPaint: 0, strip: null };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.figures.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.figures.largestPaint = entry.startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
document.addEventListener("similar:load", () => (window.figures.strip ??= performance.now()));
"""


@dataclass(frozen=True)
class Visit:
    """One visit: bytes on the wire, requests, the cumulative layout shift, and milliseconds from the start of navigation."""

    transferred: int
    requests: int
    shift: float
    largest_paint_ms: float
    strip_ms: float


def main() -> None:
    """Visit, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--products", type=int, default=300)
    parser.add_argument("--chromium")
    options = parser.parse_args()
    with demo_shop(products=options.products, debug=False) as (address, _), chromium(options.chromium) as browser:
        product = _a_product(browser, address)
        rows = [_row(browser, name, product, options.visits) for name in SCREENS]
    publish("product_page", rows, {"visits each": options.visits})
    if any(row["layout shift"] >= MOST_SHIFT for row in rows):
        raise SystemExit(f"the layout shifts by {MOST_SHIFT} or more")


def _a_product(browser: Browser, address: str) -> str:
    page = browser.new_page()
    page.goto(address)
    link = page.locator(".card a").first.evaluate("link => link.href")
    page.close()
    return str(link)


def _row(browser: Browser, name: str, product: str, visits: int) -> dict[str, Any]:
    _visit(browser, name, product)  # warm-up: the server creates the thumbnails
    runs = [_visit(browser, name, product) for _ in range(visits)]
    return {
        "screen": name,
        "transferred kB": median([run.transferred / 1000 for run in runs]),
        "requests": median([run.requests for run in runs]),
        "layout shift": median([run.shift for run in runs]),
        "largest paint ms": median([run.largest_paint_ms for run in runs]),
        "strip filled ms": median([run.strip_ms for run in runs]),
    }


def _visit(browser: Browser, name: str, product: str) -> Visit:
    width, height = SCREENS[name]
    phone = width < 500
    context = browser.new_context(viewport={"width": width, "height": height}, is_mobile=phone, has_touch=phone)
    page = context.new_page()
    sizes = _note_sizes(page)
    page.add_init_script(NOTE_FIGURES)
    page.goto(product)
    page.locator("similar-products").scroll_into_view_if_needed()
    page.locator("similar-products a").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLE_MS)
    figures = page.evaluate("window.figures")
    context.close()
    return Visit(sum(sizes), len(sizes), figures["shift"], figures["largestPaint"], figures["strip"])


def _note_sizes(page: Page) -> list[int]:
    """Bytes of each response on the wire, with its headers; filled while the page loads."""
    sizes: list[int] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    return sizes


if __name__ == "__main__":
    main()
