"""Uploads of catalogues in parts, as the page of an import sends them: an upload that was interrupted goes on where it stopped."""

from __future__ import annotations

import json
from typing import BinaryIO, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext

from accounts import audit
from accounts.models import User
from catalog.importers.drafts import (
    DraftNotFound,
    WrongOffset,
    append_part,
    begin_draft,
    complete_draft,
    get_draft,
    offset_of,
)
from catalog.models import ImportDraft
from jobs.facts import worded
from jobs.storage import StorageUnavailable
from product_files.rows import InvalidSource
from stores.errors import StoreError

OFFSET = "Upload-Offset"
_MAX_JSON_BYTES = 10_000


def begin_upload(request: HttpRequest) -> HttpResponse:
    """Begin an upload.

    Args:
        request: POST with JSON: the `name` of the file, and its `size` in bytes.

    Returns:
        201 with the `url` that takes the parts, and the `page` to go to when all of them have arrived; 422, 503 and 507 with
        the `error`.
    """
    try:
        content = json.loads(request.read(_MAX_JSON_BYTES))
        name, size = str(content["name"]), int(content["size"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return _error(gettext("The name and the size of the file are missing."), 400)
    try:
        draft = begin_draft(cast("User", request.user), name, size)
    except InvalidSource as error:
        return _error(worded(str(error)), 422)
    except StorageUnavailable as error:
        return _not_stored(error)
    url = reverse("admin:catalog_import_upload", args=[draft.pk])
    return JsonResponse({"url": url, "page": draft_url(draft)}, status=201)


def continue_upload(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Take a part of a file, or say how much of it is there.

    Args:
        request: HEAD; or PATCH with the part as its body, and in `Upload-Offset` where the part begins.
        draft_id: the draft.

    Returns:
        204 with `Upload-Offset`, the bytes that are there; 409 where the part begins elsewhere; 404, 422, 503 and 507 with
        the `error`.
    """
    try:
        draft = get_draft(draft_id, cast("User", request.user))
    except DraftNotFound as error:
        return _error(worded(str(error)), 404)
    except StorageUnavailable as error:
        return _not_stored(error)
    if request.method == "HEAD":
        return _there(offset_of(draft))
    audit.skip(request)
    offset = request.headers.get(OFFSET, "")
    if not (offset.isascii() and offset.isdigit()):
        return _error(gettext("Upload-Offset is missing."), 400)
    try:
        there = append_part(draft, int(offset), cast("BinaryIO", request))
        if there == draft.size:
            complete_draft(draft)
    except WrongOffset as error:
        return _there(error.offset, status=409)
    except InvalidSource as error:
        return _error(worded(str(error)), 422)
    except StorageUnavailable as error:
        return _not_stored(error)
    return _there(there)


def draft_url(draft: ImportDraft) -> str:
    """The page of a draft."""
    return reverse("admin:catalog_import_draft", args=[draft.pk])


def _there(offset: int, status: int = 204) -> HttpResponse:
    return HttpResponse(status=status, headers={OFFSET: str(offset), "Cache-Control": "no-store"})


def _not_stored(error: StorageUnavailable) -> JsonResponse:
    """503 where the browser is to try again by itself, 507 where somebody has to do something first."""
    cause = error.__cause__
    return _error(worded(str(error)), 503 if isinstance(cause, StoreError) and cause.is_passing else 507)


def _error(text: str, status: int) -> JsonResponse:
    return JsonResponse({"error": text}, status=status)
