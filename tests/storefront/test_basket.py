"""The basket of the demo shop, and orders, of which nothing is stored."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from catalog import services
from catalog.models import Product
from storefront.basket import MAX_PRODUCTS
from tests.catalog.shop import stock

pytestmark = pytest.mark.django_db


def text(response: Any) -> str:
    """The text of a page, without markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def add(client: Client, product: Product, quantity: object = 1) -> Any:
    return client.post(f"/basket/add/{product.pk}/", {"quantity": quantity}, follow=True)


def change(client: Client, product: Product, quantity: object) -> Any:
    return client.post(f"/basket/change/{product.pk}/", {"quantity": quantity}, follow=True)


def basket(client: Client) -> str:
    return text(client.get("/basket/"))


def test_an_added_product_is_confirmed_counted_in_the_header_and_in_the_basket(client: Client) -> None:
    product = stock("Blue mug", price="12.50")

    response = add(client, product, 2)

    assert response.redirect_chain == [(product.get_absolute_url(), 302)]
    assert "“Blue mug” is in your basket." in text(response)
    assert "items: 2" in text(response)
    assert "Blue mug €12.50 each" in basket(client)
    assert "Total €25.00" in basket(client)


def test_adding_a_product_again_adds_to_its_quantity(client: Client) -> None:
    product = stock(price="10.00")

    add(client, product)
    add(client, product, 2)

    assert "Total €30.00" in basket(client)


def test_a_quantity_can_be_changed_and_a_product_taken_out(client: Client) -> None:
    mug, lamp = stock("Mug", price="10.00"), stock("Lamp", price="5.00")
    add(client, mug)
    add(client, lamp)

    assert "Total €35.00" in text(change(client, mug, 3))
    assert "Total €5.00" in text(change(client, mug, 0))
    assert "There is nothing in your basket yet" in text(change(client, lamp, 0))


def test_totals_of_different_currencies_are_not_added_up(client: Client) -> None:
    add(client, stock(price="10.00"))
    add(client, stock(price="7.00", currency="CHF"))

    assert "Total €10.00 CHF\N{NO-BREAK SPACE}7.00" in client.get("/basket/").content.decode().replace(
        '</h2>\n        <p class="price">', " "
    ).replace('</p><p class="price">', " ")


@pytest.mark.parametrize("lacking", [{"available": False}, {"price": None}])
def test_a_product_that_cannot_be_bought_has_no_button_and_is_refused(client: Client, lacking: dict[str, Any]) -> None:
    product = stock("Blue mug", **lacking)

    assert "Add to basket" not in text(client.get(product.get_absolute_url()))
    assert "“Blue mug” is currently not available" in text(add(client, product))
    assert "There is nothing in your basket yet" in basket(client)


def test_a_product_that_is_not_in_the_shop_is_refused(client: Client) -> None:
    withdrawn = stock()
    services.withdraw_products([withdrawn.pk])

    assert "no longer in the shop" in text(add(client, withdrawn))


@pytest.mark.parametrize("quantity", ["0", "100", "-1", "1.5", "many", "", "²", "9" * 5000])
def test_an_invalid_quantity_is_reported_and_nothing_is_added(client: Client, quantity: str) -> None:
    assert "Enter a quantity from 1 to 99" in text(add(client, stock(), quantity))
    assert "There is nothing in your basket yet" in basket(client)


def test_a_basket_holds_no_more_than_it_should(client: Client) -> None:
    product = stock(photos=0)
    add(client, product, 60)
    assert "The maximum quantity per product is 99" in text(add(client, product, 60))

    for _ in range(MAX_PRODUCTS):
        last = stock(photos=0)
        response = add(client, last)

    assert f"holds {MAX_PRODUCTS} different products" in text(response)


def test_a_product_that_is_withdrawn_leaves_the_basket_and_its_count(client: Client) -> None:
    product = stock("Blue mug")
    add(client, product)
    services.withdraw_products([product.pk])

    assert "There is nothing in your basket yet" in basket(client)
    assert "items" not in text(client.get("/"))


def test_an_order_thanks_once_and_keeps_nothing(client: Client) -> None:
    product = stock("Blue mug", price="12.50")
    add(client, product, 2)

    response = client.post("/basket/order/", follow=True)

    assert "Thank you for your order" in text(response)
    assert "Blue mug 2 pieces €25.00" in text(response)
    assert f'data-track="purchase" data-product="{product.pk}" data-quantity="2"' in response.content.decode()
    assert "There is nothing in your basket yet" in text(client.get("/basket/thanks/", follow=True))
    assert "items" not in text(client.get("/"))


def test_what_has_sold_out_meanwhile_stays_in_the_basket_and_is_not_ordered(client: Client) -> None:
    sold_out, lamp = stock("Sold mug", price="10.00"), stock("Lamp", price="5.00")
    add(client, sold_out)
    add(client, lamp)
    Product.objects.filter(pk=sold_out.pk).update(available=False)

    assert "Sold mug Currently not available" in basket(client)
    assert "Total €5.00" in basket(client)
    assert "Sold mug" not in text(client.post("/basket/order/", follow=True))
    assert "Sold mug" in basket(client)


def test_an_order_of_an_empty_basket_is_reported(client: Client) -> None:
    assert "nothing in your basket that can be bought" in text(client.post("/basket/order/", follow=True))


def test_the_session_holds_ids_and_quantities_and_nothing_of_the_visitor(client: Client) -> None:
    product = stock()
    add(client, product, 2)

    assert dict(client.session) == {"basket": {str(product.pk): 2}}


def test_a_visitor_who_only_looks_gets_no_session(client: Client) -> None:
    product = stock()

    for address in ("/", "/products/", product.get_absolute_url(), "/basket/"):
        client.get(address)

    assert "sessionid" not in client.cookies


@pytest.mark.parametrize("address", ["/basket/add/1/", "/basket/change/1/", "/basket/order/"])
def test_the_basket_is_changed_by_forms_of_the_shop_alone(address: str) -> None:
    strict = Client(enforce_csrf_checks=True)

    assert strict.get(address).status_code == 405
    assert strict.post(address, {"quantity": "1"}).status_code == 403
