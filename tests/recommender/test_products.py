"""What GET /api/products and /api/products/<id> answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from tests.factories import CategoryFactory, ProductFactory, ProductImageFactory
from tests.recommender.answers import problem

pytestmark = pytest.mark.django_db


def listed(api: Client, **params: Any) -> list[int]:
    response = api.get("/api/products", params)
    assert response.status_code == 200, response.content
    return [product["id"] for product in response.json()["results"]]


def test_the_newest_come_first_and_inactive_ones_not_at_all(api: Client) -> None:
    older, newer = ProductFactory(), ProductFactory()
    ProductFactory(active=False)

    assert listed(api) == [newer.pk, older.pk]


def test_pages_link_to_each_other_with_their_filters(api: Client) -> None:
    products = [ProductFactory(brand="Pier") for _ in range(5)][::-1]
    ProductFactory()

    first = api.get("/api/products?brand=Pier&page_size=2").json()
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()

    assert (first["count"], first["previous"], third["next"]) == (5, None, None)
    pages = [[product["id"] for product in page["results"]] for page in (first, second, third)]
    assert pages == [[each.pk for each in products[start : start + 2]] for start in (0, 2, 4)]
    assert api.get(second["previous"]).json() == {**first, "next": first["next"]} | {"results": first["results"]}


def test_a_page_beyond_the_last_is_a_404_problem_and_an_empty_first_page_is_not(api: Client) -> None:
    assert listed(api) == []
    problem(api.get("/api/products?page=2"), 404)


def test_filters_and_text_narrow_the_list(api: Client) -> None:
    shirts = CategoryFactory(slug="shirts", parent=CategoryFactory(slug="clothing"))
    shirt = ProductFactory(category=shirts, title="Linen shirt", brand="Pier", price=Decimal(30), available=False)
    mug = ProductFactory(title="Mug", sku="M-7")

    assert listed(api, category="clothing") == [shirt.pk]
    assert listed(api, brand="Pier") == [shirt.pk]
    assert listed(api, min_price=20) == [shirt.pk]
    assert listed(api, max_price=20) == [mug.pk]
    assert listed(api, available="true") == [mug.pk]
    assert listed(api, q="linen") == [shirt.pk]
    assert listed(api, q="m-7") == [mug.pk]


@pytest.mark.parametrize("query", ["page=0", "page_size=101", "q=%00", "sort=price", "format=xml", "page=1&page=2"])
def test_invalid_parameters_are_reported(api: Client, query: str) -> None:
    body = problem(api.get(f"/api/products?{query}"), 400)

    assert [error["parameter"] for error in body["errors"]] == [query.partition("=")[0]]


def test_a_list_costs_two_queries_however_long_it_is(api: Client, django_assert_num_queries: Any) -> None:
    for _ in range(10):
        ProductImageFactory()

    with django_assert_num_queries(2):
        listed(api)


def test_one_product_has_all_that_its_shop_says(api: Client) -> None:
    product = ProductFactory(description="Holds 350 ml.", tags=["camping"], attributes={"colour": "blue"})
    second = ProductImageFactory(product=product, position=2, alt="From above")
    first = ProductImageFactory(product=product, position=1)

    body = api.get(f"/api/products/{product.pk}").json()

    assert (body["description"], body["tags"], body["attributes"]) == ("Holds 350 ml.", ["camping"], {"colour": "blue"})
    assert body["image"] == f"http://testserver{first.file.url}"
    assert body["images"] == [
        {"url": f"http://testserver{first.file.url}", "width": 32, "height": 24, "alt": ""},
        {"url": f"http://testserver{second.file.url}", "width": 32, "height": 24, "alt": "From above"},
    ]


def test_a_product_without_a_photo_has_no_image(api: Client) -> None:
    body = api.get(f"/api/products/{ProductFactory().pk}").json()

    assert (body["image"], body["thumbnails"], body["images"]) == (None, {}, [])


def test_an_unknown_or_inactive_product_is_a_404_problem(api: Client) -> None:
    problem(api.get("/api/products/999"), 404)
    problem(api.get(f"/api/products/{ProductFactory(active=False).pk}"), 404)
