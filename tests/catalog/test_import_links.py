"""Photos given as links are downloaded, in every format, and only if they changed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog import fetching, outgoing
from catalog.importers.links import PREFETCH_COUNT, fetch_photos
from catalog.models import FetchedPhoto, Product, ProductImage
from product_files.photo_files import PhotoLink
from product_files.rows import Row
from tests.catalog.importing import counts, run
from tests.catalog.photo_server import PhotoServer, photo_server
from tests.factories import jpeg, numbered_colour

pytestmark = pytest.mark.django_db

RED = jpeg("red")


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    with photo_server() as server:
        settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.FETCH_PORTS = (server.port,)
        monkeypatch.setattr(outgoing, "INITIAL_BACKOFF_S", 0.01)
        yield server


def table(folder: Path, *images: str) -> Path:
    path = folder / "products.csv"
    rows = (f"m{number},Mug {number},{image}\n" for number, image in enumerate(images))
    path.write_text("sku,title,image\n" + "".join(rows))
    return path


def stored(image: ProductImage) -> bytes:
    return Path(image.file.path).read_bytes()


FORMATS = {
    "csv": "sku,title,image\nm1,Mug,{link}\n",
    "jsonl": '{{"sku": "m1", "title": "Mug", "image": ["{link}"]}}\n',
    "shopify": "Handle,Title,Variant Price,Image Src\nm1,Mug,5,{link}\n",
    "merchant": '<rss xmlns:g="http://base.google.com/ns/1.0"><item><g:id>m1</g:id><g:title>Mug</g:title>'
    "<g:image_link>{link}</g:image_link></item></rss>",
    "merchant table": "id\ttitle\timage_link\nm1\tMug\t{link}\n",
}


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_a_link_is_fetched_in_every_format(server: PhotoServer, tmp_path: Path, content: str) -> None:
    path = tmp_path / "catalogue"
    path.write_text(content.format(link=server.serve("/1.jpg", RED)))
    assert run(path)["photos_added"] == 1
    assert stored(ProductImage.objects.get()) == RED


def test_files_and_links_keep_their_order(server: PhotoServer, tmp_path: Path) -> None:
    (tmp_path / "file.jpg").write_bytes(jpeg("blue"))
    links = server.serve("/1.jpg", RED), server.serve("/2.jpg", jpeg("green"))
    run(table(tmp_path, f"{links[0]}|file.jpg|{links[1]}"))
    photos = [stored(image) for image in ProductImage.objects.order_by("position")]
    assert photos == [RED, jpeg("blue"), jpeg("green")]


def test_only_what_changed_is_sent_again(server: PhotoServer, tmp_path: Path) -> None:
    path = table(tmp_path, server.serve("/1.jpg", RED, ETag='"1"'))
    run(path)
    server.serve("/1.jpg", status=304)
    report = run(path)
    assert server.headers["if-none-match"] == '"1"'
    assert (counts(report), report["photos_unchanged"]) == ((0, 0, 1, 0), 1)
    server.serve("/1.jpg", jpeg("blue"), ETag='"2"')
    report = run(path)
    assert (report["photos_added"], report["photos_removed"]) == (1, 1)
    assert FetchedPhoto.objects.get().etag == '"2"'


def test_a_photo_that_the_product_lost_is_sent_again(server: PhotoServer, tmp_path: Path) -> None:
    path = table(tmp_path, server.serve("/1.jpg", RED, ETag='"1"'))
    run(path)
    Product.objects.all().delete()
    assert run(path)["photos_added"] == 1
    assert "if-none-match" not in server.headers


def test_a_photo_that_cannot_be_fetched_is_reported_and_removes_nothing(server: PhotoServer, tmp_path: Path) -> None:
    path = table(tmp_path, server.serve("/1.jpg", RED))
    run(path)
    server.serve("/1.jpg", status=404)
    report = run(path)
    assert (report["photos_rejected"], report["photos_removed"]) == (1, 0)
    assert report["problems"][0]["photo"] == server.url("/1.jpg")
    assert "127.0.0.1 responds with 404" in report["problems"][0]["reason"]


def test_a_refused_link_brings_its_product_in_without_it(server: PhotoServer, tmp_path: Path) -> None:
    report = run(table(tmp_path, "http://169.254.169.254/latest"))
    assert (counts(report), report["photos_rejected"]) == ((1, 0, 0, 0), 1)


def test_links_can_be_left_out(server: PhotoServer, tmp_path: Path) -> None:
    path = table(tmp_path, server.serve("/1.jpg", RED))
    run(path)
    server.seen.clear()
    report = run(path, "--no-fetch")
    assert (report["photos_left_out"], report["photos_rejected"], report["photos_removed"]) == (1, 0, 0)
    assert not server.seen
    assert ProductImage.objects.count() == 1


def test_a_dry_run_fetches_and_remembers_nothing(server: PhotoServer, tmp_path: Path) -> None:
    report = run(table(tmp_path, server.serve("/1.jpg", RED, ETag='"1"')), "--dry-run")
    assert report["photos_added"] == 1
    assert not FetchedPhoto.objects.exists()


def test_many_rows_come_in_whole_and_in_order(server: PhotoServer, tmp_path: Path) -> None:
    count = PREFETCH_COUNT * 3
    links = [server.serve(f"/{number}.jpg", jpeg(numbered_colour(number))) for number in range(count)]
    assert run(table(tmp_path, *links))["photos_added"] == count
    for number in range(count):
        assert stored(ProductImage.objects.get(product__sku=f"m{number}")) == jpeg(numbered_colour(number))


def test_only_a_few_photos_are_fetched_ahead(server: PhotoServer) -> None:
    read: list[int] = []

    def rows() -> Iterator[Row]:
        for number in range(200):
            read.append(number)
            yield Row(
                number, f"m{number}", photos=(PhotoLink(server.serve(f"/{number}.jpg", RED)),) if number % 2 else None
            )

    pending = fetch_photos(rows(), fetching.Fetcher())
    next(pending)
    next(pending)
    pending.close()
    assert len(read) <= PREFETCH_COUNT + 3
