"""Draws the README's picture anew: a product page of a running storefront, with its similar products.

    make demo                                # in one terminal
    python docs/screenshot.py [ADDRESS]      # in another

ADDRESS is a product page, or a list of products, of which the first is taken; by default the demo's home page.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Error, FloatRect, Page, sync_playwright

DEMO = "http://127.0.0.1:8000/"
PICTURE = Path(__file__).parent / "images" / "product-page.png"
WIDTH_PX = 1280
MARGIN_PX = 48
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def main() -> None:
    """Open the page, wait for its pictures, and store what it looks like."""
    parser = argparse.ArgumentParser(description="Draw the README's picture anew.")
    parser.add_argument("address", nargs="?", default=DEMO, help="a page of a running storefront")
    parser.add_argument("--chromium", default=next(filter(None, map(shutil.which, NAMES)), None))
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    if options.chromium is None:
        sys.exit("There is no Chromium on the PATH: name one with --chromium.")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": WIDTH_PX, "height": 1600}, color_scheme="light", locale="en-GB")
            options.picture.parent.mkdir(parents=True, exist_ok=True)
            _photograph(page, options.address, options.picture)
            browser.close()
    except Error as error:
        sys.exit(f"No picture of {options.address}: {error.message}")


def _photograph(page: Page, address: str, picture: Path) -> None:
    page.goto(address)
    strip = page.locator("similar-products")
    if not strip.count():
        page.locator(".card a").first.click()
    strip.locator("a").first.wait_for()
    page.wait_for_load_state("networkidle")
    box = strip.bounding_box()
    if box is None:
        raise Error("the page has no similar products to show")
    page.mouse.move(0, 0)
    clip = FloatRect(x=0, y=0, width=WIDTH_PX, height=box["y"] + box["height"] + MARGIN_PX)
    page.screenshot(path=picture, clip=clip)


if __name__ == "__main__":
    main()
