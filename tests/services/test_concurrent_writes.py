"""Concurrent requests that write, sent to real servers of two processes: retries are done once, and none disturbs another."""

from __future__ import annotations

import json
import random
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.services.conftest import PATIENCE_S, Server, Site

REQUESTS = 120
PRODUCTS = 25
THREADS = 32
ATTEMPTS = 3


@dataclass(frozen=True)
class Change:
    """A PATCH. The same one is sent several times."""

    sku: str
    price: str
    key: str


@dataclass(frozen=True)
class Answer:
    """What it was answered."""

    status: int
    body: bytes
    replayed: bool


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, make_site: Any) -> Site:
    database = {"DATABASE_URL": request.getfixturevalue("postgres_url")} if request.param == "postgres" else {}
    made: Site = make_site(API_WRITES="open", **database)
    return made


def ask(server: Server, method: str, path: str, document: Any, **headers: str) -> Answer:
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(server.base + path, json.dumps(document).encode(), headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310
            return Answer(response.status, response.read(), "Idempotent-Replayed" in response.headers)
    except HTTPError as error:
        with error:
            return Answer(error.code, error.read(), replayed=False)


def patch(server: Server, change: Change) -> Answer:
    path = f"/api/products/by-sku/{change.sku}"
    return ask(server, "PATCH", path, {"price": change.price}, **{"Idempotency-Key": change.key})


def send(server: Server, changes: Sequence[Change]) -> dict[str, list[Answer]]:
    """Send all of them from many threads. Answers by key."""
    answers: dict[str, list[Answer]] = defaultdict(list)
    with ThreadPoolExecutor(THREADS) as pool:
        for change, answer in zip(changes, pool.map(lambda change: patch(server, change), changes), strict=True):
            answers[change.key].append(answer)
    return answers


def products(site: Site) -> list[Any]:
    return site.query("SELECT sku, price, updated_at FROM catalog_product ORDER BY sku")


def test_each_of_many_concurrent_changes_with_retries_is_applied_once(site: Site) -> None:
    table = site.folder / "products.csv"
    table.write_text("sku,title\n" + "".join(f"M{number},Mug\n" for number in range(PRODUCTS)))
    site.manage("import_catalog", str(table))
    server = site.serve(workers=2, threads=8)
    changes = [Change(f"M{number % PRODUCTS}", f"{number}.25", f"key-{number}") for number in range(REQUESTS)]
    sent = changes * ATTEMPTS
    random.Random(1).shuffle(sent)

    answers = send(server, sent)

    assert len(answers) == REQUESTS
    for change in changes:
        assert [answer.status for answer in answers[change.key]] == [200] * ATTEMPTS
        assert [answer.replayed for answer in answers[change.key]].count(False) == 1
        assert {json.loads(answer.body)["price"] for answer in answers[change.key]} == {change.price}
        assert len({answer.body for answer in answers[change.key]}) == 1
    ((applied,),) = site.query("SELECT COUNT(*) FROM accounts_auditentry WHERE detail LIKE 'SKU M%: updated'")
    assert applied == REQUESTS
    # Late retries of changes that others have followed.
    before = products(site)
    assert all(answer.replayed for each in send(server, changes).values() for answer in each)
    assert products(site) == before


def test_one_change_sent_by_all_at_once_is_applied_once(site: Site) -> None:
    table = site.folder / "products.csv"
    table.write_text("sku,title\nM1,Mug\n")
    site.manage("import_catalog", str(table))
    server = site.serve(workers=2, threads=8)

    answers = send(server, [Change("M1", "12.50", "the-key")] * REQUESTS)["the-key"]

    assert [answer.replayed for answer in answers].count(False) == 1
    assert len({answer.body for answer in answers}) == 1
    assert site.query("SELECT COUNT(*) FROM accounts_auditentry WHERE detail = 'SKU M1: updated'") == [(1,)]


def test_one_new_product_sent_by_many_at_once_is_created_once(site: Site) -> None:
    server = site.serve(workers=2, threads=8)
    for number in range(6):
        path = f"/api/products/by-sku/N{number}"
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n, path=path: ask(server, "PUT", path, {"title": f"Mug {n}"}), range(16)))
        assert sorted(answer.status for answer in answers) == [200] * 15 + [201]
    assert len(products(site)) == 6


def test_changes_batches_and_deletions_of_the_same_products_end_without_an_error(site: Site) -> None:
    server = site.serve(workers=2, threads=8)
    skus = [f"M{number}" for number in range(8)]
    draw = random.Random(1)

    def write(number: int) -> int:
        sku = draw.choice(skus)
        path = f"/api/products/by-sku/{sku}"
        match number % 4:
            case 0:
                return ask(server, "PUT", path, {"title": "Mug", "family": "MUGS"}).status
            case 1:
                return ask(server, "DELETE", path, {}).status
            case 2:
                return ask(server, "PATCH", path, {"price": number, "family": ""}).status
            case _:
                changes = [{"sku": each, "price": number} for each in draw.sample(skus, len(skus))]
                return ask(server, "POST", "/api/products:batch", {"changes": changes}).status

    with ThreadPoolExecutor(16) as pool:
        statuses = set(pool.map(write, range(160)))

    assert statuses <= {200, 201, 204, 404}, [line for line in site.log().splitlines() if "Error" in line]
