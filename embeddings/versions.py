"""The lifecycle of encoder versions: registration, activation and rollback."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from embeddings.backends import encoder_of, get_encoder, get_vector_index, is_map_of, open_encoder_file
from embeddings.coverage import set_coverage
from embeddings.errors import (
    EmbeddingsError,
    EncoderUnavailable,
    NoActiveVersion,
    NothingToRollBackTo,
    UnknownCollection,
    UnusablePhotos,
    VersionInUse,
    WorseEncoder,
)
from embeddings.evaluation.live import Comparison, compare
from embeddings.generations import abandon_build, begin_build, build_generation
from embeddings.indexing import embed_pending
from embeddings.models import Collection, EncoderVersion, ImageEmbedding, RankerVersion
from embeddings.outbox import enqueue_changed_content, ensure_all_rows, mark_orphans, retry_failed
from embeddings.parts.layout import CURRENT
from embeddings.selectors import clear_live_collection_cache, versions_in_use
from jobs.progress import ProgressCallback
from jobs.storage import storage_errors
from stores import base as stores
from stores.errors import StoreError

logger = logging.getLogger(__name__)

State = ImageEmbedding.State
V = TypeVar("V", EncoderVersion, RankerVersion)

# Folder of the raw backbones in the store of encoders; versions with the same backbone share its file.
BACKBONES = "backbones"

# Folder of the evaluation report, in the folder of a version.
REPORT = "report"

# Longer than any training.
_STAGING_MAX_AGE_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Activation:
    """Result of an activation.

    Attributes:
        version: that is active now.
        points: number of points in its index.
        failed: number of photos that could not be embedded.
        comparison: with the version that was live before; None if the catalogue allows none.
        comparison_error: why there is no comparison; "" if there is one, or nothing to compare with.
    """

    version: EncoderVersion
    points: int
    failed: int
    comparison: Comparison | None
    comparison_error: str = ""


def find_version(label: str) -> EncoderVersion:
    """Get a version by its label.

    Args:
        label: slug and number, such as `fashion-v2`.

    Returns:
        The version, with its collection.

    Raises:
        UnknownCollection: there is no such version; the message lists the labels.
    """
    return labelled(EncoderVersion.objects.all(), "encoder version", label, "-v")


def labelled(versions: QuerySet[V], kind: str, label: str, mark: str) -> V:
    """Get a version of any kind by its label.

    Args:
        versions: all of the kind.
        kind: what the message calls them.
        label: slug, mark and number.
        mark: between slug and number.

    Returns:
        The version, with its collection.

    Raises:
        UnknownCollection: there is no such version; the message lists the labels.
    """
    slug, _, number = label.rpartition(mark)
    rows = versions.select_related("collection")
    found = rows.filter(collection__slug=slug, number=int(number)).first() if number.isdecimal() else None
    if found is None:
        known = ", ".join(version.label for version in rows.order_by("collection__slug", "number"))
        raise UnknownCollection(f"there is no {kind} {label!r}; there is: {known or 'none'}")
    return found


def backbone_of(version: EncoderVersion) -> str:
    """Get the name of the raw encoder on which a version was trained.

    Args:
        version: a trained one.

    Returns:
        A name for `get_encoder`.

    Raises:
        EncoderUnavailable: it was not trained on a backbone.
    """
    fingerprint = version.recipe.get("backbone_fingerprint")
    if fingerprint is None:
        raise EncoderUnavailable(f"{version.label} was not trained on a backbone")
    return _backbone_name(fingerprint)


def _backbone_name(fingerprint: str) -> str:
    return f"{BACKBONES}/{fingerprint[:24]}.tflite"


def find_collection(slug: str) -> Collection:
    """Get a collection by its slug.

    Args:
        slug: of the collection.

    Returns:
        The collection, with its active version.

    Raises:
        UnknownCollection: there is none; the message lists the slugs.
    """
    collection = Collection.objects.filter(slug=slug).select_related("active_version__collection").first()
    if collection is None:
        raise UnknownCollection.named(slug, Collection.objects.values_list("slug", flat=True))
    return collection


def active_version_of(slug: str) -> EncoderVersion:
    """Get the version that answers the queries of a collection.

    Args:
        slug: of the collection.

    Returns:
        The active version.

    Raises:
        UnknownCollection: there is no such collection, or it has none (NoActiveVersion).
    """
    version = find_collection(slug).active_version
    if version is None:
        raise NoActiveVersion(slug)
    return version


@transaction.atomic
def ensure_collection(slug: str, categories: list[str]) -> tuple[Collection, bool]:
    """Get a collection by its slug, or create it.

    Args:
        slug: of the collection.
        categories: slug paths that a new collection covers; without any it covers the whole catalogue. Ignored if the collection
            exists.

    Returns:
        The collection, and whether it was created.

    Raises:
        InvalidCoverage: there is no such category.
    """
    collection, made = Collection.objects.get_or_create(
        slug=slug, defaults={"name": slug.replace("-", " ").capitalize()}
    )
    if made:
        set_coverage(collection, categories, covers_all=not categories)
    return collection, made


def ensure_default_collection() -> None:
    """Create the collection `all`, of the whole catalogue and with the default encoder, if it is missing.

    Raises:
        EncoderUnavailable: there is no such model.
    """
    collection, _ = Collection.objects.get_or_create(slug="all", defaults={"name": "All products", "covers_all": True})
    if collection.active_version is None:
        collection.active_version = create_version(collection, settings.DEFAULT_ENCODER)
        collection.save(update_fields=["active_version"])


@transaction.atomic
def create_version(collection: Collection, encoder_name: str) -> EncoderVersion:
    """Create a version of a collection. It is not used for queries until it is activated.

    Args:
        collection: of the version.
        encoder_name: a name for `get_encoder`.

    Returns:
        The version, with the next number of the collection.

    Raises:
        EncoderUnavailable: there is no such model.
    """
    encoder = get_encoder(encoder_name)
    last = (
        EncoderVersion.objects.filter(collection=collection)
        .order_by("-number")
        .values_list("number", flat=True)
        .first()
    )
    return EncoderVersion.objects.create(
        collection=collection,
        number=(last or 0) + 1,
        encoder=encoder_name,
        fingerprint=encoder.fingerprint,
        dim=encoder.dim,
        parts=CURRENT,
    )


def version_to_rebuild(collection: Collection, encoder_name: str) -> EncoderVersion:
    """Get or create a version that embeds all photos of a collection again, and start to enqueue changes for it.

    Args:
        collection: to rebuild.
        encoder_name: a name for `get_encoder`.

    Returns:
        The version of an interrupted rebuild with the same model, or a new version.

    Raises:
        EncoderUnavailable: there is no such model.
    """
    active = collection.active_version.number if collection.active_version else 0
    fingerprint = get_encoder(encoder_name).fingerprint
    left = EncoderVersion.objects.filter(
        collection=collection, number__gt=active, encoder=encoder_name, fingerprint=fingerprint, parts=CURRENT
    )
    # A version that was rolled back has a higher number too, but its vectors must not be used again.
    left = left.exclude(pk__in=versions_in_use().values("pk"))
    version = left.order_by("number").last() or create_version(collection, encoder_name)
    begin_build(version)
    return version


def create_staging_folder() -> Path:
    """Create a folder of this machine for the files of a new version, and delete abandoned ones.

    Returns:
        The folder. `register_version` moves it into the store of encoders, `delete_staging_folder` deletes it.

    Raises:
        StorageUnavailable: the disk does not take it.
    """
    store = stores.encoders()
    with storage_errors("a new encoder", store.place if store.is_local else settings.STORAGE_CACHE_DIR):
        scratch = store.scratch()
        for leftover in scratch.glob(".unfinished-*"):
            if time.time() - leftover.stat().st_mtime > _STAGING_MAX_AGE_S:
                delete_staging_folder(leftover)
        folder = scratch / f".unfinished-{uuid4().hex}"
        folder.mkdir()
    return folder


def backbones_folder() -> Path:
    """The folder of this machine where trainings keep backbones; `keep_backbone` gives them to the others."""
    return stores.encoders().scratch() / BACKBONES


def keep_backbone(recipe: Mapping[str, Any]) -> None:
    """Store the backbone of a training, unless it is stored already.

    Args:
        recipe: of the training.

    Raises:
        StorageUnavailable: the store of encoders does not take it.
    """
    store = stores.encoders()
    if store.is_local or "backbone_fingerprint" not in recipe:
        return
    name = _backbone_name(recipe["backbone_fingerprint"])
    with storage_errors("the backbone", store.place):
        if not store.exists(name):
            store.put(name, store.scratch() / name)


def store_folder(folder: Path, name: str) -> None:
    """Move the files of a version into the store of encoders.

    Args:
        folder: of `create_staging_folder`.
        name: of the folder there.

    Raises:
        StorageUnavailable: the store does not take them.
    """
    store = stores.encoders()
    with storage_errors("a new version", store.place):
        store.take_folder(name, folder)


def delete_files(name: str) -> None:
    """Delete the folder of a version that is deleted. Where the store is away, its files stay."""
    with _noted_where_away(name):
        stores.encoders().delete_folder(name)


@contextmanager
def _noted_where_away(name: str) -> Iterator[None]:
    """Go on where the store is away, and with it the files of this name stay."""
    try:
        yield
    except StoreError as error:
        logger.warning("the files of %s are not deleted: %s", name, error)


def delete_staging_folder(folder: Path) -> None:
    """Delete the folder of a version that was not registered."""
    shutil.rmtree(folder, ignore_errors=True)


@transaction.atomic
def register_version(
    collection: Collection,
    folder: Path,
    model: str,
    *,
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    metrics: Mapping[str, Any],
    calibration: Mapping[str, Any] | None,
) -> EncoderVersion:
    """Register a model as a version of a collection. It is not used for queries until it is activated.

    Args:
        collection: of the version.
        folder: of `create_staging_folder`; it is moved into the store of encoders.
        model: name of the LiteRT file in the folder, or of the map of another encoder.
        recipe: hyper-parameters of its training, JSON.
        data: summary of the training photos, JSON.
        metrics: results of its evaluation, JSON.
        calibration: see `embeddings.calibration`; None if it was not measured.

    Returns:
        The version.

    Raises:
        EncoderUnavailable: the file is not a model of an encoder.
        StorageUnavailable: the store of encoders does not take the files.
    """
    encoder = open_encoder_file(folder / model)
    # A folder of its own: two trainings may end with the same weights, and each has its own manifest, card and report.
    name = f"{encoder.fingerprint[:32]}-{uuid4().hex[:8]}"
    dim = encoder.dim
    store_folder(folder, name)
    version = create_version(collection, f"{name}/{model}")
    version.files, version.recipe, version.data = name, dict(recipe), dict(data)
    version.metrics, version.calibration, version.dim = dict(metrics), calibration and dict(calibration), dim
    version.save()
    return version


def activate(
    version: EncoderVersion, *, allow_worse: bool = False, on_progress: ProgressCallback | None = None
) -> Activation:
    """Embed a collection with a version, build its index next to the live one, and switch to it with one row update.

    The live version is used for queries until the switch. Its index is kept for rollback. Can be interrupted and run again.

    Args:
        version: active or not.
        allow_worse: activate it even if its quality is lower than that of the live version.
        on_progress: called with the stages "embedding" and "comparison", and those of `build_generation`.

    Returns:
        The result.

    Raises:
        WorseEncoder: not allow_worse, and the quality of the version on the catalogue's categories is lower than the live one's.
        EncoderMismatch: its model file was replaced.
        EncoderUnavailable: its model file is missing or damaged.
        BuildOvertaken: another process has started to build the same version.
        IndexUnavailable: the index does not respond.
        MediaUnavailable: the media folder is unavailable.
    """
    encoder_of(version)
    begin_build(version)
    try:
        ensure_up_to_date(version)
        retry_failed(version)
        embed_pending(version, on_progress=on_progress)
        comparison, comparison_error = None, ""
        live = find_collection(version.collection.slug).active_version
        if live is not None and live.pk != version.pk:
            if on_progress is not None:
                on_progress("comparison", 0, 0)
            comparison, comparison_error = _compared(live, version)
            if comparison is not None and comparison.worse and not allow_worse:
                raise WorseEncoder(
                    f"{version.label} finds the catalogue's categories worse than {live.label}: mAP"
                    f" {comparison.candidate.mean_average_precision:.4f} against {comparison.live.mean_average_precision:.4f};"
                    " it is not activated"
                )
        points = build_generation(version, on_progress)
    except EmbeddingsError:
        abandon_build(version)
        raise
    # Changes of transactions that started before changes were enqueued for this version.
    ensure_up_to_date(version)
    failed = ImageEmbedding.objects.filter(version=version, state=State.FAILED).count()
    return Activation(version, points, failed, comparison, comparison_error)


def prepare(version: EncoderVersion, *, on_progress: ProgressCallback | None = None) -> int:
    """Embed a collection with a version without activating it, so that it can be compared with the live one.

    An activation takes the vectors over. They are deleted when another version is activated.

    Args:
        version: active or not.
        on_progress: called with the stage "embedding".

    Returns:
        How many photos have a vector.

    Raises:
        EncoderMismatch: its model file was replaced.
        EncoderUnavailable: its model file is missing or damaged.
        MediaUnavailable: the media folder is unavailable.
    """
    encoder_of(version)
    ensure_up_to_date(version)
    retry_failed(version)
    embed_pending(version, on_progress=on_progress)
    return ImageEmbedding.objects.filter(version=version, vector__isnull=False).count()


def ensure_up_to_date(version: EncoderVersion) -> None:
    """Add to the outbox of a version the changes of the catalogue that were not enqueued for it."""
    enqueue_changed_content(version)
    ensure_all_rows(version)
    mark_orphans(version)


def roll_back(collection: Collection) -> EncoderVersion:
    """Swap the active and the previous version of a collection, with one row update.

    The index of the previous version was kept; later changes are in the outbox and are processed after the switch.

    Args:
        collection: to roll back.

    Returns:
        The version that is active now.

    Raises:
        NothingToRollBackTo: there is no previous version, or its index is gone.
    """
    with transaction.atomic():
        locked = Collection.objects.select_for_update().get(pk=collection.pk)
        previous = locked.previous_version
        if previous is None:
            raise NothingToRollBackTo(
                f"{collection.slug} has no previous version: only one was ever active, or its index was dropped"
            )
        if not get_vector_index().exists(previous.index_collection().name):
            raise NothingToRollBackTo(f"the index of {previous.label} is gone: the version has to be activated again")
        locked.active_version, locked.previous_version = previous, locked.active_version
        locked.save(update_fields=["active_version", "previous_version"])
    clear_live_collection_cache()
    return previous


def _compared(live: EncoderVersion, version: EncoderVersion) -> tuple[Comparison | None, str]:
    try:
        return compare(live, version), ""
    except UnusablePhotos as error:
        return None, str(error)


def reason_to_keep(version: EncoderVersion) -> str:
    """Why a version must not be deleted.

    Args:
        version: as the database has it.

    Returns:
        A sentence without a full stop; "" if it may be deleted.
    """
    others = EncoderVersion.objects.filter(collection=version.collection_id)
    if versions_in_use().filter(pk=version.pk).exists():
        return f"{version.label} answers queries, or is kept for a roll-back"
    if version.rebuilding:
        return f"{version.label} is being built"
    if not others.filter(number__gt=version.number).exists():
        return f"{version.label} is the newest version of its collection: its number would be given again"
    mapped = EncoderVersion.objects.exclude(pk=version.pk).values_list("encoder", flat=True)
    if version.files and any(is_map_of(name, version.files) for name in mapped):
        return f"another version is a map of {version.label}"
    return ""


def delete_version(version: EncoderVersion) -> None:
    """Delete a version that is not used: its index, its vectors, its row and its files.

    Args:
        version: any.

    Raises:
        VersionInUse: it is needed.
        IndexUnavailable: the index does not answer; everything is as it was.
    """
    with transaction.atomic():
        now = EncoderVersion.objects.select_for_update(of=("self",)).select_related("collection").get(pk=version.pk)
        if reason := reason_to_keep(now):
            raise VersionInUse(reason)
        for each in (now.index_collection(), now.text_collection()):
            get_vector_index().drop(each.name)
        ImageEmbedding.objects.filter(version=now).delete()
        now.delete()
    if version.files:
        delete_files(version.files)
    if version.text_map:
        with _noted_where_away(version.text_map):
            stores.encoders().delete(version.text_map)
    logger.info("the encoder version %s is deleted", version.label)


def delete_unused(age: timedelta) -> int:
    """Delete the versions that are not used and older than this.

    Args:
        age: since they were made.

    Returns:
        How many were deleted.
    """
    deleted = 0
    for version in EncoderVersion.objects.filter(created_at__lt=timezone.now() - age).select_related("collection"):
        with suppress(VersionInUse):
            delete_version(version)
            deleted += 1
    return deleted
