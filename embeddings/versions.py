"""The life of encoder versions: taken in, activated beside the live one, rolled back to, let go of."""

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
from django.db.models import QuerySet

from catalog.models import Category
from embeddings import rebuild, services
from embeddings.backends import get_vector_index
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
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.selectors import forget_live_collections
from jobs.progress import Tell, counted

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
    """The version of this label (`fashion-v2`). Raises UnknownCollection with the labels there are."""
    slug, _, number = label.rpartition("-v")
    versions = EncoderVersion.objects.select_related("collection")
    found = versions.filter(collection__slug=slug, number=int(number)).first() if number.isdecimal() else None
    if found is None:
        known = ", ".join(version.label for version in versions.order_by("collection__slug", "number"))
        raise UnknownCollection(f"there is no encoder version {label!r}; there is: {known or 'none'}")
    return found


def backbone_of(version: EncoderVersion) -> str:
    """The name of the raw encoder that the version was trained on top of. Raises EncoderUnavailable for one without."""
    fingerprint = version.recipe.get("backbone_fingerprint")
    if fingerprint is None:
        raise EncoderUnavailable(f"{version.label} was not trained on top of a backbone")
    return f"{BACKBONES}/{fingerprint[:24]}.tflite"


def find_collection(slug: str) -> Collection:
    """Raises UnknownCollection with the slugs there are."""
    collection = Collection.objects.filter(slug=slug).select_related("active_version__collection").first()
    if collection is None:
        known = ", ".join(Collection.objects.values_list("slug", flat=True))
        raise UnknownCollection(
            f"there is no collection {slug!r}; there is: {known or 'none yet (run manage.py migrate)'}"
        )
    return collection


@transaction.atomic
def ensure_collection(slug: str, categories: list[str]) -> tuple[Collection, bool]:
    """The collection of this slug, made over these categories (paths; none: the whole catalogue) where it is missing.

    Raises UnknownCollection for a category that does not exist. Categories of a collection that stands are left as they are.
    """
    collection, made = Collection.objects.get_or_create(
        slug=slug, defaults={"name": slug.replace("-", " ").capitalize()}
    )
    if made:
        found = list(Category.objects.filter(path__in=categories))
        if missing := sorted(set(categories) - {category.path for category in found}):
            raise UnknownCollection(
                f"there is no category {', '.join(missing)}: give slug paths such as clothing/shirts"
            )
        collection.categories.set(found)
    return collection, made


def new_folder() -> Path:
    """A folder for a version in the making, in ENCODERS_ROOT; `take_in` moves it to its place, `discard` removes it.

    What a process that was killed left behind long ago is removed.
    """
    for left in settings.ENCODERS_ROOT.glob(".unfinished-*"):
        if time.time() - left.stat().st_mtime > _UNFINISHED_S:
            discard(left)
    folder: Path = settings.ENCODERS_ROOT / f".unfinished-{uuid4().hex}"
    folder.mkdir(parents=True)
    return folder


def discard(folder: Path) -> None:
    """Remove a version that was not taken in."""
    shutil.rmtree(folder, ignore_errors=True)


@transaction.atomic
def take_in(
    collection: Collection,
    folder: Path,
    model: str,
    *,
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    metrics: Mapping[str, Any],
    calibration: Mapping[str, Any] | None,
) -> EncoderVersion:
    """Make the folder's model a version of the collection; it serves nothing until it is activated.

    model: name of the LiteRT file in the folder. Raises EncoderUnavailable where it is none.
    """
    encoder = LiteRTEncoder(folder / model)
    # By content: the same model taken in twice lies there once.
    name = encoder.fingerprint[:32]
    place: Path = settings.ENCODERS_ROOT / name
    dim = encoder.dim
    if place.exists():
        shutil.rmtree(folder)
    else:
        folder.rename(place)
    version = services.add_version(collection, f"{name}/{model}")
    version.files, version.recipe, version.data = name, dict(recipe), dict(data)
    version.metrics, version.calibration, version.dim = dict(metrics), calibration and dict(calibration), dim
    version.save()
    return version


def activate(version: EncoderVersion, *, allow_worse: bool = False, tell: Tell = lambda *_: None) -> Activation:
    """Embed the collection by this version into an index beside the live one, then switch by one row update.

    Queries are answered by the live version until the switch; its index stays for a roll-back. Can be interrupted and run again.
    Raises WorseEncoder where the version finds the catalogue's own categories worse than the live one, unless allow_worse;
    EncoderMismatch where its model is not the one that it was; BuildOvertaken.
    """
    services.encoder_of(version)
    rebuild.follow(version)
    try:
        _embed(version, tell)
        comparison, uncompared = None, ""
        live = find_collection(version.collection.slug).active_version
        if live is not None and live.pk != version.pk:
            tell("comparison", 0, 0)
            comparison, uncompared = _compared(live, version)
            if comparison is not None and comparison.worse and not allow_worse:
                raise WorseEncoder(
                    f"{version.label} finds the catalogue's categories worse than {live.label}: mAP"
                    f" {comparison.candidate.mean_average_precision:.4f} against {comparison.live.mean_average_precision:.4f};"
                    " it is not activated (--allow-worse activates it all the same)"
                )
        points = rebuild.rebuild(version, counted(tell, "index", _rows(version).count()))
    except EmbeddingsError:
        rebuild.unfollow(version)
        raise
    # Changes whose transactions had begun before they were noted for this version too.
    _take_stock(version)
    failed = ImageEmbedding.objects.filter(version=version, state=State.FAILED).count()
    return Activation(version, points, failed, comparison, uncompared)


def roll_back(collection: Collection) -> EncoderVersion:
    """Make the previous version the active one again, and the active one the previous, by one row update.

    Its index was kept and the changes since are in the outbox, to be worked off after the switch. Raises NothingToRollBackTo.
    """
    with transaction.atomic():
        locked = Collection.objects.select_for_update().get(pk=collection.pk)
        previous = locked.previous_version
        if previous is None:
            raise NothingToRollBackTo(
                f"{collection.slug} has no previous version: only one was ever active, or it was let go of"
            )
        if not get_vector_index().exists(previous.index_collection().name):
            raise NothingToRollBackTo(
                f"the index of {previous.label} is gone: activate it anew (manage.py activate_encoder {previous.label})"
            )
        locked.active_version, locked.previous_version = previous, locked.active_version
        locked.save(update_fields=["active_version", "previous_version"])
    forget_live_collections()
    return previous


def _rows(version: EncoderVersion) -> QuerySet[ImageEmbedding]:
    return ImageEmbedding.objects.filter(version=version, vector__isnull=False)


def _take_stock(version: EncoderVersion) -> None:
    rebuild.renew_changed(version)
    rebuild.enrol_missing(version)
    rebuild.dismiss_orphans(version)


def _embed(version: EncoderVersion, tell: Tell) -> None:
    _take_stock(version)
    rebuild.retry_failed(version)
    waiting = ImageEmbedding.objects.filter(version=version, state=State.PENDING).count()
    services.embed_pending(version, on_progress=counted(tell, "embedding", waiting))


def _compared(live: EncoderVersion, version: EncoderVersion) -> tuple[Comparison | None, str]:
    try:
        return compare(live, version), ""
    except UnusablePhotos as error:
        return None, str(error)
