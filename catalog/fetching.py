"""Photos behind links, fetched so that nobody can use us to reach what only we can reach, and no shop's server is run over.

A name is looked up once, every address it has must be public, and the connection goes to one of those very addresses: what
the name says later changes nothing. Redirects are followed by hand, each through the same gate. A proxy named by the
environment is not used, for it would look names up itself.
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
from typing import Any

import httpcore
import httpx
from django.conf import settings

from catalog.photos import ImageRejected, Photo, Reason, check_photo

USER_AGENT = "Lookalike (product photo import)"
MAX_REDIRECTS = 3
ATTEMPTS = 3
FIRST_PAUSE_S = 0.5
# A server that failed so often in a row is left alone for the rest of the import.
GIVEN_UP_AFTER = 12

_MAX_LINK_CHARACTERS = 2000
_REDIRECTS = (301, 302, 303, 307, 308)
_WORTH_ANOTHER_ATTEMPT = (408, 425, 429, 500, 502, 503, 504)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Not for the public, and not told so by `ipaddress` of every Python that we run on.
_NOT_PUBLIC = tuple(ipaddress.ip_network(network) for network in ("192.88.99.0/24", "2001:db8::/32", "3fff::/20"))

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_deadline: ContextVar[float] = ContextVar("deadline")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a server said of a photo when it was last fetched. resource: the hash of the address that it came from at last."""

    resource: str
    etag: str
    last_modified: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A photo as a server has it now. photo: None where it is still the one that was remembered."""

    remembered: Remembered
    photo: Photo | None


class LinkRefused(ImageRejected):
    """Nothing is fetched from this link, now or later. The message says why."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.UNREADABLE, message)


class PhotoUnreachable(ImageRejected):
    """The server did not give the photo. The next import asks again."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.UNREADABLE, message)


class Fetcher:
    """Fetches photos, from several threads at once; `close` ends what is under way.

    Its limits are the settings FETCH_TIMEOUT_S (to connect, and for each answer of the network), FETCH_DEADLINE_S (for a photo
    with all redirects and attempts), FETCH_PER_HOST, FETCH_PORTS, FETCH_ALLOW_NETWORKS and PHOTO_MAX_BYTES.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._timeout_s = float(settings.FETCH_TIMEOUT_S)
        self._deadline_s = float(settings.FETCH_DEADLINE_S)
        self._closed = threading.Event()
        self._hosts: dict[str, _Host] = {}
        self._hosts_lock = threading.Lock()
        backend = _PublicOnly(tuple(settings.FETCH_ALLOW_NETWORKS))
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context, max_connections=64, max_keepalive_connections=16, keepalive_expiry=10.0,
            network_backend=backend,
        )  # fmt: skip

    def close(self) -> None:
        """Let go of all connections; a fetch under way ends with PhotoUnreachable within FETCH_TIMEOUT_S."""
        self._closed.set()
        self._pool.close()

    def fetch(self, link: str, remembered: Remembered | None = None) -> Fetched:
        """The photo of this link. Raises LinkRefused, PhotoUnreachable, or what `check_photo` raises.

        remembered: what is known of it; where it has not changed, it is not sent again.
        """
        ends_at = time.monotonic() + self._deadline_s
        _deadline.set(ends_at)
        url = _checked_url(link)
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._follow(url, remembered)
            except _Transient as error:
                wait_s = max(pause_s * random.uniform(0.5, 1.5), error.retry_after_s)
                if attempt == ATTEMPTS or time.monotonic() + wait_s >= ends_at or self._closed.wait(wait_s):
                    raise PhotoUnreachable(f"{error} ({attempt} attempts): import again later") from error
                pause_s *= 2
        raise AssertionError("the last attempt returns or raises")

    def _follow(self, url: httpx.URL, remembered: Remembered | None) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._get(url, remembered)
            if isinstance(answer, Fetched):
                return answer
            url = _checked_url(answer, base=url)
        raise LinkRefused(f"the link leads on more than {MAX_REDIRECTS} times: name the address that it leads to")

    def _get(self, url: httpx.URL, remembered: Remembered | None) -> Fetched | str:
        """The photo, or the address that the server sends us on to."""
        resource = hashlib.sha256(str(url).encode()).hexdigest()
        known = remembered if remembered is not None and remembered.resource == resource else None
        with self._host(url.host) as host:
            try:
                answer = self._answer(url, resource, known)
            except _Transient:
                host.failures += 1
                raise
            host.failures = 0
            return answer

    def _answer(self, url: httpx.URL, resource: str, known: Remembered | None) -> Fetched | str:
        timeout = dict.fromkeys(("connect", "read", "write"), self._timeout_s) | {"pool": self._deadline_s}
        try:
            with self._pool.stream(
                "GET", _for_core(url), headers=_headers(url, known), extensions={"timeout": timeout}
            ) as response:
                headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                if response.status in _REDIRECTS and headers.get("location"):
                    return headers["location"]
                if response.status == 304 and known is not None:
                    return Fetched(known, None)
                if response.status in _WORTH_ANOTHER_ATTEMPT:
                    raise _Transient(f"{url.host} answers with {response.status}", _retry_after_s(headers))
                if response.status != 200:
                    raise PhotoUnreachable(f"{url.host} answers with {response.status}: is the link right?")
                if headers.get("content-encoding", "identity") != "identity":
                    raise PhotoUnreachable(f"{url.host} packs the photo ({headers['content-encoding'][:20]}) unasked")
                content = self._read(response.iter_stream(), headers, url.host)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
            raise _Transient(f"{url.host} gives no answer ({type(error).__name__}: {error})") from error
        except RuntimeError as error:
            # What httpcore says of a pool that was closed.
            raise PhotoUnreachable("the import was ended") from error
        photo = check_photo(content)
        validators = (headers.get("etag", ""), headers.get("last-modified", ""))
        etag, last_modified = (text if text.isascii() and len(text) <= 200 else "" for text in validators)
        return Fetched(Remembered(resource, etag, last_modified, photo.sha256), photo)

    def _read(self, chunks: Iterable[bytes], headers: dict[str, str], host: str) -> bytes:
        limit: int = settings.PHOTO_MAX_BYTES
        too_large = ImageRejected(Reason.TOO_LARGE, f"the photo is larger than {limit:,} bytes: offer a smaller one")
        said = headers.get("content-length", "")
        if said.isdigit() and int(said[:20]) > limit:
            raise too_large
        parts, size = [], 0
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise too_large
            if self._closed.is_set():
                raise PhotoUnreachable("the import was ended")
            if time.monotonic() > _deadline.get():
                raise _Transient(f"{host} is too slow: the photo did not come within {self._deadline_s:.0f} s")
            parts.append(chunk)
        return b"".join(parts)

    @contextmanager
    def _host(self, name: str) -> Iterator[_Host]:
        """The server's turn: no more than FETCH_PER_HOST fetches at a time, and none where it failed time and again."""
        with self._hosts_lock:
            host = self._hosts.setdefault(name, _Host(threading.BoundedSemaphore(settings.FETCH_PER_HOST)))
        with host.turns:
            if host.failures >= GIVEN_UP_AFTER:
                raise PhotoUnreachable(
                    f"{name} failed {host.failures} times in a row and is left alone: import again later"
                )
            yield host


@dataclass(slots=True)
class _Host:
    turns: threading.BoundedSemaphore
    failures: int = 0


class _Transient(Exception):
    """Another attempt may succeed."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def is_public(address: IPAddress) -> bool:
    """Whether this address, and the IPv4 address that may be wrapped in it, belongs to the public internet."""
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
    """All addresses of a host, in the order to try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class _PublicOnly(httpcore.NetworkBackend):
    """Connects to public addresses, and those of the networks that are allowed, and to nothing else."""

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
                stream = self._sockets.connect_tcp(address, port, _left(timeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _InTime(stream)
        raise failure or httpcore.ConnectError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} is not known") from error
        for text in addresses:
            address = ipaddress.ip_address(text.partition("%")[0])
            if not (is_public(address) or self._is_allowed(address)):
                raise LinkRefused(
                    f"{host} is {text}, an address of a private or special network: photos are fetched from public servers "
                    "(FETCH_ALLOW_NETWORKS names others)"
                )
        return addresses

    def _is_allowed(self, address: IPAddress) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self.allowed)


@dataclass(frozen=True, slots=True)
class _InTime(httpcore.NetworkStream):
    """A connection that waits no longer than the deadline of the fetch that uses it; also for a server that sends byte by byte."""

    stream: httpcore.NetworkStream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _InTime(self.stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def _left(timeout: float | None) -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline is over")
    return left if timeout is None else min(timeout, left)


def _checked_url(link: str, *, base: httpx.URL | None = None) -> httpx.URL:
    if len(link) > _MAX_LINK_CHARACTERS:
        raise LinkRefused(f"the link is longer than {_MAX_LINK_CHARACTERS:,} characters")
    try:
        url = httpx.URL(link) if base is None else base.join(link)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise LinkRefused(f"this is no link: {error}") from error
    if url.scheme not in ("http", "https"):
        raise LinkRefused(f"the link leads to {url.scheme or 'nowhere'}: use http or https")
    if not url.host:
        raise LinkRefused("the link names no server")
    if url.userinfo:
        raise LinkRefused("the link has a user's name in it: offer the photo without a password")
    if url.port not in (None, *settings.FETCH_PORTS):
        raise LinkRefused(f"the link has the port {url.port}: use 80 or 443 (FETCH_PORTS names others)")
    if not _is_plain_host(url.host):
        raise LinkRefused(
            f"{url.host[:60]} is a number in place of a server's name: write the name, or four numbers from 0 to 255"
        )
    return url.copy_with(fragment=None)


def _is_plain_host(host: str) -> bool:
    """Not one of the spellings of an IPv4 address (decimal, octal, hexadecimal, shortened) that programs read differently."""
    if ":" in host or not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return True
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def _for_core(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _headers(url: httpx.URL, known: Remembered | None) -> list[tuple[str, str]]:
    headers = [
        ("Host", url.netloc.decode("ascii")),
        ("User-Agent", USER_AGENT),
        ("Accept", "image/jpeg, image/png, image/webp, image/*;q=0.5, */*;q=0.1"),
        ("Accept-Encoding", "identity"),
    ]
    if known is not None and known.etag:
        headers.append(("If-None-Match", known.etag))
    if known is not None and known.last_modified:
        headers.append(("If-Modified-Since", known.last_modified))
    return headers


def _retry_after_s(headers: dict[str, str]) -> float:
    said = headers.get("retry-after", "").strip()
    return float(said) if said.isascii() and said.isdigit() and len(said) < 6 else 0.0
