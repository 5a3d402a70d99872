"""Families that the shop's own data names, and the further categories of a product."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from catalog.cards import visible_cards
from catalog.duplicates import make_variants
from catalog.filters import ProductFilter
from catalog.models import Product
from catalog.services import SaveResult, save_product, save_products
from product_files.product_data import ProductData
from tests.catalog.importing import run

pytestmark = pytest.mark.django_db

SHIRT = ProductData(sku="shirt-s", title="Shirt", family="shirt")


def families() -> dict[str, set[str]]:
    """The SKUs of each family by that of its main product."""
    found: dict[str, set[str]] = {}
    for product in Product.objects.select_related("variant_of"):
        found.setdefault((product.variant_of or product).sku, set()).add(product.sku)
    return found


def save(*products: ProductData) -> None:
    save_products([(product, None) for product in products])


def test_products_of_one_code_are_variants_of_the_first() -> None:
    save(SHIRT, replace(SHIRT, sku="shirt-m"), replace(SHIRT, sku="cap", family=""))

    assert families() == {"shirt-s": {"shirt-s", "shirt-m"}, "cap": {"cap"}}


def test_the_product_whose_sku_is_the_code_is_the_main_one_even_if_it_comes_last() -> None:
    save(SHIRT, replace(SHIRT, sku="shirt-m"))
    save(replace(SHIRT, sku="shirt"))

    assert families() == {"shirt": {"shirt", "shirt-s", "shirt-m"}}


def test_a_later_import_adds_to_the_family_and_keeps_its_main_product() -> None:
    save(SHIRT)
    save(replace(SHIRT, sku="a-shirt-l"))
    save(SHIRT, replace(SHIRT, sku="a-shirt-l"))

    assert families() == {"shirt-s": {"shirt-s", "a-shirt-l"}}


def test_a_product_that_leaves_takes_nobody_with_it() -> None:
    save(SHIRT, replace(SHIRT, sku="shirt-m"), replace(SHIRT, sku="shirt-l"))

    save(replace(SHIRT, family="other"))

    assert sorted(map(sorted, families().values())) == [["shirt-l", "shirt-m"], ["shirt-s"]]


def test_a_product_that_changes_its_family_joins_the_other() -> None:
    save(SHIRT, replace(SHIRT, sku="shirt-m"), replace(SHIRT, sku="cap-s", family="cap"))

    save(replace(SHIRT, sku="shirt-m", family="cap"))

    assert families() == {"shirt-s": {"shirt-s"}, "cap-s": {"cap-s", "shirt-m"}}


def test_families_joined_by_hand_stay_joined_when_the_same_data_comes_again() -> None:
    save(SHIRT, replace(SHIRT, sku="shirt-m"), replace(SHIRT, sku="polo-s", family="polo"))
    one, other = Product.objects.get(sku="shirt-s"), Product.objects.get(sku="polo-s")
    make_variants(one.pk, [other.pk])
    joined = families()

    save(SHIRT, replace(SHIRT, sku="shirt-m"), replace(SHIRT, sku="polo-s", family="polo"))
    save(replace(SHIRT, sku="polo-m", family="polo"))

    assert families() == {next(iter(joined)): {"shirt-s", "shirt-m", "polo-s", "polo-m"}}


def test_a_product_without_a_code_stays_where_it_was_put_by_hand() -> None:
    save(replace(SHIRT, sku="cap", family=""), replace(SHIRT, sku="hat", family=""))
    Product.objects.filter(sku="hat").update(variant_of=Product.objects.get(sku="cap"))

    save(replace(SHIRT, sku="hat", title="Straw hat", family=""))

    assert families() == {"cap": {"cap", "hat"}}


def test_a_product_is_found_in_each_of_its_categories() -> None:
    tee = ProductData(sku="tee", title="Tee", category=("Women", "Tees"), other_categories=[("Men", "Tees"), ("Sale",)])

    product, _ = save_product(tee)

    card = visible_cards([product.pk])[product.pk]
    assert (card.category, set(card.other_categories)) == ("women/tees", {"men/tees", "sale"})
    for path in ("women", "women/tees", "men", "men/tees", "sale"):
        chosen = ProductFilter(category=path)
        assert list(Product.objects.matching(chosen)) == [product], path
        assert chosen.matches(card), path
    for path in ("men/caps", "tees", "sal"):
        assert not Product.objects.matching(ProductFilter(category=path)).exists(), path
        assert not ProductFilter(category=path).matches(card), path


def test_categories_that_the_source_no_longer_has_are_taken_away() -> None:
    tee = ProductData(sku="tee", title="Tee", category=("Women",), other_categories=[("Sale",)])
    save_product(tee)

    _, again = save_product(tee)
    product, result = save_product(replace(tee, other_categories=[("Women",)]))

    assert (again, result) == (SaveResult.UNCHANGED, SaveResult.UPDATED)
    assert not product.other_categories.exists()


def test_a_price_list_without_categories_leaves_them_alone() -> None:
    tee = ProductData(sku="tee", title="Tee", category=("Women",), other_categories=[("Sale",)])
    save_product(tee)

    product, _ = save_product(replace(tee, other_categories=(), title="Shirt"), fields={"title"})

    assert product.other_categories.get().path == "sale"


def test_a_column_of_a_plain_table_names_the_families(real_data: Path) -> None:
    cases = real_data / "cases/catalogue"
    run(cases / "families.csv", "--images", str(cases / "images"), "--map", "family=item_group_id")

    assert families() == {f"G{n}-XS": {f"G{n}-{size}" for size in ("XS", "S", "M", "L", "XL")} for n in range(6)}
