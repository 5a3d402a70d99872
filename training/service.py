"""Trains an encoder version for a collection: what the command and the jobs do."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from django.conf import settings

from embeddings import versions
from embeddings.backends import get_encoder
from embeddings.dataset import read_photos
from embeddings.evaluation.live import catalogue_photos
from embeddings.evaluation.report import drawing
from embeddings.models import Collection, EncoderVersion
from jobs.progress import ProgressCallback
from training.config import TrainingConfig
from training.digits import holds_digits, load_digits
from training.encoder_files import MODEL, TrainedEncoder, TrainedNetwork, write_encoder
from training.errors import TrainingFailed
from training.fine_tune import fine_tune
from training.siamese_encoder import train_siamese_encoder
from training.training_data import TrainingData, divide


@dataclass(frozen=True)
class PhotoSource:
    """Where the photos of a training come from.

    Attributes:
        data: folder or zip of photos, or for a Siamese network a folder of digits; None for the collection's own photos.
        validation: folder or zip of photos to validate with; None for a part of the others.
        metadata: CSV file about `data`; None for metadata.csv in it.
    """

    data: Path | None = None
    validation: Path | None = None
    metadata: Path | None = None


def train_version(
    collection: Collection,
    source: PhotoSource,
    config: TrainingConfig,
    *,
    on_progress: ProgressCallback,
    keras_file: Path | None = None,
) -> tuple[TrainedEncoder, EncoderVersion]:
    """Train an encoder and register it as a version of the collection. It serves nothing until it is activated.

    Args:
        collection: whose version it becomes.
        source: the photos.
        config: how it is trained. An interrupted training continues when it is called again with the same.
        on_progress: called at each stage.
        keras_file: where to write a Siamese network as `.keras` too.

    Returns:
        What was trained, and the new version.

    Raises:
        UnusablePhotos, ArchiveRejected: nothing can be trained on these photos.
        BackboneUnavailable: the backbone cannot be loaded or exported.
        TrainingFailed: too little memory, or a loss that is no number any more.
        ValueError: options that do not fit together.
    """
    drawing()
    if keras_file is not None and keras_file.suffix != ".keras":
        raise ValueError(f"{keras_file} is not the name of a .keras file")
    cache = settings.DATA_DIR / "training" / collection.slug
    cache.mkdir(parents=True, exist_ok=True)
    checkpoints = cache / "checkpoints"
    active = collection.active_version
    beside = [] if active is None else [(f"active ({active.label})", get_encoder(active.encoder))]
    folder = versions.create_staging_folder()
    try:
        with _unpacking(cache) as unpacked:
            data = _data(collection, source, config, unpacked, on_progress)
            network = _train(data, config, cache, checkpoints, on_progress, keras_file)
            trained = write_encoder(network, data, config, folder, beside=beside, on_progress=on_progress)
        versions.keep_backbone(trained.recipe)
        version = versions.register_version(
            collection, folder, MODEL, recipe=trained.recipe, data=trained.data, metrics=trained.metrics,
            calibration=trained.calibration,
        )  # fmt: skip
    finally:
        versions.delete_staging_folder(folder)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return trained, version


def _data(
    collection: Collection,
    source: PhotoSource,
    config: TrainingConfig,
    unpacked: Path,
    on_progress: ProgressCallback,
) -> TrainingData:
    if source.data is None:
        photos = catalogue_photos(collection.active_version or EncoderVersion(collection=collection))
    elif config.siamese and holds_digits(source.data):
        return load_digits(source.data)
    else:
        photos = read_photos(source.data, source.metadata, unpacked / "data")
    validation = None
    if source.validation is not None:
        validation = read_photos(source.validation, None, unpacked / "validation")
    return divide(photos, validation, config, on_progress)


def _train(
    data: TrainingData,
    config: TrainingConfig,
    cache: Path,
    checkpoints: Path,
    on_progress: ProgressCallback,
    keras_file: Path | None,
) -> TrainedNetwork:
    backbones = versions.backbones_folder()
    try:
        if config.siamese:
            return train_siamese_encoder(
                data, config, backbones=backbones, cache=cache, checkpoints=checkpoints, on_progress=on_progress,
                out=keras_file,
            )  # fmt: skip
        return fine_tune(
            data, config, backbones=backbones, cache=cache, checkpoints=checkpoints, on_progress=on_progress
        )
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise TrainingFailed(
            "the memory does not suffice: take fewer views or photos, a smaller batch or hidden layer"
        ) from error


@contextlib.contextmanager
def _unpacking(cache: Path) -> Iterator[Path]:
    """A folder to unpack photos in. Those that killed trainings have left are removed, unless another training is running."""
    with (cache / ".lock").open("w") as lock:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in cache.glob("photos-*"):
                shutil.rmtree(left, ignore_errors=True)
        fcntl.flock(lock, fcntl.LOCK_SH)
        with tempfile.TemporaryDirectory(prefix="photos-", dir=cache) as folder:
            yield Path(folder)
