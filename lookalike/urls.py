"""The URLs of a process; the setting SERVICE selects which of them it serves."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe
from django.views.static import serve

import recommender.urls
from lookalike import health

logger = logging.getLogger(__name__)

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
# Not included: one list is searched faster than a list in a list.
_recommender = recommender.urls.urlpatterns
_catalog: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("catalog.thumbnails")),
    path("", include("storefront.urls")),
]


@require_safe
def media(request: HttpRequest, name: str) -> HttpResponseBase:
    """Serve a stored file, cacheable for a year: files are named after their content, so they never change.

    Of a bucket, a redirect to a signed address, cacheable for half of the time that it is valid.

    Args:
        request: GET or HEAD.
        name: path in the media storage.

    Returns:
        The file, or the redirect; 503 where it cannot be signed.

    Raises:
        Http404: there is no such file.
    """
    if settings.STORAGE_URL:
        return _redirect_to_bucket(name)
    response = serve(request, name, document_root=str(settings.MEDIA_ROOT))
    response["Cache-Control"] = _ONE_YEAR
    return response


def _redirect_to_bucket(name: str) -> HttpResponseBase:
    photos: Any = default_storage
    try:
        url = photos.signed_url(name)
    except SuspiciousOperation:
        raise Http404 from None
    except OSError as error:
        logger.warning("no address of %s: %s", name, error)
        return HttpResponse(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "10"})
    # As private as the page that shows it: shared caches keep neither the address nor the photo for others.
    return HttpResponseRedirect(url, headers={"Cache-Control": f"private, max-age={photos.querystring_expire // 2}"})


def surface(service: str) -> list[URLPattern | URLResolver]:
    """URL patterns of a process.

    Args:
        service: a value of the setting SERVICE: all, catalog or recommender.

    Returns:
        Health checks and metrics, media if Django serves them, and the patterns of the service.
    """
    patterns = [*_recommender] if service in ("all", "recommender") else []
    patterns += _operations
    if (settings.SERVE_MEDIA or settings.STORAGE_URL) and settings.MEDIA_URL.startswith("/"):
        patterns.append(path(f"{settings.MEDIA_URL.lstrip('/')}<path:name>", media))
    if service in ("all", "catalog"):
        patterns += _catalog
    return patterns


urlpatterns = surface(settings.SERVICE)
