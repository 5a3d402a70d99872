"""What the endpoints of matches answer: the same product elsewhere in the catalogue, and the product of another shop's record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from jsonschema import Draft202012Validator

from catalog.decisions import undo
from catalog.duplicates import make_variants, merge
from catalog.models import DuplicateDecision, Product
from catalog.services import withdraw_products
from tests.factories import jpeg
from tests.recommender.answers import problem
from tests.recommender.conftest import Shop
from tests.recommender.test_similar import BLUE, GREEN, PINK, RED, REDDISH

COFFEE, SAME, SIZE = (
    "Morning Roast Coffee Beans 500 g",
    "coffe beans Morning Roast 0.5kg",
    "Morning Roast Coffee Beans 1 kg",
)


def matches(api: Client, product: Product, **params: Any) -> list[dict[str, Any]]:
    response = api.get(f"/api/products/{product.pk}/matches", params)
    assert response.status_code == 200, response.content
    assert response.json()["product"] == product.pk
    return list(response.json()["results"])


def ask(api: Client, **form: Any) -> list[dict[str, Any]]:
    response = api.post("/api/matches", form)
    assert response.status_code == 200, response.content
    return list(response.json()["results"])


def ids(results: list[dict[str, Any]]) -> list[int]:
    return [each["product"]["id"] for each in results]


@pytest.fixture
def coffee(shop: Shop) -> tuple[Product, Product, Product]:
    """A product, the same of another feed, and one in another size; and furniture."""
    for number, colour in enumerate((BLUE, GREEN, PINK)):
        shop.add(colour, title=f"Garden chair {number}", price="80")
    same_brand = {"brand": "Finca", "price": "8.90"}
    product = shop.add(RED, title=COFFEE, **same_brand)
    same = shop.add(REDDISH, title=SAME, brand="", price="9.20")
    size = shop.add(GREEN, title=SIZE, brand="Finca", price="15.90")
    return product, same, size


def test_the_same_product_comes_first_with_its_probability_and_reasons(
    api: Client, coffee: tuple[Product, Product, Product]
) -> None:
    product, same, size = coffee
    first, *others = matches(api, product)
    assert first["product"]["id"] == same.pk
    assert first["probability"] > 0.7
    assert first["photo"] > 0.9
    assert 0 < first["text"] < 1
    assert first["reasons"]["quantities_same"] > 0
    (other,) = [each for each in others if each["product"]["id"] == size.pk]
    assert other["probability"] < 0.2
    assert other["reasons"]["quantities_differ"] < 0
    assert product.pk not in ids([first, *others])


def test_a_lowest_probability_and_a_limit_apply(api: Client, coffee: tuple[Product, Product, Product]) -> None:
    product, same, _ = coffee
    assert ids(matches(api, product, min_probability=0.5)) == [same.pk]
    assert len(matches(api, product, limit=2)) == 2


def test_variants_and_withdrawn_products_are_none(api: Client, shop: Shop, coffee: Any) -> None:
    product, same, size = coffee
    make_variants(product.pk, [product.pk, size.pk])
    withdraw_products([same.pk])
    assert not {product.pk, same.pk, size.pk} & set(ids(matches(api, product)))


def test_a_product_is_found_again_when_its_merge_is_undone(api: Client, shop: Shop, coffee: Any) -> None:
    product, _, size = coffee
    bare = shop.add(title="Coffee Beans Morning Roast 500g", price="8.90")
    merge(size.pk, [bare.pk])
    Product.objects.filter(pk=bare.pk).update(updated_at=timezone.now() - timedelta(hours=1))
    # Titles are read for the first time, without that of the merged product.
    assert bare.pk not in ids(matches(api, product))
    undo(DuplicateDecision.objects.latest("pk").pk)
    assert bare.pk in ids(matches(api, product))


def test_titles_are_followed(api: Client, shop: Shop, coffee: Any) -> None:
    product, same, _ = coffee
    assert ids(matches(api, product, limit=1)) == [same.pk]
    same.title = "Bathroom mirror"
    same.save()
    new = shop.add(title="Coffee beans, morning roast, 500 g", price="8.90")
    assert ids(matches(api, product, limit=1)) == [new.pk]


def test_a_product_without_a_photo_is_matched_by_its_text(api: Client, shop: Shop, coffee: Any) -> None:
    bare = shop.add(title="Coffee Beans Morning Roast 500g", price="8.90")
    first, *_ = matches(api, bare)
    assert first["product"]["id"] in {each.pk for each in coffee[:2]}
    assert first["photo"] is None


def test_a_record_is_matched_by_text_alone(api: Client, coffee: Any) -> None:
    *_, size = coffee
    found = ask(
        api, title="Morning Roast coffee beans 1000 g", brand="Finca", price="15.50", description="Whole\nbeans."
    )
    assert found[0]["product"]["id"] == size.pk


def test_a_record_is_matched_with_its_photo(api: Client, shop: Shop, coffee: Any) -> None:
    photo = SimpleUploadedFile("other.jpg", jpeg("red"), "image/jpeg")
    found = ask(api, title="Roast", photo=photo)
    assert found[0]["product"]["id"] in {each.pk for each in coffee[:2]}
    assert found[0]["photo"] > 0.9


def test_a_barcode_decides(api: Client, shop: Shop) -> None:
    titles = ("Pencil, grade HB", "Pencil, grade HB, twelve")
    plain, coded = (shop.add(title=title, attributes={}) for title in titles)
    Product.objects.filter(pk=coded.pk).update(attributes={"gtin": "4006381333931"})
    Product.objects.filter(pk=plain.pk).update(attributes={"gtin": "4006381333948"})
    assert ids(ask(api, title="Pencil", gtin="4006381333931"))[0] == coded.pk
    assert ids(ask(api, title="Pencil", **{"attribute.gtin": "4006381333948"}))[0] == plain.pk


@pytest.mark.parametrize(
    ("form", "parameter"),
    [
        ({}, "title"),
        ({"brand": "Finca"}, "title"),
        ({"title": "Mug", "price": "cheap"}, "price"),
        ({"title": "Mug", "colour": "blue"}, "colour"),
        ({"title": "Mug", "limit": "0"}, "limit"),
    ],
)
def test_what_cannot_be_read_is_said(api: Client, shop: Shop, form: dict[str, str], parameter: str) -> None:
    errors = problem(api.post("/api/matches", form), 400)["errors"]
    assert [error["parameter"] for error in errors] == [parameter]


@pytest.mark.parametrize(("length", "valid"), [(20_000, True), (20_001, False)])
def test_a_description_may_be_as_long_as_the_schema_says(api: Client, coffee: Any, length: int, valid: bool) -> None:
    schema = api.get("/api/schema?format=json").json()
    content = schema["paths"]["/api/matches"]["post"]["requestBody"]["content"]["multipart/form-data"]
    record = {"title": "Mug", "description": "x" * length}
    assert Draft202012Validator({**schema, **content["schema"]}).is_valid(record) == valid
    assert api.post("/api/matches", record).status_code == (200 if valid else 400)


def test_a_file_that_is_no_photo_is_refused(api: Client, shop: Shop) -> None:
    photo = SimpleUploadedFile("note.pdf", b"%PDF-1.4 nothing", "application/pdf")
    assert problem(api.post("/api/matches", {"title": "Mug", "photo": photo}), 400)["reason"] == "format"


def test_a_product_that_is_not_there_has_no_matches(api: Client, shop: Shop) -> None:
    assert problem(api.get("/api/products/999999/matches"), 404)
