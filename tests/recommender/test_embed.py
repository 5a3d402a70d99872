"""The page "Embed in my pages": the lines to copy, the key, the test of a page."""

from __future__ import annotations

from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.keys import authenticate
from accounts.models import ApiKey, User
from recommender.rules.services import save_rule, save_set
from tests.recommender.conftest import Shop
from tests.recommender.test_similar import RED, REDDISH


@pytest.fixture(autouse=True)
def stocked(shop: Shop, settings: Any) -> None:
    settings.PUBLIC_URL = "https://recommender.example"
    settings.MEDIA_URL = "https://cdn.example/photos/"
    shop.add(RED, sku="MUG <17>")
    shop.add(REDDISH, sku="CUP-2")


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


def page_of(client: Client, **values: Any) -> str:
    defaults = {"sku": "MUG <17>", "heading": "You may also like", "limit": 8, "collection": "all"}
    response = client.get(f"{reverse('admin:embed')}?{urlencode({**defaults, **values})}")
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_the_lines_have_only_what_the_widget_does_not_do_anyway(admin: Client) -> None:
    page = page_of(admin)
    assert (
        '<script type="module" src="https://recommender.example/widget/v1/similar.js"></script>\n'
        '<similar-products sku="MUG &lt;17&gt;" heading="You may also like"></similar-products>'
    ) in page
    assert "similar-products {" not in page


def test_filters_and_number_are_attributes_and_colours_are_a_style_sheet(admin: Client) -> None:
    page = page_of(admin, limit=4, available="on", brand="Harbour", min_price="5", accent="#aa0000", badge="#ffff00")
    assert 'limit="4" brand="Harbour" min-price="5" available="true"' in page
    assert (
        "similar-products {\n  --similar-accent: #aa0000;\n  --similar-on-accent: #ffffff;\n  --similar-badge: #ffff00;\n"
        "  --similar-on-badge: #000000;\n}" in page
    )


def test_the_line_for_the_policy_names_the_server_and_the_host_of_photos(admin: Client) -> None:
    assert (
        "script-src https://recommender.example; connect-src https://recommender.example;"
        " img-src https://recommender.example https://cdn.example" in page_of(admin)
    )


def test_the_preview_counts_nothing(admin: Client) -> None:
    assert '<similar-products sku="MUG <17>" no-events' in page_of(admin)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sku": "GONE"}, "The catalogue has no product with this SKU."),
        ({"min_price": 9, "max_price": 5}, "The lowest price is above the highest."),
        ({"api_key": "sk_secret"}, "Only a publishable key (pk_…) may be in a page."),
        ({"limit": 999}, "less than or equal to 24"),
        ({"accent": "red; } body { display: none"}, "Enter a valid value."),
    ],
)
def test_what_cannot_be_is_said_in_place_of_the_preview(admin: Client, values: dict[str, Any], said: str) -> None:
    page = page_of(admin, **values)
    assert said in page
    assert "There is no preview yet" in page
    assert "</similar-products>" not in page


def test_the_rules_in_force_are_named(admin: Client) -> None:
    assert "is in force." in page_of(admin)
    save_rule(save_set({"name": "spring", "active": True}), {"kind": "hide", "parameters": {"brand": ["Harbour"]}})
    assert ">spring</a> is in force, here and in your pages." in page_of(admin)


class TestTheKey:
    def test_is_publishable_and_for_the_origins_and_stands_in_the_lines(self, admin: Client) -> None:
        form = {"step": "key", "name": "Shop pages", "origins": "https://shop.example\nhttps://www.shop.example"}
        response = admin.post(reverse("admin:embed"), form)
        text = response.context["made"]
        key = authenticate(text)
        assert (key.publishable, key.scopes) == (True, frozenset())
        assert key.origins == {"https://shop.example", "https://www.shop.example"}
        page = unescape(response.content.decode())
        assert f'api-key="{text}"></similar-products>' in page
        assert text not in admin.get(reverse("admin:embed")).content.decode()

    @pytest.mark.parametrize("origins", ["", "shop.example", "https://shop.example/path"])
    def test_needs_origins(self, admin: Client, origins: str) -> None:
        admin.post(reverse("admin:embed"), {"step": "key", "name": "Shop pages", "origins": origins})
        assert not ApiKey.objects.exists()

    def test_is_made_by_those_who_may(self, client: Client) -> None:
        user = User.objects.create_user("clerk", password="secret", is_staff=True)
        client.force_login(user)
        assert client.get(reverse("admin:embed")).status_code == 403
        user.user_permissions.add(Permission.objects.get(codename="view_product"))
        assert "You have no permission to make keys" in client.get(reverse("admin:embed")).content.decode()
        form = {"step": "key", "name": "Shop pages", "origins": "https://shop.example"}
        assert client.post(reverse("admin:embed"), form).status_code == 403
        assert not ApiKey.objects.exists()


def test_the_test_of_a_page_says_what_is_wrong(admin: Client) -> None:
    response = admin.post(reverse("admin:embed"), {"step": "test", "url": "http://127.0.0.1/"})
    (finding,) = response.context["findings"]
    assert "private or special network" in finding.text
    assert finding.text in unescape(response.content.decode())


def test_a_shop_without_products_gets_the_page_all_the_same(admin: Client, shop: Shop) -> None:
    from catalog.models import Product

    Product.objects.all().delete()
    page = admin.get(reverse("admin:embed")).content.decode()
    assert "There is no preview yet" in page
