"""The widget's script, as any shop's pages load it."""

from __future__ import annotations

from pathlib import Path

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe
from django.views.static import serve

_FOLDER = Path(__file__).parent / "static" / "recommender"


@require_safe
@gzip_page
def widget(request: HttpRequest) -> HttpResponseBase:
    """Serve the script to pages of any origin; the version in its URL is that of its attributes."""
    response = serve(request, "similar.js", document_root=str(_FOLDER))
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Cache-Control"] = "public, max-age=86400"
    return response
