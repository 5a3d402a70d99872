"""Embeds labelled photos, to be compared with each other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from django.conf import settings
from numpy.typing import NDArray
from tqdm import tqdm

from embeddings.dataset import LabelledPhoto
from embeddings.encoders.base import Encoder
from embeddings.errors import UnusablePhotos
from embeddings.evaluation.metrics import Embeddings, Labels, labels_of
from pictures.photos import ImageRejected


@dataclass(frozen=True)
class EmbeddedPhotos:
    """embeddings: float32 [n, dim], L2-normalised, one of each photo; rejected: (name, reason) of photos that cannot be read."""

    photos: Sequence[LabelledPhoto]
    embeddings: Embeddings
    rejected: Sequence[tuple[str, str]] = ()

    @cached_property
    def labels(self) -> Labels:
        """[n]."""
        return labels_of([photo.label for photo in self.photos])

    @cached_property
    def products(self) -> Labels:
        """[n], "" where nobody says which."""
        return labels_of([photo.product for photo in self.photos])

    @cached_property
    def groups(self) -> Labels | None:
        """[n]: the products, where labels are classes. A class is not found by finding the same product again."""
        return self.products if (self.labels != self.products).any() else None


def embed_photos(encoder: Encoder, photos: Sequence[LabelledPhoto], title: str) -> EmbeddedPhotos:
    """Embed photos on all cores, with a progress bar on a terminal. Raises UnusablePhotos where none can be read."""

    def embed(photo: LabelledPhoto) -> NDArray[np.float32] | str:
        try:
            embedding: NDArray[np.float32] = encoder.encode([photo.image(at_least=encoder.input_size)])[0]
        except ImageRejected as error:
            return str(error)
        return embedding

    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        outcomes = list(tqdm(pool.map(embed, photos), total=len(photos), desc=title, unit="photo", disable=None))
    embedded = [
        (photo, outcome) for photo, outcome in zip(photos, outcomes, strict=True) if not isinstance(outcome, str)
    ]
    rejected = [
        (photo.name, outcome) for photo, outcome in zip(photos, outcomes, strict=True) if isinstance(outcome, str)
    ]
    if not embedded:
        raise UnusablePhotos(f"none of the {len(photos)} photos of {title} can be read; the first: {rejected[0][1]}")
    return EmbeddedPhotos(
        [photo for photo, _ in embedded], np.stack([embedding for _, embedding in embedded]), rejected
    )
