"""The recommender's Celery tasks; each is idempotent."""

from __future__ import annotations

from celery import shared_task

from recommender import events


@shared_task(acks_late=True)
def prune_events() -> None:
    """Delete the events that are older than EVENTS_KEEP_DAYS."""
    events.prune()
