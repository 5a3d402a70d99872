"""The project's addresses with the least that this stack can answer beside them."""

from django.http import HttpRequest, JsonResponse
from django.urls import path

from lookalike import urls


def hello(_: HttpRequest) -> JsonResponse:
    """A bare answer: no database, no index."""
    return JsonResponse({"hello": "world"})


urlpatterns = [path("hello", hello), *urls.urlpatterns]
