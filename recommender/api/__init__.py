"""The views of the API: each parses a request, calls one function and serializes the result."""

from recommender.api.events import EventsView
from recommender.api.recommendations import SearchView, SimilarView
from recommender.api.unknown import NotFoundView

__all__ = [
    "EventsView",
    "NotFoundView",
    "SearchView",
    "SimilarView",
]
