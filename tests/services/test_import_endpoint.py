"""Catalogues sent to a real server, worked off by its own thread in a process of their own."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path, PurePath
from typing import Any

import pytest

from tests.services.conftest import PATIENCE_S, Server, Site


@pytest.fixture
def site(make_site: Any) -> Site:
    made: Site = make_site(API_WRITES="open")
    return made


def ask(server: Server, method: str, path: str, body: bytes | None = None) -> Any:
    headers = {"Content-Type": "text/csv"}
    request = urllib.request.Request(server.base + path, body, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310
        return json.load(response)


def table(rows: int) -> bytes:
    return b"sku,title,category,price\n" + b"".join(b"m%d,Mug,Home > Mugs,5\n" % number for number in range(rows))


def uploads(site: Site) -> list[PurePath]:
    return site.uploads()


def test_a_dry_run_and_then_the_import_of_the_same_file(site: Site) -> None:
    server = site.serve()
    content = table(3) + b"m9,,,\n"
    dry = f"/api/jobs/{ask(server, 'POST', '/api/imports?dry_run=true', content)['id']}"
    site.wait_until(lambda: server.get(dry)["state"] == "succeeded")
    assert server.get("/api/products")["count"] == 0
    job = f"/api/jobs/{ask(server, 'POST', f'{dry}/import')['id']}"
    site.wait_until(lambda: server.get(job)["state"] == "succeeded")
    assert server.get("/api/products")["count"] == 3
    assert server.get(job)["result"]["rejected"] == 1
    site.wait_until(lambda: {path.suffix for path in uploads(site)} == {".csv"})


def test_an_import_that_is_cancelled_ends_behind_the_rows_in_hand(site: Site) -> None:
    server = site.serve()
    job = f"/api/jobs/{ask(server, 'POST', '/api/imports', table(200_000))['id']}"
    site.wait_until(lambda: server.get(job)["done"] > 0)
    ask(server, "DELETE", job)
    site.wait_until(lambda: not [path for path in uploads(site) if path.suffix == ".import"])
    site.wait_until(lambda: not _imports(job))
    assert server.get(job)["state"] == "cancelled"
    there = server.get("/api/products")["count"]
    assert 0 < there < 200_000
    assert server.get("/api/products")["count"] == there


def _imports(job: str) -> list[str]:
    """The processes that import for this job."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if job.rpartition("/")[2] in command:
            found.append(command)
    return found
