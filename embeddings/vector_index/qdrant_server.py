"""The connections to the nodes of a Qdrant server: made once, with retries where they are asked for, and with the port's errors.

Each node has two clients, because by gRPC the deadline of a call is that of its client: one for queries, for which a page of a shop
waits, and one for writes. A node that fails several times in a row is left alone until a probe finds it back.
"""

from __future__ import annotations

import logging
import math
import os
import re
import socket
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from threading import Event, Lock, RLock, Thread, local
from typing import TypeVar
from urllib.parse import urlsplit

import grpc
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from embeddings.errors import CollectionNotFound, IndexLocked, IndexUnavailable
from embeddings.vector_index.checks import not_found

logger = logging.getLogger(__name__)

# The first with the query API.
OLDEST = (1, 10)
# A server that restarts is back after some of these; what takes longer fails, and is tried again by the outbox.
REQUEST_RETRY_WAITS_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT_S = 30.0

# The channel's own backoff grows to two minutes, during which a server that is back is not asked.
_CHANNEL_OPTIONS = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 1000,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 5000,
}
# A node that fails so often in a row is left alone, and probed so often.
_FAILURES = 3
_PROBE_EVERY_S = 0.25
# Nodes that one read is tried on.
_READ_ATTEMPTS = 3
_RESOLVE_EVERY_S = 1.0

# What a cluster says for a moment while a node of it is away or comes back, with the status INTERNAL or 500.
_MOMENTARY = re.compile(r"read operations failed|not found|active replica|unavailable", re.IGNORECASE)
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

    def __init__(
        self, message: str, retry_after_s: float = 0.0, *, is_away: bool = True, is_momentary: bool = False
    ) -> None:
        """Say what failed.

        Args:
            message: for users.
            retry_after_s: how long the server asks to wait.
            is_away: the node may not be there, so that it is left alone if this goes on.
            is_momentary: a cluster says so while a node of it comes back: the same node may answer at once.
        """
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.is_away = is_away
        self.is_momentary = is_momentary


class _Node:
    """One node: its clients, and whether it is left alone."""

    def __init__(self, where: str, connect: Callable[[bool], QdrantClient]) -> None:
        """Name the node; it is connected to when it is first used.

        Args:
            where: for messages.
            connect: makes a client; True for one of writes.
        """
        self.where = where
        self.is_open = True
        self.last_error = ""
        self._connect = connect
        self._clients: dict[bool, QdrantClient] = {}
        self._pid = os.getpid()
        self._lock = RLock()
        self._failures = 0

    def client(self, *, patient: bool = False) -> QdrantClient:
        """The client for queries, or for writes (patient)."""
        with self._lock:
            if self._pid != os.getpid():
                # Connections do not survive a fork: the child makes its own.
                self._clients, self._pid = {}, os.getpid()
            if patient not in self._clients:
                self._clients[patient] = self._connect(patient)
            return self._clients[patient]

    def succeeded(self) -> None:
        """It has answered."""
        self._failures, self.is_open = 0, True

    def failed(self, error: str) -> bool:
        """It has not answered. Returns whether it is left alone from now on."""
        self._failures += 1
        self.last_error = error
        closes = self.is_open and self._failures >= _FAILURES
        if closes:
            self.is_open = False
        return closes

    def close(self) -> None:
        """Close its connections; the next request makes new ones."""
        with self._lock:
            if self._pid == os.getpid():
                for client in self._clients.values():
                    client.close()
            self._clients = {}


class QdrantServer:
    """A server by the url of one or several nodes, or the client's own engine: in memory, or in the folder `path`."""

    def __init__(
        self,
        url: str | None,
        api_key: str | None,
        timeout_s: float,
        grpc_port: int | None = None,
        location: str | None = None,
        path: str | None = None,
        write_timeout_s: float = 30,
    ) -> None:
        """Name the server; it is connected to when it is first used.

        Args:
            url: of the server: one, several separated by commas, or a name with several addresses. Reads go to them in turn.
            api_key: of the server.
            timeout_s: of each phase of a request (to connect, to answer), unless the request names another.
            grpc_port: send points and queries by gRPC, which needs a third of the bytes of JSON.
            location: ":memory:" instead of a server.
            path: a folder instead of a server.
            write_timeout_s: the same of writes.

        Raises:
            ValueError: not exactly one of url, location and path.
        """
        if sum(place is not None for place in (url, location, path)) != 1:
            raise ValueError("QdrantVectorIndex needs one of url, location and path")
        self._urls = [each.strip() for each in url.split(",") if each.strip()] if url else []
        self._location, self._path = location, path
        self._api_key = api_key
        self._timeouts = {False: timeout_s, True: write_timeout_s}
        self._grpc_port = grpc_port
        self.is_local = url is None
        # The local engine is not safe for two threads at once.
        self._local_lock = RLock()
        self._lock = Lock()
        self._nodes: list[_Node] = []
        self._resolved_at = float("-inf")
        self._pid = os.getpid()
        self._turn = 0
        self._current = local()
        self._closing = Event()
        # A client that is not closed warns at the end of the process.
        weakref.finalize(self, _close, self._nodes)

    @contextmanager
    def asking(self, name: str) -> Iterator[QdrantClient]:
        """The client for queries of one node, for one request.

        Args:
            name: of the collection that the request is about.

        Yields:
            The client, connected.

        Raises:
            CollectionNotFound: there is no such collection.
            IndexBusy: the server does not answer, or asks to wait.
            IndexUnavailable: the server refuses the request.
        """
        node: _Node = getattr(self._current, "node", None) or self._in_turn()[0]
        with self._on(node):
            try:
                with self._local_lock if self.is_local else nullcontext():
                    yield node.client()
                node.succeeded()
            except REQUEST_ERRORS as error:
                raise self._noted(node, error, name) from error
            except ValueError as error:
                if type(error) is ValueError and str(error) == f"Collection {name} not found":  # the local engine's 404
                    raise not_found(name) from error
                raise

    def patient(self) -> QdrantClient:
        """The client for writes of the node that is asked, within `asking` or `retried`."""
        node: _Node = self._current.node
        return node.client(patient=not self.is_local)

    @property
    def is_repeating(self) -> bool:
        """Whether a read is being made that has failed before, on this node or another."""
        return bool(getattr(self._current, "is_repeating", False))

    def answered(self, read: Callable[[], T]) -> T:
        """The answer to a read: where a node does not answer, the next one is asked.

        A node that is known to be away is not asked, so that nobody waits for it.

        Args:
            read: asks, by `asking`; `is_repeating` says whether it has failed before.

        Returns:
            What `read` returned.

        Raises:
            CollectionNotFound: there is no such collection.
            IndexBusy: no node answers.
            IndexUnavailable: the server refuses the request.
        """
        if getattr(self._current, "node", None) is not None:
            return read()
        nodes = [node for node in self._in_turn() if node.is_open][:_READ_ATTEMPTS]
        if not nodes:
            away = self._in_turn()[0]
            raise IndexBusy(away.last_error)
        may_answer: list[_Node] = []
        try:
            for node in nodes:
                try:
                    with self._on(node):
                        return read()
                except IndexBusy as busy:
                    is_last = node is nodes[-1]
                    if busy.is_momentary:
                        may_answer.append(node)
                    if is_last and not may_answer:
                        raise
                    logger.info("%s; %s is asked", busy, "one of them again" if is_last else "another node")
                    self._current.is_repeating = True
            with self._on(may_answer[-1]):
                return read()
        finally:
            self._current.is_repeating = False

    def retried(self, name: str, request: Callable[[QdrantClient], T]) -> T:
        """The answer to a request that may be made twice: it is made again where the server is away or asks to wait.

        Args:
            name: of the collection that the request is about.
            request: makes it, with the client for queries; `patient` gives the one for writes.

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
        if self._location is not None:  # in memory: closing it would lose the points
            return
        self._closing.set()
        self._closing = Event()
        for node in self._nodes:
            node.close()

    @contextmanager
    def _on(self, node: _Node) -> Iterator[None]:
        """Ask this node for what the block asks."""
        outer = getattr(self._current, "node", None)
        self._current.node = node
        try:
            yield
        finally:
            self._current.node = outer

    def _in_turn(self) -> Sequence[_Node]:
        """All nodes, beginning with another one each time; those that are left alone come last."""
        nodes = self._known_nodes()
        if len(nodes) == 1:
            return nodes
        with self._lock:
            self._turn += 1
            turn = self._turn % len(nodes)
        # Sorting keeps the order of those that are alike.
        return sorted((*nodes[turn:], *nodes[:turn]), key=lambda node: not node.is_open)

    def _known_nodes(self) -> Sequence[_Node]:
        with self._lock:
            if self._pid != os.getpid():
                # Probes do not survive a fork.
                self._pid = os.getpid()
                for node in self._nodes:
                    node.succeeded()
            if any(node.is_open for node in self._nodes):
                return self._nodes
            now = time.monotonic()
            if self._nodes and (self.is_local or now - self._resolved_at < _RESOLVE_EVERY_S):
                return self._nodes
            # A name may have other addresses than at the beginning.
            self._resolved_at = now
            wanted = [each for url in self._urls for each in _resolved(url)] or [str(self._location or self._path)]
            known = {node.where: node for node in self._nodes}
            self._nodes[:] = [known.get(where) or _Node(where, self._connector(where)) for where in wanted]
            return self._nodes

    def _connector(self, where: str) -> Callable[[bool], QdrantClient]:
        return lambda patient: self._connect(where, patient=patient)

    def _connect(self, where: str, *, patient: bool) -> QdrantClient:
        try:
            client = QdrantClient(
                url=None if self.is_local else where,
                location=self._location,
                path=self._path,
                # As api_key the client would warn of every http://, private networks included; our system check does not.
                headers={"api-key": self._api_key} if self._api_key and not self.is_local else None,
                timeout=max(1, math.ceil(self._timeouts[patient])),
                prefer_grpc=self._grpc_port is not None,
                grpc_port=self._grpc_port or 6334,
                grpc_options=dict(_CHANNEL_OPTIONS),
                check_compatibility=False,  # it only warns
                force_disable_check_same_thread=self.is_local,  # one thread at a time by our lock
            )
        except RuntimeError as error:
            if "already accessed" in str(error):
                raise IndexLocked(
                    f"the index {where} is held by another process: stop it, "
                    f"or set QDRANT_URL to a Qdrant server, which several processes can share"
                ) from error
            raise
        if not self.is_local and not patient:
            try:
                _refuse_too_old(where, client.info().version)
            except BaseException:
                client.close()
                raise
        return client

    def _noted(self, node: _Node, error: Exception, name: str) -> IndexUnavailable | CollectionNotFound:
        """The port's error; a node that is away too often is left alone, and probed."""
        failure = self._as_port_error(error, name, node.where)
        if isinstance(failure, IndexBusy) and failure.is_away:
            if node.failed(str(failure)):
                logger.warning("%s; it is left alone until a probe finds it back", failure)
                Thread(target=self._probe, args=(node, name, self._closing), name="qdrant-probe", daemon=True).start()
        else:
            node.succeeded()
        return failure

    def _probe(self, node: _Node, name: str, closing: Event) -> None:
        while not node.is_open and not closing.wait(_PROBE_EVERY_S):
            try:
                # As a query would be sent: a node may be ready and answer nothing.
                node.client().collection_exists(name)
            except REQUEST_ERRORS as error:
                failure = self._as_port_error(error, name, node.where)
                if isinstance(failure, IndexBusy) and failure.is_away:
                    continue
            # The thread must go on, whatever comes from there.
            except Exception as error:  # noqa: BLE001
                logger.debug("the Qdrant server %s is not back: %s", node.where, error)
                continue
            node.succeeded()
            logger.info("the Qdrant server %s is back", node.where)

    def _as_port_error(self, error: Exception, name: str, where: str) -> IndexUnavailable | CollectionNotFound:
        server = f"the Qdrant server {where}"
        away = f"{server} does not answer (%s): check that it runs and that QDRANT_URL names it"
        match error:
            case UnexpectedResponse(status_code=404):
                return not_found(name)
            case UnexpectedResponse(status_code=401 | 403):
                return IndexUnavailable(f"{server} refuses QDRANT_API_KEY: check it")
            case UnexpectedResponse(status_code=429):
                return IndexBusy(f"{server} cannot answer now: {error}", is_away=False)
            case UnexpectedResponse() if error.status_code in _PASSING_STATUS:
                return IndexBusy(f"{server} cannot answer now: {error}")
            case UnexpectedResponse(status_code=500) if _MOMENTARY.search(str(error)):
                return IndexBusy(f"{server} cannot answer now: {error}", is_momentary=True)
            case UnexpectedResponse():
                return IndexUnavailable(f"{server} refused a request: {error}")
            case ResponseHandlingException():
                return IndexBusy(away % (error.source or type(error.source).__name__))
            case ResourceExhaustedResponse():
                return IndexBusy(f"{server} asks to wait: {error}", float(error.retry_after_s), is_away=False)
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
            is_away = code is not grpc.StatusCode.RESOURCE_EXHAUSTED
            return IndexBusy(f"{away % said}, by gRPC on port {self._grpc_port} (QDRANT_GRPC_PORT)", is_away=is_away)
        if code is grpc.StatusCode.INTERNAL and _MOMENTARY.search(str(said)):
            return IndexBusy(f"{server} cannot answer now: {said}", is_momentary=True)
        return IndexUnavailable(f"{server} refused a request: {said}")


def _close(nodes: Sequence[_Node]) -> None:
    for node in nodes:
        node.close()


def _refuse_too_old(where: str, version: str) -> None:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
        raise IndexUnavailable(
            f"the Qdrant server {where} is version {version}, and {'.'.join(map(str, OLDEST))} is the oldest"
            " that will do: upgrade it"
        )


def _resolved(url: str) -> Sequence[str]:
    """The url of each address that a name has; one by https stays as it is, since its certificate is for the name."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return [url]
    try:
        found = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM, family=socket.AF_INET)
    except OSError:
        return [url]
    addresses = sorted({str(address[0]) for *_, address in found})
    if len(addresses) < 2:
        return [url]
    port = f":{parts.port}" if parts.port else ""
    return [parts._replace(netloc=f"{address}{port}").geturl() for address in addresses]


def stands_already(error: Exception) -> bool:
    """Whether a request to make something failed because it is there."""
    if isinstance(error, UnexpectedResponse):
        return bool(error.status_code == 409)
    return isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.ALREADY_EXISTS
