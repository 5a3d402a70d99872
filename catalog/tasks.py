"""The catalogue's Celery tasks; each is idempotent."""

from __future__ import annotations

from celery import shared_task

from catalog import photo_roles, unused_files
from catalog.importers import scheduled_feeds


@shared_task(acks_late=False)
def sweep_unused_files() -> None:
    """Delete the files of photos that no product has had for DELETED_PHOTOS_KEEP_MINUTES."""
    unused_files.sweep()


@shared_task(acks_late=False)
def import_due_feeds() -> None:
    """Submit the import of a feed that is due."""
    scheduled_feeds.submit_due()


@shared_task(acks_late=False)
def find_photo_roles() -> None:
    """Find the roles of photos that wait for it, as after a change of families or an upgrade."""
    photo_roles.find_waiting_roles()
