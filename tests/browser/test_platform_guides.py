"""The guides docs/how-to/from-….md, followed to the end: an export of the platform, the commands, and the lines for the page."""

from __future__ import annotations

import csv
import io
import ipaddress
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings, settings
from django.core.management import call_command
from playwright.sync_api import Page, expect

from catalog.models import Product
from tests.catalog.photo_server import PhotoServer, photo_server
from tests.factories import jpeg
from tests.integrations.themes import render

pytestmark = pytest.mark.django_db(transaction=True)

GUIDES = Path(settings.BASE_DIR) / "docs" / "how-to"
PHOTOS = {"tea": jpeg("blue"), "mug": jpeg("navy"), "jug": jpeg("red")}


@pytest.fixture
def photos(settings: LazySettings) -> Iterator[PhotoServer]:
    """A shop's own server with the photos, which imports may fetch."""
    with photo_server() as server:
        settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.FETCH_PORTS = (80, 443, server.port)
        for name, content in PHOTOS.items():
            server.serve(f"/{name}.jpg", content, Content_Type="image/jpeg")
        yield server


def table(path: Path, *lines: dict[str, str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for line in lines for name in line)), restval="")
        writer.writeheader()
        writer.writerows(lines)


def shopify(folder: Path, photos: PhotoServer) -> None:
    def line(handle: str, title: str, size: str = "", **others: str) -> dict[str, str]:
        return {
            "Handle": handle, "Title": title, "Body (HTML)": f"<p>{title}</p>", "Vendor": "Kiln", "Type": "Cups", "Tags": "kitchen",
            "Published": "true", "Option1 Name": "Size" if size else "Title", "Option1 Value": size or "Default Title",
            "Variant SKU": handle.upper() + (f"-{size}" if size else ""), "Variant Price": "12.50",
            "Image Src": photos.url(f"/{handle}.jpg"), "Image Position": "1", "Status": "active",
        } | others  # fmt: skip

    large = {"Handle": "tea", "Option1 Value": "L", "Variant SKU": "TEA-L", "Variant Price": "14.50"}
    table(
        folder / "products_export.csv",
        line("tea", "Tea cup", "S"),
        large,
        line("mug", "Blue mug"),
        line("jug", "Red jug"),
    )


def woocommerce(folder: Path, photos: PhotoServer) -> None:
    def line(number: int, name: str, title: str) -> dict[str, str]:
        return {
            "ID": str(number), "Type": "simple", "SKU": name.upper(), "Name": title, "Published": "1",
            "Visibility in catalog": "visible", "Description": title, "In stock?": "1", "Regular price": "12.50",
            "Categories": "Kitchen > Cups", "Images": photos.url(f"/{name}.jpg"), "Parent": "",
        }  # fmt: skip

    table(folder / "products.csv", line(1, "tea", "Tea cup"), line(2, "mug", "Blue mug"), line(3, "jug", "Red jug"))


def magento(folder: Path, _: PhotoServer) -> None:
    def line(name: str, title: str) -> dict[str, str]:
        return {
            "sku": name, "store_view_code": "", "attribute_set_code": "Default", "product_type": "simple",
            "categories": "Default Category/Kitchen/Cups", "name": title, "product_online": "1", "visibility": "Catalog, Search",
            "price": "12.500000", "base_image": f"/{name[0]}/{name[1]}/{name}.jpg", "qty": "3.0000", "is_in_stock": "1",
        }  # fmt: skip

    for name, content in PHOTOS.items():
        path = folder / "product" / name[0] / name[1] / f"{name}.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    table(folder / "catalog_product.csv", line("tea", "Tea cup"), line("mug", "Blue mug"), line("jug", "Red jug"))


def plain_html(folder: Path, _: PhotoServer) -> None:
    (folder / "images").mkdir()
    for name, content in PHOTOS.items():
        (folder / "images" / f"{name}.jpg").write_bytes(content)
    (folder / "products.csv").write_text(blocks("from-html.md", "csv")[0])


def blocks(guide: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (GUIDES / guide).read_text(), re.DOTALL)


def run(line: str, folder: Path, origin: str) -> str:
    """Run a command of a guide; its files are in the folder."""
    _, _, name, *words = shlex.split(line.replace("https://www.shop.example", origin))
    own = {"products_export.csv", "products.csv", "catalog_product.csv", "product", "Products.csv"}
    out = io.StringIO()
    call_command(name, *(str(folder / word) if word in own else word for word in words), stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("guide", "export"),
    [
        ("from-shopify.md", shopify),
        ("from-woocommerce.md", woocommerce),
        ("from-magento.md", magento),
        ("from-html.md", plain_html),
    ],
)
def test_who_follows_the_guide_sees_a_strip(
    guide: str, export: Callable[[Path, PhotoServer], None], page: Page, shop_url: str, index_photos: Callable[[], object],
    serve_page: Callable[[str], str], photos: PhotoServer, tmp_path: Path,
) -> None:  # fmt: skip
    export(tmp_path, photos)
    origin = serve_page("").rstrip("/")
    said = {}
    for line in "".join(blocks(guide, "sh")).splitlines():
        said[line.split()[2]] = run(line, tmp_path, origin)
        index_photos()
    assert Product.objects.filter(images__isnull=False).distinct().count() >= 3
    (key,) = re.findall(r"pk_\S+", said["api_key"])

    (snippet,) = blocks(guide, "html")
    assert snippet.count("https://recommender.example") == 2
    body = snippet.replace("https://recommender.example", shop_url).replace("pk_...", key)
    head = '<!doctype html><html lang="en"><title>Tea cup</title><link rel="icon" href="data:,">'
    page.goto(serve_page(head + body))

    titles = page.get_by_role("region", name="You may also like").locator(".title")
    expect(titles).to_have_text(["Blue mug", "Red jug"])
    if guide == "from-shopify.md":
        variant = {"sku": "TEA-S", "options": ["S"]}
        tea = {"handle": "tea", "variants": [variant, variant], "selected_or_first_available_variant": variant}
        page.goto(serve_page(head + render("lookalike-similar.liquid", tea, api=shop_url, key=key)))
        expect(page.get_by_role("region", name="You may also like").locator(".title")).to_have_count(2)
        lines = list(csv.reader((tmp_path / "Products.csv").read_text().splitlines()))
        assert ["tea", "MERGE", "mug, jug"] in lines
