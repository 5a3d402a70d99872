"""Takes the pictures in docs/images again, in a demo shop of its own: `make screenshots`.

    python -m docs.screenshots [ADDRESS] [--only NAME ...]

ADDRESS is the URL of a running demo. Nothing is changed in it, so pictures that need a change are skipped.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from bench.chromium import chromium
from bench.demo_shop import demo_shop

IMAGES = Path(__file__).parent / "images"
QUERY = IMAGES / "query.jpg"
MAX_BYTES = 300_000
COLOURS = (256, 128, 64, 32)
PRODUCTS = 300
JOB_TIMEOUT_MS = 120_000
LOGIN = PASSWORD = "demo"  # noqa: S105 - of every demo

# Two of the rows are invalid.
CATALOGUE = """sku,title,category,brand,price,currency
SPRING-1,Linen throw in sand,home/throws,Harbour,49.00,EUR
SPRING-2,Linen throw in sage,home/throws,Harbour,49.00,EUR
SPRING-3,,home/throws,Harbour,49.00,EUR
SPRING-4,Stoneware jug,home/jugs,Kiln,34.50,EUR
SPRING-5,Stoneware jug with lid,home/jugs,Kiln,thirty-nine,EUR
SPRING-6,Oak tray,home/trays,Alder,28.00,EUR
"""
Manage = Callable[..., None]

DESKTOP = (1280, 900)
PHONE = (390, 844)


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes:
        name: Of the file in docs/images, without the suffix.
        path: Path of the page's URL.
        ready: Prepares the page, and waits until it is complete.
        until: Selector of the last element in the picture; "" for the height of the screen.
        signed_in: Whether to sign in to the admin first.
        phone: Whether to use the screen of a phone.
        prepare: Runs a command in the shop before all pictures, so that the page has content.
        changes: Whether taking the picture changes the shop.
    """

    name: str
    path: str
    ready: Callable[[Page], None]
    until: str = ""
    signed_in: bool = False
    phone: bool = False
    prepare: Callable[[Manage], None] | None = None
    changes: bool = False


def _settled(page: Page) -> None:
    page.locator("h1").first.wait_for()


def _first_product(page: Page) -> None:
    page.locator(".card a").first.click()
    page.locator("similar-products").scroll_into_view_if_needed()
    page.locator("similar-products a").first.wait_for()
    page.evaluate("scrollTo(0, 0)")


def _photo_search(page: Page) -> None:
    page.locator("visual-search input[type=file]").first.set_input_files(QUERY)
    page.locator("visual-search li a").first.wait_for()


def _start_dry_run(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "spring.csv", "mimeType": "text/csv", "buffer": CATALOGUE.encode()}
    )
    page.get_by_role("button", name="Upload and look at it").click()
    page.get_by_role("button", name="Check the whole file").click()
    page.get_by_role("button", name="Import these").wait_for(timeout=JOB_TIMEOUT_MS)


def _import(page: Page) -> None:
    _start_dry_run(page)
    page.get_by_role("button", name="Import these").click()
    page.get_by_role("heading", name="Imported").wait_for(timeout=JOB_TIMEOUT_MS)


def _preview(page: Page) -> None:
    page.get_by_label("On a desktop").check()
    page.locator("similar-products").scroll_into_view_if_needed()
    page.locator("similar-products a").first.wait_for()
    page.evaluate("scrollTo(0, 0)")


def _phone_preview(page: Page) -> None:
    page.locator("similar-products").scroll_into_view_if_needed()
    page.locator("similar-products a").first.wait_for()


def _find_duplicates(manage: Manage) -> None:
    manage("find_duplicates")


PICTURES = [
    Picture("home", "/", _settled),
    Picture("category", "/categories/home/", _settled),
    Picture("product-page", "/products/", _first_product, until="similar-products"),
    Picture("product-phone", "/products/", _first_product, phone=True),
    Picture("visual-search", "/visual-search/", _photo_search),
    Picture("dashboard", "/admin/", _settled, until=".overview", signed_in=True),
    Picture("products", "/admin/catalog/product/", _settled, signed_in=True),
    Picture("products-phone", "/admin/catalog/product/", _settled, signed_in=True, phone=True),
    Picture("embed", "/admin/embed/", _preview, until="#embed-snippet", signed_in=True),
    Picture("embed-phone", "/admin/embed/", _phone_preview, signed_in=True, phone=True),
    Picture("improve", "/admin/improve/", _settled, signed_in=True),
    Picture("improve-phone", "/admin/improve/", _settled, signed_in=True, phone=True),
    Picture("visitors", "/admin/visitors/", _settled, signed_in=True),
    Picture("visitors-phone", "/admin/visitors/", _settled, signed_in=True, phone=True),
    Picture("admin-search", "/admin/visual-search/", _photo_search, signed_in=True),
    Picture("duplicates", "/admin/catalog/duplicatepair/", _settled, signed_in=True, prepare=_find_duplicates),
    Picture(
        "import-result",
        "/admin/catalog/product/import/",
        _start_dry_run,
        signed_in=True,
        changes=True,
    ),
    Picture("job", "/admin/catalog/product/import/", _import, signed_in=True, changes=True),
]


def main() -> None:
    """Take and save the chosen pictures."""
    parser = argparse.ArgumentParser(description="Take the pictures in docs/images again.")
    parser.add_argument("address", nargs="?", default="", help="URL of a running demo; default: a new one")
    parser.add_argument("--only", nargs="+", default=[], choices=[picture.name for picture in PICTURES])
    parser.add_argument("--chromium")
    options = parser.parse_args()
    chosen = [picture for picture in PICTURES if not options.only or picture.name in options.only]
    with chromium(options.chromium) as browser:
        if options.address:
            harmless = [picture for picture in chosen if not picture.prepare and not picture.changes]
            _take_pictures(browser, options.address.rstrip("/"), harmless)
            return
        with demo_shop(products=PRODUCTS, debug=True) as (address, manage):
            for picture in chosen:
                if picture.prepare is not None:
                    picture.prepare(manage)
            _send_events(browser, address)
            _take_pictures(browser, address, chosen)


def _send_events(browser: Browser, address: str) -> None:
    """Send impressions of some products and clicks on their recommendations, to fill the overview."""
    context = browser.new_context()
    ids = range(1, PRODUCTS, 7)
    for count, product in enumerate(ids):
        answer = context.request.get(f"{address}/api/products/{product}/similar?limit=8").json()
        results = [result["product"]["id"] for result in answer["results"]]
        seen = {"collection": answer["collection"], "encoder": answer["encoder"], "product": product}
        events: list[dict[str, object]] = [{"type": "impression", **seen, "results": results}] * (count % 9 + 4)
        if results and count % 3:
            events.append({"type": "click", **seen, "result": results[0], "position": 1})
            events.append({"type": "add_to_cart", "product": results[0]})
        if results and count % 9 == 1:
            events.append({"type": "purchase", "product": results[0], "quantity": 1})
        context.request.post(
            f"{address}/api/events", data=json.dumps({"events": events}), headers={"Content-Type": "application/json"}
        )
    context.close()


def _take_pictures(browser: Browser, address: str, pictures: list[Picture]) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        width, height = PHONE if picture.phone else DESKTOP
        context = browser.new_context(
            viewport={"width": width, "height": height},
            is_mobile=picture.phone,
            has_touch=picture.phone,
            device_scale_factor=2 if picture.phone else 1,
            color_scheme="light",
            reduced_motion="reduce",
            locale="en-GB",
        )
        page = context.new_page()
        if picture.signed_in:
            _sign_in(page, address)
        page.goto(address + picture.path)
        picture.ready(page)
        page.wait_for_load_state("networkidle")
        file = IMAGES / f"{picture.name}.png"
        file.write_bytes(_small(_screenshot(page, picture)))
        sys.stdout.write(f"{file.name}: {file.stat().st_size / 1000:.0f} kB\n")
        context.close()


def _screenshot(page: Page, picture: Picture) -> bytes:
    page.mouse.move(0, 0)
    if not picture.until:
        return page.screenshot()
    box = page.locator(picture.until).first.bounding_box()
    if box is None:
        raise SystemExit(f"{picture.name}: there is no {picture.until} on the page")
    width = page.viewport_size["width"] if page.viewport_size else DESKTOP[0]
    height = int(box["y"] + box["height"] + page.evaluate("scrollY")) + 32
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_load_state("networkidle")
    return page.screenshot()


def _sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/admin/login/")
    page.fill("[name=username]", LOGIN)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/admin/")


def _small(png: bytes) -> bytes:
    """The picture with the most colours that fit into MAX_BYTES."""
    photo = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in COLOURS:
        file = io.BytesIO()
        photo.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True
        )
        if file.tell() <= MAX_BYTES:
            return file.getvalue()
    raise SystemExit(f"a picture of {photo.size} does not fit into {MAX_BYTES} bytes")


if __name__ == "__main__":
    main()
