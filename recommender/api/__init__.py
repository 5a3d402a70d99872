"""The views of the API: each parses a request, calls one function and serializes the result."""

from recommender.api.events import EventsView
from recommender.api.imports import ImportOfView, ImportsView, RejectedView
from recommender.api.jobs import JobView
from recommender.api.recommendations import SearchView, SimilarView
from recommender.api.training import TrainView
from recommender.api.unknown import NotFoundView

__all__ = [
    "EventsView",
    "ImportOfView",
    "ImportsView",
    "JobView",
    "NotFoundView",
    "RejectedView",
    "SearchView",
    "SimilarView",
    "TrainView",
]
