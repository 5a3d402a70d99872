"""The shop of `furnish`, made once by each worker: its rows, files and vectors are kept, and each test gets them back."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.core.cache import caches
from django.db import connection

from embeddings.backends import get_vector_index
from embeddings.selectors import clear_live_collection_cache
from tests.browser.pages import Shop, furnish
from tests.memory_index import MemoryVectorIndex, Stored


class FurnishedShops:
    """Furnishes the first time, and afterwards puts back what was made then.

    Attributes:
        folder: where the files are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows = sqlite3.connect(":memory:")
        self._vectors: dict[str, Stored] = {}
        self._shop: Shop | None = None

    def close(self) -> None:
        """Forget what was kept."""
        self._rows.close()

    def make(self, url: str, index_photos: Callable[[], object]) -> Shop:
        """The shop as `furnish` makes it. It replaces all rows, files and vectors that the test has made before."""
        if connection.vendor != "sqlite":
            return furnish(url, index_photos)
        if self._shop is None:
            self._shop = furnish(url, index_photos)
            self._keep()
        else:
            self._put_back()
        return replace(deepcopy(self._shop), url=url)

    def _keep(self) -> None:
        connection.connection.backup(self._rows)
        for name, folder in self._folders().items():
            shutil.copytree(folder, self.folder / name)
        self._vectors = _index().contents()

    def _put_back(self) -> None:
        connection.ensure_connection()
        self._rows.backup(connection.connection)
        for name, folder in self._folders().items():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self.folder / name, folder)
        _index().fill(self._vectors)
        caches["process"].clear()
        clear_live_collection_cache()

    @staticmethod
    def _folders() -> dict[str, Path]:
        return {"media": Path(settings.MEDIA_ROOT), "uploads": Path(settings.UPLOADS_ROOT)}


def _index() -> MemoryVectorIndex:
    index = get_vector_index()
    assert isinstance(index, MemoryVectorIndex)
    return index
