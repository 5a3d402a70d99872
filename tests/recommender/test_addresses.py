"""Addresses in answers, wherever the server is mounted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import set_script_prefix

from catalog.models import Product
from lookalike.checks import check_addresses
from lookalike.urls import surface
from rest.addresses import absolute, base_address
from tests.factories import ProductFactory, ProductImageFactory

PUBLIC = "https://shop.example/lookalike"


class RecommenderUrls:
    """The URLs of a process with SERVICE=recommender."""

    urlpatterns = surface("recommender")


@pytest.fixture
def mounted() -> Iterator[None]:
    """The server is mounted below /lookalike."""
    set_script_prefix("/lookalike/")
    yield
    set_script_prefix("/")


@pytest.fixture
def product(db: None) -> Product:
    image = ProductImageFactory.create(product=ProductFactory.create(sku="M 1/é"))
    ProductFactory.create()
    return image.product


def addresses(body: dict[str, Any]) -> list[str]:
    return [body["url"], body["image"], *body["thumbnails"].values(), *(image["url"] for image in body["images"])]


def test_addresses_are_those_of_the_requests_host(api: Client, product: Product) -> None:
    body = api.get(f"/api/products/{product.pk}", HTTP_HOST="localhost").json()

    assert all(address.startswith("http://localhost/") for address in addresses(body))
    assert body["url"] == f"http://localhost{product.get_absolute_url()}"


def test_public_url_begins_every_address(api: Client, product: Product, settings: Any) -> None:
    settings.PUBLIC_URL = PUBLIC
    settings.API_WRITES = "open"

    body = api.get(f"/api/products/{product.pk}").json()
    page = api.get("/api/products?page_size=1").json()
    job = api.post("/api/imports", b"sku,title\nm1,Mug\n", content_type="text/csv")

    assert all(address.startswith(f"{PUBLIC}/") for address in addresses(body))
    assert page["next"] == f"{PUBLIC}/api/products?page_size=1&page=2"
    assert job["Location"] == f"{PUBLIC}/api/jobs/{job.json()['id']}"


def test_the_path_of_the_mount_is_in_every_address_once(product: Product, mounted: None, settings: Any) -> None:
    request = RequestFactory().get("/api/products")

    assert absolute(base_address(request), "/lookalike/api") == "http://testserver/lookalike/api"
    assert absolute(base_address(request), "/media/a.jpg") == "http://testserver/lookalike/media/a.jpg"
    settings.PUBLIC_URL = PUBLIC
    assert absolute(base_address(request), "/lookalike/api") == f"{PUBLIC}/api"


def test_photos_of_a_cdn_stay_there(api: Client, product: Product, settings: Any) -> None:
    settings.MEDIA_URL = "https://cdn.example/media/"

    body = api.get(f"/api/products/{product.pk}").json()

    assert body["image"] == body["images"][0]["url"] == f"https://cdn.example/media/{product.images.get().file.name}"
    assert all(address.startswith("http://testserver/thumbs/") for address in body["thumbnails"].values())


def test_a_recommender_that_runs_apart_links_to_the_storefront(api: Client, product: Product, settings: Any) -> None:
    settings.ROOT_URLCONF = RecommenderUrls

    body = api.get(f"/api/products/{product.pk}").json()

    assert body["url"] == f"http://testserver/products/{product.pk}/{product.slug}/"


@pytest.mark.parametrize(
    ("template", "expected"),
    [("https://shop.example/p/{sku}", "https://shop.example/p/M%201%2F%C3%A9"), ("/p/{id}", "http://testserver/p/ID")],
)
def test_the_shops_own_pages(api: Client, product: Product, settings: Any, template: str, expected: str) -> None:
    settings.PRODUCT_URL = template

    body = api.get(f"/api/products/{product.pk}").json()

    assert body["url"] == expected.replace("ID", str(product.pk))


@pytest.mark.parametrize(
    ("service", "variables", "warned"),
    [
        ("recommender", {}, True),
        ("recommender", {"PUBLIC_URL": PUBLIC}, False),
        ("recommender", {"PRODUCT_URL": "https://shop.example/p/{sku}"}, False),
        ("all", {}, False),
    ],
)
def test_a_recommender_without_any_address_is_warned(
    settings: Any, service: str, variables: dict[str, str], warned: bool
) -> None:
    settings.SERVICE = service
    for name, value in variables.items():
        setattr(settings, name, value)

    assert [warning.id for warning in check_addresses()] == ["lookalike.W001"] * warned
