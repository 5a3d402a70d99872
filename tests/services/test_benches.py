"""The benches that need servers run, so small that they take seconds: what they measure is not looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import changing_shop, filter_recall, load, shops, tables, worker_kills
from catalog.filters import conditions
from tests.services.conftest import ForkedSite, find_pg_ctl, find_redis


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where tables are written to in place of the developer's own; drawings for photos, and processes that start quickly."""
    find_pg_ctl()
    find_redis()
    monkeypatch.delenv("REAL_DATA", raising=False)
    for module in (shops, worker_kills):
        monkeypatch.setattr(module, "Site", ForkedSite)
    monkeypatch.setattr(tables, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def published(results: Path, question: str) -> Any:
    return json.loads((results / f"{question}.json").read_text())


def test_visitors_are_all_answered(results):
    load.main(["--ways", "two processes", "--products", "40", "--seconds", "0.5", "--rounds", "1"])
    rows = published(results, "load")["rows"]
    assert {row["request"] for row in rows} > {"hello", "similar", "product list", "product", "photo search"}
    assert all(row["requests"] > 0 and row["failed"] == 0 for row in rows)


def test_every_change_of_a_shop_is_seen_and_nothing_is_left_to_repair(results):
    # At all, that is: how soon is for the bench to say.
    changes = ["--prices", "6", "--deletes", "3", "--photos", "3", "--seconds", "0.5", "--within", "60"]
    changing_shop.main(["--ways", "one process", "--products", "60", *changes])
    figures = published(results, "changing_shop")
    assert {row["change"]: row["changes"] for row in figures["rows"]} == {"price": 6, "delete": 3, "photo": 3}
    assert "0 missing, 0 stale, 0 orphaned" in figures["notes"].values()


def test_photos_are_indexed_once_each_though_workers_are_killed(results):
    worker_kills.main(["--photos", "200", "--kills", "1", "--impatient"])
    (row,) = published(results, "worker_kills")["rows"]
    assert row["workers killed"] == 1
    assert row["indexed once each"] == "yes"


def test_every_filter_of_the_api_and_every_pair_is_compared_with_exact_results(results):
    sizes = ["--points", "2000", "--dim", "32", "--queries", "2", "--threshold-kb", "32", "--vectors", "float"]
    filter_recall.main(sizes)
    rows = published(results, "filter_recall_clusters-2000-32-float")["rows"]
    measured = {part.partition(" (")[0] for row in rows for part in row["filter"].split(", ")}
    assert measured >= {each.name for each in conditions() if each.description}
    assert any(", " in row["filter"] for row in rows)
    assert all(row["recall@10"] >= 0.9 for row in rows)
