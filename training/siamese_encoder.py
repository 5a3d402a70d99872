"""Trains a Siamese network on a set of photos or digits, as an encoder that is exported and served like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from embeddings.dataset import LabelledPhoto
from embeddings.encoders.preprocessing import squash
from embeddings.evaluation.photos import EmbeddedPhotos, embed_photos
from jobs.progress import ProgressCallback
from training import digits
from training.backbones import Backbone, frozen_encoder
from training.config import TrainingConfig
from training.encoder_files import Embedded, TrainedNetwork
from training.fine_tune import backbone_name, load_configured
from training.siamese import (
    Augmentation,
    SiameseNetwork,
    evaluate_siamese,
    feature_tower,
    hold_out,
    image_tower,
    train_siamese,
)
from training.training_data import TrainingData

SIDE = 64
HELD_OUT_PER_CLASS = 500
# A digit that is moved or turned is the same digit; a photo is augmented more gently, features not at all.
OF_DIGITS, OF_PHOTOS = Augmentation(), Augmentation(shift_px=4, rotation_degrees=5)

# MNIST has 60,000 digits to find 10,000 others by: the report and the confidence are of samples.
_MOST_GALLERY, _MOST_QUERIES = 10_000, 2_000
# Knobs of heads and of unfreezing.
_UNUSED = ("mixup", "dropout", "temperature", "balance", "views", "unfreeze", "unfreeze_epochs")


def train_siamese_encoder(
    data: TrainingData, config: TrainingConfig, *, backbones: Path, cache: Path, checkpoints: Path,
    on_progress: ProgressCallback, out: Path | None = None,
) -> TrainedNetwork:  # fmt: skip
    """Train a Siamese network from scratch, on pixels or on the features of the configured backbone.

    Args:
        data: the photos. The network is validated on a part of those to train on, and tested on those to validate with.
        config: how it is trained.
        backbones: folder where frozen backbones are kept, each once.
        cache: folder where archives of backbones are unpacked.
        checkpoints: folder of backups, from which an interrupted training continues.
        on_progress: called at each stage.
        out: a `.keras` file to write the network to.

    Returns:
        One tower of the network, as an encoder of photos.

    Raises:
        ValueError: data or options that nothing can be learnt from.
        BackboneUnavailable: the backbone cannot be loaded.
        TrainingFailed: the loss is no number any more.
    """
    are_digits = isinstance(data.train[0].source, np.ndarray)
    if are_digits and config.backbone:
        raise ValueError("a backbone takes colour photos: train on digits from scratch")
    raw: Embedded | None = None
    if config.backbone:
        on_progress("backbone", 0, 0)
        backbone = load_configured(config, cache)
        frozen = frozen_encoder(backbone, backbones)
        halves = [embed_photos(frozen, photos, "features") for photos in (data.train, data.validation)]
        raw = Embedded(f"raw backbone ({backbone_name(config)})", frozen.fingerprint, halves[0], halves[1])
        train_x: NDArray[Any] = halves[0].embeddings
        test_x: NDArray[Any] = halves[1].embeddings
        tower = feature_tower(train_x.shape[1], config.dim, hidden=config.hidden, seed=config.seed)
        side, augmentation = backbone.input_size, None
        forward, holder = _on_features(backbone, tower), backbone.holder
        variables, about = backbone.variables, {"backbone_fingerprint": backbone.fingerprint}
    else:
        side, channels = (digits.SIDE, 1) if are_digits else (config.input_size or SIDE, 3)
        train_x, test_x = (pixels(photos, side, channels) for photos in (data.train, data.validation))
        tower = image_tower(side, channels, config.dim, seed=config.seed)
        augmentation = OF_DIGITS if are_digits else OF_PHOTOS
        forward, holder, variables, about = _on_photos(tower), None, [], {}
    smallest = int(np.bincount(data.numbers).min())
    kept, held = hold_out(data.train_labels, min(HELD_OUT_PER_CLASS, max(2, smallest // 5)), seed=config.seed)
    network, fitted = train_siamese(
        train_x[kept], data.train_labels[kept], train_x[held], data.train_labels[held], tower, config,
        augmentation=augmentation, checkpoints=checkpoints,
        on_epoch=lambda record: on_progress("network", record.number, config.epochs),
    )  # fmt: skip
    scores = evaluate_siamese(network, train_x, data.train_labels, test_x, data.validation_labels)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        network.save(out)
    used = {name: value for name, value in asdict(config).items() if name not in _UNUSED}
    return TrainedNetwork(
        "Siamese network",
        forward,
        side,
        [*variables, *(variable.value for variable in tower.variables)],
        holder,
        fitted.curve,
        {
            **used,
            **about,
            "backbone": backbone_name(config) or None,
            "input_size": side,
            "threshold": scores.threshold,
            "best_epoch": fitted.best_epoch,
        },
        (
            _embedded(network, data.train, train_x, _MOST_GALLERY, config.seed),
            _embedded(network, data.validation, test_x, _MOST_QUERIES, config.seed),
        ),
        raw,
        {
            "loss": config.loss,
            "photos": len(data.train),
            "test_photos": len(data.validation),
            "epochs": len(fitted.curve),
            "seconds": round(sum(record.seconds for record in fitted.curve), 1),
            "nearest_neighbour_accuracy": scores.nearest_neighbour,
            "verification_accuracy": scores.verification,
            "threshold": scores.threshold,
        },
    )


def pixels(photos: list[LabelledPhoto] | Any, side: int, channels: int) -> NDArray[np.uint8]:
    """Photos as a network is trained on them: uint8 [n, side, side, channels], of one channel the first."""
    return np.stack([np.asarray(squash(photo.image(at_least=side), side))[:, :, :channels] for photo in photos])


def _on_photos(tower: keras.Model) -> Callable[[Any], Any]:
    """A tower of one channel sees colour photos in grey."""

    def forward(images: Any) -> Any:
        grey = tower.input_shape[3] == 1
        return tower(ops.mean(images, axis=3, keepdims=True) if grey else images, training=False)

    return forward


def _on_features(backbone: Backbone, tower: keras.Model) -> Callable[[Any], Any]:
    def forward(images: Any) -> Any:
        return tower(backbone.forward(images), training=False)

    return forward


def _embedded(network: SiameseNetwork, photos: Any, x: NDArray[Any], most: int, seed: int) -> EmbeddedPhotos:
    rows = np.sort(np.random.default_rng(seed).permutation(len(photos))[:most])
    return EmbeddedPhotos([photos[row] for row in rows.tolist()], network.embed(x[rows]))
