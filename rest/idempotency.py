"""Requests with an Idempotency-Key are done once: a retry gets the first answer (draft-ietf-httpapi-idempotency-key-header).

The answer is kept in the transaction of the work itself. So there is an answer if and only if the work is done, also after a kill;
a retry that arrives meanwhile waits at the key's row until the first request is done, and gets its answer. A problem is not kept:
it has changed nothing, and a retry is executed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.core.cache import caches
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from rest.errors import IdempotencyKeyReused, InvalidParameters, ParameterError
from rest.models import KEY_LENGTH, IdempotentRequest

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": "^[!#-~]+$"},
    OpenApiParameter.HEADER,
    description="A text of your own for this request, such as a UUID. If the request is sent again with it, the first answer is"
    f" repeated, with `{REPLAYED}: true`, and nothing is done again.",
)

_KEY = re.compile(rf'"([ !#-\[\]-~]{{1,{KEY_LENGTH}}})"|([!#-~]{{1,{KEY_LENGTH}}})')
_CHUNK_BYTES = 1024 * 1024
_PRUNE_EVERY_S = 600.0
_PRUNED = "idempotency.pruned"


def has_key(request: Request) -> bool:
    """Whether a request has the header.

    Args:
        request: any request.

    Returns:
        True also for a header that is no key.
    """
    return HEADER in request.headers


def answer_once(
    request: Request, write: Callable[[Any], Response], *, prepare: Callable[[], Any] = lambda: None
) -> Response:
    """Do the work of a request, or repeat the answer if a request with its Idempotency-Key was done before.

    Args:
        request: an authenticated request that has the permission; its body is read.
        write: makes all changes, from what `prepare` has returned, and returns the response; runs in a transaction if there is a
            key.
        prepare: what takes long, and changes nothing; not called if the answer is repeated.

    Returns:
        The response, or the one of the first request.

    Raises:
        InvalidParameters: the header is no key.
        IdempotencyKeyReused: the key belongs to another request.
    """
    if not has_key(request):
        return write(prepare())
    identity = {"caller": _caller(request), "key": _key(request)}
    fingerprint = _fingerprint(request)
    expired = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEEP_HOURS)
    answered = IdempotentRequest.objects.filter(**identity, created_at__gt=expired).first()
    if answered is not None:
        return _repeated(answered, fingerprint)
    prepared = prepare()
    with transaction.atomic():
        IdempotentRequest.objects.filter(**identity, created_at__lte=expired).delete()
        # Waits for a request with the same key that is being done.
        row, is_first = IdempotentRequest.objects.get_or_create(**identity, defaults={"fingerprint": fingerprint})
        if not is_first:
            return _repeated(row, fingerprint)
        response = write(prepared)
        row.status = response.status_code
        row.body = "" if response.data is None else JSONRenderer().render(response.data).decode()
        row.location = response.headers.get("Location", "")
        row.save(update_fields=["status", "body", "location"])
    _prune_periodically()
    return response


def _repeated(row: IdempotentRequest, fingerprint: str) -> Response:
    if row.fingerprint != fingerprint:
        raise IdempotencyKeyReused(row.key)
    headers = {REPLAYED: "true", **({"Location": row.location} if row.location else {})}
    return Response(json.loads(row.body) if row.body else None, status=row.status, headers=headers)


def _caller(request: Request) -> str:
    """The API key of a request; "" for all clients without one."""
    return f"key:{cast('Any', request.auth).id}" if request.auth is not None else ""


def _key(request: Request) -> str:
    """The key; in quotes, as the draft has it, or plain, as most clients send it."""
    match = _KEY.fullmatch(request.headers[HEADER].strip())
    if match is None:
        raise InvalidParameters(
            [ParameterError(HEADER, f"must be 1 to {KEY_LENGTH} visible ASCII characters, such as a UUID")]
        )
    return match[1] or match[2]


def _fingerprint(request: Request) -> str:
    digest = hashlib.sha256()
    for part in _parts(request):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _parts(request: Request) -> Iterator[bytes]:
    """What a request says. Of a form its values, since each time that a client makes it, it has another boundary."""
    yield str(request.method).encode()
    yield request.get_full_path().encode()
    data = request.data
    if not isinstance(data, MultiValueDict):
        yield json.dumps(data, sort_keys=True).encode()
        return
    for name in sorted(data):
        yield name.encode(errors="surrogatepass")
        for value in data.getlist(name):
            yield _file_digest(value) if isinstance(value, UploadedFile) else str(value).encode(errors="surrogatepass")


def _file_digest(file: UploadedFile[Any]) -> bytes:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.digest()


def _prune_periodically() -> None:
    """Delete answers older than IDEMPOTENCY_KEEP_HOURS, in each process at most once in _PRUNE_EVERY_S."""
    if caches["process"].add(_PRUNED, True, _PRUNE_EVERY_S):
        expired = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEEP_HOURS)
        IdempotentRequest.objects.filter(created_at__lte=expired).delete()
