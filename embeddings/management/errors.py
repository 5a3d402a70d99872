"""How commands report an error of the embedding service: the fact, and what to do about it on the command line."""

from __future__ import annotations

from django.core.management.base import CommandError

from embeddings.errors import (
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
    match error:
        case IndexMismatch():
            return "run manage.py reindex, which builds a new index beside it"
        case EncoderMismatch():
            return (
                "put the former file back, or run manage.py reindex --rebuild to embed the catalogue with the new model"
            )
        case NoTextEncoder():
            return "manage.py use_text_encoder gives the collection one"
        case TooFewPairs():
            return "decide on more near-duplicates in the admin"
        case WorseEncoder() | WorseRanker():
            return "--allow-worse activates it all the same"
        case NoFormerRanker():
            return "manage.py activate_ranker activates one"
        case NothingToRollBackTo():
            return "manage.py activate_encoder activates any version"
        case UnknownCollection() if not Collection.objects.filter(active_version__isnull=False).exists():
            return "run manage.py migrate"
        case NoActiveVersion():
            return "manage.py activate_encoder activates one"
    return ""
