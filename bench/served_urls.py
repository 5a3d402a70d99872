"""The project's URLs and a bare view, the fastest response possible with this stack."""

from django.http import HttpRequest, JsonResponse
from django.urls import path

from lookalike import urls


def hello(_: HttpRequest) -> JsonResponse:
    """A bare response: no database, no index."""
    return JsonResponse({"hello": "world"})


urlpatterns = [path("hello", hello), *urls.urlpatterns]
