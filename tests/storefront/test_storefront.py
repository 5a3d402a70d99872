"""The pages of the storefront as a browser gets them."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from catalog import services
from catalog.models import Product
from catalog.selectors import shop_currency
from storefront.templatetags.storefront import money
from storefront.views import NEW_ARRIVALS, PRODUCTS_PER_PAGE
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db


def titles(response: Any) -> list[str]:
    """The products of a list, in their order."""
    return [unescape(title) for title in re.findall(r'<span class="title">(.*?)</span>', response.content.decode())]


def text(response: Any) -> str:
    """The text of a page, without markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


@pytest.mark.parametrize("address", ["/", "/products/"])
def test_the_shop_shows_every_product_that_may_be_shown_newest_first(client: Client, address: str) -> None:
    stock("Old mug")
    withdrawn = stock("Withdrawn mug")
    stock("New mug")
    services.withdraw_products([withdrawn.pk])

    assert titles(client.get(address)) == ["New mug", "Old mug"]


def test_the_home_page_shows_each_department_with_what_is_in_it_and_a_photo_from_it(client: Client) -> None:
    pictured = stock("Mug", category=("Home", "Mugs"))
    stock("Lamp", category=("Home", "Lamps"), photos=0)
    stock("Shirt", category=("Clothing", "Shirts"))

    response = client.get("/")

    assert "Home 2 products" in text(response)
    assert "Clothing 1 product " in text(response)
    tile = re.search(r'<a href="/categories/home/">\s*<span class="photo">(.*?)</span>', response.content.decode())
    assert tile is not None
    assert pictured.images.get().sha256 in tile[1]


def test_the_home_page_ends_with_a_few_new_arrivals_and_leads_to_the_rest(client: Client) -> None:
    for number in range(NEW_ARRIVALS + 8):
        stock(f"Mug {number}")

    response = client.get("/")

    assert len(titles(response)) == NEW_ARRIVALS
    assert titles(response)[0] == f"Mug {NEW_ARRIVALS + 7}"
    assert 'href="/products/"' in response.content.decode()


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
    assert titles(client.get("/products/", {"category": "home/mugs"})) == ["Mug"]


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

    assert titles(client.get("/products/", {"q": "blue"})) == ["Blue mug"]
    assert titles(client.get("/products/", {"q": "mug harbour"})) == ["Blue mug"]
    assert titles(client.get("/products/", {"q": "alder"})) == ["Red mug"]
    assert titles(client.get("/products/", {"q": "a-1"})) == ["Blue mug"]
    assert 'value="blue"' in client.get("/products/", {"q": " blue "}).content.decode()


def test_a_search_can_be_narrowed_to_a_category_without_losing_its_words(client: Client) -> None:
    stock("Blue mug", category=("Home", "Mugs"))
    stock("Blue shirt", category=("Clothing", "Shirts"))

    everywhere = client.get("/products/", {"q": "blue"})

    assert 'href="/products/?q=blue&amp;category=home"' in everywhere.content.decode()
    assert titles(client.get("/products/?q=blue&category=home")) == ["Blue mug"]


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "\0", "%_'\"", "x" * 5000])
def test_odd_search_words_are_shown_as_text_and_break_nothing(client: Client, words: str) -> None:
    stock()

    response = client.get("/products/", {"q": words})

    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()


def test_a_search_without_results_says_so_and_offers_the_search_by_photo(client: Client) -> None:
    stock()

    response = client.get("/products/", {"q": "submarine"})

    assert "Nothing matches" in text(response)
    assert f'href="{reverse("storefront:visual-search")}"' in response.content.decode()


def test_an_empty_shop_says_how_to_fill_it(client: Client) -> None:
    response = client.get("/")

    assert response.status_code == 200
    assert "make demo" in text(response)


def test_long_lists_are_split_into_pages_that_keep_the_search(client: Client) -> None:
    for number in range(PRODUCTS_PER_PAGE + 1):
        stock(f"Mug {number}", photos=0)

    first, second = client.get("/products/?q=mug"), client.get("/products/?q=mug&page=2")

    assert len(titles(first)) == PRODUCTS_PER_PAGE
    assert titles(second) == ["Mug 0"]
    assert 'href="?q=mug&amp;page=2"' in first.content.decode()


@pytest.mark.parametrize("page", ["0", "99", "nonsense", "-1"])
def test_a_page_number_that_is_none_shows_a_page_that_there_is(client: Client, page: str) -> None:
    stock("Blue mug")

    assert titles(client.get("/products/", {"page": page})) == ["Blue mug"]


@pytest.mark.parametrize(("address", "queries"), [("/", 5), ("/products/?brand=Harbour&max_price=20&available=1", 5)])
def test_a_page_costs_the_same_few_queries_however_much_is_on_it(
    client: Client, django_assert_max_num_queries: Any, address: str, queries: int
) -> None:
    for number in range(12):
        stock(f"Mug {number}", photos=2, brand="Harbour", category=("Home", f"Kind {number % 5}"))
    shop_currency()  # asked once a minute

    with django_assert_max_num_queries(queries):
        client.get(address)


def test_a_product_page_costs_four_queries(client: Client, django_assert_max_num_queries: Any) -> None:
    product = stock(photos=3)

    with django_assert_max_num_queries(4):
        client.get(product.get_absolute_url())


@pytest.fixture
def mugs() -> None:
    """Mugs to choose from."""
    stock("Alder cheap", brand="Alder", price="5.00")
    stock("Alder dear", brand="Alder", price="50.00", available=False)
    stock("Birch", brand="Birch", price="20.00")
    stock("Cedar", brand="Cedar", price=None)


@pytest.mark.usefixtures("mugs")
@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("brand=Alder", ["Alder dear", "Alder cheap"]),
        ("brand=Alder&brand=Birch", ["Birch", "Alder dear", "Alder cheap"]),
        ("min_price=20", ["Birch", "Alder dear"]),
        ("max_price=20", ["Birch", "Alder cheap"]),
        ("min_price=10&max_price=20,00", ["Birch"]),
        ("available=1", ["Cedar", "Birch", "Alder cheap"]),
        ("brand=Alder&available=1&max_price=9", ["Alder cheap"]),
        ("brand=Nobody", []),
        ("min_price=&max_price=&brand=", ["Cedar", "Birch", "Alder dear", "Alder cheap"]),
        ("sort=price", ["Alder cheap", "Birch", "Alder dear", "Cedar"]),
        ("sort=price-down", ["Alder dear", "Birch", "Alder cheap", "Cedar"]),
        ("sort=name", ["Alder cheap", "Alder dear", "Birch", "Cedar"]),
        ("sort=newest", ["Cedar", "Birch", "Alder dear", "Alder cheap"]),
    ],
)
@pytest.mark.parametrize("address", ["/products/", "/categories/home/mugs/"])
def test_a_list_can_be_narrowed_and_sorted(client: Client, address: str, query: str, shown: list[str]) -> None:
    assert titles(client.get(f"{address}?{query}")) == shown


@pytest.mark.usefixtures("mugs")
def test_a_filter_shows_the_count_of_each_choice_under_the_other_conditions(client: Client) -> None:
    said = text(client.get("/products/?brand=Alder&max_price=20"))

    # One mug of Alder is too expensive, Cedar's has no price; one of Alder's is in stock.
    assert "Brand Alder 1 Birch 1 Price (EUR)" in said
    assert "Availability In stock 1 " in said


@pytest.mark.usefixtures("mugs")
def test_each_condition_has_a_chip_that_takes_it_away_and_leaves_the_others(client: Client) -> None:
    content = client.get("/products/?q=er&brand=Alder&min_price=5&max_price=50&available=1&sort=price").content.decode()

    chips = {
        unescape(re.sub(r"<[^>]+>", "", words)).split("Remove the filter ")[-1].strip(" ✕"): unescape(address)
        for address, words in re.findall(r'<li><a href="([^"]+)">(<span class="unseen">Remove.*?)</a>', content)
    }
    assert chips == {
        "Alder": "/products/?q=er&min_price=5&max_price=50&available=1&sort=price",
        "€5.00 to €50.00": "/products/?q=er&brand=Alder&available=1&sort=price",
        "In stock": "/products/?q=er&brand=Alder&min_price=5&max_price=50&sort=price",
    }
    assert '<a class="clear" href="/products/?q=er&amp;sort=price">' in content


def test_prices_are_those_in_the_currency_of_most_products(client: Client) -> None:
    for title, price, currency in (("Alder", "5", "CHF"), ("Birch", "9", "CHF"), ("Cedar", "7", "USD")):
        stock(title, photos=0, price=price, currency=currency)

    response = client.get("/products/?min_price=4")

    assert titles(response) == ["Birch", "Alder"]
    content = response.content.decode()
    assert "from CHF 4.00" in content.replace("\xa0", " ")
    assert "Price (CHF)" in " ".join(content.split())


def test_pages_keep_the_conditions_and_a_narrower_category_keeps_them_too(client: Client) -> None:
    for number in range(PRODUCTS_PER_PAGE + 1):
        stock(f"Mug {number}", photos=0, brand="Harbour")

    content = client.get("/categories/home/?brand=Harbour&sort=price").content.decode()

    assert 'href="?brand=Harbour&amp;sort=price&amp;page=2"' in content
    assert 'href="/categories/home/mugs/?brand=Harbour&amp;sort=price"' in content


@pytest.mark.parametrize("typed", ["4.125", "4,125"])
def test_a_price_may_have_as_many_decimals_as_products_have(client: Client, settings: Any, typed: str) -> None:
    settings.SHOP_CURRENCY = "KWD"
    stock("Mug", price="4.125", currency="KWD")
    stock("Cup", price="4.124", currency="KWD")

    response = client.get("/products/", {"min_price": typed})

    assert titles(response) == ["Mug"]
    assert 'step="0.01"' not in response.content.decode()


@pytest.mark.usefixtures("mugs")
@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ("min_price=cheap", "“cheap” is not a valid price"),
        ("max_price=-5", "“-5” is not a valid price"),
        ("max_price=1e9", "“1e9” is not a valid price"),
        ("min_price=20&max_price=10", "The minimum price is above the maximum"),
        ("min_price=<b>", "“<b>” is not a valid price"),
        ("min_price=" + "9" * 400, "is not a valid price"),
        ("sort=colour", None),
        ("available=perhaps", None),
        ("brand=%00&q=%00", None),
    ],
)
def test_an_invalid_filter_is_ignored_with_a_warning_where_it_was_typed(
    client: Client, query: str, warning: str | None
) -> None:
    response = client.get(f"/products/?{query}")

    assert len(titles(response)) == 4
    assert (warning or "") in text(response)
    assert ("ignored." in text(response)) is bool(warning)


def test_conditions_that_nothing_meets_can_be_taken_away_together(client: Client) -> None:
    stock(price="10.00")

    content = client.get("/products/?min_price=99").content.decode()

    assert "Nothing matches all of these filters" in content
    assert '<a class="action" href="/products/">Clear all filters</a>' in content


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

    assert f'<similar-products id="similar" product-id="{product.pk}"' in content
    assert 'src="/widget/v1/similar.js"' in content


@pytest.mark.parametrize("name", ["former-name/", ""])
def test_an_outdated_address_of_a_product_leads_to_its_present_one(client: Client, name: str) -> None:
    product = stock()

    response = client.get(f"/products/{product.pk}/{name}")

    assert response.status_code == 301
    assert response["Location"] == product.get_absolute_url()


def test_a_product_that_is_withdrawn_unknown_or_impossible_is_not_found(client: Client) -> None:
    withdrawn = stock()
    services.withdraw_products([withdrawn.pk])

    for address in (withdrawn.get_absolute_url(), "/products/4711/mug/", f"/products/{2**70}/mug/"):
        response = client.get(address)
        assert response.status_code == 404
        assert "no longer in the shop" in text(response)


def test_with_substitutes_the_page_of_a_withdrawn_product_is_gone_and_shows_what_is_similar(
    client: Client, settings: Any
) -> None:
    settings.SHOP_SUBSTITUTES = True
    withdrawn = stock(description="Holds 350 ml.")
    services.withdraw_products([withdrawn.pk])

    response = client.get(withdrawn.get_absolute_url())

    assert response.status_code == 410
    assert "This product is no longer sold." in text(response)
    assert "Holds 350 ml." not in text(response)
    assert f'product-id="{withdrawn.pk}" limit="8" substitutes' in response.content.decode()


def test_with_substitutes_a_withdrawn_product_is_not_found_without_its_whole_address(
    client: Client, settings: Any
) -> None:
    settings.SHOP_SUBSTITUTES = True
    withdrawn = stock()
    services.withdraw_products([withdrawn.pk])

    assert client.get(f"/products/{withdrawn.pk}/guessed/").status_code == 404


def test_with_substitutes_a_sold_out_product_shows_what_is_in_stock(client: Client, settings: Any) -> None:
    settings.SHOP_SUBSTITUTES = True
    in_stock, sold_out = stock(), stock(available=False)

    assert ' substitutes heading="In stock instead"' in client.get(sold_out.get_absolute_url()).content.decode()
    assert " substitutes heading=" not in client.get(in_stock.get_absolute_url()).content.decode()


def test_an_unknown_category_is_not_found(client: Client) -> None:
    response = client.get("/categories/submarines/")

    assert response.status_code == 404
    assert "This category does not exist" in text(response)


def test_an_address_that_leads_nowhere_gets_a_page_without_django_s_account_of_it(client: Client) -> None:
    response = client.get("/nowhere/")

    assert response.status_code == 404
    assert "There is nothing at this address" in text(response)
    assert "tried" not in text(response)


def test_a_product_page_describes_the_product_to_search_engines_and_to_those_who_share_it(client: Client) -> None:
    product = stock(
        "Mug </script><b>", brand="Harbour & Co", price="9.90", description="Holds 350 ml.", available=False
    )

    content = client.get(product.get_absolute_url()).content.decode()

    data = re.search(r'<script type="application/ld\+json">(.*?)</script>', content)
    assert data is not None
    address = f"http://testserver{product.get_absolute_url()}"
    photo = f"http://testserver{product.images.get().file.url}"
    assert json.loads(data[1]) == {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": "Mug </script><b>",
        "sku": product.sku,
        "url": address,
        "image": [photo],
        "description": "Holds 350 ml.",
        "brand": {"@type": "Brand", "name": "Harbour & Co"},
        "offers": {
            "@type": "Offer",
            "price": "9.90",
            "priceCurrency": "EUR",
            "availability": "https://schema.org/OutOfStock",
        },
    }
    assert f'<link rel="canonical" href="{address}">' in content
    assert '<meta property="og:title" content="Mug &lt;/script&gt;&lt;b&gt;">' in content
    assert f'<meta property="og:image" content="{photo}">' in content


def test_a_product_page_leads_to_the_brand_s_other_products(client: Client) -> None:
    product = stock("Blue mug", brand="Harbour & Co")
    stock("Other mug", brand="Else")

    address = re.search(r'<p class="brand"><a href="([^"]+)"', client.get(product.get_absolute_url()).content.decode())

    assert address is not None
    assert titles(client.get(unescape(address[1]))) == ["Blue mug"]


@pytest.mark.parametrize("name", ["home", "products", "product", "basket", "visual-search"])
def test_pages_may_load_nothing_inline_and_nothing_foreign(client: Client, name: str) -> None:
    product = stock()
    response = client.get(product.get_absolute_url() if name == "product" else reverse(f"storefront:{name}"))

    policy = response["Content-Security-Policy"]
    assert "default-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    content = response.content.decode()
    assert " style=" not in content
    assert "<style" not in content
    assert not re.search(r"<script(?![^>]* src=|[^>]* type=.application/ld\+json)", content)
    assert not re.search(r"\son\w+=", content)


def test_photos_on_another_host_are_allowed_by_the_policy_of_pages(client: Client, settings: LazySettings) -> None:
    settings.MEDIA_URL = "https://cdn.shop.example/media/"
    settings.PUBLIC_URL = "https://shop.example/lookalike"

    policy = client.get("/")["Content-Security-Policy"]

    assert "img-src 'self' data: blob: https://cdn.shop.example https://shop.example;" in policy


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
