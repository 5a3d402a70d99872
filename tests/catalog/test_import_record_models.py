"""Files with records of several models (Django's fixtures, Odoo's data), and XML whose elements name their fields (Solr)."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, product, write

pytestmark = pytest.mark.django_db


def test_the_products_of_a_fixture_of_django_have_the_names_of_their_categories(tmp_path: Path) -> None:
    path = tmp_path / "fixture.json"
    objects = [
        {"model": "shop.category", "pk": 1, "fields": {"name": "Kitchen", "parent": None}},
        {"model": "shop.category", "pk": 2, "fields": {"name": "Mugs", "parent": 1}},
        {
            "model": "shop.product",
            "pk": 7,
            "fields": {"name": "Blue mug", "price": "12.50", "category": 2, "is_active": True},
        },
        {"model": "auth.user", "pk": 1, "fields": {"username": "ann", "email": "ann@example.com"}},
    ]
    path.write_text(json.dumps(objects), encoding="utf-8")
    report = run(path)
    assert (counts(report), problems(report)) == ((1, 0, 0, 0), [])
    assert (product("7").title, product("7").price, categories("7")) == ("Blue mug", Decimal("12.5"), ["kitchen/mugs"])
    assert "each object of shop.product is read as a product; 3 other objects were left out" in report["notes"]


def test_a_fixture_without_products_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fixture.json"
    path.write_text(json.dumps([{"model": "auth.user", "pk": 1, "fields": {"username": "ann"}}]), encoding="utf-8")
    with pytest.raises(Exception, match="no column is mapped to the field sku"):
        run(path)


def test_data_of_odoo_has_the_price_that_buyers_pay(tmp_path: Path) -> None:
    path = write(
        tmp_path / "data.xml",
        '<odoo><data><record id="c1" model="product.category"><field name="name">Desks</field></record>',
        '<record id="p1" model="product.template"><field name="name">Desk</field><field name="default_code">D-1</field>',
        '<field name="standard_price">60</field><field name="list_price">120</field>',
        '<field name="description_sale">Of oak</field></record></data></odoo>',
    )
    report = run(path)
    assert counts(report) == (1, 0, 0, 0)
    desk = product("D-1")
    assert (desk.title, desk.price, desk.list_price, desk.description) == ("Desk", 120, None, "Of oak")
    assert "each object of product.template is read as a product; 1 other objects were left out" in report["notes"]


def test_documents_of_solr_name_their_fields(tmp_path: Path) -> None:
    path = write(
        tmp_path / "docs.xml",
        '<add><doc><field name="id">SP-1</field><field name="name">Disk</field><field name="price">92.0</field>',
        '<field name="category">Storage &gt; Disks</field><field name="inStock">false</field></doc>',
        '<doc><field name="id">SP-2</field><field name="name">Cable</field><field name="price">5</field></doc></add>',
    )
    assert counts(run(path)) == (2, 0, 0, 0)
    disk = product("SP-1")
    assert (disk.title, disk.price, disk.available, categories("SP-1")) == ("Disk", 92, False, ["storage/disks"])
