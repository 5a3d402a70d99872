"""Prometheus metrics of a worker."""

from __future__ import annotations

import socket
import urllib.request
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.services.conftest import Site, free_port

ONE_BROKER = pytest.mark.parametrize("broker", ["redis"], indirect=True)


def read_metrics(port: int) -> dict[tuple[str, ...], float]:
    """Each sample by its name and its labels' values."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        text = response.read().decode()
    families = text_string_to_metric_families(text)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def submit_duplicate_search(site: Site) -> None:
    site.manage("shell", "-c", "from embeddings.submissions import submit_duplicate_search as submit; submit()")


@ONE_BROKER
def test_photos_stages_and_jobs_are_counted(make_site, draw_photos, postgres_url, broker):
    port = free_port()
    site = make_site(DATABASE_URL=postgres_url, WORKER_METRICS_PORT=str(port), **broker)
    site.manage("import_catalog", str(draw_photos(5)))
    next((site.folder / "media" / "products").rglob("*.jpg")).unlink()
    site.start_worker()
    site.wait_until(lambda: site.states() == {"indexed": 4, "failed": 1})
    submit_duplicate_search(site)
    site.wait_until(lambda: read_metrics(port)["lookalike_jobs_total", "duplicates", "succeeded"] == 1)

    samples = read_metrics(port)
    assert samples["lookalike_photos_processed_total", "embedded"] == 4
    assert samples["lookalike_photos_processed_total", "failed"] == 1
    seconds = "lookalike_embedding_stage_seconds_count"
    # A file that is not there costs the attempt to open it.
    assert [samples[seconds, stage] for stage in ("decode", "encode")] == [5, 4]
    assert samples[seconds, "upsert"] >= 1
    assert samples[("lookalike_embedding_batch_photos_sum",)] == 5
    assert samples["lookalike_job_seconds_count", "duplicates"] == 1
    assert samples["lookalike_jobs_total", "train", "failed"] == 0
    assert samples["lookalike_images", "indexed"] == 4
    assert samples["lookalike_images_waiting_seconds", "pending"] == 0


def test_a_server_that_embeds_by_itself_counts_the_same(make_site, draw_photos):
    site = make_site()
    server = site.serve()
    site.manage("import_catalog", str(draw_photos(3)))
    site.wait_until(lambda: site.states() == {"indexed": 3})
    samples = read_metrics(int(server.base.rpartition(":")[2]))
    assert samples["lookalike_photos_processed_total", "embedded"] == 3
    assert samples["lookalike_embedding_stage_seconds_count", "encode"] == 3


@ONE_BROKER
def test_a_port_that_is_taken_ends_the_worker_and_is_said(make_site, postgres_url, broker):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        site = make_site(DATABASE_URL=postgres_url, WORKER_METRICS_PORT=str(port), **broker)
        worker = site.start_worker()
        assert worker.wait(60) != 0
    assert f"WORKER_METRICS_PORT: 127.0.0.1:{port} cannot be listened on" in site.log()
