"""Requests made up from the API's own schema, right and wrong ones, sent to a real server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.conftest import STAND_IN
from tests.zips import packed

HOOKS = Path(__file__).with_name("schema_hooks.py")
EXAMPLES = 20


@pytest.mark.timeout(900)
def test_the_api_does_what_its_schema_says(make_site, tmp_path, record_property):
    site = make_site(**STAND_IN, API_WRITES="keys")
    site.manage("demo", "--count", "12")
    key = site.manage("api_key", "create", "fuzz", "--secret", "--may", "import", "--may", "train").stdout.strip()
    server = site.serve()
    (tmp_path / "photos.zip").write_bytes(packed())
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
