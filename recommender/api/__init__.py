"""The views of the API: each parses a request, calls one function and serializes the result."""

from recommender.api.collections import CollectionsView, CollectionView
from recommender.api.events import EventsView
from recommender.api.matches import MatchesView, ProductMatchesView
from recommender.api.ranker_training import TrainRankerView
from recommender.api.rules import RuleSetsView, RuleSetView, RulesView, RuleView
from recommender.api.search import SearchView, TextSearchView
from recommender.api.similar import (
    SimilarBySkuView,
    SimilarHtmlBySkuView,
    SimilarHtmlView,
    SimilarView,
    SubstitutesBySkuView,
    SubstitutesView,
)
from recommender.api.similar_batch import SimilarBatchView
from recommender.api.unknown import NotFoundView, RootView

__all__ = [
    "CollectionView",
    "CollectionsView",
    "EventsView",
    "MatchesView",
    "NotFoundView",
    "ProductMatchesView",
    "RootView",
    "RuleSetView",
    "RuleSetsView",
    "RuleView",
    "RulesView",
    "SearchView",
    "SimilarBatchView",
    "SimilarBySkuView",
    "SimilarHtmlBySkuView",
    "SimilarHtmlView",
    "SimilarView",
    "SubstitutesBySkuView",
    "SubstitutesView",
    "TextSearchView",
    "TrainRankerView",
]
