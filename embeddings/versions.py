"""The life of encoder versions: registered, activated beside the live one, rolled back to."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from catalog.models import Category
from embeddings.backends import encoder_of, get_encoder, get_vector_index
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.errors import (
    EmbeddingsError,
    EncoderUnavailable,
    NothingToRollBackTo,
    UnknownCollection,
    UnusablePhotos,
    WorseEncoder,
)
from embeddings.evaluation.live import Comparison, compare
from embeddings.generations import abandon_build, begin_build, build_generation
from embeddings.indexing import embed_pending
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.outbox import enqueue_changed_content, ensure_all_rows, mark_orphans, retry_failed
from embeddings.selectors import forget_live_collections, versions_in_use
from jobs.progress import ProgressCallback

State = ImageEmbedding.State

# Where the raw backbones lie in ENCODERS_ROOT, each once for all versions on top of it.
BACKBONES = "backbones"

# The folder of a version's evaluation report, among its files.
REPORT = "report"

# No training takes as long.
_UNFINISHED_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Activation:
    """What an activation did. comparison: None where the catalogue has nothing to compare by, for the reason in `uncompared`."""

    version: EncoderVersion
    points: int
    failed: int
    comparison: Comparison | None
    uncompared: str = ""


def find_version(label: str) -> EncoderVersion:
    """The version of a label.

    Args:
        label: slug and number, such as `fashion-v2`.

    Returns:
        The version, with its collection.

    Raises:
        UnknownCollection: there is no such version; the message has the labels there are.
    """
    slug, _, number = label.rpartition("-v")
    versions = EncoderVersion.objects.select_related("collection")
    found = versions.filter(collection__slug=slug, number=int(number)).first() if number.isdecimal() else None
    if found is None:
        known = ", ".join(version.label for version in versions.order_by("collection__slug", "number"))
        raise UnknownCollection(f"there is no encoder version {label!r}; there is: {known or 'none'}")
    return found


def backbone_of(version: EncoderVersion) -> str:
    """The name of the raw encoder that the version was trained on top of.

    Args:
        version: one that was trained.

    Returns:
        A name for `get_encoder`.

    Raises:
        EncoderUnavailable: it was trained on top of none.
    """
    fingerprint = version.recipe.get("backbone_fingerprint")
    if fingerprint is None:
        raise EncoderUnavailable(f"{version.label} was not trained on top of a backbone")
    return f"{BACKBONES}/{fingerprint[:24]}.tflite"


def find_collection(slug: str) -> Collection:
    """The collection of a slug.

    Args:
        slug: of the collection.

    Returns:
        The collection, with its active version.

    Raises:
        UnknownCollection: there is none; the message has the slugs there are.
    """
    collection = Collection.objects.filter(slug=slug).select_related("active_version__collection").first()
    if collection is None:
        raise UnknownCollection.named(slug, Collection.objects.values_list("slug", flat=True))
    return collection


@transaction.atomic
def ensure_collection(slug: str, categories: list[str]) -> tuple[Collection, bool]:
    """The collection of a slug, made where it is missing.

    Args:
        slug: of the collection.
        categories: slug paths that a new collection covers; none: the whole catalogue. A collection that exists keeps its own.

    Returns:
        The collection, and whether it was made.

    Raises:
        UnknownCollection: there is no such category.
    """
    collection, made = Collection.objects.get_or_create(
        slug=slug, defaults={"name": slug.replace("-", " ").capitalize()}
    )
    if made:
        found = list(Category.objects.filter(path__in=categories))
        if missing := sorted(set(categories) - {category.path for category in found}):
            raise UnknownCollection(f"there is no category {', '.join(missing)}")
        collection.categories.set(found)
    return collection, made


def ensure_default_collection() -> None:
    """Make the collection `all`, over the whole catalogue and with the default encoder, where it is missing.

    Raises:
        EncoderUnavailable: there is no such model.
    """
    collection, _ = Collection.objects.get_or_create(slug="all", defaults={"name": "All products"})
    if collection.active_version is None:
        collection.active_version = create_version(collection, settings.DEFAULT_ENCODER)
        collection.save(update_fields=["active_version"])


@transaction.atomic
def create_version(collection: Collection, encoder_name: str) -> EncoderVersion:
    """Make a version of the collection with this encoder; it answers no queries until it is activated.

    Args:
        collection: whose next version.
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
    )


def version_to_rebuild(collection: Collection, encoder_name: str) -> EncoderVersion:
    """The version that embeds every photo of the collection again; changes are enqueued for it from now on.

    Args:
        collection: which of them.
        encoder_name: a name for `get_encoder`.

    Returns:
        What an interrupted rebuild with the same model left, or a new version.

    Raises:
        EncoderUnavailable: there is no such model.
    """
    active = collection.active_version.number if collection.active_version else 0
    fingerprint = get_encoder(encoder_name).fingerprint
    left = EncoderVersion.objects.filter(
        collection=collection, number__gt=active, encoder=encoder_name, fingerprint=fingerprint
    )
    # What was rolled back from has a higher number too, and vectors that are not to be used again.
    left = left.exclude(pk__in=versions_in_use().values("pk"))
    version = left.order_by("number").last() or create_version(collection, encoder_name)
    begin_build(version)
    return version


def new_folder() -> Path:
    """A folder in ENCODERS_ROOT for a version in the making; `register_version` moves it to its place, `discard` removes it.

    What a process that was killed left behind long ago is removed.
    """
    for left in settings.ENCODERS_ROOT.glob(".unfinished-*"):
        if time.time() - left.stat().st_mtime > _UNFINISHED_S:
            discard(left)
    folder: Path = settings.ENCODERS_ROOT / f".unfinished-{uuid4().hex}"
    folder.mkdir(parents=True)
    return folder


def discard(folder: Path) -> None:
    """Remove the folder of a version that was not registered."""
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
    """Make the folder's model a version of the collection; it answers no queries until it is activated.

    Args:
        collection: whose next version.
        folder: of `new_folder`; it is moved to its place in ENCODERS_ROOT.
        model: name of the LiteRT file in the folder.
        recipe: hyper-parameters of its training, JSON.
        data: a summary of its photos, JSON.
        metrics: what its evaluation found, JSON.
        calibration: see `embeddings.calibration`; None where nobody measured it.

    Returns:
        The version.

    Raises:
        EncoderUnavailable: the file is no LiteRT model of an encoder.
    """
    encoder = LiteRTEncoder(folder / model)
    # By content: the same model registered twice lies there once.
    name = encoder.fingerprint[:32]
    place: Path = settings.ENCODERS_ROOT / name
    dim = encoder.dim
    if place.exists():
        shutil.rmtree(folder)
    else:
        folder.rename(place)
    version = create_version(collection, f"{name}/{model}")
    version.files, version.recipe, version.data = name, dict(recipe), dict(data)
    version.metrics, version.calibration, version.dim = dict(metrics), calibration and dict(calibration), dim
    version.save()
    return version


def activate(
    version: EncoderVersion, *, allow_worse: bool = False, on_progress: ProgressCallback | None = None
) -> Activation:
    """Embed the collection by this version into an index beside the live one, then switch by one row update.

    Queries are answered by the live version until the switch; its index stays for a roll-back. Can be interrupted and run again.

    Args:
        version: active or not.
        allow_worse: activate it whatever the comparison with the live version says.
        on_progress: called with the stages "embedding", "comparison" and "indexing".

    Returns:
        What was done.

    Raises:
        WorseEncoder: not allow_worse, and the version finds the catalogue's own categories worse than the live one.
        EncoderMismatch: its model file was exchanged.
        EncoderUnavailable: its model file is missing or damaged.
        BuildOvertaken: another process has begun to build the same version meanwhile.
        IndexUnavailable: the index does not answer.
        MediaUnavailable: the photos' folder is away as a whole.
    """
    encoder_of(version)
    begin_build(version)
    try:
        ensure_up_to_date(version)
        retry_failed(version)
        embed_pending(version, on_progress=on_progress)
        comparison, uncompared = None, ""
        live = find_collection(version.collection.slug).active_version
        if live is not None and live.pk != version.pk:
            if on_progress is not None:
                on_progress("comparison", 0, 0)
            comparison, uncompared = _compared(live, version)
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
    # Changes whose transactions had begun before changes were enqueued for this version too.
    ensure_up_to_date(version)
    failed = ImageEmbedding.objects.filter(version=version, state=State.FAILED).count()
    return Activation(version, points, failed, comparison, uncompared)


def ensure_up_to_date(version: EncoderVersion) -> None:
    """Bring the version's outbox in line with the catalogue, for changes that were not enqueued for it."""
    enqueue_changed_content(version)
    ensure_all_rows(version)
    mark_orphans(version)


def roll_back(collection: Collection) -> EncoderVersion:
    """Make the previous version the active one again, and the active one the previous, by one row update.

    Its index was kept, and the changes since are in the outbox, to be processed after the switch.

    Args:
        collection: which of them.

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
    forget_live_collections()
    return previous


def _compared(live: EncoderVersion, version: EncoderVersion) -> tuple[Comparison | None, str]:
    try:
        return compare(live, version), ""
    except UnusablePhotos as error:
        return None, str(error)
