"""Trains and judges a Siamese network on digits, or on any photos in folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from embeddings.dataset import inspect, read_folder, split
from embeddings.encoders.preprocessing import squash
from embeddings.evaluation.photos import embed_photos
from embeddings.training.backbones import frozen_encoder, load_backbone
from embeddings.training.siamese import (
    Augmentation,
    Epoch,
    SiameseOptions,
    evaluate_siamese,
    feature_tower,
    hold_out,
    image_tower,
    load_digits,
    train_siamese,
)
from embeddings.versions import BACKBONES

DIM = 64
SIDE = 64
HELD_OUT_A_CLASS = 500

Array = NDArray[Any]


@dataclass(frozen=True)
class FrozenFeatures:
    """A backbone whose features the towers see in place of pixels; see `load_backbone`."""

    backbone: str
    weights: Path | None = None
    input_size: int | None = None


def run(
    data: Path,
    wanted: Mapping[str, Any],
    out: Path | None,
    checkpoints: Path,
    say: Callable[[str], object],
    features: FrozenFeatures | None = None,
) -> dict[str, Any]:
    """Train from scratch on the digits or photos below `data` and judge by photos that were never trained on.

    wanted: fields of SiameseOptions, and dim. out: the `.keras` file to write. Returns figures by name; raises ValueError.
    """
    if out is not None:
        # Before hours of training rather than after them.
        if out.suffix != ".keras":
            raise ValueError(f"{out} is not the name of a .keras file")
        out.parent.mkdir(parents=True, exist_ok=True)
    digits = any(data.glob("train_*_*.npz"))
    if digits and features is not None:
        raise ValueError("a backbone takes colour photos: train on digits from scratch")
    train, train_labels, test, test_labels = _digits(data) if digits else _photos(data, features)
    known = {each.name for each in fields(SiameseOptions)}
    chosen = {name: value for name, value in wanted.items() if name in known}
    if not digits:
        # A digit moved or turned is the same digit; a photo is augmented more gently, features not at all.
        chosen["augmentation"] = Augmentation(shift_px=4, rotation_degrees=5)
        chosen["classes_per_batch"] = min(10, len(np.unique(train_labels)))
    per_class = min(HELD_OUT_A_CLASS, max(2, int(np.unique(train_labels, return_counts=True)[1].min()) // 5))
    options = SiameseOptions(**chosen)
    kept, held = hold_out(train_labels, per_class, seed=options.seed)
    dim = int(wanted.get("dim", DIM))
    if features is None:
        tower = image_tower(train.shape[1], train.shape[3] if train.ndim == 4 else 1, dim, seed=options.seed)
    else:
        tower = feature_tower(train.shape[1], dim, seed=options.seed)

    def tell(epoch: Epoch) -> None:
        say(f"epoch {epoch.number}: loss {epoch.loss:.4f}, validation {epoch.score:.4f}, {epoch.seconds:.0f} s")

    result = train_siamese(
        train[kept], train_labels[kept], train[held], train_labels[held], tower, options, tell, checkpoints
    )
    scores = evaluate_siamese(result.network, train, train_labels, test, test_labels)
    if out is not None:
        result.network.save(out)
    for left in checkpoints.glob("*"):
        left.unlink()
    return {
        "loss": options.loss,
        "photos": len(train),
        "test_photos": len(test),
        "epochs": len(result.curve),
        "seconds": round(sum(epoch.seconds for epoch in result.curve), 1),
        "nearest_neighbour_accuracy": float(scores.nearest_neighbour),
        "verification_accuracy": float(scores.verification),
        "threshold": float(scores.threshold),
    }


def _digits(data: Path) -> tuple[Array, Array, Array, Array]:
    found = load_digits(data)
    return found.train_images, found.train_labels, found.test_images, found.test_labels


def _photos(data: Path, features: FrozenFeatures | None) -> tuple[Array, Array, Array, Array]:
    look = inspect(read_folder(data).of_classes())
    parts = split(look)
    if features is None:
        x = np.stack([np.asarray(squash(photo.image(at_least=SIDE), SIDE)) for photo in look.photos])
    else:
        cache: Path = settings.DATA_DIR / "training"
        backbone = load_backbone(
            features.backbone, weights=features.weights, input_size=features.input_size, cache=cache
        )
        encoder = frozen_encoder(backbone, settings.ENCODERS_ROOT / BACKBONES)
        x = embed_photos(encoder, look.photos, "features").embeddings
    labels = np.asarray([photo.label for photo in look.photos])
    return x[parts.train], labels[parts.train], x[parts.validation], labels[parts.validation]
