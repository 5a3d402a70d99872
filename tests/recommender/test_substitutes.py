"""What GET /api/products/<id>/substitutes answers: what can be bought instead of a product that is withdrawn or sold out."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from catalog.changes import delete_product
from catalog.duplicates import make_variants, merge
from catalog.models import Product
from catalog.services import withdraw_products
from embeddings.indexing import process_outbox
from tests.factories import CategoryFactory, jpeg
from tests.recommender.answers import ids, problem
from tests.recommender.conftest import Shop
from tests.recommender.test_similar import BLUE, GREEN, PINK, RED, REDDISH


def substitutes(api: Client, product: Product, **params: Any) -> dict[str, Any]:
    response = api.get(f"/api/products/{product.pk}/substitutes", params)
    assert response.status_code == 200, response.content
    return dict(response.json())


@pytest.fixture
def gone(shop: Shop) -> Product:
    """A product that was indexed and then withdrawn."""
    product = shop.add(RED)
    withdraw_products([product.pk])
    process_outbox()
    return product


def test_a_withdrawn_product_is_answered_by_the_vector_that_was_kept(shop: Shop, api: Client, gone: Product) -> None:
    far, near = shop.add(PINK), shop.add(REDDISH)

    assert problem(api.get(f"/api/products/{gone.pk}/similar"), 404)
    answer = substitutes(api, gone)

    assert (answer["product"], answer["fallback"]) == (gone.pk, False)
    assert ids(answer) == [near.pk, far.pk]


def test_only_products_in_stock_are_substitutes(shop: Shop, api: Client, gone: Product) -> None:
    shop.add(RED, available=False)
    other = shop.add(PINK)

    assert ids(substitutes(api, gone)) == [other.pk]


def test_a_sold_out_product_has_substitutes_too(shop: Shop, api: Client) -> None:
    product, other = shop.add(RED, available=False), shop.add(PINK)

    assert ids(substitutes(api, product)) == [other.pk]


def test_a_variant_and_a_product_with_the_same_photo_are_the_best_substitutes(shop: Shop, api: Client) -> None:
    product, variant = shop.add(RED), shop.add(REDDISH)
    make_variants(product.pk, [product.pk, variant.pk])
    photo = jpeg("red")
    relisted = shop.add((0.99, 0.1, 0), content=photo)
    sold_out = shop.add((0.99, 0.1, 0), content=photo, available=False)

    assert ids(substitutes(api, product))[:2] == [relisted.pk, variant.pk]
    assert ids(substitutes(api, sold_out))[0] == relisted.pk


def test_the_filters_of_similar_products_apply(shop: Shop, api: Client, gone: Product) -> None:
    mugs = CategoryFactory(slug="mugs")
    shop.add(RED, price=80)
    other = shop.add(BLUE, category=mugs, price=5)

    assert ids(substitutes(api, gone, max_price=20, category="mugs", limit=3)) == [other.pk]


def test_availability_is_no_parameter(api: Client, gone: Product) -> None:
    answer = problem(api.get(f"/api/products/{gone.pk}/substitutes", {"available": "false"}), 400)

    assert [error["parameter"] for error in answer["errors"]] == ["available"]


def test_of_a_merged_product_the_one_that_was_kept_comes_first(shop: Shop, api: Client) -> None:
    kept, merged, other = shop.add(RED), shop.add(GREEN), shop.add(REDDISH)
    merge(kept.pk, [kept.pk, merged.pk])
    process_outbox()

    assert ids(substitutes(api, merged))[0] == kept.pk
    assert other.pk in ids(substitutes(api, merged))


def test_a_product_without_a_vector_gets_the_newest_of_its_category_that_are_in_stock(shop: Shop, api: Client) -> None:
    mugs = CategoryFactory(slug="mugs")
    product = shop.add(category=mugs, active=False)
    shop.add(category=mugs, available=False)
    mug = shop.add(category=mugs)

    answer = substitutes(api, product, limit=1)

    assert (ids(answer), answer["fallback"]) == ([mug.pk], True)


@pytest.mark.parametrize("sku", ["A-1", "A/1", "A/substitutes"])
def test_a_product_is_found_by_its_sku(shop: Shop, api: Client, sku: str) -> None:
    product, other = shop.add(RED, sku=sku, active=False), shop.add(PINK)

    answer = api.get(f"/api/products/by-sku/{quote(sku, safe='')}/substitutes").json()

    assert (answer["product"], ids(answer)) == (product.pk, [other.pk])


def test_a_deleted_product_is_not_found(api: Client, gone: Product) -> None:
    delete_product(gone.sku)

    assert problem(api.get(f"/api/products/{gone.pk}/substitutes"), 404)["type"].endswith("product-not-found")
    assert problem(api.get(f"/api/products/by-sku/{gone.sku}/substitutes"), 404)
