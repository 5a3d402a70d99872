"""What POST /api/collections/<slug>/search answers."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from embeddings.backends import Backends
from embeddings.errors import EncoderUnavailable
from embeddings.models import EncoderVersion
from embeddings.selectors import clear_live_collection_cache
from tests.factories import blank_jpeg, jpeg
from tests.recommender.answers import ids, problem
from tests.recommender.conftest import Shop

ADDRESS = "/api/collections/all/search"


def photo(content: bytes | None = None, name: str = "photo.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, blank_jpeg("red") if content is None else content)


def test_products_that_look_like_the_photo_come_nearest_first(shop: Shop, api: Client) -> None:
    blue, red = shop.add((0, 0, 1)), shop.add((1, 0, 0))

    response = api.post(ADDRESS, {"photo": photo()})

    assert response.status_code == 200
    answer = response.json()
    assert answer.keys() == {"collection", "encoder", "results", "weights"}
    assert (answer["collection"], answer["encoder"]) == ("all", "all-v1")
    assert ids(answer) == [red.pk, blue.pk]
    assert answer["results"][0]["score"] == pytest.approx(1, abs=1e-3)


def test_a_picture_of_several_products_is_shown_once(shop: Shop, api: Client) -> None:
    first, blue = shop.add((1, 0, 0)), shop.add((0, 0, 1))
    for _ in range(15):
        shop.add((1, 0.0005, 0))

    assert ids(api.post(ADDRESS, {"photo": photo(), "limit": 2}).json()) == [first.pk, blue.pk]


def test_filters_come_in_the_form_or_in_the_address(shop: Shop, api: Client) -> None:
    shop.add((1, 0, 0))
    wanted = shop.add((0, 0, 1), brand="Pier")

    assert ids(api.post(ADDRESS, {"photo": photo(), "brand": "Pier"}).json()) == [wanted.pk]
    assert ids(api.post(f"{ADDRESS}?brand=Pier", {"photo": photo()}).json()) == [wanted.pk]


def test_a_mistyped_brand_is_reported_with_the_nearest_one(shop: Shop, api: Client) -> None:
    shop.add((1, 0, 0), brand="Pier")

    body = problem(api.post(ADDRESS, {"photo": photo(), "brand": "Peir"}), 400)

    assert body["errors"] == [
        {
            "parameter": "brand",
            "detail": "names no brand; the nearest: Pier (with strict=false the results are empty)",
        }
    ]
    assert ids(api.post(ADDRESS, {"photo": photo(), "brand": "Peir", "strict": "false"}).json()) == []


def test_a_parameter_in_both_places_is_reported(shop: Shop, api: Client) -> None:
    body = problem(api.post(f"{ADDRESS}?limit=3", {"photo": photo(), "limit": "4"}), 400)

    assert body["errors"] == [{"parameter": "limit", "detail": "is given more than once"}]


@pytest.mark.parametrize(
    ("form", "parameter"),
    [
        ({}, "photo"),
        ({"photo": "not a file"}, "photo"),
        ({"photo": photo(), "limit": "many"}, "limit"),
        ({"photo": photo(), "colour": "red"}, "colour"),
        ({"photo": photo(), "other": photo()}, "other"),
    ],
)
def test_a_form_that_cannot_be_used_is_a_400_problem(
    shop: Shop, api: Client, form: dict[str, Any], parameter: str
) -> None:
    body = problem(api.post(ADDRESS, form), 400)

    assert [error["parameter"] for error in body["errors"]] == [parameter]


def test_all_errors_of_a_form_are_reported_at_once(shop: Shop, api: Client) -> None:
    body = problem(api.post(f"{ADDRESS}?colour=red", {"limit": "0"}), 400)

    assert {error["parameter"] for error in body["errors"]} == {"photo", "colour", "limit"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"%PDF-1.7 ...", "format"), (b"hello", "not_an_image"), (jpeg("red", (400, 400))[:800], "truncated")],
)
def test_a_file_that_is_not_a_photo_is_rejected_with_a_reason(
    shop: Shop, api: Client, content: bytes, reason: str
) -> None:
    body = problem(api.post(ADDRESS, {"photo": photo(content)}), 400)

    assert (body["type"], body["reason"]) == ("urn:problem-type:lookalike:image-rejected", reason)


def test_a_photo_is_taken_by_its_content_and_not_by_its_name(shop: Shop, api: Client) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (20, 20), "red").save(file, "PNG")

    assert api.post(ADDRESS, {"photo": photo(file.getvalue(), "notes.txt")}).status_code == 200


def test_a_photo_over_the_limit_is_refused(shop: Shop, api: Client, settings: Any) -> None:
    settings.PHOTO_MAX_BYTES = 100

    assert "100 bytes" in problem(api.post(ADDRESS, {"photo": photo()}), 413)["detail"]


def test_an_upload_far_over_the_limit_is_refused_before_it_is_read(shop: Shop, api: Client, settings: Any) -> None:
    settings.PHOTO_MAX_BYTES = 100

    response = api.generic("POST", ADDRESS, b"", "multipart/form-data; boundary=x", CONTENT_LENGTH=str(10**9))

    problem(response, 413)


def test_anything_but_a_form_is_an_unsupported_media_type(shop: Shop, api: Client) -> None:
    problem(api.post(ADDRESS, jpeg(), content_type="image/jpeg"), 415)
    problem(api.post(ADDRESS, {"photo": "x"}, content_type="application/json"), 415)


def test_a_body_that_is_no_form_is_a_400_problem(shop: Shop, api: Client) -> None:
    problem(api.post(ADDRESS, b"not a form", content_type="multipart/form-data"), 400)


def test_an_unknown_collection_is_a_404_problem(shop: Shop, api: Client) -> None:
    body = problem(api.post("/api/collections/nope/search", {"photo": photo()}), 404)

    assert body["type"] == "urn:problem-type:lookalike:unknown-collection"


def test_a_missing_encoder_is_a_503_problem(shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise EncoderUnavailable("there is no file model.tflite")

    monkeypatch.setattr(Backends, "encoder", missing)

    response = api.post(ADDRESS, {"photo": photo()})

    assert "model.tflite" in problem(response, 503)["detail"]
    assert "Retry-After" in response


def test_a_model_file_that_is_not_the_one_that_made_the_vectors_is_a_503_problem(shop: Shop, api: Client) -> None:
    EncoderVersion.objects.filter(pk=shop.version.pk).update(fingerprint="1" * 64)
    clear_live_collection_cache()

    response = api.post(ADDRESS, {"photo": photo()})

    assert "all-v1 was made by model 111111111111" in problem(response, 503)["detail"]
