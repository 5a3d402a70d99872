"""An installation of the tests' own: what trainings write goes into folders that are thrown away."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

# Small enough that a training takes a second or two.
SMALL = ("--backbone", "bundled-fast", "--epochs", 6, "--dim", 16, "--hidden", 32, "--views", 3, "--soup", 1)


def printed(command: str, *arguments: object) -> str:
    """What a management command writes to its standard output."""
    out = io.StringIO()
    call_command(command, *map(str, arguments), stdout=out)
    return out.getvalue()


@contextmanager
def installed(folder: Path) -> Iterator[Path]:
    """Data and encoders lie in this folder."""
    with override_settings(
        DATA_DIR=folder, ENCODERS_ROOT=folder / "encoders", MEDIA_ROOT=folder / "media", CELERY_BROKER_URL=""
    ):
        yield folder


@pytest.fixture
def installation(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """One for a single test; the settings are put back afterwards."""
    with installed(tmp_path / "installation") as folder:
        yield folder


@pytest.fixture
def backup_of_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short the epochs are."""
    from training import trainer

    monkeypatch.setattr(trainer, "BACKUP_EVERY_S", 0.0)
