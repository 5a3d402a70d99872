"""Photos in a bucket: their addresses, thumbnails, the check of the media storage, and a store that is away."""

from __future__ import annotations

import json
import urllib.request
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from catalog.models import ProductImage
from catalog.services import attach_image, delete_products
from jobs.storage import StorageFull
from pictures.photos import validate_photo
from stores import base as stores
from stores.bucket import _Away
from tests.factories import ProductFactory, ProductImageFactory, jpeg
from tests.s3_server import S3Server, refusing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bucket")]


@pytest.fixture
def image() -> Any:
    return ProductImageFactory()


def check(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit status of check_media, and its report."""
    out = StringIO()
    try:
        call_command("check_media", "--json", *arguments, stdout=out)
    except SystemExit as error:
        return int(str(error.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_a_photo_of_a_private_bucket_is_at_a_signed_address(client: Any, image: ProductImage) -> None:
    shown = client.get(f"/api/products/{image.product_id}").json()["images"][0]["url"]
    assert shown == f"http://testserver/media/{image.file.name}"
    answer = client.get(shown)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "private, max-age=1800")
    with (
        urllib.request.urlopen(answer.headers["Location"]) as photo,  # noqa: S310
        stores.photos().open(image.file.name) as stored,
    ):
        assert photo.read() == stored.read()


def test_pages_may_show_photos_of_a_private_bucket(client: Any, image: ProductImage, s3: S3Server) -> None:
    policy = client.get(f"/products/{image.product_id}/{image.product.slug}", follow=True)["Content-Security-Policy"]
    assert f" {s3.url}" in policy.partition("img-src")[2].partition(";")[0]


def test_a_photo_of_a_public_bucket_is_at_the_address_of_its_cdn(
    client: Any, image: ProductImage, settings: Any
) -> None:
    # The URLs of this process are those of its first request.
    client.get("/healthz")
    settings.MEDIA_URL = settings.STORAGE_PHOTOS_URL = "https://cdn.example/photos/"
    shown = client.get(f"/api/products/{image.product_id}").json()["images"][0]["url"]
    assert shown == f"https://cdn.example/photos/{image.file.name}"


def test_a_name_that_leads_out_of_the_photos_is_not_signed(client: Any) -> None:
    assert client.get("/media/../uploads/secret.zip").status_code == 404
    assert client.get("/media/%2e%2e/uploads/secret.zip").status_code == 404


def test_a_thumbnail_is_made_once(client: Any, image: ProductImage, s3: S3Server, bucket: str) -> None:
    address = f"/thumbs/320/{image.file.name}.webp"
    first = client.get(address)
    assert (first.status_code, first.headers["Content-Type"]) == (200, "image/webp")
    assert f"media{address}" in s3.keys(bucket)
    s3.requests.clear()
    assert client.get(address).content == first.content
    assert [method for method, _ in s3.requests] == ["GET"]


def test_pages_go_on_without_the_photos_of_a_store_that_is_away(client: Any, image: ProductImage, s3: S3Server) -> None:
    address = f"/products/{image.product_id}/{image.product.slug}"
    with s3.away():
        assert client.get(address, follow=True).status_code == 200
        assert client.get(f"/api/products/{image.product_id}").status_code == 200
        missing = client.get(f"/thumbs/320/{image.file.name}.webp")
        assert (missing.status_code, missing["Retry-After"], missing["Cache-Control"]) == (503, "10", "no-store")
    _Away.until = 0
    assert client.get(f"/thumbs/320/{image.file.name}.webp").status_code == 200


def test_a_photo_that_finds_no_room_is_not_attached(s3: S3Server) -> None:
    product = ProductFactory()
    with (
        s3.failing(refusing("507 Insufficient Storage", "XMinioStorageFull", "PUT")),
        pytest.raises(StorageFull, match=r"cannot be written to s3://.*/media: there is no room left in the store"),
    ):
        attach_image(product, validate_photo(jpeg()))
    assert not ProductImage.objects.exists()


def test_the_check_finds_lost_and_unused_files(image: ProductImage, s3: S3Server, bucket: str, settings: Any) -> None:
    assert check() == (0, check()[1])
    kept = ProductImageFactory()
    s3.client().delete_object(Bucket=bucket, Key=f"media/{image.file.name}")
    unused = f"products/ab/ab{'0' * 62}.jpg"
    stores.photos().put(unused, b"12345")
    status, report = check()
    assert (status, report["photos"], report["files"], report["missing_count"]) == (1, 2, 2, 1)
    assert report["missing"] == [{"sku": image.product.sku, "file": image.file.name}]
    assert (report["unused"], report["unused_bytes"]) == ([unused], 5)
    assert ProductImage.objects.get(file_missing=True).pk == image.pk
    with override_settings(DELETED_PHOTOS_KEEP_MINUTES=0):
        assert check("--delete-orphans")[1]["deleted"] == 1
    assert s3.keys(bucket) == [f"media/{kept.file.name}"]


def test_the_sweep_deletes_the_files_of_deleted_photos(
    client: Any, image: ProductImage, s3: S3Server, bucket: str, settings: Any
) -> None:
    client.get(f"/thumbs/320/{image.file.name}.webp")
    other = ProductImageFactory()
    delete_products([image.product_id])
    settings.DELETED_PHOTOS_KEEP_MINUTES = 0
    assert check()[1]["swept"] == 1
    assert s3.keys(bucket) == [f"media/{other.file.name}"]


def test_the_check_says_that_the_bucket_has_no_photos(image: ProductImage, s3: S3Server, bucket: str) -> None:
    s3.client().delete_object(Bucket=bucket, Key=f"media/{image.file.name}")
    with pytest.raises(CommandError, match=f"the media storage has none: look at s3://{bucket}/media, then try again"):
        check()
    assert not ProductImage.objects.filter(file_missing=True)


def test_the_check_says_that_the_store_is_away(image: ProductImage, s3: S3Server) -> None:
    with s3.away(), pytest.raises(CommandError, match=r"the media storage s3://.* fails: the store does not answer"):
        check()
