"""The catalogue's Celery tasks; each is idempotent."""

from __future__ import annotations

from celery import shared_task

from catalog import unused_files


@shared_task(acks_late=False)
def sweep_unused_files() -> None:
    """Delete the files of photos that no product has had for DELETED_PHOTOS_KEEP_MINUTES."""
    unused_files.sweep()
