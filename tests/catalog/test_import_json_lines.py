"""Import of JSON Lines, with the same mapping as for tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from catalog.importers.writer import import_rows
from catalog.models import Product
from product_files.json_files.json_lines import JsonLines
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.sources import open_catalogue
from tests.catalog.importing import counts, memory_growth, of, problems, run
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

MUG = {"sku": "m1", "title": "Mug"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    for colour in ("red", "blue"):
        (folder / f"{colour}.jpg").write_bytes(jpeg(colour))
    return folder


def lines(folder: Path, *objects: dict[str, Any] | str) -> Path:
    path = folder / "products.jsonl"
    path.write_text(
        "".join((it if isinstance(it, str) else json.dumps(it, ensure_ascii=False)) + "\n" for it in objects)
    )
    return path


def test_an_object_becomes_a_product(shop: Path) -> None:
    mug = {
        **MUG, "description": "Für Tee", "category": ["Kitchen", "Mugs"], "brand": "Acme", "price": 9.9, "currency": "CHF",
        "available": False, "tags": ["new", "a, b"], "image": ["red.jpg", "blue.jpg"], "attributes": {"colour": "red", "ml": 250},
    }  # fmt: skip
    report = run(lines(shop, mug))
    assert (counts(report), report["photos_added"]) == ((1, 0, 0, 0), 2)
    product = Product.objects.get()
    assert (product.title, product.description, str(product.category)) == ("Mug", "Für Tee", "kitchen/mugs")
    assert (product.price, product.currency, product.available) == (Decimal("9.90"), "CHF", False)
    assert (product.tags, product.attributes) == (["new", "a, b"], {"colour": "red", "ml": "250"})
    assert counts(run(lines(shop, mug))) == (0, 0, 1, 0)


def test_names_within_are_mapped_with_a_dot(shop: Path) -> None:
    record = {"id": 7, "names": {"de": "Tasse"}, "photos": [{"file": "red.jpg"}, {"file": "blue.jpg"}]}
    options = ("--map", "sku=id", "--map", "title=names.de", "--map", "image=photos.file", "--set", "brand=No {id}")
    assert run(lines(shop, record), *options)["photos_added"] == 2
    product = Product.objects.get()
    assert (product.sku, product.title, product.brand) == ("7", "Tasse", "No 7")


def test_texts_are_divided_as_in_a_table(shop: Path) -> None:
    run(lines(shop, {**MUG, "category": "Kitchen > Mugs", "tags": "new, red", "image": "red.jpg|blue.jpg"}))
    product = Product.objects.get()
    assert (str(product.category), product.tags, product.images.count()) == ("kitchen/mugs", ["new", "red"], 2)


def test_what_an_object_leaves_out_stays_and_null_empties_it(shop: Path) -> None:
    run(lines(shop, {**MUG, "price": 5, "brand": "Acme", "image": ["red.jpg"], "tags": ["new"]}))
    run(lines(shop, {**MUG, "brand": None, "tags": []}, {"sku": "m2", "title": "Mug", "price": 7}))
    product = Product.objects.get(sku="m1")
    assert (product.price, product.brand, product.tags, product.images.count()) == (Decimal(5), "", [], 1)


@pytest.mark.parametrize(("number", "price"), [("1.230", "1.23"), ("1e3", "1000"), ("12", "12"), ("0.5", "0.5")])
def test_a_number_is_a_price_that_means_one_thing(shop: Path, number: str, price: str) -> None:
    run(lines(shop, f'{{"sku": "m1", "title": "Mug", "price": {number}}}'))
    assert Product.objects.get().price == Decimal(price)


BAD_LINES = {
    '{"sku": "b1",': "the line is not JSON",
    '["sku", "b1"]': "is JSON but not an object",
    '{"sku": "b1"}': "the title is empty",
    '{"title": "Mug"}': "there is no SKU",
    '{"sku": ["b1", "b2"], "title": "Mug"}': "sku has 2 values; only one is allowed",
    '{"sku": "b1", "title": "Mug", "price": NaN}': "NaN is not a number in JSON",
    '{"sku": "b1", "title": "\\ud800"}': "title has bytes that are not in the encoding",
    '{"sku": "b1", "title": "Mug", "x": ' + '{"x":' * 20 + "1" + "}" * 21: "nested more than 10 deep",
    '{"sku": "b1", "title": ' + "[" * 5_000: "the line is not JSON",
    '{"sku": "b1", "title": "' + "x" * 2_500_000 + '"}': "longer than 1,048,576 characters",
}


@pytest.mark.parametrize("line", BAD_LINES, ids=[reason[:30] for reason in BAD_LINES.values()])
def test_a_bad_line_is_rejected_with_its_number_and_the_rest_comes_in(shop: Path, line: str) -> None:
    report = run(lines(shop, {**MUG, "price": 5}, "", line, {**MUG, "sku": "m2"}))
    assert counts(report) == (2, 0, 0, 1)
    ((number, reason),) = problems(report)
    assert number == 3
    assert BAD_LINES[line] in reason


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ('[{"sku": "m1"}]', (), "no column is mapped to the field title"),
        ("[\n{\n", (), "no line is a JSON object: the object cannot be read as JSON"),
        ("[1, 2]", (), "no line is a JSON object: the list has something that is not an object"),
        ("", ("--format", "jsonl"), "no line is a JSON object: the file is empty"),
        ('{"name": "Mug"}', (), "no column is mapped to the field sku.*Columns found: name"),
        ('{"sku": "m1", "title": "Mug"}', ("--map", "price=cost"), "there is no column cost"),
    ],
)
def test_what_cannot_be_used_is_explained(shop: Path, content: str, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(lines(shop, content), *options)


@pytest.mark.any_database
@pytest.mark.usefixtures("full_batches")
def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    count = 10_000
    path = lines(tmp_path, *({"sku": f"m{number}", "title": "", "text": "long " * 50} for number in range(count)))

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        return import_rows(watched(JsonLines(path, FieldMapping(), photos=PhotoFolder.open(tmp_path)))).rejected

    assert memory_growth(read, after=2_000, rows=count) < 1.1


def test_what_stands_beside_an_object_of_the_product_is_read(tmp_path: Path) -> None:
    offers = [
        {"product": {"id": number, "name": f"Cup {number}"}, "price": 2 + number, "stock": 0} for number in (1, 2)
    ]
    report = run(lines(tmp_path, *offers))
    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    found = list(Product.objects.order_by("sku").values_list("sku", "title", "price", "available"))
    assert found == [("1", "Cup 1", 3, False), ("2", "Cup 2", 4, False)]


def test_a_brand_with_a_number_is_no_product(tmp_path: Path) -> None:
    path = lines(tmp_path, {"artnr": "a", "label": {"x": "Cup"}, "brand": {"id": 3, "name": "Acme"}})
    report = run(path, "--map", "sku=artnr", "--map", "title=label.x")
    assert counts(report) == (1, 0, 0, 0)
    path = lines(tmp_path, *({"artnr": sku, "wording": "Cup", "seller": {"id": 3, "name": "Acme"}} for sku in "bcd"))
    with pytest.raises(CommandError, match="no column is mapped to the field title"):
        run(path)
    assert counts(run(path, "--map", "title=wording", "--map", "sku=artnr")) == (3, 0, 0, 0)


def test_an_object_whose_own_columns_are_mapped_is_the_product(tmp_path: Path) -> None:
    path = lines(tmp_path, {"key": "a", "wording": "Cup", "set": {"title": "Tea", "description": "Of four"}})
    assert counts(run(path, "--map", "sku=key", "--map", "title=wording")) == (1, 0, 0, 0)
    assert Product.objects.get().title == "Cup"


@pytest.mark.parametrize(
    ("content", "skus"),
    [
        ({"sku": "M", "name": "Mug", "price": 4.5}, ["M"]),
        (
            {
                "product": {
                    "id": 5,
                    "name": "Mug",
                    "price": 4.5,
                    "images": [{"id": 1, "src": "https://example.com/a.jpg"}],
                }
            },
            ["5"],
        ),
        (
            {
                "product": {
                    "sku": "M",
                    "name": "Mug",
                    "variants": [
                        {"sku": "M-R", "color": "red", "price": 4.5},
                        {"sku": "M-B", "color": "blue", "price": 5},
                    ],
                }
            },
            ["M-R", "M-B"],
        ),
    ],
)
def test_one_product_over_several_lines_is_read(tmp_path: Path, content: object, skus: list[str]) -> None:
    path = tmp_path / "product.json"
    path.write_text(json.dumps(content, indent=2))
    with open_catalogue(path, FieldMapping()) as catalogue:
        assert [(row.sku, of(row).title) for row in catalogue] == [(sku, "Mug") for sku in skus]
