"""Fetches photos from links, with limits per server, and single web pages; `outgoing` has the rules of all requests."""

from __future__ import annotations

import hashlib
import random
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from django.conf import settings

from catalog import facts
from catalog.outgoing import (
    FORBIDDEN,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    USER_AGENT,
    Redirect,
    Response,
    TransientError,
    connection_pool,
    extend_deadline,
    followed,
    is_overdue,
    repeated,
    response_of,
    start_deadline,
    validate_url,
)
from catalog.shared_links import direct_link
from pictures.photos import ImageRejected, Photo, PhotoRejectionReason, validate_photo

if TYPE_CHECKING:
    import httpcore
    import httpx

PAGE_DEADLINE_S = 15.0
# Of a page so much is read: what is looked for stands in its beginning.
PAGE_MAX_BYTES = 3_000_000
# After this many consecutive failures a server gets no more requests in this import.
MAX_CONSECUTIVE_FAILURES = 12
# The first pause after a server has said that there were too many requests; each further one is twice as long.
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


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
        self._pool = connection_pool(
            ssl_context, max_connections=64, max_keepalive_connections=16, keepalive_expiry=10.0
        )

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
        start_deadline(self._deadline_s)
        url = validate_url(direct_link(link))
        try:
            return repeated(lambda: self._follow(url, cached), self._closed.wait)
        except TransientError as error:
            raise PhotoUnreachable(facts.ATTEMPTS_FAILED(reason=str(error), attempts=error.attempts)) from error

    def _follow(self, url: httpx.URL, cached: CacheEntry | None) -> _File | CacheEntry:
        while True:
            try:
                # mypy does not infer a union here.
                return cast("_File | CacheEntry", followed(url, lambda each: self._get(each, cached)))
            except _LimitedError:
                # The next request waits for the server's pause, and is the same attempt.
                continue

    def _get(self, url: httpx.URL, cached: CacheEntry | None) -> _File | CacheEntry | Redirect:
        """The file, the cached entry where it did not change, or a redirect."""
        resource = hashlib.sha256(str(url).encode()).hexdigest()
        entry = cached if cached is not None and cached.resource == resource else None
        with self._host_slot(url.host) as host:
            self._wait_for(host)
            try:
                result = self._request(url, resource, entry)
            except TransientError as error:
                if self._patience_s and _is_limit(error, host):
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
            extend_deadline(wait_s)

    def _paused(self, host: _Host, error: TransientError) -> Exception:
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

    def _request(self, url: httpx.URL, resource: str, cached: CacheEntry | None) -> _File | CacheEntry | Redirect:
        try:
            with response_of(
                self._pool, url, _headers(cached), timeout_s=self._timeout_s, pool_timeout_s=self._deadline_s
            ) as response:
                if response.redirect:
                    return response.redirect
                if response.status == 304 and cached is not None:
                    return cached
                response.check_passing(url.host)
                if response.status in FORBIDDEN:
                    raise PhotoUnreachable(
                        facts.LINK_FORBIDDEN(host=url.host, status=str(response.status), agent=USER_AGENT)
                    )
                if response.status != 200:
                    raise PhotoUnreachable(facts.LINK_WRONG(host=url.host, status=str(response.status)))
                if encoding := _encoding(response):
                    raise PhotoUnreachable(facts.HOST_COMPRESSES(host=url.host, encoding=encoding))
                content = self._read_body(response, url.host)
        except RuntimeError as error:
            # httpcore raises it for a closed pool.
            raise PhotoUnreachable(facts.IMPORT_STOPPED()) from error
        validators = (response.header("etag"), response.header("last-modified"))
        etag, last_modified = (text if text.isascii() and len(text) <= 200 else "" for text in validators)
        return _File(content, resource, etag, last_modified)

    def _read_body(self, response: Response, host: str) -> bytes:
        limit: int = settings.PHOTO_MAX_BYTES
        too_large = ImageRejected(PhotoRejectionReason.TOO_LARGE, facts.PHOTO_TOO_LARGE(limit=limit))
        content_length = response.header("content-length")
        if content_length.isdigit() and int(content_length[:20]) > limit:
            raise too_large
        parts, size = [], 0
        for chunk in response.chunks:
            size += len(chunk)
            if size > limit:
                raise too_large
            if self._closed.is_set():
                raise PhotoUnreachable(facts.IMPORT_STOPPED())
            if is_overdue():
                raise TransientError(facts.HOST_TOO_SLOW(host=host, seconds=round(self._deadline_s)))
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
            extend_deadline(time.monotonic() - began)
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
    start_deadline(PAGE_DEADLINE_S)
    url = validate_url(link)
    try:
        with connection_pool(ssl_context) as pool:
            return followed(url, lambda each: _get_page(pool, each))
    except TransientError as error:
        raise PageUnreachable(str(error)) from error


def _get_page(pool: httpcore.ConnectionPool, url: httpx.URL) -> WebPage | Redirect:
    asked = [("Accept", "text/html, */*;q=0.1"), ("Accept-Encoding", "identity")]
    content = b""
    with response_of(pool, url, asked, timeout_s=float(settings.FETCH_TIMEOUT_S)) as response:
        if response.redirect:
            return response.redirect
        for chunk in response.chunks:
            content += chunk
            if len(content) >= PAGE_MAX_BYTES:
                break
    if encoding := _encoding(response):
        raise PageUnreachable(f"{url.host} compresses the page ({encoding}) unasked")
    return WebPage(str(url), response.status, response.headers, content[:PAGE_MAX_BYTES].decode("utf-8", "replace"))


def _encoding(response: Response) -> str:
    """How the body is compressed; "" if it is not."""
    encoding = response.header("content-encoding")[:20]
    return "" if encoding == "identity" else encoding


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


def _is_limit(error: TransientError, host: _Host) -> bool:
    """Whether the server limits requests, and is not out of order: it has sent photos, or says when to come back."""
    comes_back = host.has_sent or error.retry_after_s > 0
    return error.status == TOO_MANY_REQUESTS or (error.status == UNAVAILABLE and comes_back)


class _LimitedError(Exception):
    """The server limits requests: the same request is made again after its pause."""


def _headers(cached: CacheEntry | None) -> list[tuple[str, str]]:
    headers = [
        ("Accept", "image/jpeg, image/png, image/webp, image/*;q=0.5, */*;q=0.1"),
        ("Accept-Encoding", "identity"),
    ]
    if cached is not None and cached.etag:
        headers.append(("If-None-Match", cached.etag))
    if cached is not None and cached.last_modified:
        headers.append(("If-Modified-Since", cached.last_modified))
    return headers
