"""The whole HTTP surface; the setting SERVICE says which part of it this process mounts."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.http import require_safe
from django.views.static import serve
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from lookalike import health
from recommender import api
from recommender.widget import widget

handler400 = "recommender.api.exceptions.bad_request"
if settings.SERVICE != "recommender":
    handler404 = "storefront.views.page_not_found"
handler500 = "recommender.api.exceptions.server_error"

_FOR_EVER = "public, max-age=31536000, immutable"


@require_safe
def media(request: HttpRequest, name: str) -> HttpResponseBase:
    """A stored file; photos are named by their content, so they never change."""
    response = serve(request, name, document_root=str(settings.MEDIA_ROOT))
    response["Cache-Control"] = _FOR_EVER
    return response


_endpoints: list[URLPattern | URLResolver] = [
    path("", include("catalog.api.urls")),
    path("products/<int:product_id>/similar", api.SimilarView.as_view(), name="similar"),
    path("collections/<slug:slug>/search", api.SearchView.as_view(), name="search"),
    path("", include("training.urls")),
    path("", include("jobs.urls")),
    path("events", api.EventsView.as_view(), name="events"),
]

_recommender: list[URLPattern | URLResolver] = [
    path("api/", include(_endpoints)),
    path("api/v1/", include(_endpoints)),
    path("api/schema", SpectacularAPIView.as_view(throttle_classes=[]), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema", throttle_classes=[]), name="docs"),
    re_path(r"^api(?:/[\s\S]*)?$", api.NotFoundView.as_view()),
    path("widget/v1/similar.js", widget, name="widget"),
]
_catalog: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("catalog.thumbnails")),
    path("", include("storefront.urls")),
]

_operations: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics_view),
]


def surface(service: str) -> list[URLPattern | URLResolver]:
    """What a process mounts that runs this service: all, catalog or recommender."""
    patterns = list(_operations)
    if settings.SERVE_MEDIA and settings.MEDIA_URL.startswith("/"):
        patterns.append(path(f"{settings.MEDIA_URL.lstrip('/')}<path:name>", media))
    if service in ("all", "recommender"):
        patterns += _recommender
    if service in ("all", "catalog"):
        patterns += _catalog
    return patterns


urlpatterns = surface(settings.SERVICE)
