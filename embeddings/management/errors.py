"""How commands report an error of the embedding service: the fact, and what to do about it on the command line."""

from __future__ import annotations

from django.core.management.base import CommandError

from embeddings.errors import (
    AlreadyMapped,
    EncoderMismatch,
    IndexMismatch,
    NoActiveVersion,
    NoFormerRanker,
    NoTextEncoder,
    NothingToRollBackTo,
    TooFewPairs,
    UnknownCollection,
    WorseEncoder,
    WorseRanker,
)
from embeddings.models import Collection


def command_error(error: Exception) -> CommandError:
    """The error as a command ends with it.

    Args:
        error: what was raised, of the embedding service or another.

    Returns:
        An error with the same message and, where there is one, a remedy in the words of the command line.
    """
    remedy = _remedy(error)
    return CommandError(f"{error}: {remedy}" if remedy else str(error))


def _remedy(error: Exception) -> str:
    if isinstance(error, UnknownCollection) and not Collection.objects.filter(active_version__isnull=False).exists():
        return "run manage.py migrate"
    return next((remedy for kind, remedy in _REMEDIES.items() if isinstance(error, kind)), "")


_REMEDIES = {
    AlreadyMapped: "--encoder names it",
    IndexMismatch: "run manage.py reindex, which builds a new index beside it",
    EncoderMismatch: "put the former file back, or run manage.py reindex --rebuild to embed the catalogue with the new model",
    NoTextEncoder: "manage.py use_text_encoder gives the collection one",
    TooFewPairs: "decide on more near-duplicates in the admin",
    WorseEncoder: "--allow-worse activates it all the same",
    WorseRanker: "--allow-worse activates it all the same",
    NoFormerRanker: "manage.py activate_ranker activates one",
    NothingToRollBackTo: "manage.py activate_encoder activates any version",
    NoActiveVersion: "manage.py activate_encoder activates one",
}
