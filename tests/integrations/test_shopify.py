"""The sections for Shopify's themes: their settings, and what a shopper sees."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integrations.themes import FOLDER, Related, render, schema

SECTIONS = sorted(path.name for path in FOLDER.glob("*.liquid"))
WIDGET, METAFIELDS = "lookalike-similar.liquid", "lookalike-similar-metafields.liquid"


def product(*variants: dict[str, Any], related: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    listed = {"value": None if related is None else Related(related)}
    return {
        "handle": "blue-mug",
        "variants": list(variants),
        "selected_or_first_available_variant": variants[0] if variants else None,
        "metafields": {"shopify--discovery--product_recommendation": {"related_products": listed}},
    }


def item(title: str, *, available: bool = True) -> dict[str, Any]:
    image = {"src": f"https://cdn.example/{title}.jpg", "aspect_ratio": 0.8}
    return {"title": title, "url": f"/products/{title}", "price": 1250, "available": available, "featured_image": image}


@pytest.mark.parametrize("name", SECTIONS)
def test_the_settings_are_as_themes_need_them(name: str) -> None:
    declared = schema(name)

    assert len(declared["name"]) <= 31
    assert declared["presets"]
    assert declared["enabled_on"] == {"templates": ["product"]}
    ids = [each["id"] for each in declared["settings"]]
    assert len(set(ids)) == len(ids)
    for each in declared["settings"]:
        if each["type"] == "range":
            steps = (each["max"] - each["min"]) / each["step"]
            assert 3 <= steps <= 100
            assert (each["default"] - each["min"]) % each["step"] == 0
    used = set(re.findall(r"section\.settings\.(\w+)", (FOLDER / name).read_text()))
    assert used == set(ids)


def test_the_strip_names_the_variant_by_its_sku_and_everything_is_escaped() -> None:
    page = render(
        WIDGET, product({"sku": 'MUG/17 "blue"', "options": ["Blue"]}),
        api="https://r.example", key="pk_1", heading="<Also>", products_to_show=4,
    )  # fmt: skip

    assert 'src="https://r.example/widget/v1/similar.js"' in page
    assert re.findall(r'([\w-]+)="([^"]*)"', page.partition("<similar-products")[2]) == [
        ("sku", "MUG/17 &quot;blue&quot;"), ("api", "https://r.example"), ("limit", "4"), ("lang", "de"),
        ("heading", "&lt;Also&gt;"), ("api-key", "pk_1"), ("available", "true"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("variants", "sku"),
    [
        ([{"sku": "", "options": ["Default Title"]}], "blue-mug"),
        ([{"sku": "", "options": ["Blue", "L"]}, {"sku": "", "options": ["Red", "L"]}], "blue-mug-Blue-L"),
    ],
)
def test_a_variant_without_sku_is_named_as_the_import_names_it(variants: list[dict[str, Any]], sku: str) -> None:
    assert f'sku="{sku}"' in render(WIDGET, product(*variants), api="https://r.example")


def test_without_an_address_there_is_no_strip() -> None:
    assert render(WIDGET, product({"sku": "MUG", "options": []})).strip() == ""


@pytest.mark.parametrize("given", ["https://r.example/", " https://r.example ", "r.example", "r.example/"])
def test_the_address_may_be_written_as_people_write_it(given: str) -> None:
    page = render(WIDGET, product({"sku": "MUG", "options": []}), api=given)

    assert 'src="https://r.example/widget/v1/similar.js"' in page
    assert 'api="https://r.example"' in page


def test_others_take_the_places_of_what_is_sold_out() -> None:
    related = [item("Gone", available=False), item("Cup"), item("Sold", available=False), item("Jug"), item("Pot")]

    page = render(METAFIELDS, product({"sku": "MUG", "options": []}, related=related), products_to_show=2)

    assert re.findall(r"<span>([A-Z]\w+)</span>", page) == ["Cup", "Jug"]


def test_where_all_is_sold_out_there_is_no_heading() -> None:
    related = [item("Gone", available=False)]
    assert render(METAFIELDS, product({"sku": "MUG", "options": []}, related=related)).strip() == ""


def test_the_metafield_is_shown_as_links_without_what_is_sold_out() -> None:
    related = [item("Cup"), item("Gone", available=False), item("Jug & <pot>")]

    page = render(METAFIELDS, product({"sku": "MUG", "options": []}, related=related), heading="A & B")

    assert "<h2>A &amp; B</h2>" in page
    assert re.findall(r"<span>(.*?)</span>", page) == ["Cup", "€12.50", "Jug &amp; &lt;pot&gt;", "€12.50"]
    assert page.count('alt=""') == page.count('height="400"') == 2
    assert "<script" not in page


def test_without_a_metafield_nothing_is_shown() -> None:
    assert render(METAFIELDS, product({"sku": "MUG", "options": []})).strip() == ""
    assert render(METAFIELDS, product({"sku": "MUG", "options": []}, related=[])).strip() == ""
