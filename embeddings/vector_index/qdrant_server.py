"""The connection to a Qdrant server: made once, with retries where they are asked for, and with the port's errors."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import TypeVar

import grpc
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from embeddings.errors import CollectionNotFound, IndexLocked, IndexUnavailable
from embeddings.vector_index.base import not_found

logger = logging.getLogger(__name__)

# The first with the query API.
OLDEST = (1, 10)
# A server that restarts is back after some of these; what takes longer fails, and is tried again by the outbox.
REQUEST_RETRY_WAITS_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT_S = 30.0

_PASSING_STATUS = (429, 502, 503, 504)
_PASSING_CODES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
)
_REFUSED_CODES = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)

# What the client raises for a request that failed.
REQUEST_ERRORS = (ApiException, ResourceExhaustedResponse, grpc.RpcError)

T = TypeVar("T")


class IndexBusy(IndexUnavailable):
    """The server does not answer, or asks to wait: the same request may go through later."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        """Say what failed.

        Args:
            message: for users.
            retry_after_s: how long the server asks to wait.
        """
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QdrantServer:
    """A server by its url, or the client's own engine: in memory (location=":memory:"), or in the folder `path`."""

    def __init__(
        self,
        url: str | None,
        api_key: str | None,
        timeout_s: float,
        grpc_port: int | None = None,
        location: str | None = None,
        path: str | None = None,
    ) -> None:
        """Name the server; it is connected to when it is first used.

        Args:
            url: of the server.
            api_key: of the server.
            timeout_s: of each phase of a request (to connect, to answer), unless the request names another.
            grpc_port: send points and queries by gRPC, which needs a third of the bytes of JSON.
            location: ":memory:" instead of a server.
            path: a folder instead of a server.

        Raises:
            ValueError: not exactly one of url, location and path.
        """
        if sum(place is not None for place in (url, location, path)) != 1:
            raise ValueError("QdrantVectorIndex needs one of url, location and path")
        self._url, self._location, self._path = url, location, path
        self._where = url or location or path
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._grpc_port = grpc_port
        self.is_local = url is None
        self._lock = RLock()
        self._client: QdrantClient | None = None
        self._client_pid = 0

    @contextmanager
    def asking(self, name: str) -> Iterator[QdrantClient]:
        """The client, for one request.

        Args:
            name: of the collection that the request is about.

        Yields:
            The client, connected.

        Raises:
            CollectionNotFound: there is no such collection.
            IndexBusy: the server does not answer, or asks to wait.
            IndexUnavailable: the server refuses the request.
        """
        try:
            # The local engine is not safe for two threads at once.
            with self._lock if self.is_local else nullcontext():
                yield self._connected()
        except REQUEST_ERRORS as error:
            raise self._as_port_error(error, name) from error
        except ValueError as error:
            if type(error) is ValueError and str(error) == f"Collection {name} not found":  # the local engine's 404
                raise not_found(name) from error
            raise

    def retried(self, name: str, request: Callable[[QdrantClient], T]) -> T:
        """The answer to a request that may be made twice: it is made again where the server is away or asks to wait.

        Args:
            name: of the collection that the request is about.
            request: makes it, with the client.

        Returns:
            What `request` returned.

        Raises:
            CollectionNotFound: there is no such collection.
            IndexBusy: the server was away all the time.
            IndexUnavailable: the server refuses the request.
        """
        for wait_s in (*REQUEST_RETRY_WAITS_S, None):
            try:
                with self.asking(name) as client:
                    return request(client)
            except IndexBusy as busy:
                if wait_s is None or busy.retry_after_s > _LONGEST_WAIT_S:
                    raise
                pause_s = max(wait_s, busy.retry_after_s)
                logger.warning("%s; trying again in %.1f s", busy, pause_s)
                time.sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        with self._lock:
            if self._location is not None:  # in memory: closing it would lose the points
                return
            if self._client is not None and self._client_pid == os.getpid():
                self._client.close()
                self._client = None

    def _connected(self) -> QdrantClient:
        with self._lock:
            # Connections do not survive a fork: the child makes its own.
            if self._client is None or (self._client_pid != os.getpid() and not self.is_local):
                self._client = self._connect()
                self._client_pid = os.getpid()
            return self._client

    def _connect(self) -> QdrantClient:
        try:
            client = QdrantClient(
                url=self._url,
                location=self._location,
                path=self._path,
                # As api_key the client would warn of every http://, private networks included; our system check does not.
                headers={"api-key": self._api_key} if self._api_key and not self.is_local else None,
                timeout=max(1, math.ceil(self._timeout_s)),
                prefer_grpc=self._grpc_port is not None,
                grpc_port=self._grpc_port or 6334,
                check_compatibility=False,  # it only warns
                force_disable_check_same_thread=self.is_local,  # one thread at a time by our lock
            )
        except RuntimeError as error:
            if "already accessed" in str(error):
                raise IndexLocked(
                    f"the index {self._where} is held by another process: stop it, "
                    f"or set QDRANT_URL to a Qdrant server, which several processes can share"
                ) from error
            raise
        if not self.is_local:
            try:
                self._refuse_too_old(client.info().version)
            except BaseException:
                client.close()
                raise
        return client

    def _refuse_too_old(self, version: str) -> None:
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
            raise IndexUnavailable(
                f"the Qdrant server {self._where} is version {version}, and {'.'.join(map(str, OLDEST))} is the oldest"
                " that will do: upgrade it"
            )

    def _as_port_error(self, error: Exception, name: str) -> IndexUnavailable | CollectionNotFound:
        server = f"the Qdrant server {self._where}"
        away = f"{server} does not answer (%s): check that it runs and that QDRANT_URL names it"
        match error:
            case UnexpectedResponse(status_code=404):
                return not_found(name)
            case UnexpectedResponse(status_code=401 | 403):
                return IndexUnavailable(f"{server} refuses QDRANT_API_KEY: check it")
            case UnexpectedResponse() if error.status_code in _PASSING_STATUS:
                return IndexBusy(f"{server} cannot answer now: {error}")
            case UnexpectedResponse():
                return IndexUnavailable(f"{server} refused a request: {error}")
            case ResponseHandlingException():
                return IndexBusy(away % (error.source or type(error.source).__name__))
            case ResourceExhaustedResponse():
                return IndexBusy(f"{server} asks to wait: {error}", float(error.retry_after_s))
            case grpc.RpcError() if isinstance(error, grpc.Call):
                return self._grpc_as_port_error(error, name, server, away)
        return IndexUnavailable(f"{server} failed: {error}")

    def _grpc_as_port_error(
        self, call: grpc.Call, name: str, server: str, away: str
    ) -> IndexUnavailable | CollectionNotFound:
        code, said = call.code(), call.details()
        if code is grpc.StatusCode.NOT_FOUND:
            return not_found(name)
        if code in _REFUSED_CODES:
            return IndexUnavailable(f"{server} refuses QDRANT_API_KEY: check it")
        if code in _PASSING_CODES:
            return IndexBusy(f"{away % said}, by gRPC on port {self._grpc_port} (QDRANT_GRPC_PORT)")
        return IndexUnavailable(f"{server} refused a request: {said}")


def stands_already(error: Exception) -> bool:
    """Whether a request to make something failed because it is there."""
    if isinstance(error, UnexpectedResponse):
        return bool(error.status_code == 409)
    return isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.ALREADY_EXISTS
