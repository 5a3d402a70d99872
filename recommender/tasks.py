"""The recommender's Celery tasks; each is idempotent."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from recommender import events, retention
from recommender.learning import experiments, scheduling


@shared_task(acks_late=True)
def prune_events() -> None:
    """Delete the events that are older than EVENTS_KEEP_DAYS."""
    events.prune()


@shared_task(acks_late=True)
def learn_nightly() -> None:
    """Have it learned from events, where that is due."""
    scheduling.submit_if_due()


@shared_task(acks_late=True)
def check_experiments() -> None:
    """Look at the running A/B tests, and take back what is worse."""
    experiments.check_all()


@shared_task(acks_late=True)
def clean_up() -> None:
    """Delete what is past its time, once a night."""
    if timezone.localtime().hour == settings.CLEAN_UP_HOUR:
        retention.clean_up()
