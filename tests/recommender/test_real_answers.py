"""What is recommended in small shops of real photos, by the bundled encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from catalog.models import Product, ProductImage
from embeddings.indexing import process_outbox
from embeddings.models import ImageEmbedding


@pytest.fixture
def cases(real_data: Path) -> Path:
    return real_data / "cases" / "answers"


@pytest.fixture
def shop_of(cases: Path, settings: Any, empty_index: None, db: None) -> Any:
    """Imports one of the shops, and embeds its photos."""
    settings.CELERY_BROKER_URL = ""

    def imported(name: str) -> None:
        call_command("import_catalog", str(cases / name), images=cases / "images")
        process_outbox()

    return imported


def skus(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [result["product"]["sku"] for result in response.json()["results"]]


def roles_of(sku: str) -> list[str]:
    return [image.role for image in Product.objects.get(sku=sku).images.all()]


TOPS, MUGS = ([f"{kind}-{number}" for number in range(6)] for kind in ("TOP", "MUG"))


def test_a_picture_that_many_products_have_is_shown_once(cases: Path, shop_of: Any, api: Client) -> None:
    shop_of("equal_pictures.csv")
    copies = set(
        Product.objects.filter(images__sha256=Product.objects.get(sku="MUG-3").images.get().sha256).values_list(
            "sku", flat=True
        )
    )
    mugs = {f"MUG-{number}" for number in range(6)}
    assert len(copies) > 12

    of_another = skus(api.get("/api/products/by-sku/MUG-0/similar"))
    of_a_copy = skus(api.get("/api/products/by-sku/MUG-3/similar"))
    photo = SimpleUploadedFile("mug.jpg", (cases / "images" / "mug3.jpg").read_bytes())
    by_photo = skus(api.post("/api/collections/all/search", {"photo": photo}))

    assert len(set(of_another) & copies) == 1
    assert mugs - copies - {"MUG-0"} <= set(of_another)
    assert set(of_a_copy) == mugs - {"MUG-3"}
    assert len(set(by_photo) & copies) == 1
    assert mugs - copies <= set(by_photo)


@pytest.mark.parametrize("name", ["chart.csv", "chart_saved_anew.csv"])
def test_a_size_chart_makes_nothing_similar(name: str, shop_of: Any, api: Client) -> None:
    shop_of(name)

    similar_to_a_top = skus(api.get("/api/products/by-sku/TOP-0/similar"))
    of_clothing = skus(api.get("/api/products/by-sku/TOP-0/similar?category=clothing"))
    similar_to_a_mug = skus(api.get("/api/products/by-sku/MUG-0/similar"))

    assert set(similar_to_a_top[:5]) == set(of_clothing) == set(TOPS) - {"TOP-0"}
    assert set(similar_to_a_mug[:5]) == set(MUGS) - {"MUG-0"}
    assert roles_of("TOP-3") == ["product", "chart"]
    charts = ProductImage.objects.filter(role="chart")
    assert charts.exists()
    assert not ImageEmbedding.objects.filter(image_id__in=charts.values("pk")).exists()


def test_products_with_a_placeholder_are_answered_by_their_category_and_look_like_nothing(
    shop_of: Any, api: Client
) -> None:
    shop_of("placeholder.csv")

    answers = {sku: api.get(f"/api/products/by-sku/{sku}/similar") for sku in (*MUGS, "CHAIR-0")}

    assert [sku for sku, answer in answers.items() if answer.json()["fallback"]] == ["MUG-0", "CHAIR-0"]
    assert not [sku for mug in MUGS for sku in skus(answers[mug]) if sku.startswith("CHAIR")]
    assert set(skus(answers["MUG-0"])[:5]) == set(MUGS) - {"MUG-0"}
    assert {f"CHAIR-{number}" for number in range(1, 8)} <= set(skus(answers["CHAIR-0"]))
    assert roles_of("MUG-0") == roles_of("CHAIR-5") == ["placeholder"]
