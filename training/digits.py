"""MNIST's digits as photos to train on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings.dataset import LabelledPhoto, Manifest
from training.training_data import TrainingData

SIDE = 28


def holds_digits(folder: Path) -> bool:
    """Whether the folder has parts of MNIST in it."""
    return any(folder.glob("train_*_*.npz"))


def load_digits(folder: Path) -> TrainingData:
    """MNIST from its parts `{train,test}_{digit}_{part}.npz`, each with `images`, uint8 [n, 28, 28], and one `label`.

    Args:
        folder: where the parts lie.

    Returns:
        Digits to train on, and the test digits to validate with; in order of digits.

    Raises:
        ValueError: the folder has no such parts, or a part is not what its name says.
    """
    train, test = _read_half(folder, "train"), _read_half(folder, "test")
    rows = [
        {"name": photo.name, "sha256": sha256, "label": photo.label, "product": "", "split": name}
        for name, half in (("train", train), ("validation", test))
        for photo, sha256 in half
    ]
    return TrainingData(
        [photo for photo, _ in train], [sha256 for _, sha256 in train], [photo for photo, _ in test],
        [sha256 for _, sha256 in test], Manifest(folder.name, rows),
    )  # fmt: skip


def _read_half(folder: Path, half: str) -> list[tuple[LabelledPhoto, str]]:
    """Each digit with the SHA-256 of its pixels."""
    paths = sorted(folder.glob(f"{half}_[0-9]_*.npz"))
    if missing := set("0123456789") - {path.name.split("_")[1] for path in paths}:
        raise ValueError(
            f"{folder} lacks {half} digits {', '.join(sorted(missing))}: it must hold files like {half}_0_0.npz, "
            f"each with `images` (uint8 [n, 28, 28]) and `label`"
        )
    return [
        (
            LabelledPhoto(f"{path.stem}/{number}", path.name.split("_")[1], "", digit),
            hashlib.sha256(digit.tobytes()).hexdigest(),
        )
        for path in paths
        for number, digit in enumerate(_read_part(path))
    ]


def _read_part(path: Path) -> NDArray[np.uint8]:
    with np.load(path) as part:
        if "images" not in part or "label" not in part:
            raise ValueError(f"{path} must hold `images` and `label`, not {', '.join(part) or 'nothing'}")
        digits, label = part["images"], int(part["label"])
    if label != int(path.name.split("_")[1]):
        raise ValueError(f"{path} says that its label is {label}")
    if digits.dtype != np.uint8 or digits.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"{path} holds images {digits.dtype} {digits.shape}, not uint8 [n, 28, 28]")
    checked: NDArray[np.uint8] = digits
    return checked
