"""What is recommended in small shops of real photos, by the bundled encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from catalog.models import Product
from embeddings.indexing import process_outbox


@pytest.fixture
def cases(real_data: Path) -> Path:
    return real_data / "cases" / "answers"


def skus(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [result["product"]["sku"] for result in response.json()["results"]]


@pytest.mark.usefixtures("db", "empty_index")
def test_a_picture_that_many_products_have_is_shown_once(cases: Path, api: Client, settings: Any) -> None:
    settings.CELERY_BROKER_URL = ""
    call_command("import_catalog", str(cases / "equal_pictures.csv"), images=cases / "images")
    process_outbox()
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
