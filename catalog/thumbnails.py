"""Small versions of stored photos, for lists: an address costs nothing, the picture is made on the first request.

The address holds the photo's hash, so an answer never changes and any cache in front may keep it for ever.
"""

from __future__ import annotations

import io
import logging

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_script_prefix, re_path
from django.views.decorators.http import require_safe
from PIL import Image

from catalog.media import PHOTOS, write_once
from catalog.photos import ImageRejected, open_upright
from jobs.storage import StorageUnavailable

logger = logging.getLogger(__name__)

# The longer side in pixels: a row of the admin, a card, a card on a dense screen, a product page on a dense screen.
SIDES = (96, 320, 640, 1280)

_QUALITY = 80
_FOR_EVER = "public, max-age=31536000, immutable"


def thumbnail_url(name: str, side: int) -> str:
    """The address of a thumbnail of the photo stored under this name, its longer side at most `side` pixels.

    Nothing is read or made. "" for "", so that a product without a photo needs no special case.
    """
    if side not in SIDES:
        raise ValueError(f"{side} is not a thumbnail's side: use one of {', '.join(map(str, SIDES))}")
    return f"{get_script_prefix()}thumbs/{side}/{name}.webp" if name else ""


def thumbnail(name: str, side: int) -> bytes:
    """The thumbnail, a WebP file; made and kept unless it is there.

    Where it cannot be kept, it is made anew the next time. Raises FileNotFoundError without the photo, ImageRejected where that
    cannot be decoded.
    """
    thumb = _thumbnail_name(name, side)
    if default_storage.exists(thumb):
        with default_storage.open(thumb) as file:
            kept: bytes = file.read()
            return kept
    with default_storage.open(name) as file:
        image = open_upright(file.read(), at_least=side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small = io.BytesIO()
    image.save(small, "WEBP", quality=_QUALITY)
    try:
        write_once(thumb, small.getvalue())
    except StorageUnavailable as error:
        logger.warning("a thumbnail is not kept: %s", error)
    return small.getvalue()


def delete_thumbnails(name: str) -> None:
    """Delete every thumbnail of a photo that is deleted."""
    for side in SIDES:
        default_storage.delete(_thumbnail_name(name, side))


@require_safe
def thumbnail_view(_request: HttpRequest, side: str, name: str) -> HttpResponse:
    """Answer with a thumbnail, made on the first request."""
    try:
        picture = thumbnail(name, int(side))
    except FileNotFoundError:
        raise Http404("There is no such photo.") from None
    except ImageRejected as error:
        logger.warning("no thumbnail of %s: %s", name, error)
        raise Http404("The photo cannot be read.") from error
    return HttpResponse(picture, content_type="image/webp", headers={"Cache-Control": _FOR_EVER})


def _thumbnail_name(name: str, side: int) -> str:
    return f"thumbs/{side}/{name}.webp"


# Only names that the catalogue itself gives to photos: nothing else in the storage can be asked for.
_PHOTO_NAME = rf"{PHOTOS}/[0-9a-f]{{2}}/[0-9a-f]{{64}}\.(?:jpg|png|webp)"
_SIDE = "|".join(map(str, SIDES))

urlpatterns = [
    re_path(rf"^thumbs/(?P<side>{_SIDE})/(?P<name>{_PHOTO_NAME})\.webp$", thumbnail_view, name="thumbnail"),
]
