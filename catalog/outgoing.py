"""Requests to other servers: what photos, pages and feeds share.

Protects against server-side request forgery: a host name is resolved once, all of its addresses have to be public, and the
connection goes to one of these addresses, so that a later DNS answer has no effect. Each redirect passes the same checks.
Proxies of the environment are not used, because they would resolve names themselves.
"""

from __future__ import annotations

import ipaddress
import random
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import httpcore
from django.conf import settings

from catalog import facts
from pictures.photos import ImageRejected, PhotoRejectionReason

if TYPE_CHECKING:
    import httpx

USER_AGENT = "Lookalike (product photo import)"
MAX_REDIRECTS = 3
MAX_ATTEMPTS = 3
INITIAL_BACKOFF_S = 0.5
# So long an import waits for a server that limits requests.
LIMIT_PATIENCE_S = 300.0
# What protections against bots and foreign pages say.
FORBIDDEN = (401, 403)
TOO_MANY_REQUESTS = 429
# nginx says so, too, where it limits requests.
UNAVAILABLE = 503

_MAX_LINK_CHARACTERS = 2000
_REDIRECTS = (301, 302, 303, 307, 308)
_RETRYABLE_STATUSES = (408, 425, TOO_MANY_REQUESTS, 500, 502, UNAVAILABLE, 504)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Not public, though `ipaddress` of some supported Python versions says so.
_NOT_PUBLIC = tuple(ipaddress.ip_network(network) for network in ("192.88.99.0/24", "2001:db8::/32", "3fff::/20"))

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_deadline: ContextVar[float] = ContextVar("deadline")
_T = TypeVar("_T")


class LinkNotAllowed(ImageRejected):
    """The link is invalid or leads to an address that is not allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(PhotoRejectionReason.UNREADABLE, message)


class TransientError(Exception):
    """Another attempt may succeed.

    Attributes:
        retry_after_s: for so long the server wants to be left alone.
        status: of the response, 0 if there was none.
        attempts: how many were made.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0, status: int = 0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.status = status
        self.attempts = 1


@dataclass(frozen=True, slots=True)
class Redirect:
    """What a server answers instead. location: as it is given, perhaps relative."""

    location: str


@dataclass(frozen=True, slots=True)
class Response:
    """A response whose body has not been read.

    Attributes:
        status: of the response.
        headers: names in lower case, in the order of the response; a name may occur several times.
        chunks: the body.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    chunks: Iterable[bytes]

    def header(self, name: str) -> str:
        """The last value of a header; "" where it is missing."""
        return next((value for known, value in reversed(self.headers) if known == name), "")

    @property
    def redirect(self) -> Redirect | None:
        """Where it leads to; None if it is no redirect."""
        location = self.header("location")
        return Redirect(location) if self.status in _REDIRECTS and location else None

    def check_passing(self, host: str) -> None:
        """Check that the status is none of those after which another attempt may succeed.

        Args:
            host: in the message.

        Raises:
            TransientError: it is.
        """
        if self.status in _RETRYABLE_STATUSES:
            value = self.header("retry-after").strip()
            retry_after_s = float(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0.0
            raise TransientError(facts.HOST_REFUSES(host=host, status=str(self.status)), retry_after_s, self.status)


def connection_pool(ssl_context: ssl.SSLContext | None = None, **limits: Any) -> httpcore.ConnectionPool:
    """Connections to public addresses and FETCH_ALLOW_NETWORKS; each request needs `start_deadline` before it.

    Args:
        ssl_context: for tests with certificates of their own.
        **limits: of the pool.

    Returns:
        The pool, to be closed.
    """
    backend = _PublicNetworkBackend(tuple(settings.FETCH_ALLOW_NETWORKS))
    return httpcore.ConnectionPool(ssl_context=ssl_context, network_backend=backend, **limits)


def start_deadline(seconds: float) -> None:
    """Let all that this thread fetches end within these seconds, with all redirects and attempts."""
    _deadline.set(time.monotonic() + seconds)


def extend_deadline(seconds: float) -> None:
    """Let what this thread fetches take so much longer."""
    _deadline.set(_deadline.get() + seconds)


def is_overdue() -> bool:
    """Whether the deadline has passed."""
    return time.monotonic() >= _deadline.get()


def repeated(once: Callable[[], _T], wait: Callable[[float], object], *, longest_wait_s: float | None = None) -> _T:
    """Make up to MAX_ATTEMPTS attempts within the deadline, with growing pauses, or those that the server asks for.

    Args:
        once: an attempt.
        wait: pauses for these seconds; True ends the attempts.
        longest_wait_s: a server that asks for a longer pause is not asked again.

    Returns:
        The result of the attempt that succeeds.

    Raises:
        TransientError: of the last attempt, with the number of attempts.
    """
    pause_s = INITIAL_BACKOFF_S
    for attempt in count(1):
        try:
            return once()
        except TransientError as error:
            error.attempts = attempt
            wait_s = max(pause_s * random.uniform(0.5, 1.5), error.retry_after_s)
            is_too_long = longest_wait_s is not None and wait_s > longest_wait_s
            ends_at = _deadline.get()
            if attempt == MAX_ATTEMPTS or is_too_long or time.monotonic() + wait_s >= ends_at or wait(wait_s):
                raise
        pause_s *= 2
    raise AssertionError("the last attempt returns or raises")


def followed(url: httpx.URL, get: Callable[[httpx.URL], _T | Redirect]) -> _T:
    """Follow up to MAX_REDIRECTS redirects, each checked like the first link.

    Args:
        url: where to begin.
        get: makes a request, and returns its result, or a redirect.

    Returns:
        The result.

    Raises:
        LinkNotAllowed: a redirect leads to an address that is not allowed, or there are too many.
    """
    for _ in range(MAX_REDIRECTS + 1):
        result = get(url)
        if not isinstance(result, Redirect):
            return result
        url = validate_url(result.location, base=url)
    raise LinkNotAllowed(facts.TOO_MANY_REDIRECTS(limit=MAX_REDIRECTS))


@contextmanager
def response_of(
    pool: httpcore.ConnectionPool,
    url: httpx.URL,
    headers: Sequence[tuple[str, str]],
    *,
    timeout_s: float,
    pool_timeout_s: float | None = None,
) -> Iterator[Response]:
    """Ask a server for what is behind a URL.

    Args:
        pool: of `connection_pool`.
        url: of `validate_url`.
        headers: further ones.
        timeout_s: to connect, and for each part of the response.
        pool_timeout_s: to get a connection; by default as long.

    Yields:
        The response; its body can be read within the block.

    Raises:
        TransientError: the server does not answer, or not to the end.
    """
    timeout = dict.fromkeys(("connect", "read", "write"), timeout_s) | {"pool": pool_timeout_s or timeout_s}
    sent = [("Host", url.netloc.decode("ascii")), ("User-Agent", USER_AGENT), *headers]
    asked = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    try:
        with pool.stream("GET", asked, headers=sent, extensions={"timeout": timeout}) as response:
            received = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers]
            yield Response(response.status, received, response.iter_stream())
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
        raise TransientError(facts.NO_RESPONSE(host=url.host, error=f"{type(error).__name__}: {error}")) from error


def validate_url(link: str, *, base: httpx.URL | None = None, with_user: bool = False) -> httpx.URL:
    """Check a link before it is followed.

    Args:
        link: HTTP(S) URL.
        base: what a relative link is resolved against.
        with_user: a user name and a password are allowed.

    Returns:
        The URL, without its fragment.

    Raises:
        LinkNotAllowed: it is invalid, or has a port that is not allowed.
    """
    # Takes 7 MB, for its command line; processes that fetch nothing do without.
    import httpx

    if len(link) > _MAX_LINK_CHARACTERS:
        raise LinkNotAllowed(facts.LINK_TOO_LONG(limit=_MAX_LINK_CHARACTERS))
    try:
        url = httpx.URL(link) if base is None else base.join(link)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise LinkNotAllowed(facts.NOT_A_URL(error=str(error))) from error
    if url.scheme not in ("http", "https"):
        raise LinkNotAllowed(facts.LINK_SCHEME(scheme=repr(url.scheme)))
    if not url.host:
        raise LinkNotAllowed(facts.LINK_WITHOUT_HOST())
    if url.userinfo and not with_user:
        raise LinkNotAllowed(facts.LINK_WITH_USER())
    if url.port not in (None, *settings.FETCH_PORTS):
        raise LinkNotAllowed(facts.LINK_PORT(port=str(url.port)))
    if not _is_ordinary_hostname(url.host):
        raise LinkNotAllowed(facts.HOST_IS_A_NUMBER(host=url.host[:60]))
    return url.copy_with(fragment=None)


def check_host(url: httpx.URL) -> None:
    """Check where a host is, for somebody who enters it. A name that is not known now passes: it is checked when it is asked.

    Args:
        url: of `validate_url`.

    Raises:
        LinkNotAllowed: an address of it is in a private or special network.
    """
    with suppress(OSError, UnicodeError):
        _check_addresses(url.host, resolve(url.host, url.port or 443), settings.FETCH_ALLOW_NETWORKS)


def is_public(address: IPAddress) -> bool:
    """Whether an address belongs to the public internet.

    Args:
        address: an IPv6 address that contains an IPv4 address is public if both are.

    Returns:
        Whether it is public.
    """
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        elif address not in _GLOBAL_UNICAST and address.ipv4_mapped is None:
            return False
        if wrapped is not None:
            return is_public(wrapped)
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int) -> list[str]:
    """Resolve a host name.

    Args:
        host: name or address.
        port: TCP port.

    Returns:
        All addresses, in the order to try them.

    Raises:
        OSError: the name cannot be resolved.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class _PublicNetworkBackend(httpcore.NetworkBackend):
    """Connects only to public addresses and those of allowed networks."""

    allowed: tuple[_Network, ...]
    _sockets: httpcore.SyncBackend = field(default_factory=httpcore.SyncBackend)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in self._addresses(host, port):
            try:
                stream = self._sockets.connect_tcp(address, port, _remaining_s(timeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _DeadlineStream(stream)
        raise failure or httpcore.ConnectError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved") from error
        _check_addresses(host, addresses, self.allowed)
        return addresses


def _check_addresses(host: str, addresses: Iterable[str], allowed: Iterable[_Network]) -> None:
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        if not is_public(address) and not any((mapped or address) in network for network in allowed):
            raise LinkNotAllowed(facts.ADDRESS_NOT_PUBLIC(host=host, address=text))


@dataclass(frozen=True, slots=True)
class _DeadlineStream(httpcore.NetworkStream):
    """A connection that respects the deadline of its fetch, even if the server sends byte by byte."""

    stream: httpcore.NetworkStream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, _remaining_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, _remaining_s(timeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self.stream.start_tls(ssl_context, server_hostname, _remaining_s(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def _remaining_s(timeout: float | None) -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return left if timeout is None else min(timeout, left)


def _is_ordinary_hostname(host: str) -> bool:
    """Whether a host is not an unusual spelling of an IPv4 address (decimal, octal, hexadecimal, shortened)."""
    if ":" in host or not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return True
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False
