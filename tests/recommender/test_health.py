"""Health checks and metrics."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from embeddings.backends import Backends, get_vector_index
from embeddings.errors import EncoderUnavailable, IndexLocked, IndexUnavailable
from embeddings.models import Collection, ImageEmbedding
from embeddings.versions import create_version
from lookalike import health
from tests.memory_index import MemoryVectorIndex
from tests.recommender.conftest import Shop


def checks(api: Client, status: int) -> dict[str, str]:
    response = api.get("/readyz")
    assert response.status_code == status, response.content
    return {name: check["status"] for name, check in response.json()["checks"].items()}


def raising(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


def test_a_process_that_lives_asks_nobody(api: Client) -> None:
    assert api.get("/healthz").json() == {"status": "alive"}


def test_all_is_ready(shop: Shop, api: Client) -> None:
    assert checks(api, 200) == {"database": "up", "index": "up", "encoder": "up"}


def test_an_empty_shop_is_ready_to_be_filled(shop: Shop, api: Client) -> None:
    get_vector_index().drop(shop.version.index_collection().name)

    assert checks(api, 200)["index"] == "up"


def test_an_index_held_by_another_process_is_not_ready_and_says_so(
    shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryVectorIndex, "retrieve", raising(IndexLocked("held by another process")))

    assert checks(api, 503) == {"database": "up", "index": "down", "encoder": "up"}
    assert "held by another process" in api.get("/readyz").json()["checks"]["index"]["message"]


def test_an_index_that_never_answers_is_down_in_time(shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    monkeypatch.setattr(MemoryVectorIndex, "retrieve", lambda *_: time.sleep(0.5))

    assert checks(api, 503)["index"] == "down"


def test_a_missing_encoder_is_not_ready(shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backends, "encoder", raising(EncoderUnavailable("no model file")))

    assert checks(api, 503)["encoder"] == "down"


def test_an_exchanged_model_is_not_ready(shop: Shop, api: Client) -> None:
    type(shop.version).objects.filter(pk=shop.version.pk).update(fingerprint="1" * 64)

    assert checks(api, 503)["encoder"] == "down"


def test_a_database_that_is_away_is_not_ready(shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "active_versions", raising(OperationalError("connection refused")))

    assert checks(api, 503)["database"] == "down"


def test_a_broker_is_asked_where_there_is_one(
    shop: Shop, api: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CELERY_BROKER_URL = "memory://"
    connection_for_write = health.celery_app.connection_for_write

    monkeypatch.setattr(health.celery_app, "connection_for_write", lambda **_: connection_for_write("memory://"))
    assert checks(api, 200)["broker"] == "up"

    monkeypatch.setattr(health.celery_app, "connection_for_write", raising(ConnectionRefusedError("refused")))
    assert checks(api, 503)["broker"] == "down"


def test_metrics_report_requests_stages_queue_and_index_size(shop: Shop, api: Client) -> None:
    product = shop.add((1, 0, 0), (0, 1, 0))
    ImageEmbedding.objects.filter(image_id=product.images.first().pk).update(state=ImageEmbedding.State.PENDING)
    api.get(f"/api/products/{product.pk}/similar")
    api.get("/api/products?limit=x")

    response = api.get("/metrics")
    text = response.content.decode()

    assert response["Content-Type"].startswith("text/plain")
    for stage in ("retrieve", "filter", "hydrate", "rerank", "encode"):
        assert f'lookalike_recommendation_stage_seconds_count{{stage="{stage}"}}' in text
    assert 'lookalike_requests_total{endpoint="similar",method="GET",status="200"}' in text
    assert 'lookalike_requests_total{endpoint="products",method="GET",status="400"}' in text
    assert 'lookalike_images{state="pending"} 1.0' in text
    assert 'lookalike_index_points{collection="all",encoder="all-v1"} 2.0' in text
    assert 'lookalike_index_up{collection="all"} 1.0' in text


def test_metrics_report_the_age_of_the_oldest_photo_and_the_free_disk_space(shop: Shop, api: Client) -> None:
    product = shop.add((1, 0, 0), (0, 1, 0), (0, 0, 1))
    for image, minutes in zip(product.images.all(), (5, 20, 60), strict=True):
        state = ImageEmbedding.State.INDEXED if minutes == 60 else ImageEmbedding.State.OUTDATED
        changed_at = timezone.now() - timedelta(minutes=minutes)
        ImageEmbedding.objects.filter(image_id=image.pk).update(state=state, changed_at=changed_at)

    metrics = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(api.get("/metrics").content.decode())
        for sample in family.samples
    }

    assert 1200 <= metrics["lookalike_images_waiting_seconds", "outdated"] < 1500
    assert metrics["lookalike_images_waiting_seconds", "pending"] == 0
    assert ("lookalike_images_waiting_seconds", "indexed") not in metrics
    assert 0 < metrics["lookalike_disk_free_bytes", "media"] <= metrics["lookalike_disk_size_bytes", "media"]


def test_metrics_answer_though_the_index_does_not(shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryVectorIndex, "count", raising(IndexLocked("held")))

    assert 'lookalike_index_up{collection="all"} 0.0' in api.get("/metrics").content.decode()


@pytest.mark.parametrize(("seconds", "waits", "up"), [(0.25, 1, 0.0), (0.0, 1, 1.0)])
def test_metrics_wait_once_for_an_index_that_hangs_and_ask_on_where_one_collection_fails_at_once(
    shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch, seconds: float, waits: int, up: float
) -> None:
    slugs = ["all", "hats", "mugs"]
    for slug in slugs[1:]:
        collection = Collection.objects.create(slug=slug, name=slug)
        collection.active_version = create_version(collection, "counting")
        collection.save()
        get_vector_index().ensure(collection.active_version.index_collection())
    count = MemoryVectorIndex.count
    failed: list[str] = []

    def count_or_hang(index: MemoryVectorIndex, name: str) -> int:
        if not failed or seconds:
            failed.append(name)
            time.sleep(seconds)
            raise IndexUnavailable("no answer")
        return count(index, name)

    monkeypatch.setattr(MemoryVectorIndex, "count", count_or_hang)
    text = api.get("/metrics").content.decode()

    found = [slug for slug in slugs if f'lookalike_index_up{{collection="{slug}"}} 1.0' in text]
    assert (len(failed), len(found)) == (waits, 2 * up)
    assert text.count("lookalike_index_up{") == len(slugs)
