"""Registers a linear map of a version's vectors as a version of its own. Its vectors come from the database: nothing is encoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.backends import encoder_of
from embeddings.calibration import Calibration
from embeddings.encoders.mapped import MAP_SUFFIX, MappedEncoder, Turn, mapped, write_map
from embeddings.evaluation.calibration import fit_calibration
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.stored_vectors import vector_from_bytes, vector_to_bytes
from embeddings.versions import create_staging_folder, delete_staging_folder, register_version

State = ImageEmbedding.State

# Maps vectors, float32 [n, dim], to others of unit length.
Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]

FILE = f"map{MAP_SUFFIX}"
_BATCH = 1000
# Photos whose pairs the calibration is carried over on.
_CALIBRATED_ON = 1500


def register_mapped_version(
    base: EncoderVersion, scale: NDArray[np.float32], *, recipe: Mapping[str, Any], metrics: Mapping[str, Any]
) -> EncoderVersion:
    """Register a map of a version's vectors. Like any version, it serves nothing until it is activated.

    Args:
        base: the version; itself mapped or not.
        scale: float32 [dim]: what each entry of its vectors is multiplied by.
        recipe: how the map was made, plain JSON.
        metrics: what it was found to bring, plain JSON.

    Returns:
        The new version, whose photos are embedded as far as those of the base are.

    Raises:
        EncoderUnavailable: the base's model is missing.
        EncoderMismatch: the base's model was replaced.
    """
    encoder = encoder_of(base)
    name, fingerprint, whole, turn = base.encoder, base.fingerprint, scale, None
    if isinstance(encoder, MappedEncoder):
        # Two maps, one after the other, are one: lengths do not matter between them.
        name, fingerprint = encoder.base_name, encoder.base_fingerprint
        whole, turn = scale * encoder.scale, encoder.turn
    return _registered(
        base,
        lambda vectors: mapped(vectors, scale),
        {"encoder": name, "fingerprint": fingerprint, "scale": whole, "turn": turn},
        recipe,
        metrics,
    )


def register_turned_version(
    base: EncoderVersion, turn: Turn, *, recipe: Mapping[str, Any], metrics: Mapping[str, Any]
) -> EncoderVersion:
    """Register a turn of a version's vectors. Like any version, it serves nothing until it is activated.

    Args:
        base: the version, itself not mapped.
        turn: of its vectors.
        recipe: how the turn was found, plain JSON.
        metrics: what it was found to bring, plain JSON.

    Returns:
        The new version, whose photos are embedded as far as those of the base are.
    """
    scale = np.ones(turn.matrix.shape[1], np.float32)
    written = {"encoder": base.encoder, "fingerprint": base.fingerprint, "scale": scale, "turn": turn}
    return _registered(base, turn, written, recipe, metrics)


def _registered(
    base: EncoderVersion,
    change: Change,
    written: Mapping[str, Any],
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> EncoderVersion:
    """A version whose vectors are those of the base after a change. written: the arguments of `write_map`."""
    folder = create_staging_folder()
    try:
        write_map(folder / FILE, **written)
        version = register_version(
            base.collection, folder, FILE,
            recipe={"map_of": base.label, **recipe}, data=base.data, metrics=metrics,
            calibration=_carried_over(base, change),
        )  # fmt: skip
    finally:
        delete_staging_folder(folder)
    # Colour and pattern are copied as they are.
    version.parts, version.weights = base.parts, base.weights
    version.save(update_fields=["parts", "weights"])
    _copy_vectors(base, version, change)
    return version


def _copy_vectors(base: EncoderVersion, version: EncoderVersion, change: Change) -> None:
    rows = ImageEmbedding.objects.filter(version=base, vector__isnull=False).exclude(
        state__in=(State.PENDING, State.REMOVED)
    )
    last = 0
    while some := list(
        rows.filter(image_id__gt=last)
        .order_by("image_id")
        .values_list("image_id", "content_hash", "vector", "parts")[:_BATCH]
    ):
        vectors = change(np.stack([vector_from_bytes(vector) for _, _, vector, _ in some if vector is not None]))
        # A photo that was added meanwhile has a row already.
        ImageEmbedding.objects.bulk_create(
            (
                ImageEmbedding(
                    version=version, image_id=image_id, content_hash=content_hash, state=State.EMBEDDED,
                    vector=vector_to_bytes(vector), parts=parts,
                )
                for (image_id, content_hash, _, parts), vector in zip(some, vectors, strict=True)
            ),
            ignore_conflicts=True,
        )  # fmt: skip
        last = some[-1][0]


def _carried_over(base: EncoderVersion, change: Change) -> dict[str, Any] | None:
    """The base's calibration for mapped vectors: pairs are of the same kind as often as the base says, and have new scores."""
    if not base.calibration:
        return None
    rows = ImageEmbedding.objects.filter(version=base, vector__isnull=False).order_by("content_hash")
    stored = list(rows.values_list("vector", flat=True)[:_CALIBRATED_ON])
    if len(stored) < 2:
        return None
    before = np.stack([vector_from_bytes(vector) for vector in stored if vector is not None])
    after = change(before)
    one, other = np.triu_indices(len(before), 1)
    cosines, new = ((vectors @ vectors.T)[one, other] for vectors in (before, after))
    chance = np.random.default_rng(0)
    curves: dict[str, Any] = {}
    for level, document in base.calibration.items():
        same = chance.random(len(cosines)) < Calibration.from_dict(document).probability(cosines)
        try:
            curves[level] = fit_calibration(new.astype(np.float32), same).as_dict()
        except ValueError:
            # Too few photos to say anything.
            continue
    return curves or None
