"""Requests made up from the API's own schema, right and wrong ones, sent to a real server."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.services.conftest import PATIENCE_S, STAND_IN, Server, Site
from tests.zips import packed

HOOKS = Path(__file__).with_name("schema_hooks.py")
EXAMPLES = 20
# Rules of which one is deleted at a time.
SPARE_RULES = 40


def ask(server: Server, key: str, path: str, content: bytes | None = None, media_type: str = "application/json") -> Any:
    """POST if there is content, else GET."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": media_type}
    request = urllib.request.Request(server.base + path, content, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310
        return json.load(response)


def ids_that_exist(site: Site, server: Server, key: str) -> dict[str, Any]:
    """A rule set with rules, and a dry run that has rejected a row: no generated request would find one."""
    ask(server, key, "/api/rule-sets", b'{"name": "fuzzed"}')
    rules = [
        ask(server, key, "/api/rule-sets/fuzzed/rules", b'{"kind": "only_in_stock"}')["id"] for _ in range(SPARE_RULES)
    ]
    table = b"sku,title,category,price\nm1,Mug,Home > Mugs,5\nm9,,,\n"
    job = ask(server, key, "/api/imports?dry_run=true", table, "text/csv")["id"]
    site.wait_until(lambda: bool(ask(server, key, f"/api/jobs/{job}")["state"] == "succeeded"))
    return {"name": "fuzzed", "rule_id": rules[-1], "spare_rules": rules[:-1], "job_id": job}


@pytest.mark.timeout(900)
def test_the_api_does_what_its_schema_says(make_site, tmp_path, record_property):
    site = make_site(**STAND_IN, API_WRITES="keys")
    site.manage("demo", "--count", "12")
    key = site.manage("api_key", "create", "fuzz", "--secret", "--may", "import", "--may", "train").stdout.strip()
    server = site.serve()
    (tmp_path / "photos.zip").write_bytes(packed())
    (tmp_path / "ids.json").write_text(json.dumps(ids_that_exist(site, server, key)))
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"{server.base}/api/schema", "--checks", "all",
            "--header", f"Authorization: Bearer {key}", "--request-timeout", "60",
            "--max-examples", str(EXAMPLES), "--seed", "1", "--generation-database", "none", "--continue-on-failure", "--no-color",
            # A busy machine is no reason to end an operation.
            "--suppress-health-check", "too_slow",
        ],
        cwd=tmp_path,
        env={**site.environment, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{site.log()[-3000:]}"
    record_property("note", "schemathesis:" + done.stdout.rpartition(" SUMMARY ")[2].strip("=\n"))
