"""XML in which a product has long lists of something else: surcharges, shipping, related products, ratings."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from product_files.mapping import FieldMapping
from product_files.sources import open_catalogue
from tests.catalog.importing import counts, photos, run
from tests.catalog.importing import of as product_of
from tests.catalog.shop_exports import product, write

pytestmark = pytest.mark.django_db

SURCHARGES = "".join(
    f"<SURCHARGE_PARAMETER><CODE>S{number}</CODE><NAME>Cover {number}</NAME><PRICE>{number}</PRICE><CURRENCY>CZK</CURRENCY>"
    f"<AVAILABILITY>skladem</AVAILABILITY><IMAGE>https://x.test/{number}.jpg</IMAGE></SURCHARGE_PARAMETER>"
    for number in range(1, 5)
)
OPTIONS = "".join(
    f'<option id="{number}"><name>Carrier {number}</name><price>{number}</price><currency>EUR</currency>'
    "<description>fast</description></option>"
    for number in range(1, 6)
)
RELATED = "".join(
    f"<item><sku>R{number}</sku><title>Bulb {number}</title><price>3</price><image>https://x.test/r{number}.jpg</image>"
    "<brand>Other</brand><category>Bulbs</category></item>"
    for number in (1, 2)
)
DELIVERIES = "".join(
    f"<delivery><id>{number}</id><name>DPD {number}</name><price>{number}</price><currency>EUR</currency>"
    "<description>fast</description></delivery>"
    for number in range(1, 4)
)
REVIEWS = (
    "<review><id>1</id><title>Nice</title><price>5</price><brand>5</brand><description>Good</description></review>"
)
SHOPTET = (
    "<SHOP><SHOPITEM id='1'><NAME>Chair</NAME><CODE>m1</CODE><PRICE_VAT>30</PRICE_VAT>"
    f"<SURCHARGE_PARAMETERS>{SURCHARGES}</SURCHARGE_PARAMETERS></SHOPITEM></SHOP>"
)


NAMED = "<name>Chair</name><price>30</price>"
FEEDS = {
    "SHOP/SHOPITEM": SHOPTET,
    "catalog/product": (
        f"<catalog><product sku='m1'>{NAMED}<shipping_options>{OPTIONS}</shipping_options></product></catalog>"
    ),
    "export/products/product": (
        f"<export><products><product><id>m1</id>{NAMED}<related>{RELATED}</related></product></products></export>"
    ),
    "shop/offers/offer": (
        f"<shop><deliveries>{DELIVERIES}</deliveries><offers><offer><id>m1</id>{NAMED}</offer></offers></shop>"
    ),
    "data/entries/goods": (
        "<data><entries><goods><reference>m1</reference><label>Chair</label><tarif>30</tarif>"
        f"<reviews>{REVIEWS}</reviews></goods></entries></data>"
    ),
}


@pytest.mark.parametrize(("element", "content"), FEEDS.items())
def test_what_goes_with_products_is_not_taken_for_them(tmp_path: Path, element: str, content: str) -> None:
    with open_catalogue(write(tmp_path / "a.xml", content), FieldMapping()) as catalogue:
        (row,) = list(catalogue)
        assert any(element in note for note in catalogue.notes)
    chair = product_of(row)
    assert (row.sku, chair.title, chair.price, photos(row)) == ("m1", "Chair", Decimal(30), [])
    assert (chair.brand, chair.description, chair.category) == ("", "", ())


def test_accessories_of_products_that_are_not_known_are_not_imported_in_their_place(tmp_path: Path) -> None:
    accessory = "<accessory><sku>a1</sku><name>Foot</name><price>5</price></accessory>"
    sofa = f"<article><number>5</number><name>Sofa</name><accessories>{accessory}</accessories></article>"
    articles = f"<a><articles>{sofa}</articles></a>"
    with pytest.raises(CommandError, match="not clear which elements of the XML are products"):
        run(write(tmp_path / "a.xml", articles))


def test_products_of_a_group_that_has_a_price_are_products(tmp_path: Path) -> None:
    products = "".join(
        f"<product><sku>m{number}</sku><name>Mug {number}</name><price>5</price><brand>Anna</brand></product>"
        for number in (1, 2)
    )
    group = f"<a><group id='9'><name>Mugs</name><price>5</price><products>{products}</products></group></a>"
    assert counts(run(write(tmp_path / "a.xml", group))) == (2, 0, 0, 0)
    assert product("m1").title == "Mug 1"
