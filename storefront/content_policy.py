"""Content-Security-Policy headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.storage import default_storage

# For responses that are not pages.
NOTHING = "default-src 'none'; frame-ancestors 'none'"


def own_files(scripts: Sequence[str] = (), styles: Sequence[str] = ()) -> str:
    """Policy that allows the files of this server, whose photos are at PUBLIC_URL, and of the hosts of static and media files.

    Args:
        scripts: further sources of `script-src`, such as "'unsafe-inline'".
        styles: further sources of `style-src`.

    Returns:
        Value of the header.
    """
    static, media = (_origin(settings.STATIC_URL), _origin(settings.MEDIA_URL))
    photos = {*static, *media, *_origin(settings.PUBLIC_URL), *_origin(_bucket_url())}
    return "; ".join(
        [
            " ".join(["default-src 'self'", *static]),
            *([" ".join(["script-src 'self'", *static, *scripts])] if scripts else []),
            " ".join(["img-src 'self' data: blob:", *sorted(photos)]),
            " ".join(["style-src 'self'", *static, *styles]),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def _bucket_url() -> str:
    """Where photos of a private bucket are read, to which `/media/` redirects; "" where there is none."""
    if not settings.STORAGE_URL or settings.STORAGE_PHOTOS_URL:
        return ""
    photos: Any = default_storage
    return str(photos.browsers_url)


def _origin(url: str) -> list[str]:
    parts = urlsplit(url)
    return [f"{parts.scheme}://{parts.netloc}"] if parts.scheme and parts.netloc else []
