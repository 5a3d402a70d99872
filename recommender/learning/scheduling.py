"""Submits the job that learns from events: now, or once a night where it is due."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from jobs.errors import JobInProgress
from jobs.models import Job
from jobs.services import create_job

logger = logging.getLogger(__name__)

LEARN = "learn"


def submit_learning() -> Job:
    """Have all collections learn now.

    Returns:
        The queued job.

    Raises:
        JobInProgress: one is queued or running.
    """
    return create_job(LEARN)


def submit_if_due() -> Job | None:
    """Have all collections learn, if LEARNING is not `off` and nothing was learned since the hour LEARNING_HOUR last began.

    Returns:
        The queued job; None where it is not due.
    """
    if settings.LEARNING == "off":
        return None
    now = timezone.now()
    due = now.replace(hour=settings.LEARNING_HOUR, minute=0, second=0, microsecond=0)
    if due > now:
        due -= timedelta(days=1)
    if Job.objects.filter(kind=LEARN, created_at__gte=due).exists():
        return None
    try:
        return submit_learning()
    except JobInProgress as error:
        logger.info("%s", error)
        return None
