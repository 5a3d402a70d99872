"""The strip as HTML: the same products as the API's JSON, for pages without JavaScript and mail."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client

from tests.recommender.answers import ids, problem
from tests.recommender.conftest import Shop

pytestmark = pytest.mark.django_db

RED, REDDISH, PINK = (1, 0, 0), (0.95, 0.3, 0), (0.8, 0.6, 0)


@pytest.fixture
def strip(shop: Shop, api: Client) -> Any:
    """Asks for the strip of MUG/17, beside which there are two more products."""
    shop.add(RED, sku="MUG/17")
    fields = {"price": Decimal(19), "list_price": Decimal("29.5"), "currency": "EUR", "available": False}
    shop.add(REDDISH, title="</script><b>Cup", **fields)
    shop.add(PINK, title="Jug")
    return lambda **params: api.get("/api/products/by-sku/MUG%2F17/similar.html", params)


def test_it_has_the_products_of_the_json_and_the_data_for_the_widget(strip: Any, api: Client) -> None:
    response = strip(heading="Like <it>", lang="de")

    html = response.content.decode()
    answer = api.get("/api/products/by-sku/MUG%2F17/similar").json()
    data = re.findall(r'<script type="application/json">(.*)</script>', html)
    assert [json.loads(each) for each in data] == [answer]
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert [unescape(url) for url in re.findall(r'href="([^"]+)"', html)] == [
        result["product"]["url"] for result in answer["results"]
    ]
    assert "&lt;/script&gt;&lt;b&gt;Cup" in html
    assert "Like &lt;it&gt;" in html
    assert "Nicht auf Lager" in html
    assert "19,00\N{NO-BREAK SPACE}€</span>" in html
    assert "29,50\N{NO-BREAK SPACE}€</s>" in html
    assert 'style="' not in html
    assert len(ids(answer)) == 2


@pytest.mark.parametrize("locale", ["de_DE", "de-AT", "de_DE_formal"])
def test_a_locale_has_its_language(strip: Any, locale: str) -> None:
    assert "Nicht auf Lager" in strip(lang=locale).content.decode()


def test_it_is_cacheable_and_readable_by_pages_of_any_origin(strip: Any, api: Client) -> None:
    response = strip(limit="1")

    assert response["Cache-Control"] == "public, max-age=300"
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response.content.count(b'part="item"') == 1
    again = api.get("/api/products/by-sku/MUG%2F17/similar.html?limit=1", headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_for_mail_it_has_styles_and_no_script(strip: Any) -> None:
    html = strip(mail="true").content.decode()

    assert "<script" not in html
    assert 'part="item" style="display:inline-block' in html
    assert all(url.startswith("http://") for url in re.findall(r'src="([^"]+)"', html))


def test_it_is_empty_if_nothing_is_similar_and_errors_are_problems(strip: Any, api: Client) -> None:
    assert strip(min_price="1000").content == b""
    assert problem(strip(lang="tlh"), 400)["errors"][0]["parameter"] == "lang"
    assert problem(strip(explain="true"), 400)["errors"][0]["parameter"] == "explain"
    assert problem(api.get("/api/products/by-sku/NONE/similar.html"), 404)["title"] == "Product not found"
