"""Categories in a list of their own, which products name by their numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.importing import counts, run
from tests.catalog.shop_exports import categories, families, product

pytestmark = pytest.mark.django_db

_FLAT = '<cats><category id="1">Home</category><category id="2" parentId="1">Mugs</category></cats>'
_WITH_NAMES = """<groups><group><id>1</id><name>Home</name></group>
<group><id>2</id><name>Mugs</name><parent_id>1</parent_id></group></groups>"""
_NESTED = '<categories><category id="1" name="Home"><category id="2" name="Mugs"/></category></categories>'


@pytest.mark.parametrize("tree", [_FLAT, _WITH_NAMES, _NESTED])
@pytest.mark.parametrize("is_behind", [False, True])
@pytest.mark.parametrize(
    "named",
    ["<categoryId>{}</categoryId>", "<category>{}</category>", '<categories><category id="{}"/></categories>'],
)
def test_xml_with_a_list_of_categories(tmp_path: Path, tree: str, is_behind: bool, named: str) -> None:
    products = "".join(
        f"<product><sku>{sku}</sku><title>{sku}</title><price>5</price>{named.format(number)}</product>"
        for sku, number in (("a", 2), ("b", 1))
    )
    path = tmp_path / "shop.xml"
    parts = [f"<products>{products}</products>", tree]
    path.write_text(f"<shop>{''.join(parts if is_behind else parts[::-1])}</shop>")
    assert counts(run(path)) == (2, 0, 0, 0)
    assert (categories("a"), categories("b")) == (["home/mugs"], ["home"])


def test_a_product_may_name_several(tmp_path: Path) -> None:
    path = tmp_path / "shop.xml"
    path.write_text(
        f"<shop>{_FLAT}<item><sku>a</sku><title>A</title><category_ids>1,2</category_ids></item>"
        "<item><sku>b</sku><title>B</title><category_ids>1</category_ids></item></shop>"
    )
    run(path)
    assert (categories("a"), categories("b")) == (["home/mugs"], ["home"])


@pytest.mark.parametrize(
    "tree",
    [
        [{"id": 1, "name": "Home"}, {"id": 2, "name": "Mugs", "parent_id": 1}],
        [{"id": 1, "name": "Home", "children": [{"id": 2, "name": "Mugs"}]}],
        [{"id": 2, "name": "Mugs", "parent": {"id": 1}}, {"id": 1, "name": "Home", "parent": None}],
    ],
)
@pytest.mark.parametrize("around", ["", "data"])
def test_json_with_a_list_of_categories(tmp_path: Path, tree: list[Any], around: str) -> None:
    products = [
        {"sku": "a", "title": "A", "price": 5, "category_id": 2},
        {"sku": "b", "title": "B", "price": 6, "category_id": 1},
    ]
    content = {"categories": tree, "products": products}
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({around: content} if around else content))
    assert counts(run(path)) == (2, 0, 0, 0)
    assert (categories("a"), categories("b")) == (["home/mugs"], ["home"])


def test_numbers_of_which_the_list_has_few_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "shop.xml"
    items = "".join(f"<item><sku>{n}</sku><title>A</title><category_id>{n}</category_id></item>" for n in range(20, 26))
    path.write_text(f"<shop>{_FLAT}{items}</shop>")
    run(path)
    assert categories("20") == ["None"]


def test_other_numbers_than_those_of_categories_stay_what_they_are(tmp_path: Path) -> None:
    products = [
        {
            "id": number,
            "name": f"P{number}",
            "category_id": number,
            "item_group_id": 1 + number // 3,
            "menu_order": 4 - number,
            "customer_group": 1,
        }
        for number in (1, 2, 3)
    ]
    tree = [{"id": number, "name": f"C{number}"} for number in (1, 2, 3)]
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({"categories": tree, "products": products}))
    assert counts(run(path)) == (3, 0, 0, 0)
    assert [categories(sku) for sku in "123"] == [["c1"], ["c2"], ["c3"]]
    assert families() == {"1": {"1", "2"}, "3": {"3"}}


def test_a_column_of_categories_that_is_mapped_to_another_field_keeps_its_numbers(tmp_path: Path) -> None:
    products = [{"sku": sku, "title": sku, "category_id": 1, "collection_id": 2} for sku in "ab"]
    tree = [{"id": 1, "name": "Home"}, {"id": 2, "name": "Mugs"}]
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({"categories": tree, "products": products}))
    run(path, "--map", "attribute.season=collection_id")
    assert (categories("a"), product("a").attributes) == (["home"], {"season": "2"})


def test_a_category_that_two_columns_name_is_one(tmp_path: Path) -> None:
    products = [{"sku": sku, "title": sku, "category_id": 1, "category_ids": [1]} for sku in "ab"]
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({"categories": [{"id": 1, "name": "Home"}], "products": products}))
    run(path)
    assert categories("a") == ["home"]


def test_elements_with_a_price_are_products_whatever_their_name_is(tmp_path: Path) -> None:
    path = tmp_path / "shop.xml"
    path.write_text(
        "<shop><brands><brand><id>1</id><name>Acme</name></brand></brands><collections>"
        "<collection><id>7</id><name>Dress</name><price>5</price></collection></collections></shop>"
    )
    assert counts(run(path)) == (1, 0, 0, 0)
    assert product("7").price == 5


@pytest.mark.parametrize(
    ("tree", "paths"),
    [
        # A comma in a name, and categories in a circle.
        (
            [
                {"id": 3, "name": "Home"},
                {"id": 2, "name": "Cups, Mugs", "parent_id": 3},
                {"id": 1, "name": "Blue", "parent_id": 2},
            ],
            (["home/cups-mugs/blue"], ["home/cups-mugs"]),
        ),
        (
            [{"id": 1, "name": "Cups", "parent_id": 2}, {"id": 2, "name": "Mugs", "parent_id": 1}],
            (["mugs/cups"], ["cups/mugs"]),
        ),
    ],
)
def test_a_path_has_each_name_as_the_list_has_it(
    tmp_path: Path, tree: list[Any], paths: tuple[list[str], list[str]]
) -> None:
    products = [{"sku": sku, "title": sku, "category_id": number} for sku, number in (("a", 1), ("b", 2))]
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({"categories": tree, "products": products}))
    run(path)
    assert (categories("a"), categories("b")) == paths
