"""Builds the next generation of a version's index beside the live one and switches to it.

The database holds every vector, so nothing is encoded. Rows are read by key in batches: memory stays constant.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from embeddings.backends import get_text_encoder, get_vector_index
from embeddings.errors import BuildOvertaken, EmbeddingsError, IndexUnavailable
from embeddings.indexing import points_of
from embeddings.models import (
    Collection,
    DocumentFrequency,
    EncoderVersion,
    ImageEmbedding,
    ImageEmbeddingQuerySet,
    IndexedText,
)
from embeddings.part_weights import refresh_weights
from embeddings.selectors import LIVE_COLLECTION_TTL_S, versions_in_use
from embeddings.text_indexing import build_texts
from embeddings.vector_index.base import IndexCollection
from embeddings.written_states import WrittenStates, begin_first_pass, begin_pass, keys_to_write, states_since
from jobs.progress import ProgressCallback, StageProgress

logger = logging.getLogger(__name__)

State = ImageEmbedding.State
BATCH = 1000
# Passes before the graph is built: each upserts what changed during the one before, until that is little.
MAX_PASSES = 5
SMALL_PASS = 200
POINTS_HELD = 5000


def begin_build(version: EncoderVersion) -> None:
    """Have the catalogue's changes enqueued for this version too. A build of it in another process is overtaken.

    The time that is written identifies this build: see `BuildOvertaken`.
    """
    version.rebuild_started_at = timezone.now()
    version.save(update_fields=["rebuild_started_at"])


def abandon_build(version: EncoderVersion) -> bool:
    """Have changes enqueued no more for this version, unless it is in use. Returns False where its build was overtaken."""
    own = EncoderVersion.objects.filter(pk=version.pk, rebuild_started_at=version.rebuild_started_at)
    return bool(own.update(rebuild_started_at=None))


def abandon_cancelled_build(version: EncoderVersion, since: datetime | None) -> None:
    """Have changes enqueued no more for a version whose build was cancelled, unless it is in use.

    Args:
        version: whose build it was.
        since: when it began at the earliest; None: it never did. A build of before is another's.
    """
    if since is not None:
        EncoderVersion.objects.filter(pk=version.pk, rebuild_started_at__gte=since).update(rebuild_started_at=None)


def _is_overtaken(version: EncoderVersion) -> bool:
    """Whether another process builds this version now; a build that was cancelled is nobody's."""
    began = EncoderVersion.objects.filter(pk=version.pk).values_list("rebuild_started_at", flat=True).first()
    return began is not None and began != version.rebuild_started_at


def build_generation(version: EncoderVersion, on_progress: ProgressCallback | None = None) -> int:
    """Build the next generation from the stored vectors, make it the live one and drop the former.

    A version that is not active yet becomes so by the switch; the version before it keeps its index for a roll-back. Queries are
    answered by the live index throughout. What changes during the build is caught up with before the switch, and what changes
    during the switch is upserted again after it.

    Args:
        version: with or without an index of its own.
        on_progress: called with the stage "creating the index", which a server with a node away answers after its timeout;
            with "indexing" as points are written; and with "texts" where texts are encoded.

    Returns:
        How many points the new generation has.

    Raises:
        BuildOvertaken: another process has begun to build the same version meanwhile.
        IndexUnavailable: the index does not answer; the live index is as it was.
        EncoderUnavailable: the collection's text encoder cannot be loaded; the live index is as it was.
        EncoderMismatch: the text encoder's files were replaced; the live index is as it was.
    """
    index = get_vector_index()
    # Not as they were when the version was read: hours of embedding may have passed, and a roll-back.
    collection = Collection.objects.get(pk=version.collection_id)
    text_encoder = collection.text_encoder
    text_dim = get_text_encoder(text_encoder).dim if text_encoder else 0
    begin_build(version)
    version.refresh_from_db(fields=["index_generation"])
    activating = collection.active_version_id != version.pk
    # What answers queries, now or after a roll-back, is never built over.
    in_use = version.pk in (collection.active_version_id, collection.previous_version_id)
    former = [version.index_collection().name, version.text_collection().name] if in_use else []
    generation = version.index_generation + in_use
    coming, coming_texts = version.index_collection(generation), version.text_collection(generation, text_dim)
    try:
        written = _fill(version, coming, coming_texts, text_encoder, in_use, on_progress)
        _switch(version, generation, written, text_encoder, text_dim, activating=activating)
    except BaseException as error:
        if _is_overtaken(version):
            if isinstance(error, EmbeddingsError) and not isinstance(error, BuildOvertaken):
                # What it was building is gone, or is another's.
                raise _overtaken(version) from error
            raise
        abandon_build(version)
        for each in (coming, coming_texts):
            index.drop(each.name)
        raise
    refresh_weights(version)
    for other in _out_of_use(version.collection_id):
        try:
            retire(other)
        except IndexUnavailable as error:
            # The switch is made, and the next one comes by here again.
            logger.warning("the index of %s is dropped later: %s", other.label, error)
    if former:
        _drop_later(former)
    return _with_vector(version).count()


def _fill(
    version: EncoderVersion,
    coming: IndexCollection,
    coming_texts: IndexCollection,
    text_encoder: str,
    in_use: bool,
    on_progress: ProgressCallback | None,
) -> _Written:
    """Write a new generation of photos and texts. Returns what was written of changes that the switch has to look at."""
    index = get_vector_index()
    for each in (coming, coming_texts):
        index.drop(each.name)
    creating = StageProgress(on_progress, "creating the index", 2)
    index.ensure(coming, bulk_load=True)
    creating.advance()
    index.ensure(coming_texts, bulk_load=bool(text_encoder))
    creating.advance()
    rows = _with_vector(version)
    progress = StageProgress(on_progress, "indexing", rows.count() if on_progress else 0)
    photos: WrittenStates | None = None
    for _ in range(MAX_PASSES):
        upserted, photos = _upsert_changed(version, coming.name, photos, progress if photos is None else None)
        if upserted <= SMALL_PASS:
            break
    # What it holds of the last points would be held beside the texts.
    index.close(coming.name)
    texts = build_texts(
        version, coming_texts.name, None, text_encoder=text_encoder, is_live=in_use, on_progress=on_progress
    )
    index.optimise(coming.name)
    if text_encoder:
        index.optimise(coming_texts.name)
    _, photos = _upsert_changed(version, coming.name, photos, None)
    texts = build_texts(version, coming_texts.name, texts, text_encoder=text_encoder, is_live=in_use)
    for each in (coming, coming_texts):
        index.close(each.name)
    return _Written(photos, texts)


def _drop_later(names: Sequence[str]) -> None:
    """Drop indexes that other processes may go on asking until they read the switch."""
    try:
        time.sleep(2 * LIVE_COLLECTION_TTL_S)
    finally:
        for name in names:
            get_vector_index().drop(name)


@transaction.atomic
def retire(version: EncoderVersion) -> None:
    """Drop a version's index and vectors, unless it came into use; its model stays, so that it can be activated again.

    Args:
        version: neither active nor kept for a roll-back when it was read.

    Raises:
        IndexUnavailable: the index does not answer; everything is as it was.
    """
    # Whoever begins to activate it locks the version too: they come before this, or find that everything is gone.
    now = (
        EncoderVersion.objects.select_for_update(of=("self",), no_key=True)
        .select_related("collection")
        .get(pk=version.pk)
    )
    if now.rebuilding or versions_in_use().filter(pk=now.pk).exists():
        return
    for each in (now.index_collection(), now.text_collection()):
        get_vector_index().drop(each.name)
    ImageEmbedding.objects.filter(version=now).delete()
    IndexedText.objects.filter(version=now).delete()
    DocumentFrequency.objects.filter(version=now).delete()
    # A process may still have the former index open under its name: it is not given twice.
    EncoderVersion.objects.filter(pk=now.pk).update(index_generation=F("index_generation") + 1, rebuild_started_at=None)


def _out_of_use(collection_id: int) -> list[EncoderVersion]:
    """Versions that still hold vectors, and are neither active nor kept for a roll-back nor being built."""
    kept = versions_in_use().values("pk")
    versions = EncoderVersion.objects.filter(collection=collection_id).exclude(pk__in=kept).select_related("collection")
    return [version for version in versions if not version.rebuilding and version.embeddings.exists()]


def _with_vector(version: EncoderVersion) -> ImageEmbeddingQuerySet:
    """The rows whose points the index is to hold."""
    return ImageEmbedding.objects.filter(version=version, vector__isnull=False).exclude(state=State.REMOVED)


class _Written(NamedTuple):
    """What a build wrote of the rows that changed just before its last pass, or during it."""

    photos: WrittenStates
    texts: WrittenStates


class _Row(NamedTuple):
    """What a point is made from. Instances of the model take longer to make than to write."""

    pk: int
    image_id: int
    vector: bytes | memoryview | None
    parts: bytes | memoryview | None


def _read(rows: ImageEmbeddingQuerySet) -> list[_Row]:
    return [*map(_Row._make, rows.order_by("pk").values_list(*_Row._fields))]


def _batches(rows: ImageEmbeddingQuerySet) -> Iterator[list[_Row]]:
    last = 0
    while batch := [*map(_Row._make, rows.order_by("pk").values_list(*_Row._fields).filter(pk__gt=last)[:BATCH])]:
        yield batch
        last = batch[-1].pk


def _upsert_changed(
    version: EncoderVersion, name: str, before: WrittenStates | None, progress: StageProgress | None
) -> tuple[int, WrittenStates]:
    """Write the points of rows that the pass before has not written (None: of all). Returns how many, and what is written now."""
    rows = _with_vector(version)
    if before is None:
        now, batches = begin_first_pass(rows), _batches(rows)
    else:
        now = begin_pass()
        batches = (_read(rows.filter(pk__in=keys)) for keys in keys_to_write(rows, before, now))
    upserted, held = 0, 0
    for batch in batches:
        get_vector_index().upsert(name, points_of(version.layout, batch))
        upserted, held = upserted + len(batch), held + len(batch)
        if held >= max(POINTS_HELD, upserted // 10):
            # An embedded engine gives back what it holds of fresh points; opening it again takes the longer the more there are.
            get_vector_index().close(name)
            held = 0
        if progress:
            progress.advance(len(batch))
    return upserted, now


def _overtaken(version: EncoderVersion) -> BuildOvertaken:
    return BuildOvertaken(f"another process has begun to rebuild the index of {version.label}, and goes on with it")


@transaction.atomic
def _switch(
    version: EncoderVersion,
    generation: int,
    written: _Written,
    text_encoder: str,
    text_dim: int,
    *,
    activating: bool,
) -> None:
    """Make a generation the live one; rows that have changed since the last pass looked at them are upserted again.

    activating: make the version the active one. A build of the active one leaves that as it is: it may have been rolled back from.
    """
    # Whoever marks rows as indexed meanwhile locks the version too: they come before the switch, or find that it was made.
    now = EncoderVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
    if now.rebuild_started_at != version.rebuild_started_at:
        raise _overtaken(version)
    rows = ImageEmbedding.objects.filter(version=version, vector__isnull=False)
    waiting = rows.filter(state__in=(State.EMBEDDED, State.OUTDATED))
    unsure = rows.filter(state__in=(State.EMBEDDED, State.INDEXED, State.OUTDATED)).select_for_update(no_key=True)
    for states in states_since(unsure, written.photos.since):
        missing = written.photos.missing(states)
        rows.filter(pk__in=missing, state__in=(State.INDEXED, State.OUTDATED)).mark_to_upsert()
        waiting.filter(pk__in={state.pk for state in states}.difference(missing)).mark_indexed()
    # Everything older that waited for the former generation is in the new one as it stands in the database.
    waiting.filter(changed_at__lt=written.photos.since).mark_indexed()
    texts = IndexedText.objects.filter(version=version, state=IndexedText.State.INDEXED)
    for states in states_since(texts.select_for_update(no_key=True), written.texts.since):
        texts.filter(pk__in=written.texts.missing(states)).mark_pending()
    version.index_generation = generation
    version.rebuild_started_at = None
    version.text_encoder, version.text_dim = text_encoder, text_dim
    version.save(update_fields=["index_generation", "rebuild_started_at", "text_encoder", "text_dim"])
    collection = Collection.objects.select_for_update(no_key=True).get(pk=version.collection_id)
    if activating and collection.active_version_id != version.pk:
        collection.previous_version_id, collection.active_version_id = collection.active_version_id, version.pk
        collection.save(update_fields=["active_version", "previous_version"])
