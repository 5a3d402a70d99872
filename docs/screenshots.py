"""Takes the pictures in docs/images again, in a demo shop of its own: `make screenshots`.

A page of the admin is one picture: on a desktop, and beside it on a phone.

    python -m docs.screenshots [ADDRESS] [--only NAME ...]

ADDRESS is the URL of a running demo. Nothing is changed in it, so pictures that need a change are skipped.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from bench.chromium import chromium
from bench.demo_shop import demo_shop
from storefront.demo.catalogue import BRANDS

IMAGES = Path(__file__).parent / "images"
QUERY = IMAGES / "query.jpg"
MAX_BYTES = 180_000
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
RULES = {
    "version": 1,
    "rule_sets": [
        {
            "name": "summer",
            "collection": None,
            "active": True,
            "rules": [
                {"kind": "boost", "parameters": {"brand": [BRANDS[0]], "places": 3}, "note": "Our own brand first"},
                {"kind": "hide", "parameters": {"brand": [BRANDS[1]]}, "note": "No longer supplied"},
            ],
        }
    ],
}
# An address without a name server is checked when it is asked.
FEEDS = """
from catalog.importers.run import ImportOptions
from catalog.importers.scheduled_feeds import save_feed
from catalog.models import Feed

for name, address, values in (
    ("Own catalogue", "https://shop.example/feed.xml.gz", {"every_hours": 6, "schedule": "hours"}),
    ("Supplier of lamps", "https://lamps.example/products.csv", {"at_hour": 4}),
):
    save_feed(Feed(name=name, address=address, **values), ImportOptions(source=name, deactivate_missing=True))
"""
ENCODER = Path(__file__).parent.parent / "embeddings" / "encoders" / "bundled_fast" / "model.tflite"
Manage = Callable[..., None]

DESKTOP = (1280, 900)
PHONE = (390, 844)
# Of a picture with both screens.
MARGIN, GROUND = 24, "#d7d9de"


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes:
        name: Of the file in docs/images, without the suffix.
        path: Path of the page's URL.
        ready: Prepares the page, and waits until it is complete.
        until: Selector of the last element on the desktop's screen; "" for the height of the screen.
        admin: Whether it is a page of the admin, which one signs in to, and which is shown on both screens.
        phone: Whether to use the screen of a phone.
        prepare: Runs a command in the shop before all pictures, so that the page has content.
        changes: Whether taking the picture changes the shop.
    """

    name: str
    path: str
    ready: Callable[[Page], None]
    until: str = ""
    admin: bool = False
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
    proposal = page.locator("visual-search .propose")
    if proposal.is_visible():
        with page.expect_response("**/search"):
            proposal.click()
        page.locator("visual-search .busy").first.wait_for(state="detached")
    page.evaluate("scrollTo(0, 0)")


def _search_everything(page: Page) -> None:
    page.get_by_role("button", name="Search over everything").click()
    page.keyboard.type("leather")
    page.locator(".everything-found a").first.wait_for()


def _first_row(page: Page) -> None:
    page.locator("#result_list a[href*='/change/']").first.click()
    page.locator("#content form").first.wait_for()


def _last_row(page: Page) -> None:
    page.locator("#result_list a[href*='/change/']").last.click()
    page.locator("#content form").first.wait_for()


def preview_bulk_edit(page: Page) -> None:
    """In the list of products: raise all prices a little, up to the preview."""
    page.locator("#action-toggle").first.check(force=True)
    page.locator("select[name=action]").first.select_option("bulk_edit")
    page.get_by_role("button", name="Run").first.click()
    page.get_by_label("Price", exact=True).select_option("raise_percent")
    page.get_by_label("Amount or percent, for the price").fill("5")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("heading", name="Preview").wait_for()


def _before_and_after(page: Page) -> None:
    sku = page.evaluate("fetch('/api/products?page_size=1').then((r) => r.json()).then((list) => list.results[0].sku)")
    page.locator("#result_list a[href*='/preview/']").first.click()
    page.get_by_label("SKU").fill(sku)
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="What each rule did").wait_for()


def _activation(page: Page) -> None:
    page.locator("#result_list a[href*='/change/']", has_text="all-v2").first.click()
    page.get_by_role("link", name="Compare and activate").click()
    page.get_by_role("heading", name="After").first.wait_for()


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
    on_desktop = page.viewport_size == {"width": DESKTOP[0], "height": DESKTOP[1]}
    if on_desktop:
        page.get_by_label("On a desktop").check()
    page.locator("similar-products").scroll_into_view_if_needed()
    page.locator("similar-products a").first.wait_for()
    if on_desktop:
        page.evaluate("scrollTo(0, 0)")


def _make_rules(manage: Manage) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(RULES))
        file.flush()
        manage("rules", "import", file.name, "--allow-lost")


def _make_version(manage: Manage) -> None:
    manage("add_encoder", str(ENCODER))
    manage("activate_encoder", "all-v2", "--prepare")


def _run(*command: str) -> Callable[[Manage], None]:
    return lambda manage: manage(*command)


def _admin(
    name: str,
    path: str,
    ready: Callable[[Page], None] = _settled,
    *,
    until: str = "",
    prepare: Callable[[Manage], None] | None = None,
    changes: bool = False,
) -> Picture:
    return Picture(name, f"/admin/{path}", ready, until, admin=True, prepare=prepare, changes=changes)


_KEY = _run("api_key", "create", "Shop pages", "--origin", "https://shop.example")
_IMPORT = "catalog/product/import/"
STOREFRONT = [
    Picture("home", "/", _settled),
    Picture("category", "/categories/home/", _settled),
    Picture("product-page", "/products/", _first_product, until="similar-products"),
    Picture("product-phone", "/products/", _first_product, phone=True),
    Picture("search", "/products/?q=leather+bag", _settled),
    Picture("visual-search", "/visual-search/", _photo_search),
    Picture("visual-search-phone", "/visual-search/", _photo_search, phone=True),
]
ADMIN = [
    _admin("dashboard", "", until=".overview"),
    _admin("everything", "", _search_everything),
    _admin("products", "catalog/product/"),
    _admin("product", "catalog/product/", _first_row),
    _admin("bulk-edit", "catalog/product/", preview_bulk_edit),
    _admin("categories", "catalog/category/"),
    _admin("category-form", "catalog/category/", _last_row),
    _admin("duplicates", "catalog/duplicatepair/", prepare=_run("find_duplicates")),
    _admin("doctor", "embeddings/diagnosis/", prepare=_run("doctor")),
    _admin("admin-search", "visual-search/", _photo_search),
    _admin("embed", "embed/", _preview, until="#embed-snippet"),
    _admin("visitors", "visitors/"),
    _admin("improve", "improve/"),
    _admin("rule-sets", "recommender/ruleset/", prepare=_make_rules),
    _admin("rule-preview", "recommender/ruleset/", _before_and_after),
    _admin("rules", "recommender/rule/"),
    _admin("rule-kinds", "recommender/rule/add/"),
    _admin("rule", "recommender/rule/", _first_row),
    _admin("walls", "recommender/rule/walls/"),
    _admin("collections", "embeddings/collection/"),
    _admin("collection", "embeddings/collection/", _first_row),
    _admin("versions", "embeddings/encoderversion/", prepare=_make_version),
    _admin("version", "embeddings/encoderversion/", _first_row),
    _admin("activation", "embeddings/encoderversion/", _activation),
    _admin("rankers", "embeddings/rankerversion/"),
    _admin("train-ranker", "train-ranker/"),
    _admin("photos", "embeddings/imageembedding/"),
    _admin("import-result", _IMPORT, _start_dry_run, changes=True),
    _admin("job", _IMPORT, _import, changes=True),
    _admin("import", _IMPORT),
    _admin("feeds", "catalog/feed/", prepare=_run("shell", "--command", FEEDS)),
    _admin("feed", "catalog/feed/", _first_row),
    _admin("jobs", "jobs/job/"),
    _admin("users", "accounts/user/"),
    _admin("user", "accounts/user/", _first_row),
    _admin("groups", "auth/group/"),
    _admin("keys", "accounts/apikey/", prepare=_KEY),
    _admin("key", "accounts/apikey/", _first_row),
    _admin("audit-log", "accounts/auditentry/"),
    _admin("audit-entry", "accounts/auditentry/", _first_row),
]
PICTURES = [*STOREFRONT, *ADMIN]


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
        screens = (False, True) if picture.admin else (picture.phone,)
        file = IMAGES / f"{picture.name}.png"
        file.write_bytes(_small(_side_by_side([_shot(browser, address, picture, phone=phone) for phone in screens])))
        sys.stdout.write(f"{file.name}: {file.stat().st_size / 1000:.0f} kB\n")


def _shot(browser: Browser, address: str, picture: Picture, *, phone: bool) -> Image.Image:
    width, height = PHONE if phone else DESKTOP
    context = browser.new_context(
        viewport={"width": width, "height": height},
        is_mobile=phone,
        has_touch=phone,
        device_scale_factor=2 if picture.phone else 1,
        color_scheme="light",
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = context.new_page()
    if picture.admin:
        _sign_in(page, address)
    page.goto(address + picture.path)
    picture.ready(page)
    page.wait_for_load_state("networkidle")
    shot = Image.open(io.BytesIO(_screenshot(page, picture, "" if phone else picture.until))).convert("RGB")
    context.close()
    return shot


def _side_by_side(shots: Sequence[Image.Image]) -> Image.Image:
    if len(shots) == 1:
        return shots[0]
    width = sum(shot.width for shot in shots) + (len(shots) + 1) * MARGIN
    both = Image.new("RGB", (width, max(shot.height for shot in shots) + 2 * MARGIN), GROUND)
    left = MARGIN
    for shot in shots:
        both.paste(shot, (left, MARGIN))
        left += shot.width + MARGIN
    return both


def _screenshot(page: Page, picture: Picture, until: str) -> bytes:
    page.mouse.move(0, 0)
    if not until:
        return page.screenshot()
    box = page.locator(until).first.bounding_box()
    if box is None:
        raise SystemExit(f"{picture.name}: there is no {until} on the page")
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


def _small(photo: Image.Image) -> bytes:
    """The picture with the most colours that fit into MAX_BYTES."""
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
