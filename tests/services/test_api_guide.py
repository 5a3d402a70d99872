"""The commands of docs/how-to/api.md, one after another, on a running server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.factories import jpeg
from tests.services.conftest import ROOT, Site

GUIDE = ROOT / "docs" / "how-to" / "api.md"
SERVER = "http://127.0.0.1:8000"


def commands() -> list[tuple[str, int]]:
    """Each curl command of the guide, with the status that its comment promises."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = [re.fullmatch(r"(curl .*?)\s+# (\d{3})", line) for line in lines if line.startswith("curl ")]
    assert all(found)
    return [(match[1], int(match[2])) for match in found if match is not None]


def run(command: str, base: str, key: str, folder: Path) -> tuple[int, Any]:
    """The status and the JSON of a command."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} -sS -w '\\n%{{http_code}}'".replace(SERVER, base)],
        cwd=folder, env={"PATH": "/usr/bin:/bin", "KEY": key}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else None


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to run the guide's commands with")
def test_every_command_of_the_guide_does_what_it_says(make_site: Any, tmp_path: Path) -> None:
    site: Site = make_site(API_WRITES="keys")
    key = site.manage("api_key", "create", "shop system", "--secret", "--may", "import").stdout.strip()
    (tmp_path / "mug.jpg").write_bytes(jpeg("blue"))
    (tmp_path / "mug-from-above.jpg").write_bytes(jpeg("navy"))
    server = site.serve()

    answers = {}
    for command, expected in commands():
        status, body = run(command, server.base, key, tmp_path)
        assert (command, status, body) == (command, expected, body)
        answers[command] = body

    batch = next(body for command, body in answers.items() if "products:batch" in command)
    promised = json.loads(re.findall(r"```json\n(.*?)```", GUIDE.read_text(), re.DOTALL)[0])
    assert batch == promised
    mug = server.get("/api/products/by-sku/MUG-17")
    assert (mug["price"], len(mug["images"]), mug["tags"]) == ("11.90", 2, ["camping", "enamel"])
