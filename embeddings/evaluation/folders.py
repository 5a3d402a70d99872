"""Evaluates an encoder on photos in folders, where a folder is a class."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray
from tqdm import tqdm

from catalog.photos import ImageRejected, open_upright
from embeddings.encoders.base import Encoder
from embeddings.evaluation.metrics import Labels, labels_of

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class EmbeddedFolder:
    """embeddings: float32 [n, dim], L2-normalised; labels: [n]; rejected: (path, reason) of photos that cannot be read."""

    embeddings: NDArray[np.float32]
    labels: Labels
    rejected: Sequence[tuple[Path, str]]


def embed_folder(encoder: Encoder, folder: Path) -> EmbeddedFolder:
    """Embed the photos below `folder`, each labelled by the folder it lies in. Raises ValueError without any photo."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.parent != folder)
    if not paths:
        raise ValueError(
            f"{folder} has no folder with photos: a folder is a class, and its JPEG, PNG and WebP files are its photos"
        )

    def embed(path: Path) -> NDArray[np.float32] | str:
        try:
            embedding: NDArray[np.float32] = encoder.encode([open_upright(path, at_least=encoder.input_size)])[0]
        except ImageRejected as error:
            return str(error)
        return embedding

    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        outcomes = list(tqdm(pool.map(embed, paths), total=len(paths), desc=folder.name, unit="photo", disable=None))
    embedded = [(path, outcome) for path, outcome in zip(paths, outcomes, strict=True) if not isinstance(outcome, str)]
    rejected = [(path, outcome) for path, outcome in zip(paths, outcomes, strict=True) if isinstance(outcome, str)]
    if not embedded:
        raise ValueError(f"none of the {len(paths)} photos in {folder} can be read; the first: {rejected[0][1]}")
    labels = labels_of([path.parent.relative_to(folder).as_posix() for path, _ in embedded])
    return EmbeddedFolder(np.stack([embedding for _, embedding in embedded]), labels, rejected)
