"""Errors carry the fact; commands are named where the command line words its remedies."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
APPS = (
    "accounts",
    "catalog",
    "embeddings",
    "jobs",
    "pictures",
    "product_files",
    "recommender",
    "rest",
    "storefront",
    "stores",
    "training",
)
# What starts a command, a model card, and the help of a script.
ALLOWED = {"jobs/runner.py", "training/minilm.py", "training/distil_joined.py"}


def texts(path: Path) -> Iterator[str]:
    """The strings of a module, without its docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_only_the_command_line_names_commands():
    found = {
        str(path.relative_to(ROOT))
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if "management" not in path.parts and any("manage.py" in text for text in texts(path))
    }
    assert found == ALLOWED
