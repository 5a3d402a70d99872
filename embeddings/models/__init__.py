"""The tables of this app, by what they are about."""

from embeddings.models.collections import Collection, CollectionCategory
from embeddings.models.doctor import Diagnosis
from embeddings.models.images import ImageEmbedding, ImageEmbeddingQuerySet
from embeddings.models.matching import MatchCoefficients
from embeddings.models.texts import DocumentFrequency, IndexedText, IndexedTextQuerySet
from embeddings.models.verification import VerificationRequest
from embeddings.models.versions import REBUILD_LIMIT, EncoderVersion, RankerVersion

__all__ = [
    "REBUILD_LIMIT",
    "Collection",
    "CollectionCategory",
    "Diagnosis",
    "DocumentFrequency",
    "EncoderVersion",
    "ImageEmbedding",
    "ImageEmbeddingQuerySet",
    "IndexedText",
    "IndexedTextQuerySet",
    "MatchCoefficients",
    "RankerVersion",
    "VerificationRequest",
]
