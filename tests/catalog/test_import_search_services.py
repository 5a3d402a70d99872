"""Imports of what search services give back: documents of Marqo, and the bulk import file of Google Product Search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from catalog.models import Product
from product_files.sources import detect_format
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import families, product
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

SHIRT: dict[str, Any] = {
    "_id": "43207430723",
    "parentProductId": "43207430720",
    "productTitle": "Shirt",
    "variantTitle": "Shirt - Light Blue",
    "variantImageUrl": "https://example.com/light-blue.jpg",
    "price": 100.5,
    "description": "<p>Comfortable</p>",
    "color": "Light Blue",
    "productCollections": ["shirts", "summer"],
}


@pytest.mark.parametrize("form", ["answer", "request", "lines"])
def test_documents_of_marqo_are_products_and_their_parents_families(tmp_path: Path, form: str) -> None:
    other = SHIRT | {
        "_id": "43207430724",
        "variantTitle": "Shirt - Red",
        "color": "Red",
        "_tensor_facets": [{"_embedding": [0.1]}],
    }
    contents = {
        "answer": json.dumps({"results": [{"_found": True} | SHIRT, {"_found": True} | other]}),
        "request": json.dumps({"documents": [SHIRT, other]}, indent=1),
        "lines": f"{json.dumps(SHIRT)}\n{json.dumps(other)}\n",
    }
    path = tmp_path / "documents.json"
    path.write_text(contents[form])
    assert detect_format(path) == "marqo"
    report = run(path, "--no-fetch")
    assert (counts(report), problems(report), report["photos_left_out"]) == ((2, 0, 0, 0), [], 2)
    assert families() == {"43207430723": {"43207430723", "43207430724"}}
    blue = product("43207430723")
    assert (blue.title, blue.price, blue.description) == ("Shirt - Light Blue", 100.5, "Comfortable")
    assert (blue.attributes, blue.tags) == ({"color": "Light Blue"}, ["shirts", "summer"])


def test_documents_of_ones_own_are_read_by_common_names(tmp_path: Path) -> None:
    (tmp_path / "red.jpg").write_bytes(jpeg("red"))
    document = {
        "_id": "a",
        "_found": True,
        "Title": "Mug",
        "image": "red.jpg",
        "Brand": "Acme",
        "inStock": False,
        "size": 3,
    }
    (tmp_path / "documents.json").write_text(
        json.dumps({"results": [document, {"_id": "b", "_found": False, "message": "gone"}]})
    )
    report = run(tmp_path / "documents.json")
    assert (counts(report), problems(report)) == ((1, 0, 0, 1), [(2, "gone")])
    mug = product("a")
    assert (mug.title, mug.brand, mug.available, mug.attributes) == ("Mug", "Acme", False, {"size": "3"})
    assert mug.images.count() == 1


def test_a_field_of_documents_can_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "documents.json").write_text(json.dumps([SHIRT | {"article": "A-1"}]))
    run(tmp_path / "documents.json", "--map", "sku=article")
    assert Product.objects.get().sku == "A-1"


LINES = (
    'gs://shop/a 1.jpg,i1,set,shirt,apparel-v2,Shirt,"style=womens,color=black,color=red,retail_price=%24110",\n'
    "gs://shop/mug.jpg,,set,mug,homegoods-v2,,,\n"
    'gs://shop/b.jpg,i2,set,shirt,apparel-v2,Shirt,"style=womens","0.1,0.1,0.9,0.1"\n'
    "gs://shop/c.jpg,i3,set\n"
)


@pytest.mark.parametrize(
    "header",
    ["", "image-uri,image-id,product-set-id,product-id,product-category,product-display-name,labels,bounding-poly\n"],
)
def test_the_images_of_google_product_search_are_gathered_by_product(tmp_path: Path, header: str) -> None:
    path = tmp_path / "products.csv"
    path.write_text(header + LINES)
    assert detect_format(path) == "vision"
    report = run(path, "--no-fetch")
    offset = 1 if header else 0
    assert (counts(report), report["photos_left_out"]) == ((2, 0, 0, 1), 3)
    assert problems(report) == [(4 + offset, "3 columns instead of 8")]
    shirt, mug = product("shirt"), product("mug")
    assert (shirt.title, str(shirt.category), shirt.price, shirt.currency) == ("Shirt", "apparel", 110, "USD")
    assert shirt.attributes == {"style": "womens", "color": "black, red", "product_set": "set"}
    assert (mug.title, str(mug.category)) == ("mug", "homegoods")


def test_files_in_a_bucket_are_fetched_from_their_public_address(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text(LINES)
    report = run(path, "--no-fetch", "--map", "brand=product-set-id")
    assert (report["created"], product("shirt").brand) == (2, "set")
