"""Deletes what is past its time: rows and files that would grow for ever. Each kind has a setting; what is deleted is counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Model, QuerySet
from django.utils import timezone

from accounts import audit
from catalog.media_check import MediaMissing, check_media
from catalog.models import FetchedPhoto
from embeddings import versions
from embeddings.errors import EmbeddingsError
from jobs.models import Job
from jobs.states import ACTIVE_STATES
from recommender import events

logger = logging.getLogger(__name__)

_BATCH_SIZE = 1000


def clean_up() -> dict[str, int]:
    """Delete everything that is past its time. What fails does not keep the rest.

    Returns:
        How many of each kind were deleted, by its name.
    """
    deleted = {}
    for name, delete in _KINDS.items():
        try:
            deleted[name] = delete()
        except (OSError, EmbeddingsError, MediaMissing) as error:
            logger.warning("%s past their time are not deleted now: %s", name, error)
    logger.info("deleted: %s", ", ".join(f"{count:,} {name}" for name, count in deleted.items()))
    return deleted


def _sessions() -> int:
    return _delete(Session.objects.filter(expire_date__lt=timezone.now()))


def _sign_in_attempts() -> int:
    return _delete(AccessAttempt.objects.filter(attempt_time__lt=timezone.now() - settings.AXES_COOLOFF_TIME))


def _jobs() -> int:
    ended = Job.objects.exclude(state__in=ACTIVE_STATES).filter(finished_at__lt=_before(settings.JOBS_KEEP_DAYS))
    # Pages show the last one of each kind.
    newest = Job.objects.order_by("kind", "collection", "-created_at").values_list("kind", "collection", "pk")
    last = {(kind, collection): pk for kind, collection, pk in reversed(newest)}
    return _delete(ended.exclude(pk__in=list(last.values())))


def _fetched_photos() -> int:
    return _delete(FetchedPhoto.objects.filter(fetched_at__lt=_before(settings.FETCHED_PHOTOS_KEEP_DAYS)))


def _versions() -> int:
    return versions.delete_unused(timedelta(days=settings.UNUSED_VERSIONS_KEEP_DAYS))


def _media() -> int:
    return check_media(delete_unused=True).deleted


def _before(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)


def _delete(rows: QuerySet[Model]) -> int:
    """In batches, so that no transaction takes long."""
    deleted = 0
    while keys := list(rows.values_list("pk", flat=True)[:_BATCH_SIZE]):
        deleted += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return deleted


_KINDS: Mapping[str, Callable[[], int]] = {
    "sessions": _sessions,
    "sign-in attempts": _sign_in_attempts,
    "audit entries": audit.prune,
    "events": events.prune,
    "jobs": _jobs,
    "fetched photos": _fetched_photos,
    "encoder versions": _versions,
    "media files": _media,
}
