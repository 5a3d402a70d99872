"""Traces of running web processes and workers, as a collector receives them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from urllib.error import HTTPError

import httpx
import pytest

from tests.services.collector import Collector, Span
from tests.services.conftest import Server, Site

# Nothing is sent before the process ends: a test then sees that the last spans are sent, too.
AT_THE_END = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}
STAGES = {"retrieve", "filter", "hydrate", "rerank"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    listening = Collector()
    yield listening
    listening.stop()


def get(server: Server, path: str, request_id: str) -> int:
    request = urllib.request.Request(server.base + path, headers={"X-Request-ID": request_id})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code


def of_request(collector: Collector, request_id: str) -> list[Span]:
    """The trace of a request."""
    (found,) = {span.trace_id for span in collector.spans if span.attributes.get("lookalike.request_id") == request_id}
    return collector.traces()[found]


def below(spans: Sequence[Span], name: str) -> set[str]:
    """The names of the spans that a span of this name is the parent of."""
    parents = {span.span_id for span in spans if span.name == name}
    return {span.name for span in spans if span.parent_id in parents}


def lines(site: Site) -> list[dict[str, str]]:
    return [json.loads(line) for line in site.log().splitlines() if line.startswith("{")]


def test_a_trace_of_a_request_has_its_stages_index_query_and_sql(make_site, draw_photos, postgres_url, collector):
    site = make_site(
        DATABASE_URL=postgres_url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, LOG_FORMAT="json", **AT_THE_END
    )
    site.manage("import_catalog", str(draw_photos(5)))
    server = site.serve()
    product = site.query("SELECT MIN(id) FROM catalog_product")[0][0]
    assert get(server, f"/api/products/{product}/similar?diversity=0.5", "first") == 200
    assert get(server, "/api/products/999999", "second") == 404
    secret = f"sk_{'x' * 43}"
    assert get(server, f"/api/products?api_key={secret}", "third") == 401
    assert collector.spans == []
    site.stop()

    spans = of_request(collector, "first")
    (root,) = [span for span in spans if not span.parent_id]
    assert (root.kind, root.service) == ("server", "lookalike")
    assert root.name.startswith("GET ")
    assert "similar" in root.name
    assert {span.name for span in spans} >= STAGES | {"index query"}
    assert "index query" in below(spans, "retrieve")
    assert any(span.kind == "client" and "db.statement" in span.attributes for span in spans)
    assert {span.parent_id for span in spans} <= {span.span_id for span in spans} | {""}
    assert of_request(collector, "second")[0].trace_id != root.trace_id
    # No health checks, and no queries of background threads.
    assert {span.attributes.get("lookalike.request_id") for span in collector.spans if not span.parent_id} == {
        "first",
        "second",
        "third",
    }
    assert secret not in str([span.attributes for span in collector.spans])
    named = {line["request_id"]: line["trace_id"] for line in lines(site)}
    assert named["second"] == of_request(collector, "second")[0].trace_id


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_an_upload_and_its_tasks_are_one_trace(make_site, draw_photos, postgres_url, broker, collector):
    site = make_site(
        DATABASE_URL=postgres_url,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        LOG_FORMAT="json",
        **AT_THE_END,
        **broker,
    )
    site.start_worker()
    site.wait_until(lambda: " ready." in site.log())
    server = site.serve(until="alive")
    upload(site, server, next(draw_photos(1).rglob("*.jpg")).read_bytes(), "upload")
    site.wait_until(lambda: site.states() == {"indexed": 1})
    site.stop()

    spans = of_request(collector, "upload")
    assert [(span.kind, span.service) for span in spans if not span.parent_id] == [("server", "lookalike")]
    worked = {span.name for span in spans if span.service == "lookalike-worker"}
    assert worked >= {"run/embeddings.tasks.sync_images", "run/embeddings.tasks.embed_images", "embed batch"}
    assert below(spans, "embed batch") >= {"decode", "encode", "upsert"}
    assert {span.parent_id for span in spans} <= {span.span_id for span in spans} | {""}
    tasks = [span for span in spans if span.kind == "consumer"]
    assert {span.attributes["lookalike.request_id"] for span in tasks} == {"upload"}
    logged = {
        line["trace_id"] for line in lines(site) if "embed_images" in line["message"] and "succeeded" in line["message"]
    }
    assert logged == {spans[0].trace_id}


def upload(site: Site, server: Server, photo: bytes, request_id: str) -> None:
    """Add a product with a photo in the admin."""
    make = (
        "from accounts.models import User; from django.test import Client;"
        "user = User.objects.create_superuser('boss'); client = Client(); client.force_login(user);"
        "print(client.cookies['sessionid'].value)"
    )
    session = site.manage("shell", "--verbosity", "0", "-c", make, OTEL_EXPORTER_OTLP_ENDPOINT="").stdout.strip()
    with httpx.Client(base_url=server.base, cookies={"sessionid": session}, timeout=60) as browser:
        assert browser.get("/admin/catalog/product/add/").status_code == 200
        form = {
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
            "title": "Linen shirt", "sku": "LS-1", "slug": "", "description": "", "price": "10.00", "currency": "EUR",
            "available": "on", "active": "on", "category": "", "brand": "", "tags": "[]", "attributes": "{}",
        }  # fmt: skip
        answer = browser.post(
            "/admin/catalog/product/add/",
            data=form,
            files={"new_photos": ("front.jpg", photo, "image/jpeg")},
            headers={"X-Request-ID": request_id},
        )
    assert answer.status_code == 302, answer.text


def test_without_a_collector_nothing_is_traced_and_no_exporter_is_imported(make_site):
    site = make_site()
    # The SDK is imported by redis-py wherever it is installed.
    show = (
        "import lookalike.wsgi, sys; from opentelemetry import trace;"
        "print({'.'.join(name.split('.')[:2]) for name in [*sys.modules] if name.startswith('opentelemetry.')}"
        " & {'opentelemetry.exporter', 'opentelemetry.instrumentation'},"
        " trace.get_tracer('test').start_span('test').is_recording())"
    )
    assert site.run("-c", show).stdout.strip() == "set() False"


def test_without_the_sdk_the_error_names_what_to_install(make_site):
    site = make_site()
    without = "import sys; sys.modules['opentelemetry.sdk'] = None; import lookalike.wsgi"
    failed = site.run("-c", without, check=False, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318")
    assert failed.returncode != 0
    assert "OpenTelemetry is not installed: pip install --require-hashes -r requirements/otel.txt" in failed.stderr
