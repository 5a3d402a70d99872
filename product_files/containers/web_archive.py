"""Web archives (MHTML): what Excel saves as a "single file web page", and browsers as one file. Pages and pictures are taken out.

The parts are read a line at a time, since the parser of the standard library would hold the whole file in memory.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from io import BytesIO
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from product_files import file_facts
from product_files.rows import InvalidSource

_HEADER = re.compile(rb"[!-9;-~]+:")
_VERSION = re.compile(rb"^mime-version[ \t]*:", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(rb"^content-type[ \t]*:\s*(?:multipart/|text/html)", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
# A line that does not end, and headers that do not, would be read into memory.
_MAX_LINE_BYTES = 4 * 1024 * 1024
_MAX_HEADER_BYTES = 16 * 1024
# A small file could name a million, each of which takes time.
_MAX_PARTS = 10_000
_BASE64 = 4
# Where a long header goes on in the next line.
_FOLD = re.compile(r"[\r\n]+[ \t]*")
# Of the path of a picture: there may be several of one name in different folders.
_MAX_NAMES, _MAX_NAME_BYTES = 3, 200
_NO_NAME = re.compile(r"[^\w.@ ()+-]")
# The names of a workbook's sheets, as links.
_TABS = "tabstrip.htm"


def is_web_archive(head: bytes) -> bool:
    """Whether a file with these first bytes is a web archive.

    Args:
        head: the first bytes of the file.

    Returns:
        True for other messages in MIME, too, such as a saved mail.
    """
    start = head.lstrip()
    headers = _BLANK_LINE.split(start, maxsplit=1)[0]
    return bool(_HEADER.match(start) and _VERSION.search(headers) and _TYPE.search(headers))


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML page of a web archive.

    Attributes:
        charset: that its header names; "" for none.
        location: its address when it was saved; "" for none.
        blocks: its content, to be read before the next part.
    """

    charset: str
    location: str
    blocks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a web archive.

    Attributes:
        name: as `picture_name` makes it of its address.
        blocks: its content, to be read before the next part.
    """

    name: str
    blocks: Iterator[bytes]


def picture_name(address: str) -> str:
    """A relative path for a picture of an archive.

    Args:
        address: whole: `file:///C:/shop_files/image001.png`, or `cid:` with an identifier.

    Returns:
        Its last names, `shop_files/image001.png`, with no signs in them that a file name may not have; "" for none.
    """
    try:
        path = address.removeprefix("cid:") if address.startswith("cid:") else unquote(urlsplit(address).path)
    except ValueError:
        # It is no address.
        path = address
    names = [_NO_NAME.sub("_", name) for name in path.replace("\\", "/").split("/") if name.strip(". ")]
    return "/".join(name.encode()[-_MAX_NAME_BYTES:].decode(errors="ignore") for name in names[-_MAX_NAMES:])


def pages(file: BinaryIO) -> Iterator[Page]:
    """The HTML pages of a web archive, without the one that only has the names of a workbook's sheets.

    Args:
        file: the archive.

    Yields:
        The pages in their order.

    Raises:
        InvalidSource: the archive is damaged.
    """
    for part in contents(file):
        if isinstance(part, Page):
            yield part


def contents(file: BinaryIO) -> Iterator[Page | Picture]:
    """The HTML pages of a web archive, as `pages` finds them, and its pictures.

    Args:
        file: the archive.

    Yields:
        The parts in their order.

    Raises:
        InvalidSource: the archive is damaged.
    """
    parts = _Parts(file)
    while (headers := parts.next_headers()) is not None:
        boundary, charset = _parameters(headers)
        if headers.get_content_maintype() == "multipart" and boundary:
            parts.delimiters.add(b"--" + boundary.encode("utf-8", "surrogateescape"))
        elif headers.get_content_type() == "text/html" and not _is_tab_strip(headers):
            yield Page(charset, _location(headers), _decoded(parts.lines(), headers))
        elif headers.get_content_maintype() == "image":
            identifier = str(headers.get("content-id", "")).strip(" <>\t")
            if name := picture_name(_location(headers) or (identifier and f"cid:{identifier}")):
                yield Picture(name, _decoded(parts.lines(), headers))


def page_starts(head: bytes) -> list[bytes]:
    """The pages of an archive, as far as its first bytes show them.

    Args:
        head: the first bytes of the file.

    Returns:
        The start of each page; none if it is damaged.
    """
    try:
        return [b"".join(page.blocks) for page in pages(BytesIO(head))]
    except InvalidSource:
        # It is explained where the archive is read.
        return []


@dataclass(slots=True)
class _Parts:
    """The parts of an archive, one after the other, those within others, too.

    Attributes:
        file: the archive.
        delimiters: lines that a part begins behind.
        count: of parts so far.
        is_within: a part has begun, and no other behind it.
    """

    file: BinaryIO
    delimiters: set[bytes] = field(default_factory=set)
    count: int = 0
    is_within: bool = False

    def next_headers(self) -> Message | None:
        """The headers of the next part; None behind the last."""
        for _ in self.lines():
            pass
        headers: list[bytes] = []
        size = 0
        while (line := self._line()).strip() or (line and not headers and not self.count):
            headers.append(line)
            size += len(line)
            if size > _MAX_HEADER_BYTES:
                raise _damaged()
        self.count += 1
        if self.count > _MAX_PARTS:
            raise InvalidSource(file_facts.WEB_ARCHIVE_PARTS(limit=_MAX_PARTS))
        self.is_within = bool(line)
        return BytesHeaderParser().parsebytes(b"".join(headers)) if line else None

    def lines(self) -> Iterator[bytes]:
        """The lines of the present part that were not read yet."""
        is_last = False
        while self.is_within:
            line = self._line()
            end = line.rstrip() if line.startswith(b"--") else b""
            if not line or end in self.delimiters:
                self.is_within = False
            elif end.removesuffix(b"--") in self.delimiters:
                # What follows is no part, unless the archive goes on around these.
                is_last = True
            elif not is_last:
                yield line

    def _line(self) -> bytes:
        line = self.file.readline(_MAX_LINE_BYTES)
        if len(line) == _MAX_LINE_BYTES:
            raise _damaged()
        return line


def _parameters(headers: Message) -> tuple[str, str]:
    """Boundary and charset of a part; "" for those that are not named."""
    try:
        return (headers.get_boundary() or "").strip(), headers.get_content_charset() or ""
    except (TypeError, ValueError) as error:
        # The parser expects well-formed parts of a parameter, and names of encodings that there can be.
        raise _damaged() from error


def _decoded(lines: Iterator[bytes], headers: Message) -> Iterator[bytes]:
    """The lines of a part without its transfer encoding."""
    match str(headers.get("content-transfer-encoding", "")).strip().lower():
        case "quoted-printable":
            return map(binascii.a2b_qp, lines)
        case "base64":
            return _from_base64(lines)
        case _:
            return lines


def _from_base64(lines: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for line in lines:
        # A group of characters may go on in the next line.
        digits = rest + b"".join(line.split())
        whole = len(digits) - len(digits) % _BASE64
        rest = digits[whole:]
        try:
            yield binascii.a2b_base64(digits[:whole])
        except binascii.Error as error:
            raise _damaged() from error


def _location(headers: Message) -> str:
    return _FOLD.sub("", str(headers.get("content-location", ""))).strip()


def _is_tab_strip(headers: Message) -> bool:
    return _location(headers).lower().endswith(_TABS)


def _damaged() -> InvalidSource:
    return InvalidSource(file_facts.WEB_ARCHIVE_DAMAGED())
