"""The test of a shop's page: what it says of script, strip, product, key and policy, and what has to be done."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from accounts import keys
from accounts.models import ApiKey
from recommender.page_check import allows, check_page
from recommender.snippets import StripOptions, content_policy, markup
from tests.catalog.photo_server import PhotoServer, photo_server
from tests.factories import ProductFactory

BASE = "https://recommender.example"

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Any) -> Iterator[PhotoServer]:
    """The shop's own server, which may be asked."""
    with photo_server() as server:
        settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.FETCH_PORTS = (80, 443, server.port)
        settings.MEDIA_URL = "/media/"
        yield server


def found(server: PhotoServer, body: str, **headers: str) -> dict[str, bool]:
    """What is said of a page, and whether it is well."""
    url = server.serve("/", f"<!doctype html><main>{body}</main>".encode(), **headers)
    return {finding.text: finding.is_well for finding in check_page(url, BASE)}


def wrong(server: PhotoServer, body: str, **headers: str) -> list[str]:
    """What is wrong with a page."""
    return [text for text, is_well in found(server, body, **headers).items() if not is_well]


def lines(sku: str = "MUG/17 blue", **options: Any) -> str:
    return markup(BASE, sku, StripOptions(**options))


@pytest.fixture(autouse=True)
def mug() -> None:
    ProductFactory.create(sku="MUG/17 blue")


def test_the_lines_of_the_embed_page_pass_with_the_policy_of_the_embed_page(server: PhotoServer) -> None:
    key = keys.create(ApiKey(name="Pages", origins=server.url("")))
    page = lines(heading="More <b>", api_key=key.text)
    assert wrong(server, page, Content_Security_Policy=f"default-src 'self'; {content_policy(BASE)}") == []
    assert wrong(server, page) == []


def test_without_the_script_it_says_which_line_is_missing(server: PhotoServer) -> None:
    url = server.serve("/", b"<similar-products sku='MUG/17 blue'></similar-products>")
    finding = next(each for each in check_page(url, BASE) if not each.is_well)
    assert finding.text == "The script of the widget is not in the page's markup."
    assert f'<script type="module" src="{BASE}/widget/v1/similar.js"></script>' in finding.remedy


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (lines().replace(BASE, "https://other.example"), "The script comes from https://other.example"),
        (lines().replace(' type="module"', ""), "is no module"),
        (lines().partition("\n")[0], "There is no strip in the page's markup."),
        (lines(""), "The strip names no product."),
        (lines("NOTHING"), "The catalogue has no product NOTHING."),
        (lines().replace('sku="MUG/17 blue"', 'product-id="99999999"'), "The catalogue has no product 99999999."),
        (lines().replace('sku="MUG/17 blue"', 'product-id="\u00b2"'), "The catalogue has no product \u00b2."),
        (lines().replace('sku="MUG/17 blue"', 'product-id="{{id}}"'), "The catalogue has no product {{id}}."),
        (lines().replace(BASE, "https://[x"), "The script comes from"),
        (lines(api_key="pk_wrong"), "The key of the strip is not valid: unknown API key"),
    ],
)
def test_one_fault_is_said_and_no_other(server: PhotoServer, body: str, said: str) -> None:
    (only,) = wrong(server, body)
    assert said in only


def test_an_element_of_another_kind_is_a_strip_too(server: PhotoServer) -> None:
    script = lines().partition("\n")[0]
    assert wrong(server, f'{script}<div data-similar-to-sku="MUG/17 blue"></div>') == []
    assert wrong(server, f"{script}<visual-search></visual-search>") == []
    assert wrong(server, f'{script}<div data-similar-to-skus="MUG/17 blue, MUG/17 blue"></div>') == []


def test_spaces_that_a_template_leaves_round_values_do_not_count(server: PhotoServer) -> None:
    key = keys.create(ApiKey(name="Pages", origins=server.url("")))
    page = lines(api_key=key.text).replace(key.text, f" {key.text}\n").replace("MUG/17 blue", " MUG/17 blue ")
    assert wrong(server, page) == []


def test_a_key_for_another_origin_is_named_with_its_origins(server: PhotoServer) -> None:
    key = keys.create(ApiKey(name="Pages", origins="https://shop.example"))
    (only,) = wrong(server, lines(api_key=key.text))
    assert only == (
        f"The page is of the origin {server.url('')}, and the key {key.row.prefix}… is for https://shop.example."
    )


def test_a_secret_key_in_a_page_is_alarming(server: PhotoServer) -> None:
    key = keys.create(ApiKey(name="Import", kind=ApiKey.Kind.SECRET, may_import=True))
    (only,) = wrong(server, lines(api_key=key.text))
    assert "is secret, and everybody can read it in the page" in only


def test_where_a_key_is_asked_for_its_absence_is_wrong(server: PhotoServer, settings: Any) -> None:
    assert wrong(server, lines()) == []
    settings.API_READS = "keys"
    assert wrong(server, lines()) == ["The strip has no key, and this server asks for one."]


@pytest.mark.parametrize(
    ("policy", "blocked"),
    [
        ("default-src 'self'", ["script-src", "connect-src", "img-src"]),
        (f"default-src 'self'; script-src {BASE}", ["connect-src", "img-src"]),
        (f"script-src 'self' 'unsafe-inline'; connect-src {BASE}", ["script-src"]),
        (f"default-src {BASE}; img-src data:", ["img-src"]),
    ],
)
def test_a_policy_that_blocks_is_named_by_its_directives(server: PhotoServer, policy: str, blocked: list[str]) -> None:
    said = wrong(server, lines(), Content_Security_Policy=policy)
    assert [text.partition("(")[2].partition(")")[0] for text in said] == blocked
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    assert len(wrong(server, meta + lines())) == len(blocked)


@pytest.mark.parametrize(
    ("source", "is_allowed"),
    [
        ("*", True), ("https:", True), ("http:", True), ("https://recommender.example", True), ("recommender.example", True),
        ("*.example", True), ("https://recommender.example:443", True), ("https://recommender.example/widget/", True),
        ("https://recommender.example/widget/v1/similar.js", True), ("'none'", False), ("'self'", False),
        ("https://recommender.example:8443", False), ("*.recommender.example", False), ("https://recommender.example/api/", False),
        ("wss:", False), ("'nonce-abc'", True), ("'nonce-other'", False), ("* 'strict-dynamic'", False),
        ("'nonce-abc' 'strict-dynamic'", True),
    ],
)  # fmt: skip
def test_sources_match_as_browsers_match_them(source: str, is_allowed: bool) -> None:
    script = f"{BASE}/widget/v1/similar.js"
    directives = ("script-src-elem", "script-src", "default-src")
    assert allows(f"script-src {source}", directives, script, "https://shop.example/1", "abc") is is_allowed


def test_a_page_that_is_not_public_is_not_asked(server: PhotoServer, settings: Any) -> None:
    settings.FETCH_ALLOW_NETWORKS = ()
    (only,) = check_page(server.serve("/", lines().encode()), BASE)
    assert "private or special network" in only.text
    assert server.seen == []


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_page_that_visitors_do_not_see_is_no_page(server: PhotoServer, status: int) -> None:
    (only,) = check_page(server.serve("/", status=status), BASE)
    assert only.text == f"The page answers with status {status}."
