"""How deeply JSON is nested is known from any pieces of it, before a parser takes memory for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from product_files.json_files.json_objects import json_objects
from product_files.json_files.json_source import JsonUnreadable, Nesting

TEXTS = st.text(alphabet='ab[]{}"\\\né\N{GRINNING FACE}', max_size=8)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=30,
)


def depth(document: Any) -> int:
    if not isinstance(document, dict | list):
        return 0
    return 1 + max(map(depth, document.values() if isinstance(document, dict) else document), default=0)


@given(document=DOCUMENTS, as_ascii=st.booleans(), sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_the_depth_of_any_document_is_found_in_any_pieces(document: Any, as_ascii: bool, sizes: Sequence[int]) -> None:
    text, nesting, deepest, start, turn = json.dumps(document, ensure_ascii=as_ascii), Nesting(), 0, 0, 0
    while start < len(text):
        size = sizes[turn % len(sizes)]
        deepest = max(deepest, nesting.deepest_in(text[start : start + size]))
        start, turn = start + size, turn + 1
    assert deepest == depth(document)


def nested(levels: int) -> str:
    return '{"sku": "M-2", "tags": ' + "[" * levels + "]" * levels + "}"


def test_what_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "products.json"
    path.write_text(f"[{nested(98)}]")
    assert [each["sku"] for each in json_objects(path, "utf-8")] == ["M-2"]
    path.write_text(f"[{nested(99)}]")
    with pytest.raises(JsonUnreadable, match="nested more than 100 levels deep"):
        list(json_objects(path, "utf-8"))
