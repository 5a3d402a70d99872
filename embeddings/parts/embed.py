"""A photo that is not stored, as a vector of the index."""

from __future__ import annotations

from PIL import Image

from embeddings.encoders.base import Encoder
from embeddings.parts.describe import describe
from embeddings.parts.foreground import Foreground
from embeddings.parts.layout import Layout
from embeddings.vector_index.base import Vector


def embed_photo(encoder: Encoder, layout: Layout, image: Image.Image, foreground: Foreground | None = None) -> Vector:
    """Embed a photo, with its colour and pattern where the layout has them.

    Args:
        encoder: of the version.
        layout: of the version.
        image: RGB, upright, of any size.
        foreground: of this photo; None: it is looked for, where it is needed.

    Returns:
        float32 [layout.dim].

    Raises:
        InvalidVector: the model gives an embedding without a direction.
        EncoderUnavailable: the model cannot be run.
    """
    parts = describe(image, foreground)[None] if layout.parts else None
    vector: Vector = layout.joined(encoder.encode([image]), parts)[0]
    return vector
