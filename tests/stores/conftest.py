"""Both stores, by the name of the fixture."""

from __future__ import annotations

from typing import Any

import pytest

from stores.base import FileStore, uploads


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, settings: Any) -> FileStore:
    """The store of uploads: a folder, then a part of a bucket."""
    if request.param == "bucket":
        request.getfixturevalue("bucket")
    return uploads()
