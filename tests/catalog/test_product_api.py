"""What PUT, PATCH and DELETE /api/products/by-sku/<sku> and POST /api/products:batch do."""

from __future__ import annotations

import gzip
import ipaddress
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from jsonschema import Draft202012Validator

from accounts.models import AuditEntry
from catalog import events, outgoing
from catalog.duplicates import merge
from catalog.models import Category, Product, ProductImage
from tests.catalog.photo_server import PhotoServer, photo_server
from tests.factories import CategoryFactory, ProductFactory, ProductImageFactory, jpeg
from tests.recommender.answers import problem

MUG = "/api/products/by-sku/MUG-17"
BATCH = "/api/products:batch"
RED, BLUE, GREEN = jpeg("red"), jpeg("blue"), jpeg("green")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def open_to_all(settings: Any) -> None:
    settings.API_WRITES = "open"
    settings.CELERY_BROKER_URL = ""


@pytest.fixture
def api() -> Client:
    """A client that sees an error as a caller would."""
    return Client(raise_request_exception=False)


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    with photo_server() as server:
        settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.FETCH_PORTS = (server.port,)
        monkeypatch.setattr(outgoing, "INITIAL_BACKOFF_S", 0.01)
        yield server


@pytest.fixture
def changed() -> Iterator[list[int]]:
    """Ids of the products of which the catalogue has said that they changed."""
    ids: list[int] = []

    def note(product_ids: list[int], **_: Any) -> None:
        ids.extend(product_ids)

    events.products_changed.connect(note)
    yield ids
    events.products_changed.disconnect(note)


def send(api: Client, method: str, path: str, document: Any, **headers: str) -> Any:
    return getattr(api, method)(path, json.dumps(document), content_type="application/json", headers=headers)


def send_form(api: Client, method: str, path: str, form: dict[str, Any]) -> Any:
    return getattr(api, method)(path, encode_multipart(BOUNDARY, form), content_type=MULTIPART_CONTENT)


def photo(content: bytes, name: str = "mug.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def photos_of(sku: str) -> list[bytes]:
    return [
        Path(image.file.path).read_bytes()
        for image in ProductImage.objects.filter(product__sku=sku).order_by("position")
    ]


def wrong_parameters(response: Any, status: int = 400) -> list[str]:
    return [error["parameter"] for error in problem(response, status)["errors"]]


class TestPut:
    def test_creates_a_product_with_all_its_fields(self, api: Client) -> None:
        document = {
            "title": "Blue enamel mug", "description": "Holds 350 ml.\nBlue.", "brand": "Harbour", "price": 14.5,
            "list_price": "19.90", "currency": "CHF", "available": False, "active": True, "tags": ["camping"],
            "categories": ["Sale", "Kitchen > Mugs"], "attributes": {"colour": "blue", "ml": 350, "sizes": ["S", "M"]},
            "family": "MUG",
        }  # fmt: skip
        response = send(api, "put", MUG, document)

        assert response.status_code == 201, response.content
        assert response["Location"] == f"http://testserver{MUG}"
        shown = api.get(response["Location"]).json()
        assert response.json() == {**shown, "active": True, "family": "MUG"}
        for name in ("title", "description", "brand", "list_price", "currency", "available", "tags", "attributes"):
            assert shown[name] == document[name]
        assert (shown["price"], shown["category"], shown["other_categories"]) == ("14.50", "kitchen/mugs", ["sale"])

    def test_replaces_a_product_and_what_is_not_sent_gets_its_default(self, api: Client) -> None:
        category = CategoryFactory()
        product = ProductFactory.create(sku="MUG-17", category=category, brand="Harbour", available=False, tags=["old"])
        ProductImageFactory(product=product)

        response = send(api, "put", MUG, {"title": "Mug"})

        assert response.status_code == 200, response.content
        assert "Location" not in response
        product.refresh_from_db()
        assert (product.title, product.brand, product.price, product.category_id) == ("Mug", "", None, None)
        assert (product.available, product.tags, product.images.count()) == (True, [], 1)

    @pytest.mark.parametrize("sku", ["A%2F1", "A%201", "a.b.", "%C3%A4%3F%23", "x" * 255])
    def test_takes_any_sku_and_says_where_it_is(self, api: Client, sku: str) -> None:
        response = send(api, "put", f"/api/v1/products/by-sku/{sku}", {"title": "Mug"})

        assert response.status_code == 201, response.content
        assert response["Location"] == f"http://testserver/api/v1/products/by-sku/{sku}"
        assert api.get(response["Location"]).status_code == 200

    def test_replaces_a_product_whose_sku_ends_with_a_slash(self, api: Client) -> None:
        product = ProductFactory(sku="A/")

        assert send(api, "put", "/api/products/by-sku/A/", {"title": "Mug"}).status_code == 200
        product.refresh_from_db()
        assert product.title == "Mug"

    @pytest.mark.parametrize("sku", ["%20A", "A%20%20B", "A%0AB", "A%00B", "x" * 256, "A/"])
    def test_refuses_a_sku_that_an_import_could_not_find(self, api: Client, sku: str) -> None:
        assert wrong_parameters(send(api, "put", f"/api/products/by-sku/{sku}", {"title": "Mug"})) == ["sku"]
        assert not Product.objects.exists()

    def test_takes_the_photos_of_a_form_and_keeps_those_it_has(self, api: Client) -> None:
        form = {"title": "Mug", "tags": ["a", "b"], "price": "5", "available": "false", "attributes": '{"ml": 350}'}
        response = send_form(api, "put", MUG, {**form, "photos": [photo(RED), photo(BLUE)]})

        assert response.status_code == 201, response.content
        body = response.json()
        assert (body["tags"], body["price"], body["available"], body["attributes"]) == (
            ["a", "b"],
            "5.00",
            False,
            {"ml": 350},
        )
        assert photos_of("MUG-17") == [RED, BLUE]
        blue = ProductImage.objects.get(position=1)

        send_form(api, "put", MUG, {"title": "Mug", "photos": [photo(BLUE), photo(GREEN)]})

        assert photos_of("MUG-17") == [BLUE, GREEN]
        assert ProductImage.objects.get(position=0).pk == blue.pk

    def test_fetches_the_photos_of_links_behind_those_of_the_form(self, api: Client, server: PhotoServer) -> None:
        links = [server.serve("/1.jpg", BLUE), server.serve("/2.jpg", GREEN)]
        form = {"title": "Mug", "photos": [photo(RED)], "image_links": links}

        assert send_form(api, "put", MUG, form).status_code == 201
        assert photos_of("MUG-17") == [RED, BLUE, GREEN]

    def test_reports_all_that_is_wrong_and_writes_nothing(self, api: Client) -> None:
        document = {
            "price": "cheap", "list_price": -1, "currency": "euro", "available": "yes", "tags": ["a", 1], "colour": "blue",
            "attributes": {"a": {"b": 1}}, "category": ">", "title": "",
        }  # fmt: skip
        parameters = wrong_parameters(send(api, "put", MUG, document))

        assert set(parameters) == {
            "price", "list_price", "currency", "available", "tags[1]", "colour", "attributes.a", "category", "title",
        }  # fmt: skip
        assert not Product.objects.exists()
        assert not Category.objects.exists()

    def test_says_of_each_value_what_it_has_to_be(self, api: Client) -> None:
        document = {
            "title": 5, "available": "yes", "tags": "a, b", "attributes": [{"name": "colour"}], "currency": "euro",
        }  # fmt: skip
        errors = problem(send(api, "put", MUG, document), 400)["errors"]

        assert {error["parameter"]: error["detail"] for error in errors} == {
            "title": "must be a text",
            "available": "must be true or false",
            "tags": "must be a list",
            "attributes": "must be an object",
            "currency": "must be a code of ISO 4217 such as EUR",
        }

    def test_takes_the_code_of_a_currency_in_small_letters(self, api: Client) -> None:
        send(api, "put", MUG, {"title": "Mug", "price": "14.50", "currency": "chf"})

        assert Product.objects.get().currency == "CHF"

    @pytest.mark.parametrize(
        ("price", "currency", "stored"),
        [("14.505", "EUR", "14.51"), (14.505, "EUR", "14.51"), ("24.0000", "EUR", "24.00"), ("4.125", "KWD", "4.125")],
    )
    def test_rounds_a_price_as_an_import_does(self, api: Client, price: Any, currency: str, stored: str) -> None:
        response = send(api, "put", MUG, {"title": "Mug", "price": price, "list_price": price, "currency": currency})

        assert (response.json()["price"], response.json()["list_price"]) == (stored, stored)
        send(api, "patch", MUG, {"price": "1.005" if currency == "EUR" else "1.0055"})
        assert Product.objects.get().price == (Decimal("1.01") if currency == "EUR" else Decimal("1.006"))

    @pytest.mark.parametrize("price", ["9999999999.9999", 9999999999.9999, "-1", "1e2", "14,50"])
    def test_refuses_a_price_that_is_none(self, api: Client, price: Any) -> None:
        assert wrong_parameters(send(api, "put", MUG, {"title": "Mug", "price": price})) == ["price"]

    def test_takes_json_with_a_byte_order_mark(self, api: Client) -> None:
        body = '{"title": "Grüner Becher"}'.encode("utf-8-sig")

        assert api.put(MUG, body, content_type="application/json").json()["title"] == "Grüner Becher"

    def test_says_that_a_body_is_compressed(self, api: Client) -> None:
        body = gzip.compress(b'{"title": "Mug"}')
        response = api.put(MUG, body, content_type="application/json", headers={"Content-Encoding": "gzip"})

        assert "Content-Encoding 'gzip': send it uncompressed" in problem(response, 415)["detail"]

    @pytest.mark.parametrize("encoding", ["identity", "utf-8"])
    def test_takes_a_body_that_is_not_compressed_whatever_its_encoding_is_called(
        self, api: Client, encoding: str
    ) -> None:
        same = api.put(
            MUG, b'{"title": "Mug"}', content_type="application/json", headers={"Content-Encoding": encoding}
        )
        assert same.status_code == 201

    def test_reports_photos_that_are_none(self, api: Client, server: PhotoServer) -> None:
        form = {"title": "Mug", "photos": [photo(RED), photo(b"no photo")], "logo": photo(RED)}
        assert wrong_parameters(send_form(api, "put", MUG, form)) == ["logo", "photos[1]"]

        links = [
            server.serve("/1.jpg", RED),
            server.serve("/2.jpg", b"", status=404),
            "http://10.0.0.1/x.jpg",
            "ftp://x/y",
        ]
        assert wrong_parameters(send(api, "put", MUG, {"title": "Mug", "image_links": links})) == [
            "image_links[1]", "image_links[2]", "image_links[3]",
        ]  # fmt: skip
        assert not Product.objects.exists()

    def test_gives_up_links_that_take_too_long_together(self, api: Client, server: PhotoServer, settings: Any) -> None:
        settings.FETCH_DEADLINE_S = 1
        settings.FETCH_THREADS = 1
        links = [server.serve(f"/{number}.jpg", RED, status=503, Retry_After="5") for number in range(3)]

        body = problem(send(api, "put", MUG, {"title": "Mug", "image_links": links}), 400)

        assert [error["parameter"] for error in body["errors"]] == [
            "image_links[0]",
            "image_links[1]",
            "image_links[2]",
        ]

    def test_refuses_too_many_photos(self, api: Client) -> None:
        form = {"title": "Mug", "photos": [photo(jpeg((n, n, n))) for n in range(11)]}
        assert wrong_parameters(send_form(api, "put", MUG, form)) == ["photos"]
        assert wrong_parameters(send(api, "put", MUG, {"title": "Mug", "image_links": ["http://x.example/"] * 11})) == [
            "image_links"
        ]

    @pytest.mark.parametrize(
        ("body", "media_type", "status"),
        [
            ("{", "application/json", 400),
            ("[" * 100_000, "application/json", 400),
            ('{"title": NaN}', "application/json", 400),
            ("[]", "application/json", 400),
            ("", "application/json", 400),
            ("title=Mug", "application/x-www-form-urlencoded", 415),
            ("x" * (1024 * 1024 + 1), "application/json", 413),
        ],
    )
    def test_refuses_what_is_no_document(self, api: Client, body: str, media_type: str, status: int) -> None:
        problem(api.put(MUG, body, content_type=media_type), status)
        assert not Product.objects.exists()

    @pytest.mark.parametrize(
        ("name", "valid"), [("colour", True), ("a" * 200, True), ("a" * 201, False), ("a\x07b", False), (" ", False)]
    )
    def test_refuses_names_of_attributes_as_the_schema_does(self, api: Client, name: str, valid: bool) -> None:
        schema = api.get("/api/schema?format=json").json()
        content = schema["paths"]["/api/products/by-sku/{sku}"]["put"]["requestBody"]["content"]["application/json"]
        document = {"title": "Mug", "attributes": {name: "x"}}
        assert Draft202012Validator({**schema, **content["schema"]}).is_valid(document) == valid
        assert send(api, "put", MUG, document).status_code == (201 if valid else 400)

    @pytest.mark.parametrize(("length", "valid"), [(100_000, True), (100_001, False)])
    def test_refuses_too_long_descriptions_as_the_schema_does(self, api: Client, length: int, valid: bool) -> None:
        schema = api.get("/api/schema?format=json").json()
        content = schema["paths"]["/api/products/by-sku/{sku}"]["put"]["requestBody"]["content"]["application/json"]
        document = {"title": "Mug", "description": "x" * length}
        assert Draft202012Validator({**schema, **content["schema"]}).is_valid(document) == valid
        assert send(api, "put", MUG, document).status_code == (201 if valid else 400)

    @pytest.mark.parametrize("text", ["\ud800", "a\0b"])
    def test_refuses_characters_that_no_database_stores(self, api: Client, text: str) -> None:
        document = {
            "title": text,
            "description": text,
            "attributes": {"a": text, "b": [text], text: "x"},
            "tags": [text],
        }
        wrong = wrong_parameters(send(api, "put", MUG, document))
        assert {"title", "description", "attributes.a", "attributes.b", "tags[0]"} < set(wrong)


class TestPatch:
    def test_changes_what_is_sent_and_nothing_else(self, api: Client, changed: list[int]) -> None:
        product = ProductFactory(sku="MUG-17", brand="Pier", price=Decimal(10))
        ProductImageFactory(product=product)

        response = send(api, "patch", MUG, {"price": "12.90", "list_price": "14.50", "active": False})

        assert response.status_code == 200, response.content
        assert (response.json()["price"], response.json()["active"]) == ("12.90", False)
        product.refresh_from_db()
        assert (product.price, product.list_price, product.active) == (Decimal("12.90"), Decimal("14.50"), False)
        assert (product.brand, product.images.count()) == ("Pier", 1)
        assert changed == [product.pk]

    def test_that_changes_nothing_is_no_change(self, api: Client, changed: list[int]) -> None:
        product = ProductFactory(sku="MUG-17", price=Decimal(10))

        assert send(api, "patch", MUG, {"price": 10}).status_code == 200
        assert send(api, "patch", MUG, {}).status_code == 200
        assert changed == []
        assert Product.objects.get().updated_at == product.updated_at

    @pytest.mark.parametrize(
        ("document", "category", "others"),
        [
            ({"category": "home/throws"}, "home/throws", []),
            ({"category": "Home > Throws"}, "home/throws", []),
            ({"category": "Home/Garden > Pots"}, "home-garden/pots", []),
            ({"category": None}, "", []),
            ({"categories": ["sale", "home/throws", "sale"]}, "home/throws", ["sale"]),
            ({"categories": []}, "", []),
        ],
    )
    def test_takes_categories_by_path_and_by_names(
        self, api: Client, document: dict[str, Any], category: str, others: list[str]
    ) -> None:
        home = CategoryFactory(name="Home", slug="home")
        CategoryFactory(name="Throws & blankets", slug="throws", parent=home)
        ProductFactory(sku="MUG-17")

        body = send(api, "patch", MUG, document).json()

        assert (body["category"], body["other_categories"]) == (category, others)
        assert Category.objects.filter(path="home/throws").count() == 1

    def test_removes_all_photos(self, api: Client) -> None:
        ProductImageFactory(product=ProductFactory(sku="MUG-17"))

        assert send(api, "patch", MUG, {"image_links": []}).json()["images"] == []

    def test_makes_and_leaves_a_family(self, api: Client) -> None:
        main, variant = ProductFactory(sku="MUG"), ProductFactory(sku="MUG-17")

        send(api, "patch", "/api/products/by-sku/MUG", {"family": "MUG"})
        send(api, "patch", MUG, {"family": "MUG"})
        variant.refresh_from_db()
        assert variant.variant_of == main

        send(api, "patch", MUG, {"family": ""})
        variant.refresh_from_db()
        assert variant.variant_of is None

    @pytest.mark.parametrize("sku", ["MUG-18", "%00", "x" * 300])
    def test_of_a_wrong_sku_is_a_problem_and_creates_nothing(self, api: Client, sku: str) -> None:
        body = problem(send(api, "patch", f"/api/products/by-sku/{sku}", {"title": "Mug"}), 404)

        assert "no product with this SKU" in body["detail"]
        assert not Product.objects.exists()

    def test_of_a_merged_product_is_a_problem(self, api: Client) -> None:
        merged, kept = ProductFactory(sku="MUG-17"), ProductFactory()
        merge(kept.pk, [merged.pk])

        for method in ("patch", "put"):
            assert problem(send(api, method, MUG, {"title": "Mug"}), 409)["type"].endswith(":product-merged")


class TestDelete:
    def test_deletes_the_product_with_its_photos(self, api: Client) -> None:
        ProductImageFactory(product=ProductFactory(sku="MUG-17", active=False))

        response = api.delete(MUG)

        assert (response.status_code, response.content) == (204, b"")
        assert not Product.objects.exists()
        assert not ProductImage.objects.exists()
        problem(api.delete(MUG), 404)
        problem(api.delete("/api/products/by-sku/%00"), 404)


class TestABatch:
    def test_makes_every_change_that_can_be_made_and_has_a_result_for_each(
        self, api: Client, changed: list[int]
    ) -> None:
        mugs = [ProductFactory(sku=f"M{number}", price=Decimal(10)) for number in range(4)]
        merged = ProductFactory(sku="merged")
        merge(mugs[3].pk, [merged.pk])
        changes = [
            {"sku": "M2", "price": 12.5, "available": False},
            {"sku": "M9", "price": 1},
            {"sku": "M0", "price": "dear"},
            {"sku": "M1", "price": 10},
            {"sku": "M2", "price": 13},
            {"sku": "merged", "price": 13},
            {"price": 13},
            "M1",
            {"sku": "M3", "active": False, "currency": "CHF", "list_price": None},
            {"sku": "\ud800"},
        ]
        changed.clear()
        body = send(api, "post", BATCH, {"changes": changes}).json()

        assert (body["ok"], body["errors"]) == (3, 7)
        shown = [
            (line["sku"], line.get("result") or [error["parameter"] for error in line["errors"]])
            for line in body["results"]
        ]
        assert shown == [
            ("M2", "updated"), ("M9", ["sku"]), ("M0", ["price"]), ("M1", "unchanged"), ("M2", ["sku"]), ("merged", ["sku"]),
            (None, ["sku"]), (None, ["document"]), ("M3", "updated"), ("\\ud800", ["sku"]),
        ]  # fmt: skip
        assert [line["status"] == "ok" for line in body["results"]] == ["result" in line for line in body["results"]]
        products = Product.objects.filter(sku__in=["M0", "M1", "M2", "M3"]).order_by("sku")
        assert list(products.values_list("price", "available", "active")) == [
            (10, True, True), (10, True, True), (Decimal("12.5"), False, True), (10, True, False),
        ]  # fmt: skip
        assert sorted(changed) == [mugs[2].pk, mugs[3].pk]

    def test_of_a_thousand_needs_few_statements(self, api: Client, django_assert_max_num_queries: Any) -> None:
        category = CategoryFactory.create()
        Product.objects.bulk_create(
            Product(sku=f"S{number}", slug=f"s{number}", title="Mug", category=category) for number in range(1000)
        )
        changes = [{"sku": f"S{number}", "price": number, "available": number % 2 == 0} for number in range(1000)]

        with django_assert_max_num_queries(40):
            body = send(api, "post", BATCH, {"changes": changes}).json()

        assert (body["ok"], body["errors"]) == (1000, 0)
        assert Product.objects.get(sku="S999").price == 999

    @pytest.mark.parametrize(
        ("document", "parameter"),
        [
            ([], "changes"), ({}, "changes"), ({"changes": {}}, "changes"), ({"changes": []}, "changes"),
            ({"changes": [{}] * 1001}, "changes"), ({"changes": [{}], "dry": True}, "dry"),
        ],
    )  # fmt: skip
    def test_that_is_none_is_a_problem(self, api: Client, document: Any, parameter: str) -> None:
        assert wrong_parameters(send(api, "post", BATCH, document)) == [parameter]

    def test_that_is_too_large_is_a_problem(self, api: Client) -> None:
        problem(api.post(BATCH, "x" * (5 * 1024 * 1024 + 1), content_type="application/json"), 413)


@pytest.mark.parametrize(("method", "path"), [("put", MUG), ("patch", MUG), ("delete", MUG), ("post", BATCH)])
class TestWriting:
    def test_needs_a_key_that_may_import(self, api: Client, settings: Any, method: str, path: str) -> None:
        settings.API_WRITES = "keys"
        ProductFactory(sku="MUG-17", title="Mug")

        problem(send(api, method, path, {"title": "Other"}), 401)
        settings.API_WRITES = "off"
        problem(send(api, method, path, {"title": "Other"}), 403)
        settings.API_WRITES = "open"
        problem(send(api, method, path, {"title": "Other"}, Origin="https://elsewhere.example"), 403)
        assert Product.objects.get().title == "Mug"

    def test_is_in_the_audit_log(self, api: Client, method: str, path: str) -> None:
        ProductFactory(sku="MUG-17")

        document = {"changes": [{"sku": "MUG-17", "price": 5}]} if path == BATCH else {"title": "Mug", "price": 5}
        send(api, method, path, document)

        entry = AuditEntry.objects.get()
        assert (entry.target, entry.action.startswith("api:product")) == (path, True)
        assert "MUG-17" in entry.detail
