"""The problem types of recommendations, collections, encoders, and the vector index."""

from __future__ import annotations

from http import HTTPStatus
from operator import attrgetter

from embeddings.errors import (
    CollectionNotFound,
    EncoderMismatch,
    EncoderUnavailable,
    IndexFull,
    IndexUnavailable,
    InvalidJudgements,
    InvalidVector,
    RankerUnavailable,
    UnknownCollection,
)
from jobs.problems import STORAGE_FULL
from recommender.events import EventLimitExceeded
from recommender.rules.errors import UnknownRule, UnknownRuleSet
from rest.problems import RETRY_AFTER_S, ProblemType, ProblemTypes


def _unavailable(slug: str, title: str) -> ProblemType:
    return ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, slug, title, retry_after_s=RETRY_AFTER_S)


UNKNOWN_COLLECTION = ProblemType(HTTPStatus.NOT_FOUND, "unknown-collection", "Collection not found")
UNKNOWN_RULE_SET = ProblemType(HTTPStatus.NOT_FOUND, "unknown-rule-set", "Rule set not found")
UNKNOWN_RULE = ProblemType(HTTPStatus.NOT_FOUND, "unknown-rule", "Rule not found")
INDEX_UNAVAILABLE = _unavailable("index-unavailable", "Vector index unavailable")
NOT_INDEXED = _unavailable("not-indexed", "The collection has no index yet")
ENCODER_UNAVAILABLE = _unavailable("encoder-unavailable", "Encoder unavailable")
ENCODER_MISMATCH = _unavailable("encoder-mismatch", "Encoder and index do not match")
RANKER_UNAVAILABLE = _unavailable("ranker-unavailable", "Ranker unavailable")
INVALID_JUDGEMENTS = ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-judgements", "Invalid judgements")
INVALID_VECTOR = _unavailable("invalid-vector", "The encoder returned an invalid vector")
EVENT_LIMIT_EXCEEDED = ProblemType(
    HTTPStatus.TOO_MANY_REQUESTS, "event-limit-exceeded", "Too many events", retry_after_s=attrgetter("retry_after_s")
)

PROBLEM_TYPES: ProblemTypes = {
    UnknownCollection: UNKNOWN_COLLECTION,
    UnknownRuleSet: UNKNOWN_RULE_SET,
    UnknownRule: UNKNOWN_RULE,
    IndexFull: STORAGE_FULL,
    IndexUnavailable: INDEX_UNAVAILABLE,
    CollectionNotFound: NOT_INDEXED,
    EncoderUnavailable: ENCODER_UNAVAILABLE,
    EncoderMismatch: ENCODER_MISMATCH,
    RankerUnavailable: RANKER_UNAVAILABLE,
    InvalidJudgements: INVALID_JUDGEMENTS,
    InvalidVector: INVALID_VECTOR,
    EventLimitExceeded: EVENT_LIMIT_EXCEEDED,
}
