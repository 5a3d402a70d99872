"""Fixtures for tests of the catalogue."""

from __future__ import annotations

import pytest

from catalog.importers import writer


@pytest.fixture
def full_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import saves full batches alone, however slow the machine is: its memory does not depend on the clock."""
    monkeypatch.setattr(writer, "_BATCH_MAX_AGE_S", 3_600.0)
