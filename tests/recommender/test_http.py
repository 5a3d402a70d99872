"""What holds for every URL of the API: problems, CORS, the version alias, the schema and its page."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.urls import Resolver404, URLResolver
from django.urls.resolvers import RegexPattern

from catalog import selectors
from lookalike.urls import media as serve_media
from lookalike.urls import surface
from recommender import pipeline
from tests.factories import ProductImageFactory, jpeg
from tests.recommender.answers import problem
from tests.recommender.conftest import Shop


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/v1/nothing", "/api/products/", "/api/products/x", "/api/v2/products"]
)
@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_an_unknown_url_is_a_404_problem(api: Client, path: str, method: str) -> None:
    body = problem(getattr(api, method)(path), 404)

    assert (body["type"], body["title"], body["instance"]) == ("about:blank", "Not Found", path)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/"])
def test_the_address_of_the_api_leads_to_its_documentation(api: Client, path: str) -> None:
    answer = api.get(path, follow=True)

    assert answer.redirect_chain == [("/api/docs", 302)]
    assert answer.status_code == 200
    problem(api.post(path), 404)


@pytest.mark.django_db
def test_pages_of_other_origins_may_read_the_id_of_a_request(api: Client) -> None:
    answer = api.get("/api/products")

    assert answer["X-Request-ID"]
    assert "X-Request-ID" in answer["Access-Control-Expose-Headers"].split(", ")


@pytest.mark.parametrize("rest", ["", "/similar", "/similar.html", "/substitutes"])
def test_a_sku_in_place_of_an_id_gets_a_hint(api: Client, rest: str) -> None:
    detail = problem(api.get(f"/api/v1/products/M%C3%BCG 1{rest}"), 404)["detail"]

    assert detail.endswith(f"a SKU is named as /api/v1/products/by-sku/M%C3%BCG%201{rest}.")


def test_a_write_to_the_address_of_an_id_or_of_the_list_says_where_products_are_written(api: Client) -> None:
    assert "/api/products/by-sku/<sku> creates" in problem(api.post("/api/products"), 405)["detail"]
    assert "at /api/products/by-sku/<sku>" in problem(api.put("/api/products/1"), 405)["detail"]


def test_a_trailing_slash_gets_a_hint(api: Client) -> None:
    assert "no trailing slash" in problem(api.get("/api/products/"), 404)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("post", "/api/products", "GET, HEAD, OPTIONS"),
        ("delete", "/api/products/1", "GET, HEAD, OPTIONS"),
        ("put", "/api/products/1/similar", "GET, HEAD, OPTIONS"),
        ("get", "/api/collections/all/search", "POST, OPTIONS"),
        ("post", "/api/schema", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_a_405_problem_with_the_allowed_methods(
    api: Client, method: str, path: str, allowed: str
) -> None:
    response = getattr(api, method)(path)

    detail = problem(response, 405)["detail"]
    assert set(response["Allow"].split(", ")) == set(allowed.split(", "))
    assert (
        detail.partition(";")[0].rstrip(".")
        == f'Method "{method.upper()}" not allowed: use {allowed.partition(",")[0]}'
    )


def test_a_body_of_another_type_is_a_415_problem_with_the_types_that_are_read(api: Client) -> None:
    response = api.post("/api/collections/all/search", {"text": "mug"}, content_type="application/json")

    assert problem(response, 415)["detail"] == (
        'Unsupported media type "application/json" in request: send multipart/form-data or application/x-www-form-urlencoded.'
    )


def test_an_unexpected_error_is_a_500_problem_without_its_message(
    shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(pipeline, "beside", fail)

    response = api.get(f"/api/products/{shop.add((1, 0, 0)).pk}/similar")

    assert "1234" not in problem(response, 500)["detail"]
    assert "1234" in caplog.text


def test_an_unavailable_database_is_a_503_problem(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("connection to 10.0.0.1 refused")

    monkeypatch.setattr(selectors, "visible_products", fail)

    response = api.get("/api/products")

    assert "10.0.0.1" not in problem(response, 503)["detail"]
    assert "Retry-After" in response


def test_an_unknown_host_is_a_400_problem(api: Client) -> None:
    problem(api.get("/api/products", HTTP_HOST="evil.example"), 400)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/products", "/api/products/1", "/api/nothing"])
def test_a_page_of_any_origin_may_read_responses_and_problems(api: Client, path: str) -> None:
    assert api.get(path, HTTP_ORIGIN="https://shop.example")["Access-Control-Allow-Origin"] == "*"


def test_a_page_of_any_origin_may_send_a_preflight(api: Client) -> None:
    response = api.options(
        "/api/collections/all/search",
        HTTP_ORIGIN="https://shop.example",
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="content-type",
    )

    assert (response.status_code, response.content) == (204, b"")
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "POST" in response["Access-Control-Allow-Methods"]
    assert response["Access-Control-Allow-Headers"] == "Authorization, Content-Type, Idempotency-Key, X-API-Key"


def test_v1_is_the_same(shop: Shop, api: Client) -> None:
    product = shop.add((1, 0, 0))
    shop.add((0, 1, 0))

    for path in (f"products/{product.pk}/similar", f"products/{product.pk}"):
        assert api.get(f"/api/v1/{path}").content == api.get(f"/api/{path}").content
    assert api.post("/api/v1/collections/all/search", {"photo": jpeg()}).status_code == 400


@pytest.mark.django_db
def test_the_response_is_json_whatever_the_client_accepts(api: Client) -> None:
    response = api.get("/api/products", HTTP_ACCEPT="text/html")

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


@pytest.mark.django_db
def test_head_is_answered_without_a_body(api: Client) -> None:
    response = api.head("/api/products")

    assert (response.status_code, response.content) == (200, b"")


def test_the_schema_is_valid_and_complete(api: Client) -> None:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)

    schema = api.get("/api/schema?format=json").json()

    assert schema["openapi"].startswith("3.1")
    references = set(re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(schema)))
    assert {each for each in references if not each.startswith("#/components/")} == set()
    assert set(schema["paths"]) == {
        "/api/products",
        "/api/products/{product_id}",
        "/api/products/{product_id}/similar",
        "/api/products/{product_id}/similar.html",
        "/api/products/by-sku/{sku}/similar.html",
        "/api/products/{product_id}/substitutes",
        "/api/products/{product_id}/matches",
        "/api/products:batch",
        "/api/products/by-sku/{sku}",
        "/api/products/by-sku/{sku}/similar",
        "/api/products/by-sku/{sku}/substitutes",
        "/api/collections",
        "/api/collections/{slug}",
        "/api/collections/{slug}/search",
        "/api/collections/{slug}/train",
        "/api/collections/{slug}/train-ranker",
        "/api/matches",
        "/api/rule-sets",
        "/api/rule-sets/{name}",
        "/api/rule-sets/{name}/rules",
        "/api/rule-sets/{name}/rules/{rule_id}",
        "/api/imports",
        "/api/feeds",
        "/api/feeds/{feed_id}",
        "/api/feeds/{feed_id}/run",
        "/api/jobs",
        "/api/jobs/{job_id}",
        "/api/jobs/{job_id}/import",
        "/api/jobs/{job_id}/rejected",
        "/api/events",
        "/api/search",
        "/api/similar:batch",
    }
    assert api.get("/api/schema").status_code == 200


def test_the_schema_documents_problems_limits_and_the_fallback(api: Client) -> None:
    schema = api.get("/api/schema?format=json").json()
    similar = schema["paths"]["/api/products/{product_id}/similar"]["get"]

    assert set(similar["responses"]) == {"200", "304", "400", "401", "403", "404", "429", "503", "507"}
    assert set(similar["responses"]["404"]["content"]) == {"application/problem+json"}
    headers = {status: set(answer.get("headers", ())) for status, answer in similar["responses"].items()}
    limits = {"RateLimit", "RateLimit-Policy"}
    assert (headers["200"], headers["429"]) == (limits, {"Retry-After", *limits})
    assert (headers["401"], headers["404"]) == ({"WWW-Authenticate"}, set())
    limit = next(param for param in similar["parameters"] if param["name"] == "limit")
    assert (limit["schema"]["maximum"], limit["schema"]["default"]) == (100, 12)
    assert (
        "no vector yet"
        in schema["components"]["schemas"]["SimilarAnswerSchema"]["properties"]["fallback"]["description"]
    )


def test_the_schema_documents_required_bodies_and_links_from_jobs(api: Client) -> None:
    schema = api.get("/api/schema?format=json").json()
    operations = {
        operation["operationId"]: operation for path in schema["paths"].values() for operation in path.values()
    }

    takes_body = {name for name, operation in operations.items() if operation.get("requestBody", {}).get("required")}
    assert takes_body == {
        "search", "train", "import", "events", "put_product", "patch_product", "product_batch", "set_coverage",
        "create_rule_set", "put_rule_set", "create_rule", "put_rule", "matches", "similar_batch",
        "train_ranker", "create_feed", "put_feed",
    }  # fmt: skip
    for name, status in (("import", "202"), ("train", "202"), ("train_ranker", "202"), ("put_product", "201")):
        assert "Location" in operations[name]["responses"][status]["headers"]
    link = operations["import"]["responses"]["202"]["links"]["job"]
    assert link == {"operationId": "job", "parameters": {"job_id": "$response.body#/id"}}
    assert {name for name in operations if "links" in operations[name]["responses"].get("202", {})} == {
        "import", "train", "train_ranker", "import_of_dry_run", "set_coverage", "run_feed",
    }  # fmt: skip


def test_the_schema_needs_no_key_and_has_no_rate_limit(api: Client, settings: Any) -> None:
    settings.API_READS = "keys"
    settings.API_REQUESTS_PER_MINUTE = 1
    assert [api.get(path).status_code for path in ("/api/schema", "/api/schema", "/api/docs")] == [200] * 3
    assert api.get("/api/schema", headers={"X-API-Key": "sk_unknown"}).status_code == 200


def test_the_docs_page_loads_nothing_from_other_servers(api: Client) -> None:
    page = api.get("/api/docs").content.decode()

    assert "swagger-ui-bundle" in page
    assert '"validatorUrl": null' in api.get("/api/docs?script=").content.decode()
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)


@pytest.mark.parametrize(
    ("service", "answered"),
    [
        ("all", {"/api/products", "/admin/", "/products/1/mug/", "/widget/v1/similar.js", "/healthz", "/metrics"}),
        ("catalog", {"/admin/", "/products/1/mug/", "/healthz", "/metrics"}),
        ("recommender", {"/api/products", "/widget/v1/similar.js", "/healthz", "/metrics"}),
    ],
)
def test_a_process_mounts_the_urls_of_its_service(service: str, answered: set[str]) -> None:
    resolver = URLResolver(RegexPattern(r"^/"), surface(service))
    asked = ("/api/products", "/admin/", "/products/1/mug/", "/widget/v1/similar.js", "/healthz", "/metrics")

    def is_mounted(path: str) -> bool:
        try:
            resolver.resolve(path)
        except Resolver404:
            return False
        return True

    assert {path for path in asked if is_mounted(path)} == answered


@pytest.mark.django_db
def test_the_widget_is_cacheable_and_for_pages_of_any_origin(api: Client) -> None:
    response = api.get("/widget/v1/similar.js")

    assert response.status_code == 200
    assert b"customElements" in b"".join(response.streaming_content)
    assert response["Content-Type"].startswith(("text/javascript", "application/javascript"))
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "max-age" in response["Cache-Control"]
    response.close()


@pytest.mark.django_db
def test_a_photo_is_immutable_for_caches(api: Client, settings: Any) -> None:
    image = ProductImageFactory()
    response = serve_media(RequestFactory().get(image.file.url), image.file.name)

    assert b"".join(response.streaming_content) == image.file.read()
    assert "immutable" in response["Cache-Control"]
    response.close()
    image.file.close()
