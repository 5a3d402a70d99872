"""Fetches photos from links, and single web pages, with protection against server-side request forgery and limits per server.

A host name is resolved once, all of its addresses have to be public, and the connection goes to one of these addresses, so that a
later DNS answer has no effect. Each redirect passes the same checks. Proxies of the environment are not used, because they
would resolve names themselves.
"""

from __future__ import annotations

import hashlib
import ipaddress
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpcore
from django.conf import settings

from catalog import facts
from pictures.photos import ImageRejected, Photo, PhotoRejectionReason, validate_photo

if TYPE_CHECKING:
    import httpx

USER_AGENT = "Lookalike (product photo import)"
MAX_REDIRECTS = 3
MAX_ATTEMPTS = 3
INITIAL_BACKOFF_S = 0.5
PAGE_DEADLINE_S = 15.0
# Of a page so much is read: what is looked for stands in its beginning.
PAGE_MAX_BYTES = 3_000_000
# After this many consecutive failures a server gets no more requests in this import.
MAX_CONSECUTIVE_FAILURES = 12
# The first pause after a server has said that there were too many requests; each further one is twice as long.
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# So long an import waits for a server that limits requests.
LIMIT_PATIENCE_S = 300.0

_MAX_LINK_CHARACTERS = 2000
_REDIRECTS = (301, 302, 303, 307, 308)
_RETRYABLE_STATUSES = (408, 425, 429, 500, 502, 503, 504)
# What protections against bots and foreign pages say.
_FORBIDDEN = (401, 403)
_TOO_MANY_REQUESTS = 429
# nginx says so, too, where it limits requests.
_UNAVAILABLE = 503
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Not public, though `ipaddress` of some supported Python versions says so.
_NOT_PUBLIC = tuple(ipaddress.ip_network(network) for network in ("192.88.99.0/24", "2001:db8::/32", "3fff::/20"))

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_deadline: ContextVar[float] = ContextVar("deadline")


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """Validators of a photo from its last response.

    Attributes:
        resource: SHA-256 of the URL after redirects.
        etag: "" if the response had none.
        last_modified: "" if the response had none.
        sha256: of the photo.
    """

    resource: str
    etag: str
    last_modified: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The result of a fetch.

    Attributes:
        cache_entry: for the next fetch.
        photo: None if the photo did not change since the last fetch.
    """

    cache_entry: CacheEntry
    photo: Photo | None


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page as its server sent it.

    Attributes:
        url: where redirects have led to.
        status: of the response.
        headers: names in lower case, in the order of the response; a name may occur several times.
        text: the beginning of the body, at most PAGE_MAX_BYTES.
    """

    url: str
    status: int
    headers: Sequence[tuple[str, str]]
    text: str

    def header(self, name: str) -> list[str]:
        """All values of a header; none where it is missing."""
        return [value for known, value in self.headers if known == name]


class LinkNotAllowed(ImageRejected):
    """The link is invalid or leads to an address that is not allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(PhotoRejectionReason.UNREADABLE, message)


class PageUnreachable(Exception):
    """The server did not send the page."""


class PhotoUnreachable(ImageRejected):
    """The server did not send the photo; the next import tries again."""

    def __init__(self, message: str) -> None:
        super().__init__(PhotoRejectionReason.UNREADABLE, message)


class Fetcher:
    """Fetches photos; safe to use from several threads.

    The settings FETCH_TIMEOUT_S (per connection and read), FETCH_DEADLINE_S (per photo, with all redirects and attempts),
    FETCH_PER_HOST, FETCH_PORTS, FETCH_ALLOW_NETWORKS and PHOTO_MAX_BYTES are its limits.

    Args:
        ssl_context: for tests with certificates of their own.
        patience_s: for so long a server that limits requests is waited for, all photos of it together, until it sends one again.
            0: it is asked as often as one that fails.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None = None, *, patience_s: float = 0) -> None:
        self._patience_s = patience_s
        self._timeout_s = float(settings.FETCH_TIMEOUT_S)
        self._deadline_s = float(settings.FETCH_DEADLINE_S)
        self._closed = threading.Event()
        self._hosts: dict[str, _Host] = {}
        self._hosts_lock = threading.Lock()
        backend = _PublicNetworkBackend(tuple(settings.FETCH_ALLOW_NETWORKS))
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context, max_connections=64, max_keepalive_connections=16, keepalive_expiry=10.0,
            network_backend=backend,
        )  # fmt: skip

    def close(self) -> None:
        """Close all connections; running fetches end with PhotoUnreachable within FETCH_TIMEOUT_S."""
        self._closed.set()
        self._pool.close()

    def fetch(self, link: str, cached: CacheEntry | None = None) -> FetchResult:
        """Fetch a photo.

        Args:
            link: HTTP(S) URL.
            cached: from the last fetch; makes the request conditional.

        Returns:
            The photo, or that it did not change.

        Raises:
            LinkNotAllowed: the link is invalid or leads to an address that is not allowed.
            PhotoUnreachable: the server did not send it.
            ImageRejected: the response is not a usable photo.
        """
        answer = self._ask(link, cached)
        if isinstance(answer, CacheEntry):
            return FetchResult(answer, None)
        photo = validate_photo(answer.content)
        return FetchResult(CacheEntry(answer.resource, answer.etag, answer.last_modified, photo.sha256), photo)

    def fetch_file(self, link: str) -> bytes:
        """Fetch the file of a photo, for who checks it by other limits than those of the catalogue.

        Args:
            link: HTTP(S) URL.

        Returns:
            What the server has sent, of PHOTO_MAX_BYTES at most.

        Raises:
            LinkNotAllowed: the link is invalid or leads to an address that is not allowed.
            PhotoUnreachable: the server did not send it.
            ImageRejected: the file is too large.
        """
        answer = self._ask(link, None)
        if isinstance(answer, CacheEntry):
            raise AssertionError("a request without validators gets a file")
        return answer.content

    def _ask(self, link: str, cached: CacheEntry | None) -> _File | CacheEntry:
        """The file behind a link; the cached entry where it did not change."""
        _deadline.set(time.monotonic() + self._deadline_s)
        url = _validate_url(link)
        pause_s, attempt = INITIAL_BACKOFF_S, 1
        while True:
            try:
                return self._follow(url, cached)
            except _LimitedError:
                # The next request waits for the server's pause, and is the same attempt.
                continue
            except _TransientError as error:
                wait_s = max(pause_s * random.uniform(0.5, 1.5), error.retry_after_s)
                ends_at = _deadline.get()
                if attempt == MAX_ATTEMPTS or time.monotonic() + wait_s >= ends_at or self._closed.wait(wait_s):
                    raise PhotoUnreachable(facts.ATTEMPTS_FAILED(reason=str(error), attempts=attempt)) from error
                pause_s *= 2
                attempt += 1

    def _follow(self, url: httpx.URL, cached: CacheEntry | None) -> _File | CacheEntry:
        for _ in range(MAX_REDIRECTS + 1):
            result = self._get(url, cached)
            if not isinstance(result, str):
                return result
            url = _validate_url(result, base=url)
        raise LinkNotAllowed(facts.TOO_MANY_REDIRECTS(limit=MAX_REDIRECTS))

    def _get(self, url: httpx.URL, cached: CacheEntry | None) -> _File | CacheEntry | str:
        """The file, the cached entry where it did not change, or the URL of a redirect."""
        resource = hashlib.sha256(str(url).encode()).hexdigest()
        entry = cached if cached is not None and cached.resource == resource else None
        with self._host_slot(url.host) as host:
            self._wait_for(host)
            try:
                result = self._request(url, resource, entry)
            except _TransientError as error:
                if self._patience_s and error.is_limit(host):
                    raise self._paused(host, error) from error
                host.failures += 1
                raise
            host.answers()
            return result

    def _wait_for(self, host: _Host) -> None:
        """Wait until a server that limits requests may be asked again; the photo has that much more time."""
        wait_s = host.paused_until - time.monotonic()
        if wait_s > 0:
            if self._closed.wait(wait_s):
                raise PhotoUnreachable(facts.IMPORT_STOPPED())
            _deadline.set(_deadline.get() + wait_s)

    def _paused(self, host: _Host, error: _TransientError) -> Exception:
        """Let all photos of a server wait, or give it up. Returns what is to be raised."""
        with self._hosts_lock:
            now = time.monotonic()
            host.refusals += 1
            host.limits_since = host.limits_since or now
            if now >= host.paused_until:
                host.pause_s = min(max(2 * host.pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            ends_at = now + max(host.pause_s * random.uniform(0.75, 1.25), error.retry_after_s)
            if ends_at > host.limits_since + self._patience_s:
                host.failures = max(host.refusals, MAX_CONSECUTIVE_FAILURES)
                return PhotoUnreachable(facts.ATTEMPTS_FAILED(reason=str(error), attempts=host.refusals))
            host.paused_until = max(host.paused_until, ends_at)
        return _LimitedError(str(error))

    def _request(self, url: httpx.URL, resource: str, cached: CacheEntry | None) -> _File | CacheEntry | str:
        timeout = dict.fromkeys(("connect", "read", "write"), self._timeout_s) | {"pool": self._deadline_s}
        try:
            with self._pool.stream(
                "GET", _to_httpcore_url(url), headers=_headers(url, cached), extensions={"timeout": timeout}
            ) as response:
                headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                if response.status in _REDIRECTS and headers.get("location"):
                    return headers["location"]
                if response.status == 304 and cached is not None:
                    return cached
                if response.status in _RETRYABLE_STATUSES:
                    raise _TransientError(
                        facts.HOST_REFUSES(host=url.host, status=str(response.status)),
                        _retry_after_s(headers),
                        response.status,
                    )
                if response.status in _FORBIDDEN:
                    raise PhotoUnreachable(
                        facts.LINK_FORBIDDEN(host=url.host, status=str(response.status), agent=USER_AGENT)
                    )
                if response.status != 200:
                    raise PhotoUnreachable(facts.LINK_WRONG(host=url.host, status=str(response.status)))
                if headers.get("content-encoding", "identity") != "identity":
                    raise PhotoUnreachable(
                        facts.HOST_COMPRESSES(host=url.host, encoding=headers["content-encoding"][:20])
                    )
                content = self._read_body(response.iter_stream(), headers, url.host)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
            raise _TransientError(facts.NO_RESPONSE(host=url.host, error=f"{type(error).__name__}: {error}")) from error
        except RuntimeError as error:
            # httpcore raises it for a closed pool.
            raise PhotoUnreachable(facts.IMPORT_STOPPED()) from error
        validators = (headers.get("etag", ""), headers.get("last-modified", ""))
        etag, last_modified = (text if text.isascii() and len(text) <= 200 else "" for text in validators)
        return _File(content, resource, etag, last_modified)

    def _read_body(self, chunks: Iterable[bytes], headers: dict[str, str], host: str) -> bytes:
        limit: int = settings.PHOTO_MAX_BYTES
        too_large = ImageRejected(PhotoRejectionReason.TOO_LARGE, facts.PHOTO_TOO_LARGE(limit=limit))
        content_length = headers.get("content-length", "")
        if content_length.isdigit() and int(content_length[:20]) > limit:
            raise too_large
        parts, size = [], 0
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise too_large
            if self._closed.is_set():
                raise PhotoUnreachable(facts.IMPORT_STOPPED())
            if time.monotonic() > _deadline.get():
                raise _TransientError(facts.HOST_TOO_SLOW(host=host, seconds=round(self._deadline_s)))
            parts.append(chunk)
        return b"".join(parts)

    @contextmanager
    def _host_slot(self, name: str) -> Iterator[_Host]:
        """A slot of a server: at most FETCH_PER_HOST fetches at a time, and none after MAX_CONSECUTIVE_FAILURES."""
        with self._hosts_lock:
            host = self._hosts.setdefault(name, _Host(threading.BoundedSemaphore(settings.FETCH_PER_HOST)))
        began = time.monotonic()
        with host.semaphore:
            # The time of a photo is not that of those before it.
            _deadline.set(_deadline.get() + time.monotonic() - began)
            if host.failures >= MAX_CONSECUTIVE_FAILURES:
                raise PhotoUnreachable(facts.HOST_GIVEN_UP(host=name, times=host.failures))
            yield host


def fetch_page(link: str, ssl_context: ssl.SSLContext | None = None) -> WebPage:
    """Fetch a web page once, by the rules that photos are fetched by: from public addresses and allowed ports alone.

    Args:
        link: HTTP(S) URL.
        ssl_context: for tests with certificates of their own.

    Returns:
        The page, whatever its status is.

    Raises:
        LinkNotAllowed: the link is invalid or leads to an address that is not allowed.
        PageUnreachable: the server does not answer.
    """
    _deadline.set(time.monotonic() + PAGE_DEADLINE_S)
    url = _validate_url(link)
    backend = _PublicNetworkBackend(tuple(settings.FETCH_ALLOW_NETWORKS))
    try:
        with httpcore.ConnectionPool(ssl_context=ssl_context, network_backend=backend) as pool:
            for _ in range(MAX_REDIRECTS + 1):
                page = _get_page(pool, url)
                location = page.header("location")
                if page.status not in _REDIRECTS or not location:
                    return page
                url = _validate_url(location[0], base=url)
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
        raise PageUnreachable(f"no response from {url.host} ({type(error).__name__}: {error})") from error
    raise LinkNotAllowed(facts.TOO_MANY_REDIRECTS(limit=MAX_REDIRECTS))


def _get_page(pool: httpcore.ConnectionPool, url: httpx.URL) -> WebPage:
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), float(settings.FETCH_TIMEOUT_S))
    asked = [
        ("Host", url.netloc.decode("ascii")),
        ("User-Agent", USER_AGENT),
        ("Accept", "text/html, */*;q=0.1"),
        ("Accept-Encoding", "identity"),
    ]
    with pool.stream("GET", _to_httpcore_url(url), headers=asked, extensions={"timeout": timeout}) as response:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers]
        content = b""
        for chunk in response.iter_stream():
            content += chunk
            if len(content) >= PAGE_MAX_BYTES:
                break
    encoding = next((value for name, value in headers if name == "content-encoding"), "identity")
    if encoding != "identity":
        raise PageUnreachable(f"{url.host} compresses the page ({encoding[:20]}) unasked")
    return WebPage(str(url), response.status, headers, content[:PAGE_MAX_BYTES].decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class _File:
    """What a server has sent, which is not checked yet; the others as in CacheEntry."""

    content: bytes
    resource: str
    etag: str
    last_modified: str


@dataclass(slots=True)
class _Host:
    """What is known of a server.

    Attributes:
        semaphore: a slot for each fetch at a time.
        failures: in a row.
        has_sent: whether it has sent a photo.
        refusals: how often it has limited requests since it sent one.
        limits_since: when it began to, by the monotonic clock; 0 if it does not.
        pause_s: the last pause.
        paused_until: when it may be asked again, by the monotonic clock.
    """

    semaphore: threading.BoundedSemaphore
    failures: int = 0
    has_sent: bool = False
    refusals: int = 0
    limits_since: float = 0.0
    pause_s: float = 0.0
    paused_until: float = 0.0

    def answers(self) -> None:
        """It has sent what was asked for."""
        self.failures = self.refusals = 0
        self.limits_since = 0.0
        self.has_sent = True
        self.pause_s /= 2


class _TransientError(Exception):
    """Another attempt may succeed."""

    def __init__(self, message: str, retry_after_s: float = 0.0, status: int = 0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.status = status

    def is_limit(self, host: _Host) -> bool:
        """Whether the server limits requests, and is not out of order: it has sent photos, or says when to come back."""
        comes_back = host.has_sent or self.retry_after_s > 0
        return self.status == _TOO_MANY_REQUESTS or (self.status == _UNAVAILABLE and comes_back)


class _LimitedError(Exception):
    """The server limits requests: the same request is made again after its pause."""


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

    allowed: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
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
        for text in addresses:
            address = ipaddress.ip_address(text.partition("%")[0])
            if not (is_public(address) or self._is_allowed(address)):
                raise LinkNotAllowed(facts.ADDRESS_NOT_PUBLIC(host=host, address=text))
        return addresses

    def _is_allowed(self, address: IPAddress) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self.allowed)


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


def _validate_url(link: str, *, base: httpx.URL | None = None) -> httpx.URL:
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
    if url.userinfo:
        raise LinkNotAllowed(facts.LINK_WITH_USER())
    if url.port not in (None, *settings.FETCH_PORTS):
        raise LinkNotAllowed(facts.LINK_PORT(port=str(url.port)))
    if not _is_ordinary_hostname(url.host):
        raise LinkNotAllowed(facts.HOST_IS_A_NUMBER(host=url.host[:60]))
    return url.copy_with(fragment=None)


def _is_ordinary_hostname(host: str) -> bool:
    """Whether a host is not an unusual spelling of an IPv4 address (decimal, octal, hexadecimal, shortened)."""
    if ":" in host or not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return True
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def _to_httpcore_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _headers(url: httpx.URL, cached: CacheEntry | None) -> list[tuple[str, str]]:
    headers = [
        ("Host", url.netloc.decode("ascii")),
        ("User-Agent", USER_AGENT),
        ("Accept", "image/jpeg, image/png, image/webp, image/*;q=0.5, */*;q=0.1"),
        ("Accept-Encoding", "identity"),
    ]
    if cached is not None and cached.etag:
        headers.append(("If-None-Match", cached.etag))
    if cached is not None and cached.last_modified:
        headers.append(("If-Modified-Since", cached.last_modified))
    return headers


def _retry_after_s(headers: dict[str, str]) -> float:
    value = headers.get("retry-after", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0.0
