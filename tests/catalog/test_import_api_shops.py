"""Products as the APIs of shops answer them: prices in cents, variants beside or within their product, graphs of schema.org."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from product_files.json_files.api_systems.base import Price
from product_files.json_files.api_systems.magento import read_product
from product_files.mapping import FieldMapping
from product_files.rows import Row
from product_files.sources import detect_format, open_catalogue
from tests.catalog.importing import counts, of, photos, run
from tests.catalog.shop_exports import families, product

NO_CURRENCY = "the prices have no currency: EUR was assumed; name the currency of the import if it is another"
PERHAPS_IN_CENTS = "the prices may be in cents or not: they are left out"

MEDUSA: dict[str, Any] = {
    "id": "prod_1",
    "handle": "tee",
    "title": "Tee",
    "description": "Soft",
    "status": "published",
    "thumbnail": "https://example.com/1.jpg",
    "type": {"value": "Tees"},
    "tags": [{"value": "new"}],
    "options": [{"id": "o1", "title": "Size"}],
}
SIZES = [{"option_id": "o1", "value": "S"}]


def written(folder: Path, content: Any) -> Path:
    path = folder / "products.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def lines(folder: Path, *objects: Any) -> Path:
    path = folder / "products.jsonl"
    path.write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    return path


def rows(path: Path, **values: str) -> list[Row]:
    with open_catalogue(path, FieldMapping(values=values)) as catalogue:
        return list(catalogue)


def prices(path: Path) -> list[tuple[str, Decimal | None, Decimal | None, str]]:
    return [(each.sku, of(each).price, of(each).list_price, of(each).currency) for each in rows(path)]


@pytest.mark.django_db
def test_products_of_woocommerce_s_rest_api_and_their_variations_are_families(tmp_path: Path) -> None:
    tee = {
        "id": 7,
        "name": "Tee",
        "type": "variable",
        "status": "publish",
        "permalink": "https://example.com/tee",
        "description": "<p>Soft</p>",
        "sku": "",
        "price": "12.50",
        "regular_price": "",
        "stock_status": "instock",
        "parent_id": 0,
        "categories": [{"id": 1, "name": "Clothing"}, {"id": 2, "name": "Tees"}],
        "tags": [{"id": 3, "name": "new"}],
        "brands": [{"id": 4, "name": "Anna"}],
        "images": [],
        "attributes": [{"name": "Size", "options": ["S", "M"]}],
    }
    small = {
        **tee,
        "id": 8,
        "type": "variation",
        "parent_id": 7,
        "sku": "tee-s",
        "price": "10",
        "regular_price": "12.5",
        "stock_status": "outofstock",
        "attributes": [{"name": "Size", "option": "S"}],
    }
    mug = {**tee, "id": 9, "name": "Mug", "type": "simple", "status": "draft", "sku": "mug", "attributes": []}
    report = run(written(tmp_path, [tee, small, mug]))
    assert counts(report) == (3, 0, 0, 0)
    assert families() == {"id:7": {"id:7", "tee-s"}, "mug": {"mug"}}
    first, variation = product("id:7"), product("tee-s")
    assert (first.brand, first.tags, first.active, first.attributes) == ("Anna", ["new"], True, {"size": "S, M"})
    assert (str(first.category), [str(each) for each in first.other_categories.all()]) == ("clothing", ["tees"])
    assert (variation.price, variation.list_price, variation.available) == (Decimal(10), Decimal("12.5"), False)
    assert (variation.attributes, product("mug").active) == ({"size": "S"}, False)


def test_variations_that_have_the_sku_of_their_product_have_one_of_their_own(tmp_path: Path) -> None:
    tee = {"id": 7, "name": "Tee", "type": "variable", "permalink": "", "sku": "TEE", "stock_status": "instock"}
    tee |= {"price": "10", "regular_price": "10", "parent_id": 0}
    variations = [{**tee, "id": number, "type": "variation", "parent_id": 7} for number in (8, 9)]
    found = rows(written(tmp_path, [tee, *variations, variations[0]]))
    assert [row.sku for row in found] == ["TEE", "id:8", "id:9", "id:8"]
    assert {of(row).family for row in found} == {"id:7"}


def test_products_of_a_group_of_schema_org_without_skus_have_their_names(tmp_path: Path) -> None:
    group = {"@type": "Product", "inProductGroupWithID": "g", "offers": {"price": 3, "priceCurrency": "EUR"}}
    found = rows(written(tmp_path, [{**group, "name": name} for name in ("Red", "Blue")]))
    assert [(row.sku, of(row).family) for row in found] == [("g-Red", "g"), ("g-Blue", "g")]


def test_prices_of_woocommerce_s_store_api_are_in_cents(tmp_path: Path) -> None:
    beanie = {
        "id": 34,
        "name": "Beanie",
        "sku": "b1",
        "prices": {"price": "1800", "regular_price": "2000", "currency_code": "USD", "currency_minor_unit": 2},
        "images": [{"src": "https://example.com/1.jpg"}],
        "is_in_stock": True,
    }
    yen = {**beanie, "sku": "b2", "prices": {"price": "1800", "currency_code": "JPY", "currency_minor_unit": 0}}
    path = written(tmp_path, [beanie, yen])
    assert prices(path) == [("b1", Decimal(18), Decimal(20), "USD"), ("b2", Decimal(1800), None, "JPY")]
    assert photos(rows(path)[0]) == ["https://example.com/1.jpg"]


def test_prices_of_medusa_1_are_in_cents(tmp_path: Path) -> None:
    small = {
        "sku": "s",
        "inventory_quantity": 0,
        "options": SIZES,
        "prices": [{"currency_code": "eur", "amount": 1950}],
    }
    wide = {"sku": "m", "prices": [{"currency_code": "eur", "amount": 100, "region_id": "r"}, *small["prices"]]}  # type: ignore[misc]
    path = written(tmp_path, {"products": [{**MEDUSA, "profile_id": "p", "variants": [small, wide]}], "count": 1})
    assert prices(path) == [("s", Decimal("19.50"), None, "EUR"), ("m", Decimal("19.50"), None, "EUR")]
    first, _ = rows(path)
    assert (of(first).available, of(first).attributes, of(first).family) == (False, {"size": "S"}, "tee")
    assert (of(first).category, of(first).tags, photos(first)) == (("Tees",), ["new"], ["https://example.com/1.jpg"])


def test_prices_of_medusa_2_are_no_cents(tmp_path: Path) -> None:
    shown = {"sku": "s", "calculated_price": {"calculated_amount": 19, "original_amount": 25, "currency_code": "usd"}}
    own = {"sku": "m", "prices": [{"currency_code": "eur", "amount": 30, "raw_amount": {"value": "30"}}]}
    path = written(tmp_path, {"products": [{**MEDUSA, "variants": [shown, own]}]})
    assert prices(path) == [("s", Decimal(19), Decimal(25), "USD"), ("m", Decimal(30), None, "EUR")]


def test_prices_of_medusa_2_s_admin_api_are_no_cents(tmp_path: Path) -> None:
    price = {"id": "p", "amount": 15, "currency_code": "eur", "variant_id": "v", "rules": {}}
    listed = {"id": "p", "amount": 15, "currency_code": "eur", "price_list_id": None, "raw_amount": {"value": "15"}}
    variants = [{"sku": "s", "prices": [price]}, {"sku": "m", "prices": [listed]}]
    path = written(tmp_path, {"products": [{**MEDUSA, "variants": variants}]})
    assert prices(path) == [("s", Decimal(15), None, "EUR"), ("m", Decimal(15), None, "EUR")]


def test_prices_that_may_be_in_cents_are_left_out(tmp_path: Path) -> None:
    variant = {"sku": "s", "prices": [{"currency_code": "eur", "amount": 1950}]}
    (row,) = rows(written(tmp_path, {"products": [{**MEDUSA, "variants": [variant]}]}))
    assert (of(row).price, row.warnings) == (None, (PERHAPS_IN_CENTS,))


def test_products_of_saleor_s_graphql_are_their_variants(tmp_path: Path) -> None:
    def money(amount: float) -> dict[str, Any]:
        return {"gross": {"amount": amount, "currency": "USD"}}

    node = {
        "name": "Tee",
        "slug": "tee",
        "description": json.dumps({"blocks": [{"type": "paragraph", "data": {"text": "Soft <b>tee</b>"}}]}),
        "category": {"name": "Tees"},
        "media": [{"url": "https://example.com/1.jpg"}],
        "attributes": [{"attribute": {"name": "Brand"}, "values": [{"name": "Anna"}]}],
        "variants": [
            {"sku": "s", "quantityAvailable": 0, "pricing": {"price": money(12.5), "priceUndiscounted": money(15)}},
            {"sku": "m", "quantityAvailable": 3, "pricing": {"price": money(15)}},
        ],
    }
    path = written(tmp_path, {"data": {"products": {"edges": [{"node": node}]}}})
    assert prices(path) == [("s", Decimal("12.5"), Decimal(15), "USD"), ("m", Decimal(15), None, "USD")]
    first, second = rows(path)
    assert (of(first).available, of(second).available, of(first).family) == (False, True, "tee")
    assert (of(first).description, of(first).brand) == ("Soft tee", "Anna")


def test_products_of_magento_s_rest_api(tmp_path: Path) -> None:
    bag = {
        "sku": "b1",
        "name": "Bag",
        "price": 34,
        "status": 2,
        "media_gallery_entries": [{"media_type": "image", "file": "/b/a/bag.jpg", "disabled": False}],
        "extension_attributes": {"stock_item": {"qty": 0, "is_in_stock": False}},
        "custom_attributes": [
            {"attribute_code": "description", "value": "<p>Large</p>"},
            {"attribute_code": "special_price", "value": "30.0000"},
            {"attribute_code": "special_to_date", "value": "2001-01-01 00:00:00"},
        ],
    }
    path = written(tmp_path, {"items": [bag], "search_criteria": {}, "total_count": 1})
    (row,) = rows(path)
    assert (of(row).price, of(row).list_price, of(row).description) == (Decimal(34), None, "Large")
    assert (of(row).available, of(row).active, photos(row)) == (False, False, ["/b/a/bag.jpg"])


def test_a_sale_of_magento_s_rest_api_lasts_for_its_last_day() -> None:
    sale = {
        "special_price": "30.0000",
        "special_from_date": "2026-12-30 00:00:00",
        "special_to_date": "2026-12-31 00:00:00",
    }
    custom = [{"attribute_code": name, "value": value} for name, value in sale.items()]
    bag = {"sku": "b1", "name": "Bag", "price": 34, "custom_attributes": custom}
    evening, next_year = datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    of_evening, of_next_year = (read_product(bag, now).variants[0].prices for now in (evening, next_year))
    assert (of_evening, of_next_year) == ([Price("30.0000", "34")], [Price("34")])


def test_a_configurable_product_of_magento_s_rest_api_has_no_price(tmp_path: Path) -> None:
    tee = {
        "sku": "t",
        "name": "Tee",
        "price": 0,
        "type_id": "configurable",
        "custom_attributes": [{"attribute_code": ""}],
    }
    free = {**tee, "sku": "f", "type_id": "simple"}
    assert [of(row).price for row in rows(written(tmp_path, {"items": [tee, free]}))] == [None, Decimal(0)]


def _magento(number: int, sku: str, kind: str = "simple", links: list[int] | None = None) -> dict[str, Any]:
    return {
        "id": number,
        "sku": sku,
        "name": sku,
        "price": 10,
        "status": 1,
        "type_id": kind,
        "extension_attributes": {"configurable_product_links": links} if links else {},
        "custom_attributes": [{"attribute_code": "description", "value": ""}],
    }


@pytest.mark.django_db
def test_a_configurable_product_of_magento_s_rest_api_and_those_that_it_lists_are_a_family(tmp_path: Path) -> None:
    tee = _magento(7, "tee", "configurable", [5, 8])
    items = [_magento(5, "tee-s"), _magento(6, "mug"), tee, _magento(8, "tee-m")]
    report = run(written(tmp_path, {"items": items, "total_count": 4}))
    assert (counts(report), families()) == ((4, 0, 0, 0), {"tee": {"tee", "tee-s", "tee-m"}, "mug": {"mug"}})


def test_attributes_of_magento_s_rest_api_have_the_labels_that_are_in_the_file(tmp_path: Path) -> None:
    tee = _magento(5, "tee-s")
    tee["custom_attributes"] += [
        {"attribute_code": "size", "value": "91"},
        {"attribute_code": "material", "value": "31,33"},
        {"attribute_code": "manufacturer", "value": "7"},
        {"attribute_code": "style", "value": "12"},
    ]
    attributes = [
        {"attribute_code": "size", "options": [{"label": " ", "value": ""}, {"label": "S", "value": "91"}]},
        {"attribute_code": "material", "options": [{"label": "Wool", "value": "31"}, {"label": "Silk", "value": "33"}]},
        {"attribute_code": "manufacturer", "options": [{"label": "Anna", "value": "7"}]},
    ]
    (row,) = rows(written(tmp_path, {"items": [tee], "attributes": attributes, "total_count": 1}))
    assert (of(row).attributes, of(row).brand) == ({"size": "S", "material": "Wool, Silk"}, "Anna")


def _shown(text: str) -> str:
    return (
        '<span class="woocommerce-Price-amount amount"><bdi><span class="woocommerce-Price-currencySymbol">&pound;</span>'
        f"{text}</bdi></span>"
    )


@pytest.mark.parametrize(
    ("price", "regular", "shown", "expected"),
    [
        ("10", "10", _shown("12.00") + " <small>incl. VAT</small>", ("12.00", None, "GBP")),
        (
            "10",
            "20",
            f'<del>{_shown("24.00")}</del><span class="screen-reader-text">Was: &pound;24.</span><ins>{_shown("12.00")}</ins>',
            ("12.00", "24.00", "GBP"),
        ),
        ("10", "20", _shown("10.00"), ("10", "20", "GBP")),
        # What is shown is the range of its variations, or without tax.
        ("10", "10", f"{_shown('10.00')} &ndash; {_shown('30.00')}", ("10", None, "EUR")),
        ("12", "12", _shown("10.00"), ("12", None, "EUR")),
        ("12", "12", "on request", ("12", None, "EUR")),
    ],
)
def test_the_price_of_woocommerce_s_rest_api_is_that_which_shoppers_see(
    tmp_path: Path, price: str, regular: str, shown: str, expected: tuple[str, str | None, str]
) -> None:
    mug = {"id": 7, "name": "Mug", "permalink": "https://x.test/mug", "sku": "m1", "stock_status": "instock"}
    path = written(tmp_path, [{**mug, "price": price, "regular_price": regular, "price_html": shown}])
    amounts = [None if each is None else Decimal(each) for each in expected[:2]]
    assert prices(path) == [("m1", *amounts, expected[2])]


def test_variants_of_shopware_s_admin_api_have_what_their_product_has(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {
        "name": None,
        "translated": {"name": None, "description": None},
        "price": None,
        "cover": None,
        "media": [],
    }
    nothing |= {"manufacturer": None, "categories": [], "active": None, "manufacturerId": None}
    small = {**nothing, "id": "s", "parentId": "p", "productNumber": "T.1", "stock": 3}
    large = {**small, "id": "l", "productNumber": "T.2", "price": [{"gross": 25}], "name": "Large tee", "active": True}
    alone = {**small, "id": "x", "parentId": "elsewhere", "productNumber": "X.1"}
    tee = {
        **small,
        "id": "p",
        "parentId": None,
        "childCount": 2,
        "productNumber": "T",
        "translated": {"name": "Tee", "description": "Soft"},
        "price": [{"gross": 20}],
        "cover": {"media": {"url": "https://example.com/1.jpg"}},
        "manufacturer": {"translated": {"name": "Anna"}},
        "categories": [{"name": "Tees", "breadcrumb": ["Catalogue", "Tees"]}],
        "active": False,
    }
    found = rows(written(tmp_path, {"total": 4, "data": [small, large, tee, alone]}))
    assert [(of(row).title, of(row).price, of(row).family) for row in found[:3]] == [
        ("Tee", Decimal(20), "p"),
        ("Large tee", Decimal(25), "p"),
        ("Tee", Decimal(20), "p"),
    ]
    first, second = map(of, found[:2])
    assert (first.description, first.brand, first.category, first.active) == ("Soft", "Anna", ("Tees",), False)
    assert (second.active, photos(found[0]), found[3].error) == (
        True,
        ["https://example.com/1.jpg"],
        "the title is empty",
    )


def test_products_of_shopware_s_store_api(tmp_path: Path) -> None:
    shirt = {
        "id": "a",
        "parentId": "p",
        "productNumber": "w1",
        "name": None,
        "translated": {"name": "Hemd", "description": "<p>Schön</p>"},
        "available": False,
        "active": True,
        "calculatedPrice": {"unitPrice": 19.99, "listPrice": {"price": 29.99}},
        "manufacturer": {"translated": {"name": "Anna"}},
        "cover": {"media": {"url": "https://example.com/1.jpg"}},
        "categories": [{"name": "Hemden", "breadcrumb": ["Katalog", "Mode", "Hemden"]}],
        "options": [{"name": "M", "group": {"name": "Größe"}}],
    }
    path = written(tmp_path, {"elements": [shirt], "total": 1})
    (row,) = rows(path)
    assert (of(row).title, of(row).price, of(row).list_price) == ("Hemd", Decimal("19.99"), Decimal("29.99"))
    assert (of(row).category, of(row).attributes, of(row).family) == (("Mode", "Hemden"), {"größe": "M"}, "p")
    assert (of(row).brand, of(row).available, photos(row)) == ("Anna", False, ["https://example.com/1.jpg"])


def test_prices_of_sylius_are_in_cents(tmp_path: Path) -> None:
    tee = {
        "@type": "Product",
        "code": "TEE",
        "name": "Tee",
        "images": [{"path": "https://example.com/1.jpg"}],
        "variants": ["/api/v2/shop/product-variants/s"],
        "defaultVariantData": {"code": "s", "price": 1999, "originalPrice": 2500, "inStock": True},
    }
    path = written(tmp_path, {"@context": "/api", "hydra:member": [tee], "hydra:totalItems": 1})
    assert detect_format(path) == "sylius_json"
    assert prices(path) == [("s", Decimal("19.99"), Decimal(25), "EUR")]


def test_prices_of_sylius_are_hundredths_of_currencies_without_cents_too(tmp_path: Path) -> None:
    tee = {"code": "TEE", "name": "Tee", "variants": [], "defaultVariantData": {"code": "s", "price": 199900}}
    path = written(tmp_path, {"hydra:member": [tee], "hydra:totalItems": 1})
    assert [(of(row).price, of(row).currency) for row in rows(path, currency="JPY")] == [(Decimal(1999), "JPY")]


def test_products_of_wix_are_their_variants(tmp_path: Path) -> None:
    def price(full: float, reduced: float) -> dict[str, Any]:
        return {"currency": "USD", "price": full, "discountedPrice": reduced}

    tee = {
        "name": "Tee",
        "slug": "tee",
        "visible": True,
        "priceData": price(20, 15),
        "media": {"mainMedia": {"image": {"url": "https://example.com/1.jpg"}}},
        "variants": [
            {"choices": {"Size": "S"}, "variant": {"priceData": price(20, 15), "sku": "s"}, "stock": {"inStock": True}},
            {
                "choices": {"Size": "M"},
                "variant": {"priceData": price(22, 22), "sku": "m"},
                "stock": {"inStock": False},
            },
        ],
    }
    path = written(tmp_path, {"products": [tee], "totalResults": 1})
    assert prices(path) == [("s", Decimal(15), Decimal(20), "USD"), ("m", Decimal(22), None, "USD")]
    assert [of(each).available for each in rows(path)] == [True, False]


@pytest.mark.parametrize(
    ("around", "within"),
    [
        (
            {"storePageId": "p", "name": "Tee", "images": [{"url": "https://example.com/1.jpg"}]},
            {
                "sku": "s",
                "pricing": {
                    "basePrice": {"currency": "USD", "value": "20.00"},
                    "onSale": True,
                    "salePrice": {"currency": "USD", "value": "15.00"},
                },
                "stock": {"quantity": 0, "unlimited": False},
            },
        ),
        (
            {"urlId": "tee", "title": "Tee", "assetUrl": "https://example.com/1.jpg"},
            {
                "sku": "s",
                "price": 2000,
                "salePrice": 1500,
                "onSale": True,
                "priceMoney": {"currency": "USD", "value": "20.00"},
                "salePriceMoney": {"currency": "USD", "value": "15.00"},
                "qtyInStock": 0,
                "unlimited": False,
            },
        ),
    ],
    ids=["Commerce API", "page as JSON"],
)
def test_products_of_squarespace(tmp_path: Path, around: dict[str, Any], within: dict[str, Any]) -> None:
    variants = {"variants": [{**within, "attributes": {"Size": "S"}}]}
    inner = {"structuredContent": variants} if "assetUrl" in around else variants
    path = written(tmp_path, {"items": [{**around, **inner}]})
    assert prices(path) == [("s", Decimal(15), Decimal(20), "USD")]
    (row,) = rows(path)
    assert (of(row).title, of(row).available, of(row).attributes) == ("Tee", False, {"size": "S"})
    assert photos(row) == ["https://example.com/1.jpg"]


def test_prices_of_etsy_are_divided(tmp_path: Path) -> None:
    ring = {
        "listing_id": 123,
        "title": "Ring",
        "state": "active",
        "quantity": 3,
        "skus": ["r1"],
        "tags": ["silver"],
        "price": {"amount": 4150, "divisor": 100, "currency_code": "EUR"},
        "images": [{"url_fullxfull": "https://example.com/1.jpg", "url_75x75": "https://example.com/t.jpg"}],
    }
    path = written(tmp_path, {"count": 1, "results": [ring]})
    assert prices(path) == [("r1", Decimal("41.50"), None, "EUR")]
    assert photos(rows(path)[0]) == ["https://example.com/1.jpg"]


def test_products_of_a_graph_of_schema_org(tmp_path: Path) -> None:
    tee = {
        "@type": "Product",
        "name": "Tee",
        "sku": "t1",
        "image": [{"@type": "ImageObject", "url": "https://example.com/1.jpg"}, "https://example.com/2.jpg"],
        "brand": {"@type": "Brand", "name": "Anna"},
        "category": "Apparel > Tees",
        "gtin13": "4000000000011",
        "offers": {
            "@type": "Offer",
            "price": "19.99",
            "priceCurrency": "USD",
            "availability": "https://schema.org/OutOfStock",
        },
    }
    path = written(tmp_path, {"@context": "https://schema.org", "@graph": [{"@type": "WebSite", "name": "Shop"}, tee]})
    (row,) = rows(path)
    assert (row.sku, of(row).price, of(row).currency, of(row).available) == ("t1", Decimal("19.99"), "USD", False)
    assert (of(row).brand, of(row).category) == ("Anna", ("Apparel", "Tees"))
    assert (of(row).attributes, photos(row)) == (
        {"gtin": "4000000000011"},
        ["https://example.com/1.jpg", "https://example.com/2.jpg"],
    )
    with open_catalogue(path, FieldMapping()) as catalogue:
        list(catalogue)
        assert "1 objects that are no products were left out" in catalogue.notes


def test_a_price_that_is_struck_through_is_the_list_price(tmp_path: Path) -> None:
    struck = {"@type": "UnitPriceSpecification", "priceType": "https://schema.org/StrikethroughPrice", "price": "20"}
    now = {"@type": "UnitPriceSpecification", "price": "15", "priceCurrency": "EUR"}
    offers = [
        {"priceSpecification": [struck, now]},
        {"price": 15, "priceCurrency": "EUR", "priceSpecification": struck},
    ]
    mugs = [{"@type": "Product", "sku": f"m{n}", "name": "Mug", "offers": offer} for n, offer in enumerate(offers)]
    path = written(tmp_path, mugs)
    assert prices(path) == [("m0", Decimal(15), Decimal(20), "EUR"), ("m1", Decimal(15), Decimal(20), "EUR")]


def test_a_group_of_schema_org_is_a_family(tmp_path: Path) -> None:
    def coat(size: str, price: str) -> dict[str, Any]:
        offers = [{"@type": "Offer", "price": price, "priceCurrency": "USD"}]
        return {"@type": "Product", "sku": f"c-{size}", "name": f"Coat {size}", "size": size, "offers": offers}

    group = {
        "@context": "https://schema.org",
        "@type": "ProductGroup",
        "name": "Coat",
        "productGroupID": "c",
        "description": "Warm",
        "image": "https://example.com/1.jpg",
        "hasVariant": [coat("S", "39.99"), coat("M", "49.99")],
    }
    first, second = rows(lines(tmp_path, group))
    assert [(of(each).title, of(each).price, of(each).family) for each in (first, second)] == [
        ("Coat S", Decimal("39.99"), "c"),
        ("Coat M", Decimal("49.99"), "c"),
    ]
    assert (of(second).description, of(second).attributes, photos(second)) == (
        "Warm",
        {"size": "M"},
        ["https://example.com/1.jpg"],
    )


def test_variants_and_photos_behind_their_product_in_a_bulk_file_of_shopify(tmp_path: Path) -> None:
    def variant(number: int, size: str, price: str, product: int) -> dict[str, Any]:
        return {
            "id": f"gid://shopify/ProductVariant/{number}",
            "sku": f"v{number}",
            "title": size,
            "price": price,
            "compareAtPrice": None,
            "availableForSale": number != 12,
            "selectedOptions": [{"name": "Size", "value": size}],
            "__parentId": f"gid://shopify/Product/{product}",
        }

    tee = {
        "id": "gid://shopify/Product/1",
        "title": "Tee",
        "handle": "tee",
        "vendor": "Anna",
        "productType": "Tees",
        "status": "ACTIVE",
        "descriptionHtml": "<p>Soft</p>",
    }
    photo = {"id": "gid://shopify/MediaImage/1", "image": {"url": "https://example.com/1.jpg"}, "__parentId": tee["id"]}
    mug = {**tee, "id": "gid://shopify/Product/2", "title": "Mug", "handle": "mug", "status": "DRAFT"}
    path = lines(
        tmp_path,
        tee,
        variant(11, "S", "12.50", 1),
        variant(12, "M", "13.50", 1),
        photo,
        mug,
        variant(13, "One", "8.00", 2),
    )
    found = rows(path)
    assert [(row.line, row.sku, of(row).title, of(row).price) for row in found] == [
        (1, "v11", "Tee", Decimal("12.50")),
        (1, "v12", "Tee", Decimal("13.50")),
        (5, "v13", "Mug", Decimal(8)),
    ]
    assert (of(found[1]).available, of(found[1]).attributes["size"], of(found[1]).description) == (False, "M", "Soft")
    assert (of(found[0]).category, photos(found[1]), of(found[2]).active) == (
        ("Tees",),
        ["https://example.com/1.jpg"],
        False,
    )


def test_an_answer_of_shopify_s_storefront_api(tmp_path: Path) -> None:
    node = {
        "id": "gid://shopify/Product/1",
        "title": "Tee",
        "handle": "tee",
        "images": {"nodes": [{"url": "https://example.com/1.jpg", "altText": "front"}]},
        "variants": {
            "edges": [
                {"node": {"sku": "s", "price": {"amount": "12.5", "currencyCode": "USD"}, "availableForSale": True}},
                {"node": {"sku": "m", "price": {"amount": "13.5", "currencyCode": "USD"}, "availableForSale": False}},
            ]
        },
    }
    path = written(tmp_path, {"data": {"products": {"edges": [{"node": node}], "pageInfo": {"hasNextPage": False}}}})
    assert prices(path) == [("s", Decimal("12.5"), None, "USD"), ("m", Decimal("13.5"), None, "USD")]
    assert photos(rows(path)[0]) == ["https://example.com/1.jpg"]


def test_an_object_of_json_api_has_its_product_in_its_attributes(tmp_path: Path) -> None:
    mug = {"id": "7", "type": "product", "attributes": {"sku": "m1", "name": "Mug", "price": "5.00", "currency": "USD"}}
    path = written(tmp_path, {"data": [mug], "meta": {"count": 1}})
    assert prices(path) == [("m1", Decimal(5), None, "USD")]


@pytest.mark.parametrize(
    "content",
    [
        [{"sku": "m1", "name": "Mug", "price": 5, "pricing": {"gross": 5, "net": 4}}],
        {"@type": "hydra:Collection", "hydra:member": [{"@type": "Product", "sku": "m1", "name": "Mug", "price": 5}]},
        {"hydra:member": [{"code": "m1", "name": "Mug", "price": 5, "variants": []}]},
    ],
)
def test_products_with_names_that_others_use_too_are_read_by_their_names(tmp_path: Path, content: Any) -> None:
    path = written(tmp_path, content)
    assert detect_format(path) == "jsonl"
    assert prices(path) == [("m1", Decimal(5), None, "EUR")]


def test_a_parent_of_0_is_no_family(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("sku,title,parent_id\nm1,Mug,0\nm2,Bowl,0\n", encoding="utf-8")
    assert [of(row).family for row in rows(path)] == ["", ""]


def _square(kind: str, key: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "id": key, "present_at_all_locations": True, f"{kind.lower()}_data": data}


SQUARE = [
    _square(
        "ITEM",
        "I1",
        name="Tea",
        description_html="<p>Hot leaf juice</p>",
        categories=[{"id": "C2"}],
        image_ids=["P1", "P9"],
        variations=[
            _square(
                "ITEM_VARIATION",
                "V1",
                sku="T-S",
                name="Small",
                price_money={"amount": 150, "currency": "USD"},
                item_option_values=[{"item_option_id": "O1", "item_option_value_id": "O1S"}],
                location_overrides=[{"location_id": "L", "sold_out": True}],
            ),
            _square("ITEM_VARIATION", "V2", name="Large", pricing_type="VARIABLE_PRICING", image_ids=["P2"]),
        ],
    ),
    _square("CATEGORY", "C1", name="Drinks"),
]
SQUARE_RELATED = [
    _square("CATEGORY", "C2", name="Teas", parent_category={"id": "C1"}),
    _square("IMAGE", "P1", url="https://example.com/1.jpg"),
    _square("IMAGE", "P2", url="https://example.com/2.jpg"),
    {
        **_square("ITEM_OPTION", "O1", name="size", display_name="Size"),
        "item_option_data": {
            "display_name": "Size",
            "values": [{"id": "O1S", "item_option_value_data": {"name": "Small"}}],
        },
    },
]


@pytest.mark.parametrize(
    "answer",
    [
        {"objects": [*SQUARE_RELATED, *SQUARE], "cursor": "x"},
        {"objects": SQUARE, "related_objects": SQUARE_RELATED, "latest_time": "2026-01-01"},
    ],
)
def test_items_of_square_have_their_images_and_categories(tmp_path: Path, answer: dict[str, Any]) -> None:
    path = written(tmp_path, answer)
    assert detect_format(path) == "square_json"
    small, large = rows(path)
    assert (small.sku, of(small).title, of(small).description, of(small).category) == (
        "T-S", "Tea", "Hot leaf juice", ("Drinks", "Teas"),
    )  # fmt: skip
    assert (of(small).price, of(small).currency, of(small).available) == (Decimal("1.50"), "USD", False)
    assert (of(small).attributes, photos(small)) == ({"size": "Small"}, ["https://example.com/1.jpg"])
    assert (large.sku, of(large).price, of(large).attributes) == ("V2", None, {"variation": "Large"})
    assert (photos(large), {of(row).family for row in (small, large)}) == (["https://example.com/2.jpg"], {"I1"})


def test_products_of_tradedoubler_have_the_latest_price_of_their_first_offer(tmp_path: Path) -> None:
    def price(value: str, date: int) -> dict[str, Any]:
        return {"price": {"value": value, "currency": "SEK"}, "date": date}

    shirt = {
        "name": "Shirt",
        "productImage": {"url": "https://example.com/1.jpg"},
        "description": "Soft",
        "brand": "Acme",
        "identifiers": {"ean": "4006381333931"},
        "fields": [
            {"name": "Colour", "value": "red"},
            {"name": "PreviousPrice", "value": "29.90"},
            {"name": "additional_image_link_1", "value": "https://example.com/2.jpg"},
        ],
        "offers": [
            {
                "feedId": 1,
                "id": "u-1",
                "sourceProductId": "S1",
                "productUrl": "https://example.com/p",
                "priceHistory": [price("24.90", 1360000000000), price("19.90", 1370000000000)],
                "availability": "out of stock",
            }
        ],
        "categories": [{"name": "Clothing;Tops"}, {"name": "Not available"}],
    }
    path = written(tmp_path, {"productHeader": {"totalHits": 1}, "products": [shirt]})
    assert detect_format(path) == "tradedoubler_json"
    assert prices(path) == [("S1", Decimal("19.90"), Decimal("29.90"), "SEK")]
    (row,) = rows(path)
    assert (of(row).brand, of(row).category, of(row).available) == ("Acme", ("Clothing", "Tops"), False)
    assert of(row).attributes == {"colour": "red", "gtin": "4006381333931"}
    assert photos(row) == ["https://example.com/1.jpg", "https://example.com/2.jpg"]
