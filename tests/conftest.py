"""The world every test starts from: throw-away files, real photos where REAL_DATA says, and no stray index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def media_root(settings: Any, tmp_path: Path) -> Path:
    """Each test stores its photos in a folder of its own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photos and product data; the test is skipped where there is none."""
    folder = os.environ.get("REAL_DATA")
    if not folder:
        pytest.skip("REAL_DATA is not set: no real photos to test with")
    return Path(folder).resolve()
