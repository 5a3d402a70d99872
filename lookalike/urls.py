"""The URLs of a process; the setting SERVICE selects which of them it serves."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe
from django.views.static import serve

from lookalike import health

handler400 = "recommender.api.exceptions.bad_request"
if settings.SERVICE != "recommender":
    handler404 = "storefront.views.page_not_found"
handler500 = "recommender.api.exceptions.server_error"

_ONE_YEAR = "public, max-age=31536000, immutable"

_operations: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics_view),
]
_recommender: list[URLPattern | URLResolver] = [path("", include("recommender.urls"))]
_catalog: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("catalog.thumbnails")),
    path("", include("storefront.urls")),
]


@require_safe
def media(request: HttpRequest, name: str) -> HttpResponseBase:
    """Serve a stored file, cacheable for a year: files are named after their content, so they never change.

    Args:
        request: GET or HEAD.
        name: path in the media storage.

    Returns:
        The file.

    Raises:
        Http404: there is no such file.
    """
    response = serve(request, name, document_root=str(settings.MEDIA_ROOT))
    response["Cache-Control"] = _ONE_YEAR
    return response


def surface(service: str) -> list[URLPattern | URLResolver]:
    """URL patterns of a process.

    Args:
        service: a value of the setting SERVICE: all, catalog or recommender.

    Returns:
        Health checks and metrics, media if Django serves them, and the patterns of the service.
    """
    patterns = list(_operations)
    if settings.SERVE_MEDIA and settings.MEDIA_URL.startswith("/"):
        patterns.append(path(f"{settings.MEDIA_URL.lstrip('/')}<path:name>", media))
    if service in ("all", "recommender"):
        patterns += _recommender
    if service in ("all", "catalog"):
        patterns += _catalog
    return patterns


urlpatterns = surface(settings.SERVICE)
