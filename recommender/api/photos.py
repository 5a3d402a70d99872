"""Photos that visitors send: their size, and links to them."""

from __future__ import annotations

import base64
import binascii

from django.conf import settings

from catalog.fetching import Fetcher
from pictures.photos import ImageRejected, PhotoRejectionReason
from rest.errors import InvalidParameters, ParameterError

PHOTO = "photo"


def too_large(limit: int) -> ImageRejected:
    """The error for a file of more bytes than `limit`."""
    return ImageRejected(PhotoRejectionReason.TOO_LARGE, f"the file is larger than {limit:,} bytes: save it smaller")


def check_size(size: int, allowance: int = 0) -> None:
    """Raises ImageRejected for a file, or a request with one, that is larger than a photo may be. allowance: in bytes."""
    if size > settings.PHOTO_MAX_BYTES + allowance:
        raise too_large(settings.PHOTO_MAX_BYTES)


def photo_behind(address: str) -> bytes:
    """The file of a link or a `data:` URL, which is not checked yet. Raises InvalidParameters."""
    if address.startswith("data:"):
        head, _, data = address.partition(",")
        if not head.endswith(";base64"):
            raise InvalidParameters(
                [ParameterError(PHOTO, "is a data: URL without base64: encode the photo by base64")]
            )
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise InvalidParameters([ParameterError(PHOTO, f"is no valid base64: {error}")]) from error
    if not address.lower().startswith(("http://", "https://")):
        raise InvalidParameters([ParameterError(PHOTO, "is neither a file, an http(s) link nor a data: URL")])
    fetcher = Fetcher()
    try:
        return fetcher.fetch_file(address)
    except ImageRejected as error:
        raise InvalidParameters([ParameterError(PHOTO, str(error))]) from error
    finally:
        fetcher.close()
