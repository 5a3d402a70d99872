"""Downloads a catalogue from its address into a temporary file, for the length of its import."""

from __future__ import annotations

import base64
import html
import re
import ssl
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpcore
from django.conf import settings

from catalog.importers.run import interrupt_at_once
from catalog.outgoing import (
    LIMIT_PATIENCE_S,
    USER_AGENT,
    LinkNotAllowed,
    Redirect,
    Response,
    TransientError,
    connection_pool,
    followed,
    is_overdue,
    repeated,
    response_of,
    start_deadline,
    validate_url,
)
from catalog.shared_links import direct_link
from jobs import storage_facts
from jobs.facts import replaced
from jobs.storage import storage_errors
from product_files.containers.gzip_file import GzipCut, unpacked
from product_files.containers.zipped_catalogue import ImportInterrupted
from product_files.rows import ChoiceNeeded, InvalidSource, NoColumn

if TYPE_CHECKING:
    import httpx

_HEAD_BYTES = 64 * 1024
_TITLE_CHARACTERS = 80
_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*(?:<!doctype\s+html|<html|<head|<body)",
    re.IGNORECASE | re.DOTALL,
)
_PASSWORD = re.compile(rb"<input[^<>]+type\s*=\s*[\"']?password", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_AUTHORITY = re.compile(r"https?://(?P<authority>[^/?#]*)", re.IGNORECASE)
_NOT_MODIFIED = 304
_DEFAULT_PORTS = {"http": 80, "https": 443}

# Called with the bytes that have arrived, and all that were announced (0 if unknown).
OnProgress = Callable[[int, int], None]


class FeedNotChanged(Exception):
    """The server says that the file is still the one that is known."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server calls a version of a file (RFC 9110, section 8.8); "" where it does not.

    Attributes:
        etag: the header `ETag`.
        last_modified: the header `Last-Modified`.
    """

    etag: str = ""
    last_modified: str = ""

    @classmethod
    def of(cls, response: Response) -> Validators:
        """Those of a response, as far as they can be sent back."""
        etag, last_modified = response.header("etag").strip(), response.header("last-modified").strip()
        return cls(etag if _sendable(etag) else "", last_modified if _sendable(last_modified) else "")

    def headers(self) -> Iterator[tuple[str, str]]:
        """Headers by which a server is asked for the file only if it is another one."""
        if self.etag:
            yield "If-None-Match", self.etag
        if self.last_modified:
            yield "If-Modified-Since", self.last_modified


def _sendable(value: str) -> bool:
    return value.isascii() and value.isprintable()


@dataclass(frozen=True, slots=True)
class DownloadedFeed:
    """A catalogue that was downloaded.

    Attributes:
        path: of the temporary file.
        base: where redirects have led to; relative links in the file are resolved against it.
        validators: of the file.
    """

    path: Path
    base: str
    validators: Validators


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """Where a feed is; as a string, the address as it is printed.

    Attributes:
        url: without user name and password.
        shown: the same without a query, which may be a secret, too.
        authorization: the header with user name and password, "" without them.
        where_to_sign_in: where a user name and a password are given.
    """

    url: httpx.URL
    shown: str
    authorization: str = field(repr=False)
    where_to_sign_in: str = "write them into the address, https://USER:PASSWORD@host/path"

    @classmethod
    def parse(cls, address: str) -> FeedAddress:
        """Take an address apart.

        Args:
            address: HTTP(S) URL, with a user name and a password for Basic authentication if need be.

        Returns:
            The address.

        Raises:
            InvalidSource: it is no address that may be asked.
        """
        authority, rest = address, ""
        if found := _AUTHORITY.match(address):
            authority, rest = found["authority"], address[found.end() :]
        if authority.count("@") > 1 or (":" in authority and "@" not in authority and "@" in rest):
            # A sign in the password seems to end it: what follows would be repeated in errors, or asked for as a host.
            raise InvalidSource(
                "the address cannot be read: write it as https://USER:PASSWORD@host/path, and signs such as @ : / ? # % in "
                "the user name, the password or the path by their codes (%40 %3A %2F %3F %23 %25)"
            )
        try:
            url = validate_url(direct_link(address), with_user=True)
        except LinkNotAllowed as error:
            raise InvalidSource(f"the address cannot be used: {error}") from error
        authorization = _basic(url.username, url.password) if url.userinfo else ""
        bare = url.copy_with(userinfo=b"")
        shown = f"{bare.copy_with(query=None)}{'?...' if bare.query else ''}"
        return cls(bare, shown, authorization)

    def of_a_feed(self, user: str = "", password: str = "") -> FeedAddress:
        """The same of a feed that is kept, with a user name and a password that are kept with it, "" without them."""
        authorization = _basic(user, password) if user or password else ""
        return replace(self, authorization=authorization, where_to_sign_in="enter them with the feed")

    def __str__(self) -> str:
        return self.shown

    def may_know(self, url: httpx.URL) -> bool:
        """Whether a redirect leads to the same server, or to the same by HTTPS, so that it may have the password."""
        same_host = url.host == self.url.host
        upgraded = (self.url.scheme, _port(self.url), url.scheme, _port(url)) == ("http", 80, "https", 443)
        return same_host and (upgraded or (url.scheme, _port(url)) == (self.url.scheme, _port(self.url)))


@contextmanager
def downloaded(
    source: FeedAddress, *, known: Validators = Validators(), on_progress: OnProgress | None = None
) -> Iterator[DownloadedFeed]:
    """Download a catalogue for the length of the block.

    The settings FEED_TIMEOUT_S (for a connection and each part of the response), FEED_DEADLINE_S (for all, with redirects and
    attempts) and IMPORT_MAX_BYTES (as sent, and unpacked) are its limits. FETCH_PORTS and FETCH_ALLOW_NETWORKS say who may be
    asked.

    Args:
        source: where it is.
        known: of the file that is not to be downloaded again.
        on_progress: called while it arrives.

    Yields:
        The file. Errors of the block name it by its address.

    Raises:
        FeedNotChanged: it is the known file.
        InvalidSource: nothing that can be imported came from there. The message names the address without the password.
        StorageUnavailable: there is no space for it.
        ImportInterrupted: Ctrl-C or SIGTERM before it had arrived.
    """
    with storage_errors("the feed", storage_facts.TEMPORARY_FOLDER()):
        temporary = tempfile.TemporaryDirectory(prefix="lookalike-import-")
    with temporary as folder:
        path = Path(folder).resolve() / "feed"
        try:
            with interrupt_at_once():
                feed = _download(source, path, known, on_progress or (lambda _received, _announced: None))
        except KeyboardInterrupt:
            raise ImportInterrupted from None
        page = _Page.found_in(path)
        if page is not None and page.asks_for_password:
            # Its tables are not products, whatever their columns are called.
            raise InvalidSource(page.reason(source))
        try:
            yield feed
        except (NoColumn, ChoiceNeeded) as error:
            error.args = (_of_source(error, path, source, page),)
            raise
        except InvalidSource as error:
            reason = _of_source(error, path, source, None) if page is None else page.reason(source)
            raise InvalidSource(reason) from error


def _of_source(error: InvalidSource, path: Path, source: FeedAddress, page: _Page | None) -> str:
    """What is wrong with the file, named by its address."""
    reason = replaced(str(error), str(path), source.shown)
    if page is not None:
        return f"{page.reason(source)}. Read as a table: {reason}"
    return reason if source.shown in reason else f"{source.shown}: {reason}"


def _download(source: FeedAddress, path: Path, known: Validators, on_progress: OnProgress) -> DownloadedFeed:
    """Download to a file."""

    def get(url: httpx.URL) -> DownloadedFeed | Redirect:
        asked = [("Accept", "*/*"), ("Accept-Encoding", "gzip"), *known.headers()]
        if source.authorization and source.may_know(url):
            asked.append(("Authorization", source.authorization))
        with response_of(pool, url, asked, timeout_s=float(settings.FEED_TIMEOUT_S)) as response:
            if response.redirect:
                return response.redirect
            response.check_passing(url.host)
            if response.status == _NOT_MODIFIED and known != Validators():
                raise FeedNotChanged
            _check_answer(response, source)
            if not _store(_content(response, source, on_progress), path):
                raise InvalidSource(
                    f"{source.shown} answers with an empty file: look whether the shop has made the feed, and import it then"
                )
            return DownloadedFeed(path, str(url), Validators.of(response))

    start_deadline(settings.FEED_DEADLINE_S)
    with connection_pool() as pool:
        try:
            return repeated(lambda: followed(source.url, get), time.sleep, longest_wait_s=LIMIT_PATIENCE_S)
        except LinkNotAllowed as error:
            raise InvalidSource(f"{source.shown} cannot be used: {error}") from error
        except TransientError as error:
            if is_overdue():
                raise InvalidSource(
                    f"{source.shown} did not arrive within {settings.FEED_DEADLINE_S} s: import it again later, or raise the "
                    "setting FEED_DEADLINE_S"
                ) from error
            times = f"{error.attempts} attempts" if error.attempts > 1 else "1 attempt"
            raise InvalidSource(
                f"{source.shown} was not downloaded: {error} ({times}). Import it again later"
            ) from error


def _check_answer(response: Response, source: FeedAddress) -> None:
    status = response.status
    encoding = response.header("content-encoding").strip().lower()
    if status == 401 and source.authorization:
        reason = (
            "refuses this user name and password (401): correct them; in an address, signs such as @ are written by their codes "
            "(%40)"
        )
    elif status == 401:
        reason = f"asks for a user name and a password (401): {source.where_to_sign_in}"
    elif status == 403:
        reason = (
            f"may not be opened by this server (403): allow the user agent “{USER_AGENT}” or the server's address there, or "
            "ask the shop for an address that may be"
        )
    elif status in (404, 410):
        reason = f"is not there ({status}): copy the address of the feed from the shop again"
    elif status != 200:
        reason = f"answers with the status {status} and no file: is the address right?"
    elif encoding not in ("", "identity", "gzip", "x-gzip"):
        reason = f"is compressed as {encoding[:20]!r} though nobody asked: let the server send it as it is, or by gzip"
    else:
        return
    raise InvalidSource(f"{source.shown} {reason}")


def _content(response: Response, source: FeedAddress, on_progress: OnProgress) -> Iterator[bytes]:
    """The file in a response: not compressed, neither by the server nor as a file."""
    received = _limited(_received(response, source, on_progress), source)
    try:
        yield from _limited(unpacked(unpacked(received)), source)
    except GzipCut as error:
        raise TransientError(f"{source.url.host} sent a file that ends in the middle of its gzip") from error
    except zlib.error as error:
        raise InvalidSource(
            f"{source.shown} is damaged, its gzip cannot be unpacked ({error}): let the shop make the feed again"
        ) from error


def _received(response: Response, source: FeedAddress, on_progress: OnProgress) -> Iterator[bytes]:
    content_length = response.header("content-length")
    announced = int(content_length[:20]) if content_length.isdecimal() else 0
    if announced > settings.IMPORT_MAX_BYTES:
        raise _too_large(source)
    received = 0
    try:
        for chunk in response.chunks:
            received += len(chunk)
            on_progress(received, announced)
            yield chunk
    except httpcore.TimeoutException as error:
        raise TransientError(
            f"{source.url.host} sent nothing for {settings.FEED_TIMEOUT_S} s, after {received} bytes"
        ) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
        of_all = f" of {announced}" if announced else ""
        raise TransientError(f"{source.url.host} broke off after {received}{of_all} bytes") from error


def _limited(chunks: Iterable[bytes], source: FeedAddress) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > settings.IMPORT_MAX_BYTES:
            raise _too_large(source)
        yield chunk


def _too_large(source: FeedAddress) -> InvalidSource:
    return InvalidSource(
        f"{source.shown} is larger than {settings.IMPORT_MAX_BYTES} bytes: let the shop divide the feed, or raise the setting "
        "IMPORT_MAX_BYTES"
    )


def _store(chunks: Iterable[bytes], path: Path) -> int:
    """Write a file in pieces, over what an attempt before has written. Returns its size."""
    place = storage_facts.TEMPORARY_FOLDER()
    size = 0
    with storage_errors("the feed", place):
        file = path.open("wb", buffering=0)
    with file:
        for chunk in chunks:
            size += len(chunk)
            left = memoryview(chunk)
            with storage_errors("the feed", place):
                while left:
                    left = left[file.write(left) :]
    return size


@dataclass(frozen=True, slots=True)
class _Page:
    """A web page that came instead of a feed, or is one: shop systems write tables in HTML."""

    title: str
    asks_for_password: bool

    @classmethod
    def found_in(cls, path: Path) -> _Page | None:
        """The page in a file; None where it is none."""
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if not _PAGE.match(head.removeprefix(b"\xef\xbb\xbf")):
            return None
        found = _TITLE.search(head.decode("utf-8", "replace"))
        text = " ".join(html.unescape(found[1]).split()) if found else ""
        title = "".join(letter for letter in text if letter.isprintable())[:_TITLE_CHARACTERS]
        return cls(title, asks_for_password=_PASSWORD.search(head) is not None)

    def reason(self, source: FeedAddress) -> str:
        """Why it is not imported."""
        named = f" (“{self.title}”)" if self.title else ""
        return (
            f"{source.shown} answers with a web page{named} instead of a feed, as where one has to sign in first or nothing is "
            "there: copy the address of the file itself from the shop"
        )


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _port(url: httpx.URL) -> int | None:
    return url.port or _DEFAULT_PORTS.get(url.scheme)
