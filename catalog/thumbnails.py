"""Thumbnails of stored photos: created at the first request, stored, and cacheable for a year.

The URL contains the photo's hash, so its content never changes.
"""

from __future__ import annotations

import io
import logging
from http import HTTPStatus
from pathlib import Path

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_script_prefix, re_path
from django.views.decorators.http import require_safe
from PIL import Image

from catalog.media import PHOTOS, write_if_absent
from jobs.storage import StorageUnavailable
from pictures.photos import EXTENSIONS, ImageRejected, open_rgb

logger = logging.getLogger(__name__)

# Longer side in pixels: admin list, card, card on a high-density screen, product page on a high-density screen.
SIDES = (96, 320, 640, 1280)

_QUALITY = 80
_RETRY_AFTER_S = 10
_ONE_YEAR = "public, max-age=31536000, immutable"


def thumbnail_url(name: str, side: int) -> str:
    """The URL of a thumbnail; nothing is read or created.

    Args:
        name: path of the photo in the media storage, or "".
        side: one of SIDES, the maximum of the longer side in pixels.

    Returns:
        The URL; "" if `name` is "".

    Raises:
        ValueError: `side` is not one of SIDES.
    """
    if side not in SIDES:
        raise ValueError(f"{side} is not a size of thumbnails: use one of {', '.join(map(str, SIDES))}")
    return f"{get_script_prefix()}thumbs/{side}/{name}.webp" if name else ""


def thumbnail(name: str, side: int) -> bytes:
    """Read a thumbnail, or create and store it.

    Args:
        name: path of the photo in the media storage.
        side: one of SIDES.

    Returns:
        A WebP file.

    Raises:
        FileNotFoundError: there is no such photo.
        OSError: the media storage fails.
        ImageRejected: the photo cannot be decoded.
    """
    thumb = _thumbnail_name(name, side)
    try:
        with default_storage.open(thumb) as file:
            cached: bytes = file.read()
            return cached
    except FileNotFoundError:
        # It is made now.
        pass
    with default_storage.open(name) as file:
        small = small_webp(file.read(), side)
    try:
        write_if_absent(thumb, small)
    except StorageUnavailable as error:
        logger.warning("could not store a thumbnail: %s", error)
    return small


def small_webp(photo: bytes | Path, side: int) -> bytes:
    """A small version of a photo.

    Args:
        photo: content or path.
        side: the maximum of the longer side in pixels.

    Returns:
        A WebP file.

    Raises:
        ImageRejected: the photo cannot be decoded.
    """
    image = open_rgb(photo, min_side=side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small = io.BytesIO()
    image.save(small, "WEBP", quality=_QUALITY)
    return small.getvalue()


def delete_thumbnails(name: str) -> None:
    """Delete all thumbnails of a photo. name: its path in the media storage."""
    for side in SIDES:
        default_storage.delete(_thumbnail_name(name, side))


@require_safe
def thumbnail_view(_request: HttpRequest, side: str, name: str) -> HttpResponse:
    """Serve a thumbnail.

    Args:
        side: one of SIDES.
        name: path of the photo in the media storage.

    Returns:
        A WebP file; 503 while the media storage is away.

    Raises:
        Http404: there is no such photo, or it cannot be decoded.
    """
    try:
        picture = thumbnail(name, int(side))
    except FileNotFoundError:
        raise Http404("There is no such photo.") from None
    except OSError as error:
        # The page goes on without the picture, and asks for it again when it is next shown.
        logger.warning("no thumbnail of %s: the media storage fails: %s", name, error)
        return HttpResponse(
            "The photo cannot be read at the moment.",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            content_type="text/plain",
            headers={"Retry-After": str(_RETRY_AFTER_S), "Cache-Control": "no-store"},
        )
    except ImageRejected as error:
        logger.warning("no thumbnail of %s: %s", name, error)
        raise Http404("The photo cannot be read.") from error
    return HttpResponse(picture, content_type="image/webp", headers={"Cache-Control": _ONE_YEAR})


def thumbnail_folder(side: int) -> str:
    """The folder of the thumbnails of a size, in the media storage."""
    return f"thumbs/{side}"


def _thumbnail_name(name: str, side: int) -> str:
    return f"{thumbnail_folder(side)}/{name}.webp"


# Only names that the catalogue gives to photos: no other file in the storage can be requested.
_PHOTO_NAME = rf"{PHOTOS}/[0-9a-f]{{2}}/[0-9a-f]{{64}}\.(?:{'|'.join(EXTENSIONS)})"
_SIDE = "|".join(map(str, SIDES))

urlpatterns = [
    re_path(rf"^thumbs/(?P<side>{_SIDE})/(?P<name>{_PHOTO_NAME})\.webp$", thumbnail_view, name="thumbnail"),
]
