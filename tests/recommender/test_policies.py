"""Content security policies and other security headers."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import ProductFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/api/products", "/api/nothing", "/api/schema", "/healthz", "/widget/v1/similar.js"])
def test_what_is_no_page_may_do_nothing_as_one(client: Client, path: str) -> None:
    response = client.get(path)
    response.close()
    assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/api/docs", "/products/"])
def test_a_page_may_load_its_own_files_alone_and_stands_in_no_frame(client: Client, path: str) -> None:
    ProductFactory.create()
    directives = dict(each.split(" ", 1) for each in client.get(path)["Content-Security-Policy"].split("; "))
    assert directives["default-src"] == "'self'"
    assert directives["object-src"] == directives["frame-ancestors"] == directives["base-uri"] == "'none'"
    assert "*" not in " ".join(directives.values())


def test_only_the_admin_has_scripts_in_its_pages(client: Client) -> None:
    for path in ("/", "/api/docs"):
        assert "unsafe-eval" not in client.get(path)["Content-Security-Policy"]
        assert "script-src" not in client.get(path)["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/api/products", "/healthz"])
def test_nothing_is_taken_for_what_it_is_not(client: Client, path: str) -> None:
    response = client.get(path)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
