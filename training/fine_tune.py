"""Fine-tuning: a head on a frozen backbone's cached features, then, where asked for, the backbone's last layers too."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from embeddings.encoders.litert import LiteRTEncoder
from embeddings.evaluation.metrics import retrieval_metrics
from embeddings.evaluation.photos import EmbeddedPhotos
from jobs.progress import ProgressCallback
from training.backbones import Backbone, frozen_encoder, load_backbone
from training.config import JOIN, TrainingConfig
from training.encoder_files import Embedded, TrainedNetwork
from training.errors import TrainingFailed
from training.features import Features, view_features
from training.further_labels import FURTHER_LABELS
from training.heads import Embed, TrainedHead, embed_with, train_head
from training.trainer import EpochRecord
from training.training_data import TrainingData
from training.unfreezing import train_unfrozen

# Of a larger gallery the validation after each epoch sees a sample; the figures at the end are of all of it.
_GALLERY_SEEN = 10_000


def fine_tune(
    data: TrainingData, config: TrainingConfig, *, backbones: Path, cache: Path, checkpoints: Path,
    on_progress: ProgressCallback,
) -> TrainedNetwork:  # fmt: skip
    """Train a head on the configured backbone.

    Args:
        data: the photos.
        config: how it is trained.
        backbones: folder where frozen backbones are kept, each once.
        cache: folder where features are kept.
        checkpoints: folder of backups, from which an interrupted training continues.
        on_progress: called at each stage.

    Returns:
        The backbone with its head.

    Raises:
        BackboneUnavailable: the backbone cannot be loaded, or not be exported.
        TrainingFailed: too little memory, or a loss that is no number any more.
        ValueError: options that do not fit together.
    """
    on_progress("backbone", 0, 0)
    backbone = load_configured(config, cache)
    frozen = frozen_encoder(backbone, backbones)
    _refuse_too_much(len(data.train), backbone.features)
    train, validation = _features(data, config, frozen, cache, on_progress)
    head = train_head(
        train,
        data.numbers,
        config,
        further=data.further,
        score=lambda embed: _score(data, config, embed, train[:, 0], validation[:, 0]),
        on_epoch=lambda record: on_progress("head", record.number, config.soup * config.epochs),
        checkpoints=checkpoints,
    )
    curve = [*head.fitted.curve]
    if config.unfreeze:
        curve += train_unfrozen(
            backbone, head, data.train, data.numbers, data.validation, data.validation_labels, data.classes, config,
            on_epoch=lambda record: on_progress("unfrozen", record.number - len(head.fitted.curve), config.unfreeze_epochs),
        )  # fmt: skip

    def embedded(embed: Embed) -> tuple[EmbeddedPhotos, EmbeddedPhotos]:
        return EmbeddedPhotos(data.train, embed(train[:, 0])), EmbeddedPhotos(data.validation, embed(validation[:, 0]))

    name = backbone_name(config)
    raw = embedded(lambda features: np.asarray(features, dtype=np.float32))
    return TrainedNetwork(
        "fine-tuned",
        _forward(backbone, head),
        backbone.input_size,
        [*backbone.variables, *(variable.value for variable in head.model.variables)],
        backbone.holder,
        curve,
        {
            **asdict(config),
            "also": ", ".join(config.further) or None,
            "also_weight": config.also_weight if config.further else None,
            "backbone": name,
            "backbone_fingerprint": backbone.fingerprint,
            "weights": Path(config.weights).name or None,
            "input_size": backbone.input_size,
            "best_epoch": head.fitted.best_epoch,
        },
        None if config.unfreeze else embedded(lambda features: embed_with(head.model, features)),
        Embedded(f"raw backbone ({name})", frozen.fingerprint, *raw),
        {FURTHER_LABELS: _learned(data, curve[-1] if config.unfreeze else head.fitted.best)} if data.further else {},
    )


def _learned(data: TrainingData, epoch: EpochRecord) -> dict[str, dict[str, Any]]:
    """Of each further label: how many values it has, of how many photos, and its loss in this epoch."""
    return {
        label.name: {"values": len(label.values), "photos": label.known, "loss": epoch.losses[label.name]}
        for label in data.further
    }


def load_configured(config: TrainingConfig, cache: Path) -> Backbone:
    """The backbone of a config. Raises BackboneUnavailable."""
    return load_backbone(
        config.backbone, weights=Path(config.weights) if config.weights else None, input_size=config.input_size or None,
        cache=cache,
    )  # fmt: skip


def backbone_name(config: TrainingConfig) -> str:
    """The handle of the backbone; of a path its last part, since a model card is read elsewhere."""
    return JOIN.join(part if "://" in part else Path(part).name for part in config.backbone.split(JOIN))


def _forward(backbone: Backbone, head: TrainedHead) -> Callable[[Any], Any]:
    def forward(images: Any) -> Any:
        return head.model(tf.math.l2_normalize(backbone.forward(images), axis=1), training=False)

    return forward


def _features(
    data: TrainingData, config: TrainingConfig, frozen: LiteRTEncoder, cache: Path, on_progress: ProgressCallback
) -> tuple[Features, Features]:
    train = view_features(
        frozen, data.train, data.train_hashes, views=config.views, seed=config.seed, cache=cache, stage="features",
        on_progress=on_progress,
    )  # fmt: skip
    validation = view_features(
        frozen, data.validation, data.validation_hashes, views=1, seed=config.seed, cache=cache,
        stage="validation features", on_progress=on_progress,
    )  # fmt: skip
    return train, validation


def _score(
    data: TrainingData, config: TrainingConfig, embed: Embed, train: NDArray[Any], validation: NDArray[Any]
) -> float:
    """Validation mAP: against the photos trained on, or, by product, against the other validation photos."""
    labels, queries = data.validation_labels, embed(validation)
    if config.by_product:
        return retrieval_metrics(queries, labels, queries, labels, leave_one_out=True).mean_average_precision
    seen = np.arange(len(train))
    if len(seen) > _GALLERY_SEEN:
        seen = np.sort(np.random.default_rng(0).choice(len(train), _GALLERY_SEEN, replace=False))
    return retrieval_metrics(queries, labels, embed(train[seen]), data.train_labels[seen]).mean_average_precision


def _refuse_too_much(photos: int, features: int) -> None:
    """The features of one view of all photos are held in memory twice: as they are, and embedded."""
    needed = 2 * 4 * photos * features
    available = _available_bytes()
    if needed > available:
        raise TrainingFailed(
            f"{photos:,} photos with {features} features need {needed / 1e9:.1f} GB of memory,"
            f" and {available / 1e9:.1f} GB are free: train on fewer photos, or on a larger machine"
        )


def _available_bytes() -> int:
    """Free memory, that of the file cache included where the system says how much that is."""
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
