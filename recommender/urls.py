"""The URLs of the API, under /api and /api/v1, with its schema and docs, and of the widget."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from recommender import api
from recommender.widget import widget

_SIMILAR = "products/<int:product_id>/similar"
_endpoints: list[URLPattern | URLResolver] = [
    # Before the product of the SKU: a SKU may have slashes.
    path("products/by-sku/<sku:sku>/similar", api.SimilarBySkuView.as_view(), name="similar_by_sku"),
    path("products/by-sku/<sku:sku>/substitutes", api.SubstitutesBySkuView.as_view(), name="substitutes_by_sku"),
    path("products/by-sku/<sku:sku>/similar.html", api.SimilarHtmlBySkuView.as_view(), name="similar_html_by_sku"),
    path("", include("catalog.api.urls")),
    path("products/<int:product_id>/similar.html", api.SimilarHtmlView.as_view(), name="similar_html"),
    path("products/<int:product_id>/substitutes", api.SubstitutesView.as_view(), name="substitutes"),
    path("similar:batch", api.SimilarBatchView.as_view(), name="similar_batch"),
    path("products/<int:product_id>/matches", api.ProductMatchesView.as_view(), name="product_matches"),
    path("matches", api.MatchesView.as_view(), name="matches"),
    path("collections", api.CollectionsView.as_view(), name="collections"),
    path("collections/<slug:slug>", api.CollectionView.as_view(), name="collection"),
    path("collections/<slug:slug>/search", api.SearchView.as_view(), name="search"),
    path("collections/<slug:slug>/train-ranker", api.TrainRankerView.as_view(), name="train_ranker"),
    path("search", api.TextSearchView.as_view(), name="text_search"),
    path("rule-sets", api.RuleSetsView.as_view(), name="rule_sets"),
    path("rule-sets/<slug:name>", api.RuleSetView.as_view(), name="rule_set"),
    path("rule-sets/<slug:name>/rules", api.RulesView.as_view(), name="rules"),
    path("rule-sets/<slug:name>/rules/<int:rule_id>", api.RuleView.as_view(), name="rule"),
    path("", include("training.urls")),
    path("", include("jobs.urls")),
    path("events", api.EventsView.as_view(), name="events"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    # First what is asked most: patterns are tried one after another.
    path(f"api/{_SIMILAR}", api.SimilarView.as_view(), name="similar"),
    path(f"api/v1/{_SIMILAR}", api.SimilarView.as_view(), name="similar"),
    path("api/", include(_endpoints)),
    path("api/v1/", include(_endpoints)),
    path("api/schema", SpectacularAPIView.as_view(throttle_classes=[]), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema", throttle_classes=[]), name="docs"),
    re_path(r"^api(?:/v1)?/?$", api.RootView.as_view()),
    re_path(r"^api/[\s\S]*$", api.NotFoundView.as_view()),
    path("widget/<str:release>/<str:name>", widget, name="widget"),
]
