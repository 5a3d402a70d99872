"""Requests with an Idempotency-Key are done once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.keys import create
from accounts.models import ApiKey, AuditEntry
from catalog.models import Product
from jobs.models import Job
from recommender.models import Event
from rest.models import IdempotentRequest
from tests.factories import ProductFactory, jpeg
from tests.recommender.answers import problem

MUG = "/api/products/by-sku/MUG"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def open_to_all(settings: Any) -> None:
    settings.API_WRITES = "open"
    settings.CELERY_BROKER_URL = ""


def send(api: Client, method: str, path: str, document: Any, key: str = "k-1", **headers: str) -> Any:
    headers = {"Idempotency-Key": key, **headers}
    return getattr(api, method)(path, json.dumps(document), content_type="application/json", headers=headers)


def test_a_retry_gets_the_first_answer_and_changes_nothing(api: Client) -> None:
    product = ProductFactory.create(sku="MUG", price=10)

    first = send(api, "patch", MUG, {"price": 12})
    send(api, "patch", MUG, {"price": 15}, key="k-2")
    retry = send(api, "patch", MUG, {"price": 12})

    assert (retry.status_code, retry.content) == (first.status_code, first.content)
    assert ("Idempotent-Replayed" in first, retry["Idempotent-Replayed"]) == (False, "true")
    product.refresh_from_db()
    assert product.price == 15
    assert [entry.detail for entry in AuditEntry.objects.order_by("pk")][-1] == "repeated"


def test_the_answer_to_a_creation_and_to_a_deletion_is_repeated_with_its_location(api: Client) -> None:
    created = send(api, "put", MUG, {"title": "Mug"})
    deleted = send(api, "delete", MUG, {}, key="k-2")

    for method, first, key in (("put", created, "k-1"), ("delete", deleted, "k-2")):
        retry = send(api, method, MUG, {"title": "Mug"} if method == "put" else {}, key=key)
        assert (retry.status_code, retry.content) == (first.status_code, first.content)
        assert retry.headers.get("Location") == first.headers.get("Location")
    assert not Product.objects.exists()


@pytest.mark.parametrize("raw", [True, False])
def test_a_retry_of_an_import_gets_its_job_though_it_is_running(api: Client, uploads_root: Any, raw: bool) -> None:
    def post(content: bytes, key: str = "k-1") -> Any:
        headers = {"Idempotency-Key": key}
        if raw:
            return api.post("/api/imports", content, content_type="text/csv", headers=headers)
        return api.post("/api/imports", {"file": SimpleUploadedFile("a.csv", content)}, headers=headers)

    first, retry = post(b"sku,title\nm1,Mug\n"), post(b"sku,title\nm1,Mug\n")

    assert (first.status_code, retry.status_code) == (202, 202)
    assert (retry.json(), retry["Location"]) == (first.json(), first["Location"])
    job = Job.objects.get()
    assert [path.name for path in uploads_root.iterdir()] == [job.upload]
    problem(post(b"sku,title\nm2,Mug\n"), 422)
    problem(post(b"sku,title\nm1,Mug\n", key="k-2"), 409)
    assert [path.name for path in uploads_root.iterdir()] == [job.upload]


def test_events_are_counted_once(api: Client) -> None:
    document = {"events": [{"type": "purchase", "product": ProductFactory.create().pk}]}

    assert [send(api, "post", "/api/events", document).status_code for _ in range(3)] == [202] * 3
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        ("patch", MUG, {"price": 13}),
        ("put", MUG, {"title": "Mug", "price": 12}),
        ("patch", f"{MUG}-2", {"price": 12}),
        ("post", "/api/products:batch", {"changes": [{"sku": "MUG", "price": 12}]}),
    ],
)
def test_a_key_of_another_request_is_refused(api: Client, method: str, path: str, document: Any) -> None:
    ProductFactory(sku="MUG")
    ProductFactory(sku="MUG-2")
    send(api, "patch", MUG, {"price": 12})

    body = problem(send(api, method, path, document), 422)

    assert body["type"].endswith(":idempotency-key-reused")
    assert set(Product.objects.values_list("price", flat=True)) == {10, 12}


def test_the_same_form_is_the_same_request_whatever_its_boundary(api: Client) -> None:
    def put(boundary: str, content: bytes) -> Any:
        form = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\nMug\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
        ).encode() + content + f"\r\n--{boundary}--\r\n".encode()  # fmt: skip
        media_type = f"multipart/form-data; boundary={boundary}"
        return api.put(MUG, form, content_type=media_type, headers={"Idempotency-Key": "k-1"})

    assert [put("one", jpeg("red")).status_code, put("two", jpeg("red")).status_code] == [201, 201]
    problem(put("one", jpeg("blue")), 422)


def test_a_problem_is_not_kept(api: Client) -> None:
    problem(send(api, "patch", MUG, {"price": 12}), 404)
    problem(send(api, "patch", MUG, {"price": "dear"}), 400)
    ProductFactory(sku="MUG")

    assert send(api, "patch", MUG, {"price": 12}).json()["price"] == "12.00"


def test_what_fails_halfway_leaves_neither_a_change_nor_an_answer(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError

    ProductFactory(sku="MUG", price=10)
    with monkeypatch.context() as patched:
        patched.setattr("catalog.api.by_sku.base_address", fail)
        problem(send(api, "patch", MUG, {"price": 12}), 500)

    assert Product.objects.get().price == 10
    assert not IdempotentRequest.objects.exists()
    assert send(api, "patch", MUG, {"price": 12}).status_code == 200


def test_keys_of_different_callers_are_different(api: Client, settings: Any) -> None:
    settings.API_WRITES = "keys"
    texts = [create(ApiKey(name=name, kind=ApiKey.Kind.SECRET, may_import=True)).text for name in ("one", "two")]
    ProductFactory(sku="MUG")

    for text, price in zip(texts, (12, 13), strict=True):
        assert send(api, "patch", MUG, {"price": price}, Authorization=f"Bearer {text}").status_code == 200
    problem(send(api, "patch", MUG, {"price": 12}), 401)
    assert Product.objects.get().price == 13


def test_a_key_may_be_quoted(api: Client) -> None:
    ProductFactory(sku="MUG")

    send(api, "patch", MUG, {"price": 12}, key='"k-1"')

    assert "Idempotent-Replayed" in send(api, "patch", MUG, {"price": 12})


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256, '"'])
def test_what_is_no_key_is_reported(api: Client, key: str) -> None:
    ProductFactory(sku="MUG", price=10)

    body = problem(send(api, "patch", MUG, {"price": 12}, key=key), 400)

    assert [error["parameter"] for error in body["errors"]] == ["Idempotency-Key"]
    assert Product.objects.get().price == 10


def test_answers_are_kept_for_a_while(api: Client, settings: Any) -> None:
    settings.IDEMPOTENCY_KEEP_HOURS = 2
    ProductFactory(sku="MUG")
    send(api, "patch", MUG, {"price": 12})
    send(api, "patch", MUG, {"price": 12}, key="k-2")
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=3))

    assert "Idempotent-Replayed" not in send(api, "patch", MUG, {"price": 12})
    assert IdempotentRequest.objects.get(key="k-1").created_at > timezone.now() - timedelta(minutes=1)
    caches["process"].clear()
    send(api, "patch", MUG, {"price": 12}, key="k-3")
    assert set(IdempotentRequest.objects.values_list("key", flat=True)) == {"k-1", "k-3"}


def test_every_operation_that_writes_takes_a_key(api: Client) -> None:
    schema = api.get("/api/schema?format=json").json()
    taking = {
        operation["operationId"]
        for path in schema["paths"].values()
        for operation in path.values()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
    }
    writing = {
        operation["operationId"]
        for path in schema["paths"].values()
        for method, operation in path.items()
        if method != "get"
    }
    assert taking == writing - {"search", "matches", "similar_batch"}
