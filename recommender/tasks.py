"""The recommender's Celery entry points; each is safe to run twice."""

from __future__ import annotations

from celery import shared_task

from recommender import events


@shared_task(acks_late=True)
def prune_events() -> None:
    """Forget events that are too old."""
    events.prune()
