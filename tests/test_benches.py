"""The benches: each is run by `make bench`, or the documentation says what it needs."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_make_runs_every_bench_whose_needs_are_not_named():
    listed = re.search(r"^\t@for bench in ([\w ]+);", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed
    run_by_make = set(listed[1].split())
    introduction = (ROOT / "docs" / "benchmarks.md").read_text().partition("\n## ")[0]
    named = set(re.findall(r"`bench\.(\w+)`", introduction))
    scripts = {path.stem: path.read_text() for path in (ROOT / "bench").glob("*.py")}
    assert not named & run_by_make
    assert {
        name for name, text in scripts.items() if re.search(r"^ +publish\(", text, re.MULTILINE)
    } == named | run_by_make
