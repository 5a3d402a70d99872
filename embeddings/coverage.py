"""Which products a collection covers. A change is followed by a job: photos of what is covered now go in, the others go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from catalog.models import Category
from catalog.nearest_names import nearest_names
from embeddings.errors import InvalidCoverage
from embeddings.models import Collection
from embeddings.outbox import ensure_all_rows, mark_orphans
from embeddings.selectors import tracked_versions
from embeddings.text_outbox import ensure_all_texts, mark_text_orphans
from jobs.models import Job
from jobs.progress import ProgressCallback
from jobs.services import create_job

# The name of the kind of job.
COVERAGE = "coverage"


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """What a change of coverage did.

    Attributes:
        added: photos that are embedded now, over all versions that are kept up to date.
        removed: photos whose points are deleted, likewise.
    """

    added: int
    removed: int


@transaction.atomic
def set_coverage(collection: Collection, categories: Sequence[str], *, covers_all: bool) -> bool:
    """Set what a collection covers; `update_rows` has to follow.

    Args:
        collection: to change.
        categories: slug paths, each with everything below it; without any the collection covers nothing.
        covers_all: the whole catalogue, instead of categories.

    Returns:
        Whether anything changed.

    Raises:
        InvalidCoverage: there is no such category, or there are categories beside `covers_all`.
    """
    if covers_all and categories:
        raise InvalidCoverage("name categories, or the whole catalogue: not both")
    found = list(Category.objects.filter(path__in=categories))
    if missing := sorted({*categories} - {category.path for category in found}):
        raise InvalidCoverage("; ".join(map(_unknown, missing)))
    before = (collection.covers_all, {*collection.categories.values_list("pk", flat=True)})
    if before == (covers_all, {category.pk for category in found}):
        return False
    collection.covers_all = covers_all
    collection.save(update_fields=["covers_all"])
    collection.categories.set(found)
    return True


@transaction.atomic
def submit_coverage(collection: Collection, categories: Sequence[str], *, covers_all: bool) -> Job:
    """Set what a collection covers, and submit the job that follows, also where nothing has changed.

    Args:
        collection: to change.
        categories: as in `set_coverage`.
        covers_all: as in `set_coverage`.

    Returns:
        The queued job.

    Raises:
        InvalidCoverage: as in `set_coverage`; nothing is changed.
        JobInProgress: the job of an earlier change is queued or running; nothing is changed.
    """
    set_coverage(collection, categories, covers_all=covers_all)
    parameters = {"categories": sorted(categories), "covers_all": covers_all}
    return create_job(COVERAGE, collection=collection.slug, parameters=parameters)


def update_rows(collection: Collection, on_progress: ProgressCallback) -> CoverageReport:
    """Enqueue the photos that the collection covers now, and the deletion of the points of all others. Safe to repeat.

    Args:
        collection: whose coverage changed.
        on_progress: called with the stage "photos", and how many of its versions are done.

    Returns:
        How many photos go in and out.
    """
    versions = [version for version in tracked_versions() if version.collection_id == collection.pk]
    added = removed = 0
    for done, version in enumerate(versions, start=1):
        removed += mark_orphans(version)
        added += ensure_all_rows(version)
        mark_text_orphans(version)
        ensure_all_texts(version)
        on_progress("photos", done, len(versions))
    return CoverageReport(added, removed)


def _unknown(path: str) -> str:
    nearest = nearest_names(path, Category.objects.values_list("path", flat=True).iterator())
    return f"there is no category {path}" + (f"; the nearest: {', '.join(nearest)}" if nearest else "")
