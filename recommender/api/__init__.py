"""The API: each view reads a request, makes one call, and writes the answer."""

from recommender.api.catalogue import ProductListView, ProductView
from recommender.api.events import EventsView
from recommender.api.imports import ImportOfView, ImportsView, RejectedView
from recommender.api.jobs import JobView
from recommender.api.recommendations import SearchView, SimilarView
from recommender.api.training import TrainView
from recommender.api.unknown import UnknownAddressView

__all__ = [
    "EventsView",
    "ImportOfView",
    "ImportsView",
    "JobView",
    "ProductListView",
    "ProductView",
    "RejectedView",
    "SearchView",
    "SimilarView",
    "TrainView",
    "UnknownAddressView",
]
