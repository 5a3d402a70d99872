"""Running an import, and reading its report."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from django.core.management import call_command


def run(path: Path, *options: str) -> dict[str, Any]:
    """Run the command and return its report."""
    out = io.StringIO()
    call_command("import_catalog", str(path), "--json", *options, stdout=out)
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    """Products created, updated, unchanged, and rows rejected."""
    return report["created"], report["updated"], report["unchanged"], report["rejected"]


def problems(report: dict[str, Any]) -> list[tuple[int, str]]:
    """Line and reason of each problem."""
    return [(problem["line"], problem["reason"]) for problem in report["problems"]]
