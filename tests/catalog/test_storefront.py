"""The storefront as its visitors' browsers get it."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import Http404, HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from catalog import services
from catalog.models import Product
from catalog.storefront import PRODUCTS_PER_PAGE, page_not_found
from catalog.templatetags.storefront import money
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db


def titles(response: Any) -> list[str]:
    """The products of a list, in their order."""
    return [unescape(title) for title in re.findall(r'<span class="title">(.*?)</span>', response.content.decode())]


def text(response: Any) -> str:
    """All that a page says, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def test_the_home_page_shows_every_product_that_may_be_shown_newest_first(client: Client) -> None:
    stock("Old mug")
    withdrawn = stock("Withdrawn mug")
    stock("New mug")
    services.withdraw_products([withdrawn.pk])

    assert titles(client.get("/")) == ["New mug", "Old mug"]


def test_a_card_shows_the_brand_the_price_and_what_is_out_of_stock_and_leads_to_the_product(client: Client) -> None:
    product = stock("Blue mug", brand="Harbour", price="1234.50", available=False)

    response = client.get("/")

    assert "Harbour" in text(response)
    assert "€1,234.50" in text(response)
    assert "Out of stock" in text(response)
    assert f'href="{product.get_absolute_url()}"' in response.content.decode()


def test_a_category_shows_its_own_products_and_those_below_it(client: Client) -> None:
    stock("Mug", category=("Home", "Mugs"))
    stock("Lamp", category=("Home", "Lamps"))
    stock("Shirt", category=("Clothing", "Shirts"))

    assert titles(client.get("/categories/home/")) == ["Lamp", "Mug"]
    assert titles(client.get("/categories/home/mugs/")) == ["Mug"]
    assert titles(client.get("/", {"category": "home/mugs"})) == ["Mug"]


def test_every_page_leads_to_the_top_categories_that_have_something_to_show(client: Client) -> None:
    stock("Mug", category=("Home", "Mugs"))
    gone = stock("Shirt", category=("Clothing", "Shirts"))
    services.withdraw_products([gone.pk])

    page = client.get(reverse("storefront:visual-search")).content.decode()

    assert 'href="/categories/home/"' in page
    assert "/categories/clothing/" not in page


def test_a_category_offers_those_below_it_and_a_lowest_one_its_neighbours(client: Client) -> None:
    stock("Mug", category=("Home", "Mugs"))
    stock("Lamp", category=("Home", "Lamps"))

    for page in ("/categories/home/", "/categories/home/lamps/"):
        content = client.get(page).content.decode()
        assert 'href="/categories/home/mugs/"' in content
        assert 'href="/categories/home/lamps/"' in content


def test_a_category_with_a_name_in_another_script_has_a_page(client: Client) -> None:
    product = stock("Кружка", category=("Дом", "Кружки"))
    assert product.category is not None

    address = reverse("storefront:category", kwargs={"category_path": product.category.path})

    assert titles(client.get(address)) == ["Кружка"]


def test_a_search_finds_by_title_brand_and_article_number_and_keeps_its_words_in_the_field(client: Client) -> None:
    stock("Blue mug", sku="A-1", brand="Harbour")
    stock("Red mug", sku="A-2", brand="Alder")

    assert titles(client.get("/", {"q": "blue"})) == ["Blue mug"]
    assert titles(client.get("/", {"q": "alder"})) == ["Red mug"]
    assert titles(client.get("/", {"q": "a-1"})) == ["Blue mug"]
    assert 'value="blue"' in client.get("/", {"q": " blue "}).content.decode()


def test_a_search_can_be_narrowed_to_a_category_without_losing_its_words(client: Client) -> None:
    stock("Blue mug", category=("Home", "Mugs"))
    stock("Blue shirt", category=("Clothing", "Shirts"))

    everywhere = client.get("/", {"q": "blue"})

    assert 'href="/?q=blue&amp;category=home"' in everywhere.content.decode()
    assert titles(client.get("/?q=blue&category=home")) == ["Blue mug"]


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "\0", "%_'\"", "x" * 5000])
def test_odd_search_words_are_shown_as_text_and_break_nothing(client: Client, words: str) -> None:
    stock()

    response = client.get("/", {"q": words})

    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()


def test_a_search_without_results_says_so_and_offers_the_search_by_photo(client: Client) -> None:
    stock()

    response = client.get("/", {"q": "submarine"})

    assert "Nothing matches" in text(response)
    assert f'href="{reverse("storefront:visual-search")}"' in response.content.decode()


def test_an_empty_shop_says_how_to_fill_it(client: Client) -> None:
    response = client.get("/")

    assert response.status_code == 200
    assert "make demo" in text(response)


def test_long_lists_are_split_into_pages_that_keep_the_search(client: Client) -> None:
    for number in range(PRODUCTS_PER_PAGE + 1):
        stock(f"Mug {number}", photos=0)

    first, second = client.get("/?q=mug"), client.get("/?q=mug&page=2")

    assert len(titles(first)) == PRODUCTS_PER_PAGE
    assert titles(second) == ["Mug 0"]
    assert 'href="?q=mug&amp;page=2"' in first.content.decode()


@pytest.mark.parametrize("page", ["0", "99", "nonsense", "-1"])
def test_a_page_number_that_is_none_shows_a_page_that_there_is(client: Client, page: str) -> None:
    stock("Blue mug")

    assert titles(client.get("/", {"page": page})) == ["Blue mug"]


def test_a_list_costs_the_same_few_queries_however_long_it_is(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        stock(f"Mug {number}", photos=0)

    with django_assert_max_num_queries(4):
        client.get("/")


def test_a_product_page_shows_its_photos_price_availability_description_and_attributes(client: Client) -> None:
    product = stock(
        "Blue mug", photos=2, brand="Harbour", description="Holds 350 ml.", attributes={"colour": "blue"}, price="9.90"
    )

    response = client.get(product.get_absolute_url())

    for said in ("Blue mug", "Harbour", "€9.90", "In stock", "Holds 350 ml.", "Colour blue", product.sku):
        assert said in text(response)
    assert 'alt="Blue mug, view 1"' in response.content.decode()
    assert 'alt="Blue mug, view 2"' in response.content.decode()


def test_a_product_page_says_what_a_product_lacks(client: Client) -> None:
    product = stock(photos=0, price=None, available=False, category=())

    said = text(client.get(product.get_absolute_url()))

    for lacking in ("No photo yet", "Price on request", "Out of stock"):
        assert lacking in said


def test_a_product_page_asks_the_widget_for_what_is_similar(client: Client) -> None:
    product = stock()

    content = client.get(product.get_absolute_url()).content.decode()

    assert f'<similar-products product-id="{product.pk}"' in content
    assert 'src="/widget/v1/similar.js"' in content


def test_an_outdated_address_of_a_product_leads_to_its_present_one(client: Client) -> None:
    product = stock()

    response = client.get(reverse("storefront:product", kwargs={"pk": product.pk, "slug": "former-name"}))

    assert response.status_code == 301
    assert response["Location"] == product.get_absolute_url()


def test_a_product_that_is_withdrawn_unknown_or_impossible_is_not_found(client: Client) -> None:
    withdrawn = stock()
    services.withdraw_products([withdrawn.pk])

    for address in (withdrawn.get_absolute_url(), "/products/4711/mug/", f"/products/{2**70}/mug/"):
        response = client.get(address)
        assert response.status_code == 404
        assert "no longer in the shop" in text(response)


def test_an_unknown_category_is_not_found(client: Client) -> None:
    response = client.get("/categories/submarines/")

    assert response.status_code == 404
    assert "no such category" in text(response)


def test_an_address_that_leads_nowhere_gets_a_page_without_django_s_account_of_it(rf: RequestFactory) -> None:
    request: HttpRequest = rf.get("/nowhere")

    response = page_not_found(request, Http404({"tried": [], "path": "nowhere"}))

    assert response.status_code == 404
    assert "There is nothing at this address" in text(response)
    assert "tried" not in text(response)


@pytest.mark.parametrize("name", ["home", "visual-search"])
def test_pages_may_load_nothing_inline_and_nothing_foreign(client: Client, name: str) -> None:
    response = client.get(reverse(f"storefront:{name}"))

    policy = response["Content-Security-Policy"]
    assert "default-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    content = response.content.decode()
    assert " style=" not in content
    assert "<style" not in content
    assert not re.search(r"<script(?![^>]* src=)", content)
    assert not re.search(r"\son\w+=", content)


def test_photos_on_another_host_are_allowed_by_the_policy_of_pages(client: Client, settings: LazySettings) -> None:
    settings.MEDIA_URL = "https://cdn.shop.example/media/"

    policy = client.get("/")["Content-Security-Policy"]

    assert "img-src 'self' data: blob: https://cdn.shop.example;" in policy


def test_pages_are_only_read(client: Client) -> None:
    assert client.post("/").status_code == 405


@pytest.mark.parametrize(
    ("price", "currency", "written"),
    [("24.9", "EUR", "€24.90"), ("1234", "JPY", "¥1,234"), ("9.5", "CHF", "CHF\N{NO-BREAK SPACE}9.50")],
)
def test_a_price_is_written_as_people_write_it(price: str, currency: str, written: str) -> None:
    assert money(Decimal(price), currency) == written


def test_a_title_with_markup_is_shown_as_text(client: Client) -> None:
    product: Product = stock('<img src=x onerror="alert(1)">')

    assert "<img src=x" not in client.get(product.get_absolute_url()).content.decode()
    assert "<img src=x" not in client.get("/").content.decode()
