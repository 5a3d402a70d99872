"""Everything that can go wrong in the embedding service, by the domain's own names."""

from __future__ import annotations

from collections.abc import Iterable


class EmbeddingsError(Exception):
    """Base of every error that this service raises on purpose. The message states the fact; each surface words the remedy."""


class EncoderUnavailable(EmbeddingsError):
    """The encoder's model file is missing, damaged or not a model that this port can run."""


class NoTextEncoder(EmbeddingsError):
    """The live text index of a collection has no text encoder."""


class AlreadyMapped(EncoderUnavailable):
    """An encoder version is a map of another one, of which no further map is made."""

    def __init__(self, label: str) -> None:
        super().__init__(f"{label} is a map of an encoder itself: adapt the version that it is a map of")


class EncoderMismatch(EmbeddingsError):
    """A version's model file was exchanged, or vectors of one encoder met those of another."""


class IndexMismatch(EncoderMismatch):
    """An index collection stands with other dimensions or another distance than its version's."""


class IndexUnavailable(EmbeddingsError):
    """The vector index cannot be reached now; the same call may go through later."""


class IndexFull(IndexUnavailable):
    """There is no room for the embedded index to write to; nothing was written."""


class IndexLocked(IndexUnavailable):
    """Another process holds the embedded shard."""


class MediaUnavailable(EmbeddingsError):
    """The folder of the photos is away as a whole; the same call may go through later."""


class UnknownCollection(EmbeddingsError):
    """No similarity collection has this slug, or it has no active encoder version."""

    @classmethod
    def named(cls, slug: str, known: Iterable[str]) -> UnknownCollection:
        """The error for a slug that no collection has.

        Args:
            slug: what was asked for.
            known: the slugs that there are.

        Returns:
            The error, to be raised.
        """
        return cls(f"there is no collection {slug!r}; there is: {', '.join(known) or 'none yet'}")


class NoActiveVersion(UnknownCollection):
    """A collection has no encoder version that answers its queries."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"the collection {slug!r} has no active encoder version")


class InvalidCoverage(EmbeddingsError):
    """A collection cannot cover that."""


class CollectionNotFound(EmbeddingsError):
    """No index collection has this name."""


class InvalidVector(EmbeddingsError, ValueError):
    """A vector has the wrong length, a NaN or infinite entry, or no direction (all zeros)."""


class InvalidPayload(EmbeddingsError, ValueError):
    """A point's payload lacks its product, or a field holds a value that its index cannot take."""


class InvalidFilter(EmbeddingsError, ValueError):
    """A filter names a field that is not indexed, or a range that cannot be met."""


class InvalidSynonyms(EmbeddingsError, ValueError):
    """A file of synonyms cannot be read."""


class UnusablePhotos(EmbeddingsError, ValueError):
    """A set of photos cannot be trained on or evaluated; the message says what it lacks."""


class TooFewPairs(EmbeddingsError):
    """Too few pairs of products were decided on to fit the matcher."""


class WorseEncoder(EmbeddingsError):
    """A version that is to be activated finds the catalogue's own categories worse than the live one."""


class BuildOvertaken(EmbeddingsError):
    """Another process has begun to build the same version's index meanwhile, and goes on with it."""


class VersionInUse(EmbeddingsError):
    """The encoder version answers queries, is kept or needed for something, or is being built, so it cannot be deleted."""


class NothingToRollBackTo(EmbeddingsError):
    """The collection has no previous version whose index is kept."""


class RankerUnavailable(EmbeddingsError):
    """A ranker's files are missing, damaged or not those of its version."""


class InvalidJudgements(EmbeddingsError, ValueError):
    """A file of judgements cannot be read, or says too little to train a ranker on."""


class WorseRanker(EmbeddingsError):
    """A ranker that is to be activated was no better than the order of the text search on judgements kept aside."""


class NoFormerRanker(NothingToRollBackTo):
    """No ranker was ever active in the collection."""
