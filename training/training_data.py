"""The photos of a training: inspected, divided into photos to train on and photos to validate with, and listed in a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from embeddings.dataset import (
    Inspection,
    LabelledPhoto,
    Manifest,
    PhotoSet,
    count_common_photos,
    inspect,
    manifest_rows,
    split,
)
from embeddings.errors import UnusablePhotos
from embeddings.evaluation.metrics import Labels, labels_of
from jobs.progress import ProgressCallback
from training.config import TrainingConfig
from training.further_labels import FurtherLabel, further_labels


@dataclass(frozen=True)
class TrainingData:
    """Photos to train on and to validate with.

    Attributes:
        train: photos to train on, each labelled by its class or, by product, by its product.
        train_hashes: SHA-256 of each of them, hexadecimal.
        validation: photos to validate with.
        validation_hashes: SHA-256 of each of them, hexadecimal.
        manifest: all of them, and what was found wrong with the set.
        further: labels that are learned beside the class, of the photos to train on.
    """

    train: Sequence[LabelledPhoto]
    train_hashes: Sequence[str]
    validation: Sequence[LabelledPhoto]
    validation_hashes: Sequence[str]
    manifest: Manifest
    further: Sequence[FurtherLabel] = ()

    @cached_property
    def classes(self) -> Labels:
        """Names of the classes, in the order of their numbers."""
        return np.unique(self.train_labels)

    @cached_property
    def train_labels(self) -> Labels:
        """The label of each photo to train on."""
        return labels_of([photo.label for photo in self.train])

    @cached_property
    def validation_labels(self) -> Labels:
        """The label of each photo to validate with."""
        return labels_of([photo.label for photo in self.validation])

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Int [n] in [0, classes): the class of each photo to train on."""
        return np.searchsorted(self.classes, self.train_labels)


def divide(
    photos: PhotoSet, validation: PhotoSet | None, config: TrainingConfig, on_progress: ProgressCallback
) -> TrainingData:
    """Inspect the photos and divide them.

    Args:
        photos: to train on, and without photos of their own to validate with.
        validation: photos to validate with; None holds out `config.fraction` of the others.
        config: its by_product, also, fraction and seed are read.
        on_progress: called while photos are read.

    Returns:
        The photos that can be used.

    Raises:
        UnusablePhotos: no photo can be read, no class can be divided, there is one class alone, or nothing to learn of a further
            label.
    """
    inspection = _inspected(photos, "photos", config, on_progress)
    problems = inspection.problems()
    if validation is None:
        other = inspection
        parts = split(inspection, fraction=config.fraction, seed=config.seed)
        train, held_out = parts.train.tolist(), parts.validation.tolist()
    else:
        other = _inspected(validation, "validation photos", config, on_progress)
        problems += [f"validation: {problem}" for problem in other.problems()]
        if common := count_common_photos(other, inspection):
            problems.append(
                f"{common} validation photos are among the photos to train on, or next to identical: the figures flatter"
            )
        train, held_out = [*range(len(inspection.photos))], [*range(len(other.photos))]
    rows = [*manifest_rows(inspection, train, "train"), *manifest_rows(other, held_out, "validation")]
    taught = [inspection.photos[number] for number in train]
    further = further_labels(config, taught)
    problems += [
        f"{len(taught) - label.known} of {len(taught)} photos to train on have no {label.name}; it is learned from the others"
        for label in further
        if label.known < len(taught)
    ]
    data = TrainingData(
        _labelled(taught, config),
        [inspection.hashes[number] for number in train],
        _labelled([other.photos[number] for number in held_out], config),
        [other.hashes[number] for number in held_out],
        Manifest(photos.title, rows, problems),
        further,
    )
    if len(data.classes) < 2:
        raise UnusablePhotos(
            f"{photos.title} has photos of {len(data.classes)} class to train on: at least two are needed"
        )
    return data


def _inspected(photos: PhotoSet, stage: str, config: TrainingConfig, on_progress: ProgressCallback) -> Inspection:
    known = photos.with_products() if config.by_product else photos.of_classes()
    inspection = inspect(known, stage=stage, on_progress=on_progress)
    if not inspection.photos:
        first = f"; the first: {inspection.unreadable[0][1]}" if inspection.unreadable else ""
        raise UnusablePhotos(f"none of the {len(known.photos)} photos of {photos.title} can be read{first}")
    return inspection


def _labelled(photos: Sequence[LabelledPhoto], config: TrainingConfig) -> list[LabelledPhoto]:
    return [replace(photo, label=photo.product) for photo in photos] if config.by_product else list(photos)
