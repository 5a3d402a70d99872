"""The errors of training."""

from __future__ import annotations

from embeddings.errors import EmbeddingsError


class BackboneUnavailable(EmbeddingsError):
    """A backbone cannot be fetched, is not an image feature vector, or has a shape that nothing can be built on."""


class WeightsMissing(BackboneUnavailable):
    """The weights of a backbone are not there; a file that has them may be given."""


class TrainingFailed(EmbeddingsError):
    """A training ended without an encoder: too little memory or data, or a loss that is no number any more."""


class TrainingUnavailable(EmbeddingsError):
    """TensorFlow is not installed where training was asked for."""
