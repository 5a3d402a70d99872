"""The widget's files, as any shop's pages load them. They are built from widget/src by `make widget`."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe
from django.views.static import serve

FOLDER = Path(__file__).parent / "static" / "recommender" / "widget"
# Those that pages load, the strip's first.
FILES = ("similar.js", "photo-search.js", "photo.js", "client.js", "similar.css")
# The version of the attributes, whose files change with the recommender.
MOVING = "v1"
_A_DAY_S = 86_400
_A_YEAR_S = 31_536_000
_HASH_CHARACTERS = 8


@require_safe
@gzip_page
def widget(request: HttpRequest, release: str, name: str) -> HttpResponseBase:
    """Serve a file to pages of any origin: of `v1`, or of the release that is in its URL, for ever."""
    if name not in FILES or release not in (MOVING, release_name()):
        raise Http404(f"No such file of the widget: {release}/{name}.")
    response = serve(request, name, document_root=str(FOLDER))
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    age = f"max-age={_A_DAY_S}" if release == MOVING else f"max-age={_A_YEAR_S}, immutable"
    response["Cache-Control"] = f"public, {age}"
    return response


@cache
def release_name() -> str:
    """Name of the folder of exactly these files.

    Returns:
        The version and the beginning of a hash of all files, e.g. `0.1.0-3f2a9c1b`.
    """
    digest = hashlib.sha256(b"".join((FOLDER / name).read_bytes() for name in FILES))
    return f"{version()}-{digest.hexdigest()[:_HASH_CHARACTERS]}"


def integrity(name: str) -> str:
    """The hash by which a browser checks a file (Subresource Integrity).

    Args:
        name: one of FILES.

    Returns:
        The value of the attribute `integrity`: SHA-384 in base64.
    """
    return "sha384-" + base64.b64encode(hashlib.sha384((FOLDER / name).read_bytes()).digest()).decode()


def version() -> str:
    """The release that the files are of, e.g. `0.1.0`."""
    banner = (FOLDER / "similar.js").read_text()[:80]
    return banner.split("Lookalike ", 1)[1].split(",", 1)[0]
