"""What GET /api/products and /api/products/<id> answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

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
    assert listed(api, q=" ".join(reversed(shirt.title.split()))) == [shirt.pk]
    assert listed(api, q=f"{shirt.title} nowhere") == []
    assert listed(api, q="m-7") == [mug.pk]


def test_a_mistyped_name_is_reported_with_the_nearest_ones(api: Client) -> None:
    ProductFactory(brand="Pier", category=CategoryFactory(slug="clothing"))

    body = problem(api.get("/api/products?brand=Peir&category=cloting&page=2"), 400)

    assert {error["parameter"]: error["detail"].split(" (")[0] for error in body["errors"]} == {
        "brand": "names no brand; the nearest: Pier",
        "category": "names no category; the nearest: clothing",
    }
    assert listed(api, brand="Peir", strict="false") == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("tag=sumer", {"tag": "names no tag; the nearest: summer"}),
        ("tag=summer&tag=sale", {}),  # nothing is on sale today
        ("attribute.colr=red", {"attribute.colr": "names no attribute; the nearest: colour"}),
        ("attribute.colour=Red", {"attribute.colour": "names no value of this attribute; the nearest: red"}),
        ('attribute.3"=x', {'attribute.3"': 'names no attribute; the nearest: 3"\\'}),
        ("attribute.size=L", {}),
        # What is asked for can be had of one value, and of all tags: it is the two together that no product has.
        ("attribute.size=M&attribute.size=L&brand=Pier", {}),
        ("tag=summer&attribute.size=M&brand=Pier", {}),
    ],
)
def test_a_tag_or_an_attribute_that_no_product_has_is_reported(api: Client, query: str, said: dict[str, str]) -> None:
    ProductFactory(brand="Pier", tags=["summer"], attributes={"colour": "red", "size": 42, '3"\\': "x"})
    ProductFactory(brand="Quay", tags=["winter"], attributes={"colour": ["green", "blue"], "size": "M"})

    answer = api.get(f"/api/products?{query}")

    body = problem(answer, 400) if said else {"errors": []}
    assert {error["parameter"]: error["detail"].split(" (")[0] for error in body["errors"]} == said
    assert api.get(f"/api/products?{query}&strict=false").json()["results"] == []


@pytest.mark.parametrize(
    ("mistyped", "detail"),
    [("eur", "names no currency; the nearest: EUR"), ("XYZ", "names no currency; there is: CHF, EUR")],
)
def test_a_currency_that_no_product_has_is_reported(api: Client, mistyped: str, detail: str) -> None:
    ProductFactory(currency="EUR", price=5)
    ProductFactory(currency="CHF", price=5)

    body = problem(api.get(f"/api/products?currency={mistyped}"), 400)

    assert body["errors"] == [
        {"parameter": "currency", "detail": f"{detail} (with strict=false the results are empty)"}
    ]
    assert listed(api, currency=mistyped, strict="false") == []


def test_prices_in_the_shop_s_currency_that_no_product_has_find_nothing(api: Client, settings: Any) -> None:
    settings.SHOP_CURRENCY = "USD"
    ProductFactory(currency="EUR", price=5)

    assert listed(api, min_price=1) == []
    assert listed(api, currency="USD") == []


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
    second = ProductImageFactory(product=product, position=2, alt="From above", role="chart")
    first = ProductImageFactory(product=product, position=1)

    body = api.get(f"/api/products/{product.pk}").json()

    assert (body["description"], body["tags"], body["attributes"]) == ("Holds 350 ml.", ["camping"], {"colour": "blue"})
    assert body["image"] == f"http://testserver{first.file.url}"
    assert body["images"] == [
        {
            "id": first.pk,
            "url": f"http://testserver{first.file.url}",
            "width": 32,
            "height": 24,
            "alt": "",
            "role": "product",
        },
        {
            "id": second.pk,
            "url": f"http://testserver{second.file.url}",
            "width": 32,
            "height": 24,
            "alt": "From above",
            "role": "chart",
        },
    ]


def test_a_product_without_a_photo_has_no_image(api: Client) -> None:
    body = api.get(f"/api/products/{ProductFactory().pk}").json()

    assert (body["image"], body["thumbnails"], body["images"]) == (None, {}, [])


def test_an_unknown_or_inactive_product_is_a_404_problem(api: Client) -> None:
    problem(api.get("/api/products/999"), 404)
    problem(api.get(f"/api/products/{ProductFactory(active=False).pk}"), 404)


def read_by_cursor(api: Client, address: str, link: str = "next") -> list[dict[str, Any]]:
    """All pages from an address on, in the order in which they were read."""
    pages = [api.get(address).json()]
    while address := pages[-1][link]:
        pages.append(api.get(address).json())
    return pages


def test_pages_by_cursor_lead_through_the_list_and_back(api: Client) -> None:
    products = [ProductFactory(brand="Pier").pk for _ in range(5)][::-1]
    ProductFactory()

    pages = read_by_cursor(api, "/api/products?brand=Pier&page_size=2&pagination=cursor")
    back = read_by_cursor(api, pages[-2]["next"], "previous")

    assert [[each["id"] for each in page["results"]] for page in pages] == [products[:2], products[2:4], products[4:]]
    assert [[each["id"] for each in page["results"]] for page in back] == [products[4:], products[2:4], products[:2]]
    assert {page["count"] for page in pages} == {None}
    assert (pages[0]["previous"], pages[-1]["next"], back[-1]["previous"]) == (None, None, None)
    assert "page=" not in pages[0]["next"]


def test_products_that_come_and_go_do_not_shift_pages_by_cursor(api: Client) -> None:
    products = [ProductFactory() for _ in range(4)][::-1]

    first = api.get("/api/products?page_size=2&pagination=cursor").json()
    products[0].delete()
    ProductFactory()

    assert [each["id"] for each in api.get(first["next"]).json()["results"]] == [each.pk for each in products[2:]]


def test_a_page_by_cursor_costs_one_query(api: Client, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        ProductFactory()
    address = api.get("/api/products?page_size=1&pagination=cursor").json()["next"]

    with django_assert_num_queries(1):
        api.get(address)


@pytest.mark.parametrize(
    "cursor", ["x", "%", "e30", "WzEsdHJ1ZV0", "WyJhIixmYWxzZV0", "WyIxIl0", "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OSIsZmFsc2Vd"]
)
def test_what_is_no_cursor_is_reported(api: Client, cursor: str) -> None:
    body = problem(api.get("/api/products", {"cursor": cursor}), 400)

    assert [error["parameter"] for error in body["errors"]] == ["cursor"]


def test_a_cursor_and_a_page_number_exclude_each_other(api: Client) -> None:
    body = problem(api.get("/api/products?pagination=cursor&page=2"), 400)

    assert [error["parameter"] for error in body["errors"]] == ["page"]


ODD_SKUS = [
    "A-1",
    "A/1",
    "A 1",
    "ä+é&=?#%",
    "a.b.",
    "...",
    "a//b",
    "/a",
    "a/",
    "by-sku/x",
    "17",
    "similar",
    "%2F",
    "中",
]


class TestAProductByItsSku:
    @pytest.mark.parametrize("sku", ODD_SKUS)
    def test_is_the_product_by_its_id(self, api: Client, sku: str) -> None:
        product, _ = ProductFactory(sku=sku), ProductFactory(sku=f"{sku}2")

        response = api.get(f"/api/products/by-sku/{quote(sku, safe='')}")

        assert response.status_code == 200, response.content
        assert response.json() == api.get(f"/api/products/{product.pk}").json()
        assert api.get("/api/products", {"sku": sku}).json()["results"][0]["id"] == product.pk

    def test_may_end_in_similar_in_the_list_only(self, api: Client) -> None:
        product = ProductFactory(sku="A/similar")

        assert listed(api, sku="A/similar") == [product.pk]
        assert "no product with this SKU: 'A'" in problem(api.get("/api/products/by-sku/A%2Fsimilar"), 404)["detail"]

    @pytest.mark.parametrize("sku", ["a-1", "A-1x", "%00", "A" * 300, "%ff", "A-1%0A", "\\ud800"])
    def test_is_not_found_by_a_wrong_one(self, api: Client, sku: str) -> None:
        ProductFactory(sku="A-1")

        body = problem(api.get(f"/api/products/by-sku/{sku}"), 404)

        assert body["type"].endswith(":product-not-found")
        assert "no product with this SKU" in body["detail"]

    def test_is_not_found_if_it_is_not_visible(self, api: Client) -> None:
        ProductFactory(sku="A-1", active=False)

        assert "no product with this SKU: 'A-1'" in problem(api.get("/api/products/by-sku/A-1"), 404)["detail"]


def test_a_sku_is_matched_exactly_in_the_list(api: Client) -> None:
    product = ProductFactory(sku="M-7")
    ProductFactory(sku="m-7")
    ProductFactory(title="M-7")

    assert listed(api, sku="M-7") == [product.pk]
    assert listed(api, sku="M-8") == []
