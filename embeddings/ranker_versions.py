"""The lifecycle of ranker versions: registration, activation and rollback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Max

from embeddings.backends import ranker_of
from embeddings.errors import NoFormerRanker, VersionInUse, WorseRanker
from embeddings.models import Collection, RankerVersion
from embeddings.ranking.files import fingerprint_of, open_ranker
from embeddings.selectors import clear_live_collection_cache
from embeddings.versions import delete_files, labelled, store_folder

logger = logging.getLogger(__name__)

# In `RankerVersion.metrics`: the difference of a ranker's nDCG@10 from the text order's, with its interval.
DIFFERENCE = "difference"


def find_ranker(label: str) -> RankerVersion:
    """Get a version by its label.

    Args:
        label: slug and number, such as `fashion-r2`.

    Returns:
        The version, with its collection.

    Raises:
        UnknownCollection: there is no such version; the message lists the labels.
    """
    return labelled(RankerVersion.objects.all(), "ranker version", label, "-r")


@transaction.atomic
def register_ranker(
    collection: Collection,
    folder: Path,
    kind: str,
    *,
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> RankerVersion:
    """Register a ranker as a version of a collection. It changes no search until it is activated.

    Args:
        collection: of the version.
        folder: of `versions.create_staging_folder`; it is moved into the store of encoders.
        kind: a value of `RankerVersion.Kind`.
        recipe: hyper-parameters of its training, JSON.
        data: summary of the judgements, JSON.
        metrics: results of its evaluation, JSON.

    Returns:
        The version, with the next number of the collection.

    Raises:
        RankerUnavailable: the folder has no such ranker.
    """
    open_ranker(folder, kind)
    fingerprint = fingerprint_of(folder)
    name = f"ranker-{fingerprint[:24]}-{uuid4().hex[:8]}"
    last = RankerVersion.objects.filter(collection=collection).aggregate(last=Max("number"))["last"]
    version = RankerVersion.objects.create(
        collection=collection,
        number=(last or 0) + 1,
        kind=kind,
        files=name,
        fingerprint=fingerprint,
        recipe=dict(recipe),
        data=dict(data),
        metrics=dict(metrics),
    )
    store_folder(folder, name)
    return version


def activate_ranker(version: RankerVersion, *, allow_worse: bool = False) -> None:
    """Have a version put the best of its collection's searches by words in order, from the next search on.

    Args:
        version: active or not.
        allow_worse: activate it even if it was no better than the order of the text search.

    Raises:
        RankerUnavailable: its files are missing, damaged or others.
        WorseRanker: not allow_worse, and it was no better on judgements kept aside.
    """
    ranker_of(version)
    difference: Mapping[str, float] = version.metrics.get(DIFFERENCE, {})
    if not allow_worse and difference.get("mean", 0.0) <= 0:
        raise WorseRanker(
            f"{version.label} is no better than the order of the text search: {difference.get('mean', 0.0):+.4f} nDCG@10 on"
            " judgements kept aside; it is not activated"
        )
    with transaction.atomic():
        locked = Collection.objects.select_for_update().get(pk=version.collection_id)
        if locked.active_ranker_id != version.pk:
            locked.active_ranker, locked.previous_ranker = version, locked.active_ranker
            locked.save(update_fields=["active_ranker", "previous_ranker"])
    clear_live_collection_cache()
    logger.info("the ranker %s is active", version.label)


def roll_back_ranker(collection: Collection) -> RankerVersion | None:
    """Swap the active and the previous ranker of a collection.

    Args:
        collection: to roll back.

    Returns:
        The version that is active now; None for the order of the text search, from before the first activation.

    Raises:
        NoFormerRanker: no ranker was ever active.
    """
    with transaction.atomic():
        locked = Collection.objects.select_for_update(of=("self",)).get(pk=collection.pk)
        if locked.active_ranker_id is None and locked.previous_ranker_id is None:
            raise NoFormerRanker(f"no ranker was ever active in {collection.slug}")
        locked.active_ranker, locked.previous_ranker = locked.previous_ranker, locked.active_ranker
        locked.save(update_fields=["active_ranker", "previous_ranker"])
    clear_live_collection_cache()
    return locked.active_ranker


def delete_ranker(version: RankerVersion) -> None:
    """Delete a version that is not used: its row and its files.

    Args:
        version: any.

    Raises:
        VersionInUse: it is active, or kept for a rollback.
    """
    with transaction.atomic():
        collection = Collection.objects.select_for_update().get(pk=version.collection_id)
        if version.pk in (collection.active_ranker_id, collection.previous_ranker_id):
            raise VersionInUse(f"{version.label} ranks searches, or is kept for a roll-back")
        version.delete()
    delete_files(version.files)
