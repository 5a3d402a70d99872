"""The demo catalogue: products with known attributes, and photos of them drawn by code."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from storefront.demo.attributes import COLOURS, MATERIALS
from storefront.demo.catalogue import BRANDS, DemoProduct, demo_products, draw_view
from storefront.demo.product_types import PRODUCT_TYPES, ProductType

PRODUCTS = demo_products()
FIRST_OF_EACH_CATEGORY = PRODUCTS[: len(PRODUCT_TYPES)]


def by_sku(product: DemoProduct) -> str:
    return product.sku


def family(product: DemoProduct) -> tuple[str, str, str]:
    return product.category, product.attributes["colour"], product.attributes["pattern"]


def test_the_catalogue_has_300_products_over_twenty_categories() -> None:
    assert len(PRODUCTS) == 300
    assert len({product.category for product in PRODUCTS}) == 20


@pytest.mark.parametrize("count", [1, 24, 107, 420])
def test_another_count_is_honoured_and_shared_out_evenly(count: int) -> None:
    products = demo_products(count=count)
    shares = Counter(product.category for product in products)
    assert len(products) == count
    assert len(shares) == min(count, len(PRODUCT_TYPES))
    assert max(shares.values()) - min(shares.values()) <= 1


def test_a_larger_catalogue_begins_with_the_smaller_one() -> None:
    assert demo_products(count=420)[:300] == PRODUCTS


def test_the_same_seed_gives_the_same_products_and_another_seed_others() -> None:
    assert demo_products(seed=7) == PRODUCTS
    assert demo_products(seed=8) != PRODUCTS


@pytest.mark.parametrize("count", [300, 1000])
def test_skus_and_titles_are_unique(count: int) -> None:
    products = demo_products(count=count)
    assert len({product.sku for product in products}) == count
    assert len({product.title for product in products}) == count


@pytest.mark.parametrize("attribute", ["colour", "material"])
def test_titles_and_descriptions_name_the_attributes(attribute: str) -> None:
    for product in PRODUCTS:
        assert product.attributes[attribute] in product.description, product.sku
        assert product.attributes[attribute] in product.title.lower(), product.sku


def test_every_product_has_others_of_its_category_colour_and_pattern() -> None:
    families = Counter(family(product) for product in PRODUCTS)
    assert min(families.values()) >= 3


def test_products_of_one_family_differ_in_shape() -> None:
    shapes = defaultdict(list)
    for product in PRODUCTS:
        shapes[family(product)].append(product.attributes["shape"])
    assert all(len(set(names)) == len(names) for names in shapes.values())


def test_every_colour_of_the_palette_is_sold() -> None:
    assert {product.attributes["colour"] for product in PRODUCTS} == set(COLOURS)


def test_a_category_path_has_a_name_for_every_level() -> None:
    for product in PRODUCTS:
        assert len(product.category.split("/")) == len(product.category_names) == 2


def test_most_products_are_available_and_some_are_not() -> None:
    assert 0.85 < np.mean([product.available for product in PRODUCTS]) < 0.98


def test_prices_are_in_euros_and_follow_product_type_and_material() -> None:
    cheapest_boot = min(product.price for product in PRODUCTS if product.category == "shoes/boots")
    dearest_tee = max(product.price for product in PRODUCTS if product.category == "clothing/t-shirts")
    assert cheapest_boot > dearest_tee
    assert {product.currency for product in PRODUCTS} == {"EUR"}
    assert all(product.price > 0 and product.price.as_tuple().exponent == -2 for product in PRODUCTS)
    assert {product.brand for product in PRODUCTS} == set(BRANDS)


@pytest.mark.parametrize("product", FIRST_OF_EACH_CATEGORY, ids=by_sku)
def test_every_category_is_drawn_in_two_views_that_differ(product: DemoProduct) -> None:
    front, styled = (draw_view(product, view, size=160) for view in (0, 1))
    for photo in (front, styled):
        assert (photo.mode, photo.size) == ("RGB", (160, 160))
        assert np.asarray(photo, dtype=float).std() > 10
    assert np.abs(np.asarray(front, dtype=float) - np.asarray(styled, dtype=float)).mean() > 4


@pytest.mark.parametrize("product_type", PRODUCT_TYPES, ids=lambda product_type: product_type.code)
def test_every_shape_of_a_category_is_sold_and_can_be_drawn(product_type: ProductType) -> None:
    sold = {product.attributes["shape"]: product for product in PRODUCTS if product.category == product_type.category}
    assert set(sold) == {shape.name for shape in product_type.shapes}
    photos = [draw_view(product, 0, size=96).tobytes() for product in sold.values()]
    assert len(set(photos)) == len(product_type.shapes)


@pytest.mark.parametrize("view", [0, 1])
def test_a_photo_is_drawn_the_same_every_time(view: int) -> None:
    assert draw_view(PRODUCTS[5], view).tobytes() == draw_view(demo_products()[5], view).tobytes()


def test_a_photo_has_480_pixels_a_side_unless_asked_otherwise() -> None:
    assert draw_view(PRODUCTS[0], 0).size == (480, 480)
    assert draw_view(PRODUCTS[0], 0, size=64).size == (64, 64)


def test_a_photo_shows_the_colour_of_its_product() -> None:
    shirts = [p for p in PRODUCTS if p.category == "clothing/t-shirts" and p.attributes["pattern"] == "plain"]
    for shirt in shirts:
        middle = np.asarray(draw_view(shirt, 0, size=120), dtype=float)[60:80, 50:70].mean(axis=(0, 1)) / 255
        assert np.abs(middle - COLOURS[shirt.attributes["colour"]].rgb).max() < 0.08


def test_a_view_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="DEMO-TEE-001 has views 0 to 1, not 2"):
        draw_view(PRODUCTS[0], 2)


def test_every_material_on_sale_is_known() -> None:
    assert {product.attributes["material"] for product in PRODUCTS} <= set(MATERIALS)
