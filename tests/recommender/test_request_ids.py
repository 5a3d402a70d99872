"""Log lines carry the id of their request."""

from __future__ import annotations

import logging

import pytest
from django.test import Client

from lookalike.request_ids import RequestIdFilter

pytestmark = pytest.mark.django_db

ADDRESS = "/api/products?page=1"


def test_each_answer_has_an_id_of_its_own(client: Client) -> None:
    first, second = (client.get(ADDRESS)["X-Request-ID"] for _ in range(2))
    assert len(first) == len(second) == 32
    assert first != second


def test_a_proxys_id_is_kept(client: Client) -> None:
    assert client.get(ADDRESS, headers={"X-Request-ID": "edge-1.2_3"})["X-Request-ID"] == "edge-1.2_3"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'x"}', "x\u00e9"])
def test_one_that_would_spoil_a_log_is_not(client: Client, given: str) -> None:
    assert len(client.get(ADDRESS, headers={"X-Request-ID": given})["X-Request-ID"]) == 32


def test_what_is_logged_during_a_request_names_it(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(names_request := RequestIdFilter())
    try:
        answer = client.get("/api/nowhere", headers={"X-Request-ID": "lost"})
        logging.getLogger("catalog").warning("between requests")
    finally:
        caplog.handler.removeFilter(names_request)
    assert answer.status_code == 404
    named = {record.getMessage(): vars(record)["request_id"] for record in caplog.records}
    assert named["Not Found: /api/nowhere"] == "lost"
    assert named["between requests"] == "-"
