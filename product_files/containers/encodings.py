"""Which encoding a text file is in: declared, marked at its start, valid as UTF-8, or detected by charset-normalizer.

The whole file is looked at, a block at a time, since a single accent may stand at its end. A legacy encoding is taken only if its
text is the only one that makes sense: otherwise nothing is read before a person has chosen.
"""

from __future__ import annotations

import codecs
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pictures.photo_facts import unreadable
from product_files import file_facts, row_facts
from product_files.containers.charsets import UnclearCharset, detect
from product_files.rows import ChoiceNeeded, InvalidSource

# Offered to choose from; any other text codec of Python can be named, too.
# fmt: off
ENCODINGS = (
    "utf-8", "utf-16", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp1257", "cp1258", "iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-9", "iso-8859-15", "koi8-r",
    "koi8-u", "cp437", "cp850", "cp852", "cp866", "mac_roman", "mac_latin2", "mac_cyrillic", "cp874",
    "cp932", "euc_jp", "gb18030", "big5", "cp949",
)
# fmt: on

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_UTF8 = "utf-8-sig"
_BLOCK_BYTES = 64 * 1024
# Of lines that are not UTF-8, at the first and at the last places of the file.
_SAMPLE_BYTES = 32 * 1024
_LINE_BYTES = 4 * 1024


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a file.

    Attributes:
        codec: name of the codec for `open`.
        name: for people.
        lines: number of line ends in the file.
        damaged_lines: lines that are not valid in it, if it is UTF-8.
        detected: it was neither declared nor UTF-8.
    """

    codec: str
    name: str
    lines: int
    damaged_lines: int = 0
    detected: bool = False

    @property
    def note(self) -> str:
        """What a report says about it."""
        if self.damaged_lines:
            return row_facts.ENCODING_DAMAGED(encoding=self.name, lines=self.damaged_lines)
        return (row_facts.ENCODING_DETECTED if self.detected else row_facts.ENCODING)(encoding=self.name)


def find_encoding(path: Path, declared: str = "") -> Encoding:
    """Find out which encoding a file is in.

    Args:
        path: the file.
        declared: its encoding, as a user names it; "" to detect it.

    Returns:
        The encoding.

    Raises:
        ChoiceNeeded: it is not certain.
        InvalidSource: there is no such encoding, or the file cannot be read.
    """
    scan = _Scan()
    marked = ""
    try:
        with path.open("rb") as file:
            for number, block in enumerate(iter(lambda: file.read(_BLOCK_BYTES), b"")):
                if not number and not declared:
                    marked = marked_encoding(block)
                scan.add(block, is_utf8=not (declared or marked))
    except OSError as error:
        raise InvalidSource(unreadable(path, error)) from error
    scan.end()
    if declared:
        return Encoding(python_encoding(declared), declared.lower(), scan.lines)
    if marked:
        return Encoding(marked, marked.removesuffix("-sig"), scan.lines)
    if scan.utf8_lines >= scan.other_lines:
        return Encoding(_UTF8, "utf-8", scan.lines, damaged_lines=scan.other_lines)
    try:
        name = detect(scan.sample())
    except UnclearCharset as unclear:
        listed = "; ".join(f"{name}: {sample!r}" for name, sample in unclear.choices)
        raise ChoiceNeeded(
            "encoding",
            unclear.choices,
            file_facts.ENCODING_UNCLEAR(choices=listed),
        ) from unclear
    return Encoding(name, name, scan.lines, detected=True)


def python_encoding(name: str) -> str:
    """The codec of an encoding.

    Args:
        name: any text encoding that Python knows, in any spelling.

    Returns:
        The name of a codec.

    Raises:
        InvalidSource: there is no such encoding.
    """
    try:
        codec = codecs.lookup(name).name
        "".encode(codec)
    except (LookupError, UnicodeError, ValueError):
        raise InvalidSource(
            file_facts.NO_SUCH_ENCODING(encoding=repr(name), examples=", ".join(ENCODINGS[:4]))
        ) from None
    return _UTF8 if codec == "utf-8" else codec


def marked_encoding(start: bytes) -> str:
    """The encoding that a file names by its first bytes, or by the zeros between Latin letters.

    Args:
        start: the first bytes of the file.

    Returns:
        The name of a codec; "" if they name none.
    """
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name
    pairs = start[:400]
    if len(pairs) >= 8 and b"\x00" in pairs:
        even, odd = pairs[::2].count(0), pairs[1::2].count(0)
        if max(even, odd) > len(pairs) // 5 and min(even, odd) <= 1:
            return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def decode_start(start: bytes) -> str:
    """The text of a file's first bytes, as far as the format shows in it."""
    encoding = marked_encoding(start)
    return start.decode(encoding or "utf-8", errors="replace").removeprefix("\ufeff")


class _Scan:
    """What the blocks of a file have shown so far. utf8_lines: that are UTF-8 beyond ASCII, about. other_lines: that are not."""

    def __init__(self) -> None:
        self.lines = 0
        self.utf8_lines = 0
        self.other_lines = 0
        self._rest = b""
        self._first: list[bytes] = []
        self._first_bytes = 0
        self._last: deque[bytes] = deque(maxlen=_SAMPLE_BYTES // 256)

    def add(self, block: bytes, *, is_utf8: bool) -> None:
        """Look at a block. is_utf8: whether that is to be found out."""
        self.lines += block.count(b"\n")
        if not is_utf8 or (block.isascii() and self._rest.isascii()):
            self._rest = b""
            return
        whole, end, self._rest = (self._rest + block).rpartition(b"\n")
        if len(self._rest) > _BLOCK_BYTES:
            whole, end, self._rest = self._rest, b"", b""
        self._look_at(whole + end)

    def end(self) -> None:
        """Look at the last line."""
        self._look_at(self._rest)
        self._rest = b""

    def sample(self) -> bytes:
        """Lines that are not UTF-8."""
        return b"\n".join([*self._first, *self._last])

    def _look_at(self, lines: bytes) -> None:
        if lines.isascii():
            return
        try:
            lines.decode()
        except UnicodeDecodeError:
            for line in lines.splitlines():
                self._look_at_line(line)
        else:
            # Hundreds of lines in another encoding are hardly ever valid.
            self.utf8_lines += 100

    def _look_at_line(self, line: bytes) -> None:
        if line.isascii():
            return
        try:
            line.decode()
        except UnicodeDecodeError:
            self.other_lines += 1
            part = _around(line)
            if self._first_bytes < _SAMPLE_BYTES:
                self._first.append(part)
                self._first_bytes += len(part)
            else:
                self._last.append(part[:256])
        else:
            self.utf8_lines += 1


def _around(line: bytes) -> bytes:
    """A part of a long line that has bytes beyond ASCII."""
    if len(line) <= _LINE_BYTES:
        return line
    first = next(position for position, byte in enumerate(line) if byte > 127)
    start = max(first - _LINE_BYTES // 4, 0)
    return line[start : start + _LINE_BYTES]


def open_text(path: Path, encoding: str, *, newline: str | None = None) -> TextIO:
    """Open a text file for reading.

    Args:
        path: of the file.
        encoding: name of a codec.
        newline: as in `open`.

    Returns:
        The file. Undecodable bytes become lone surrogates, so that their row is rejected, not the file. UTF-16 and 32 have no such
        bytes; what is damaged in them becomes the replacement character.

    Raises:
        InvalidSource: the file cannot be opened.
    """
    is_wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    try:
        return path.open(encoding=encoding, errors="replace" if is_wide else "surrogateescape", newline=newline)
    except OSError as error:
        raise InvalidSource(unreadable(path, error)) from error
