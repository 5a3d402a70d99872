"""What a process keeps of the catalogue between requests: nobody sees anything older than the last change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from catalog.kept import Kept
from catalog.models import Category, Product, ProductImage
from catalog.services import withdraw_products
from embeddings.models import ImageEmbedding
from jobs.process import process
from recommender.models import RuleSet
from recommender.rules.services import save_rule, save_set
from tests.factories import CategoryFactory
from tests.recommender.conftest import Shop

# Within one transaction PostgreSQL sets one stamp, and nothing is kept.
pytestmark = pytest.mark.django_db(transaction=True)

RED, REDDISH, PINK = (1, 0, 0), (0.95, 0.3, 0), (0.8, 0.6, 0)


@pytest.fixture
def product(shop: Shop) -> Product:
    """A product with two similar ones, one in another category."""
    category = CategoryFactory.create(slug="mugs", name="Mugs")
    product = shop.add(RED, sku="MUG-1", category=category, attributes={"gender": "women"})
    shop.add(REDDISH, sku="MUG-2", category=category, attributes={"gender": "men"})
    shop.add(PINK, sku="MUG-3")
    return product


def answer(api: Client, product: Product) -> Any:
    return api.get(f"/api/products/{product.pk}/similar").json()


def forget() -> None:
    """As a process that has just started."""
    process.clear()


def test_what_has_not_changed_is_read_once(product: Product, api: Client, django_assert_num_queries: Any) -> None:
    first = answer(api, product)
    with django_assert_num_queries(1):
        assert answer(api, product) == first
    Product.objects.filter(sku="MUG-2").update(title="Another")
    with django_assert_num_queries(3):
        assert answer(api, product)["results"][0]["product"]["title"] == "Another"


def test_addresses_are_those_of_each_request(product: Product, api: Client, settings: Any) -> None:
    def url(**headers: str) -> str:
        found = api.get(f"/api/products/{product.pk}/similar", headers=headers).json()["results"][0]["product"]["url"]
        return str(found)

    urls = [url(), url(Host="127.0.0.1")]
    settings.PRODUCT_URL = "https://shop.example/{sku}"
    assert [*urls, url()] == [urls[0], urls[0].replace("testserver", "127.0.0.1"), "https://shop.example/MUG-2"]
    assert urls[0] != urls[1]


CHANGES: dict[str, Callable[[Product], object]] = {
    "a title": lambda _: Product.objects.filter(sku="MUG-2").update(title="Another"),
    "a product that is withdrawn": lambda _: withdraw_products([Product.objects.get(sku="MUG-2").pk]),
    "a category's path": lambda _: Category.objects.filter(slug="mugs").update(path="cups"),
    "another category": lambda _: Product.objects.get(sku="MUG-3").other_categories.add(
        Category.objects.get(slug="mugs")
    ),
    "a photo": lambda _: ProductImage.objects.filter(product__sku="MUG-2").update(file="products/other.jpg"),
    "a variant": lambda product: Product.objects.filter(sku="MUG-2").update(variant_of=product),
    "a vector that goes": lambda product: ImageEmbedding.objects.filter(
        image_id__in=[*ProductImage.objects.filter(product=product).values_list("pk", flat=True)]
    ).delete(),
    "an attribute": lambda _: Product.objects.filter(sku="MUG-2").update(attributes={"gender": "women"}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_by_any_process_is_in_the_next_answer(
    product: Product, api: Client, change: Callable[[Product], object]
) -> None:
    save_set({"name": "season", "active": True})
    parameters = {"attribute": {"gender": ["women"]}}
    save_rule(RuleSet.objects.get(), {"kind": "hide", "scope": "everywhere", "target": "", "parameters": parameters})
    before = answer(api, product)

    change(product)

    after = answer(api, product)
    assert after != before
    forget()
    assert after == answer(api, product)


class Squares(Kept[int, int]):
    """Squares below 1000; three of them."""

    most = 3

    def is_small(self, value: int) -> bool:
        return value < 1000


def test_what_was_kept_first_makes_room() -> None:
    kept, asked = Squares(), []

    def squares(numbers: list[int]) -> dict[int, int]:
        asked.append(numbers)
        return {number: number**2 for number in numbers}

    assert kept.get_each(1, [1, 2, 100], squares) == {1: 1, 2: 4, 100: 10_000}
    kept.get_each(1, [3, 4], squares)
    kept.get_each(1, [2, 1, 100], squares)
    assert asked == [[1, 2, 100], [3, 4], [1, 100]]


def test_a_request_that_began_before_a_change_leaves_nothing_to_those_after_it() -> None:
    kept = Squares()

    def read_while_it_changes(numbers: list[int]) -> dict[int, int]:
        kept.get_each(2, [1], lambda _: {1: 20})
        return dict.fromkeys(numbers, 10)

    assert kept.get_each(1, [1, 3], read_while_it_changes) == {1: 10, 3: 10}
    assert kept.get_each(2, [1, 3], lambda numbers: dict.fromkeys(numbers, 30)) == {1: 20, 3: 30}


def test_without_a_stamp_nothing_is_kept() -> None:
    kept = Squares()
    kept.get_each(None, [1], lambda _: {1: 1})
    assert kept.get_each(None, [1], lambda _: {1: 2}) == {1: 2}


class Texts(Kept[str, str]):
    """Texts, of ten characters all together."""

    most = 10

    def size(self, value: str) -> int:
        return len(value)


def test_what_was_not_asked_for_longest_makes_room() -> None:
    kept = Texts()
    for text in ("four", "five", "x"):
        assert kept.find(1, text) is None
        kept.keep(1, text, text)
    kept.keep(1, "x", "xx")
    assert kept.find(1, "four") == "four"
    kept.keep(1, "six", "six")
    assert [kept.find(1, text) for text in ("four", "five", "x", "six")] == ["four", None, "xx", "six"]
    kept.keep(1, "long", "eleven long")
    assert [kept.find(1, text) for text in ("four", "x", "six", "long")] == ["four", "xx", "six", None]


def test_what_was_made_before_a_change_is_not_kept_after_it() -> None:
    kept = Texts()
    kept.find(1, "four")
    kept.find(2, "four")
    kept.keep(1, "four", "old")
    assert kept.find(2, "four") is None
