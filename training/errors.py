"""The errors of training."""

from __future__ import annotations

from embeddings.errors import EmbeddingsError


class BackboneUnavailable(EmbeddingsError):
    """A backbone cannot be fetched, is not an image feature vector, or has a shape that nothing can be built on."""


class TrainingFailed(EmbeddingsError):
    """A training ended without an encoder: too little memory or data, or a loss that is no number any more."""


class TrainingUnavailable(EmbeddingsError):
    """TensorFlow is not installed where training was asked for."""
