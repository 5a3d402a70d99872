"""What shape, colour and pattern count in recommendations, by a shop whose photos differ in one part at a time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from PIL import Image

from catalog.models import Product
from embeddings.backends import get_vector_index
from embeddings.indexing import points_of
from embeddings.models import EncoderVersion
from embeddings.parts.layout import CURRENT, LAYOUTS, Weights
from embeddings.selectors import clear_live_collection_cache
from embeddings.stored_vectors import vector_to_bytes
from recommender.pipeline import similar_to
from recommender.queries import SimilarQuery
from tests.factories import ProductFactory, ProductImageFactory, embedding
from tests.recommender.conftest import Shop

# The first numbers of a part; the others are 0.
Directions = tuple[tuple[float, ...], tuple[float, ...]]
RED, BLUE = (1.0, 0.0), (-0.2, 1.0)
PLAIN, STRIPED = (1.0, 0.0), (0.0, 1.0)
SHIRT, COAT = (1.0, 0.1, 0.0), (0.3, 1.0, 0.0)


@pytest.fixture
def coloured(shop: Shop) -> Shop:
    """The shop, with colour and pattern."""
    EncoderVersion.objects.filter(pk=shop.version.pk).update(parts=CURRENT)
    shop.version.refresh_from_db()
    get_vector_index().drop(shop.version.index_collection().name)
    get_vector_index().ensure(shop.version.index_collection())
    clear_live_collection_cache()
    return shop


def add(shop: Shop, title: str, shape: tuple[float, ...], *parts: tuple[float, ...]) -> Product:
    """A product of this shape, colour and pattern."""
    product = ProductFactory.create(title=title)
    joined = []
    for part, values in zip(LAYOUTS[CURRENT], parts, strict=True):
        vector = np.zeros(part.length, np.float32)
        vector[: len(values)] = values
        joined.append(vector / np.linalg.norm(vector))
    unit = np.array(shape, np.float32)
    row = embedding(
        shop.version, ProductImageFactory.create(product=product), unit / np.linalg.norm(unit),
        parts=vector_to_bytes(np.concatenate(joined)),
    )  # fmt: skip
    get_vector_index().upsert(shop.version.index_collection().name, points_of(shop.version.layout, [row]))
    return product


@pytest.fixture
def red_shirt(coloured: Shop) -> Product:
    """Beside a shirt of another colour, a coat of its colour, and a shirt of another pattern."""
    asked = add(coloured, "red shirt", SHIRT, RED, PLAIN)
    add(coloured, "blue shirt", SHIRT, BLUE, PLAIN)
    add(coloured, "red coat", COAT, RED, PLAIN)
    add(coloured, "striped shirt", (1.0, 0.2, 0.0), RED, STRIPED)
    return asked


def titles(product: Product, weights: Weights | None = None) -> list[str]:
    return [each.product.title for each in similar_to(product.pk, SimilarQuery(weights=weights)).results]


@pytest.mark.parametrize(
    ("weights", "first"),
    [
        (Weights(1, 0, 0), "blue shirt"),
        (Weights(0, 1, 0.1), "red coat"),
        (Weights(1, 0.5, 0), "striped shirt"),
        (Weights(1, -0.5, 0), "blue shirt"),
        (Weights(-0.2, 1, 0.2), "red coat"),
    ],
)
def test_weights_decide_what_is_nearest(red_shirt: Product, weights: Weights, first: str) -> None:
    assert titles(red_shirt, weights)[0] == first


def test_the_catalogues_weights_are_the_default(coloured: Shop, red_shirt: Product) -> None:
    coloured.version.weights = {"weights": {"shape": 0.1, "colour": 1.0, "pattern": 0.1}}
    coloured.version.save()
    clear_live_collection_cache()
    assert titles(red_shirt)[0] == "red coat"


def test_a_score_is_the_mean_of_the_parts_and_bounds_are_of_it(red_shirt: Product) -> None:
    weights = Weights(1, 1, 0)
    found = {each.product.title: each.score for each in similar_to(red_shirt.pk, SimilarQuery(weights=weights)).results}
    blue = float(np.dot(RED, BLUE) / np.linalg.norm(BLUE))
    assert found["blue shirt"] == pytest.approx((1 + blue) / 2, abs=1e-3)
    floor = SimilarQuery(weights=weights, min_score=(1 + blue) / 2 + 0.01)
    assert "blue shirt" not in [each.product.title for each in similar_to(red_shirt.pk, floor).results]


def test_confidence_is_of_the_shape_whatever_counts(coloured: Shop, red_shirt: Product) -> None:
    coloured.version.calibration = {"kind": {"scores": [-1.0, 1.0], "probabilities": [0.0, 1.0]}}
    coloured.version.save()
    clear_live_collection_cache()

    def confidences(**options: Any) -> dict[str, float | None]:
        found = similar_to(red_shirt.pk, SimilarQuery(**options)).results
        return {each.product.title: each.confidence for each in found}

    by_shape = confidences(weights=Weights())
    assert confidences(weights=Weights(0.1, 1, 0.5)) == pytest.approx(by_shape, abs=1e-3)
    assert set(confidences(weights=Weights(0, 1, 0), min_confidence=0.9)) == {"blue shirt", "striped shirt"}


def test_the_api_takes_weights_and_says_what_counted(api: Client, red_shirt: Product) -> None:
    url = f"/api/products/{red_shirt.pk}/similar"
    body = api.get(url, {"weights": "shape:0.1,colour:1,pattern:0.5"}).json()
    assert body["results"][0]["product"]["title"] == "red coat"
    assert body["weights"] == {"shape": 0.1, "colour": 1.0, "pattern": 0.5}
    other = api.get(url, {"mode": "other-colour"}).json()
    assert other["results"][0]["product"]["title"] == "blue shirt"


def test_substitutes_say_what_counted(api: Client, red_shirt: Product) -> None:
    answer = api.get(f"/api/products/{red_shirt.pk}/substitutes?weights=shape:1,colour:0.5").json()
    assert answer["weights"] == {"shape": 1.0, "colour": 0.5, "pattern": 0.0}


@pytest.mark.parametrize(
    ("parameters", "name", "reason"),
    [
        ({"weights": "size:1"}, "weights", "has to be like"),
        ({"mode": "other"}, "mode", "must be one of other-colour, other-shape"),
        ({"mode": "other-shape", "weights": "shape:1"}, "mode", "cannot be given with weights"),
    ],
)
def test_what_is_wrong_with_weights_is_said(
    api: Client, red_shirt: Product, parameters: dict[str, str], name: str, reason: str
) -> None:
    answer = api.get(f"/api/products/{red_shirt.pk}/similar", parameters)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["parameter"] == name
    assert reason in error["detail"]


def test_a_collection_without_parts_cannot_weigh_them(api: Client, shop: Shop, tmp_path: Path) -> None:
    product = shop.add((1, 0, 0))
    shop.add((1, 0.1, 0))
    answer = api.get(f"/api/products/{product.pk}/similar", {"weights": "colour:1"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"].endswith(
        "a collection that compares by cosine has them once it is rebuilt"
    )
    with pytest.raises(CommandError, match=r"--weights: .* \(manage.py reindex --rebuild\)"):
        call_command("export_similar", str(tmp_path / "strips"), "--format", "json", "--weights", "colour:1")
    plain = api.get(f"/api/products/{product.pk}/similar", {"weights": "shape:1"})
    assert plain.status_code == 200
    assert plain.json()["weights"] is None


def test_a_search_by_photo_proposes_where_its_product_is(api: Client, red_shirt: Product) -> None:
    photo = Image.new("RGB", (200, 100), "white")
    photo.paste("firebrick", (120, 20, 180, 80))
    file = io.BytesIO()
    photo.save(file, "PNG")

    def searched(**parameters: str) -> dict[str, Any]:
        file.seek(0)
        upload = SimpleUploadedFile("photo.png", file.read())
        body: dict[str, Any] = api.post("/api/collections/all/search", {"photo": upload, **parameters}).json()
        return body

    proposed = searched()["proposed_crop"]
    # The red square and a margin of 8%.
    assert proposed == pytest.approx([0.576, 0.152, 0.348, 0.696], abs=0.06)
    assert "proposed_crop" not in searched(crop=",".join(map(str, proposed)))
