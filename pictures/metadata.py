"""Frees photos of what is not part of the picture: place, camera, comments, previews, and bytes behind the end of the file.

The picture is not encoded again: its pixels stay the same, and so do the colour profile and the orientation. The result depends
on the content alone, so that the same file is recognised when it comes again.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The chunks of the picture, its colours and its shape.
_PNG_KEPT = frozenset(
    (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"pHYs")
)  # fmt: skip
_WEBP_KEPT = frozenset((b"VP8X", b"ICCP", b"ALPH", b"VP8 ", b"VP8L"))
_WEBP_ALPHA, _WEBP_EXIF, _WEBP_ICC = 0x10, 0x08, 0x20

# A marker of JPEG: not a byte of a scan (FF 00), a restart (FF D0 to FF D7) or a fill byte (FF FF).
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SOI, _EOI, _SOS, _COM, _TEM = 0xD8, 0xD9, 0xDA, 0xFE, 0x01
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF

_ORIENTATION_TAG = 0x0112


class NotStrippable(ValueError):
    """The file is not built as its format demands, so that it is unknown what is metadata and what is the picture."""


def strip_jpeg(content: bytes, orientation: int) -> bytes:
    """A JPEG without metadata and without further pictures behind the first.

    Args:
        content: the file; cut off or damaged scans stay so.
        orientation: EXIF orientation to keep, 1 to 8.

    Returns:
        The file with the picture, JFIF's resolution, the profile, Adobe's colour transform, and the orientation if it is not 1.

    Raises:
        NotStrippable: it does not begin as a JPEG.
    """
    if not content.startswith(b"\xff\xd8"):
        raise NotStrippable("it does not begin with the marker SOI")
    exif = _jpeg_exif(orientation)
    parts = [b"\xff\xd8"]
    for marker, segment in _jpeg_segments(content):
        kept = _kept_segment(marker, segment)
        if exif and marker != _APP0:
            # JFIF's segment comes first.
            parts.append(exif)
            exif = b""
        parts.append(kept)
    return b"".join(parts)


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers with all bytes of their segments; the scan belongs to its marker SOS. Ends with the picture."""
    position = 2
    while (found := _JPEG_MARKER.search(content, position)) is not None:
        start, marker = found.start(), content[found.start() + 1]
        if marker == _EOI:
            yield marker, b"\xff\xd9"
            return
        if marker in (_SOI, _TEM):
            position = start + 2
            continue
        end = start + 2 + int.from_bytes(content[start + 2 : start + 4], "big")
        if marker == _SOS:
            following = _JPEG_MARKER.search(content, end)
            end = len(content) if following is None else following.start()
        yield marker, content[start:end]
        position = end


def _kept_segment(marker: int, segment: bytes) -> bytes:
    """What stays of a segment; nothing for metadata."""
    if marker == _APP0:
        # Without the thumbnail, which has its width and height in front.
        is_jfif = segment[4:9] == b"JFIF\x00" and len(segment) >= 18
        return b"\xff\xe0\x00\x10" + segment[4:16] + b"\x00\x00" if is_jfif else b""
    if marker == _APP2:
        return segment if segment[4:16] == b"ICC_PROFILE\x00" else b""
    if marker == _APP14:
        # Adobe's marker has 12 bytes; more of them would not be read.
        is_adobe = segment[4:9] == b"Adobe" and len(segment) >= 16
        return b"\xff\xee\x00\x0e" + segment[4:16] if is_adobe else b""
    return b"" if marker == _COM or _APP1 <= marker <= _APP15 else segment


def _jpeg_exif(orientation: int) -> bytes:
    if orientation == 1:
        return b""
    block = b"Exif\x00\x00" + _exif(orientation)
    return b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block


def _exif(orientation: int) -> bytes:
    """An EXIF block with nothing but the orientation: one entry of type SHORT."""
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<HHHIHHI", 1, _ORIENTATION_TAG, 3, 1, orientation, 0, 0)


def strip_png(content: bytes, orientation: int) -> bytes:
    """A PNG without metadata and animation; of an animation its default picture stays.

    Args:
        content: the file; a file that is cut off or damaged stays so.
        orientation: EXIF orientation to keep, 1 to 8.

    Returns:
        The file with the picture, its colours, its resolution, and the orientation if it is not 1.

    Raises:
        NotStrippable: it does not begin as a PNG.
    """
    if not content.startswith(_PNG_SIGNATURE):
        raise NotStrippable("it does not begin with the signature of PNG")
    parts, position = [_PNG_SIGNATURE], len(_PNG_SIGNATURE)
    while position < len(content):
        (length,) = struct.unpack(">I", content[position : position + 4].rjust(4, b"\x00"))
        kind, end = content[position + 4 : position + 8], position + 12 + length
        if kind in _PNG_KEPT:
            parts.append(content[position:end])
        if kind == b"IHDR" and orientation != 1:
            data = b"eXIf" + _exif(orientation)
            parts.append(struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data)))
        if kind == b"IEND":
            break
        position = end
    return b"".join(parts)


def png_exif(content: bytes) -> bytes:
    """The EXIF block of a PNG, which may also stand behind the picture; nothing if there is none."""
    position = len(_PNG_SIGNATURE)
    while position + 8 <= len(content):
        (length,) = struct.unpack(">I", content[position : position + 4])
        if content[position + 4 : position + 8] == b"eXIf":
            return content[position + 8 : position + 8 + length]
        position += 12 + length
    return b""


def strip_webp(content: bytes, orientation: int) -> bytes:
    """A WebP without metadata and animation.

    Args:
        content: the file; a file that is cut off or damaged stays so.
        orientation: EXIF orientation to keep, 1 to 8.

    Returns:
        The file with the picture (of an animation the first frame), the profile, and the orientation if it is not 1.

    Raises:
        NotStrippable: it does not begin as a WebP, or is an animation whose first frame does not fill the picture.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise NotStrippable("it does not begin as a RIFF file of WebP")
    declared = 8 + int.from_bytes(content[4:8], "little")
    chunks = _still_webp(list(_riff_chunks(content[:declared], 12)))
    if any(chunk.kind == b"VP8X" for chunk in chunks):
        kinds = {chunk.kind for chunk in chunks}
        flags = (_WEBP_ICC if b"ICCP" in kinds else 0) | (_WEBP_EXIF if orientation != 1 else 0)
        kept = [_with_flags(chunk, flags) if chunk.kind == b"VP8X" else chunk for chunk in chunks]
    else:
        # The simple form is one chunk, without a profile and an orientation.
        kept, orientation = [chunk for chunk in chunks if chunk.kind in (b"VP8 ", b"VP8L")][:1], 1
    body = b"".join(chunk.raw for chunk in kept)
    if orientation != 1:
        exif = _exif(orientation)
        body += b"EXIF" + struct.pack("<I", len(exif)) + exif
    # That a file is cut off shows by its size.
    missing = max(0, declared - len(content))
    return b"RIFF" + struct.pack("<I", 4 + len(body) + missing) + b"WEBP" + body


@dataclass(frozen=True, slots=True)
class _RiffChunk:
    """A chunk of a WebP. raw: with its header, and the byte that fills it up to an even length."""

    kind: bytes
    raw: bytes

    @property
    def data(self) -> bytes:
        return self.raw[8 : 8 + int.from_bytes(self.raw[4:8], "little")]


def _riff_chunks(content: bytes, position: int) -> Iterator[_RiffChunk]:
    while position < len(content):
        length = int.from_bytes(content[position + 4 : position + 8], "little")
        end = position + 8 + length + length % 2
        yield _RiffChunk(content[position : position + 4], content[position:end])
        position = end


def _with_flags(header: _RiffChunk, flags: int) -> _RiffChunk:
    """VP8X with these flags and its own for alpha."""
    raw = header.raw
    return _RiffChunk(header.kind, raw[:8] + bytes([each & _WEBP_ALPHA | flags for each in raw[8:9]]) + raw[9:])


def _still_webp(chunks: list[_RiffChunk]) -> list[_RiffChunk]:
    """The chunks of the picture; those of the first frame in place of an animation."""
    frame = next((chunk for chunk in chunks if chunk.kind == b"ANMF"), None)
    kept = [chunk for chunk in chunks if chunk.kind in _WEBP_KEPT]
    if frame is None:
        return kept
    header = next((chunk for chunk in chunks if chunk.kind == b"VP8X"), None)
    # Position, width and height of the frame, and of the whole picture, in 24 bits each.
    if header is None or frame.data[:12] != bytes(6) + header.data[4:10]:
        raise NotStrippable("the first frame of the animation does not fill the picture")
    inner = [chunk for chunk in _riff_chunks(frame.data, 16) if chunk.kind in _WEBP_KEPT]
    return [chunk for chunk in kept if chunk.kind in (b"VP8X", b"ICCP")] + inner


def strip_avif(content: bytes) -> bytes:
    """An AVIF without metadata: its items of EXIF, XMP and other texts are overwritten by zeros, so that nothing moves.

    The orientation is a property of the picture, not a part of its metadata, and stays.

    Args:
        content: the file.

    Returns:
        The file, ending where its last box ends.

    Raises:
        NotStrippable: it is a sequence of pictures, or is built in a way that this function does not know.
    """
    try:
        return _strip_avif(content)
    except (struct.error, IndexError) as error:
        raise NotStrippable(f"its boxes are damaged: {error}") from error


# Items that make up the picture, of any coding and with its derivations.
_PICTURE_ITEMS = frozenset((b"av01", b"grid", b"iden", b"iovl", b"tmap"))
# The last one is what this module makes of the others.
_METADATA_ITEMS = frozenset((b"Exif", b"mime", b"uri ", b"skip"))


def _strip_avif(content: bytes) -> bytes:
    boxes = list(_boxes(content, 0, len(content)))
    kinds = [box.kind for box in boxes]
    if kinds[:1] != [b"ftyp"] or kinds.count(b"meta") != 1 or b"moov" in kinds or b"moof" in kinds:
        raise NotStrippable("it is no single picture")
    meta = boxes[kinds.index(b"meta")]
    inner = {box.kind: box for box in _boxes(content, meta.start + 4, meta.end)}
    if b"iinf" not in inner or b"iloc" not in inner:
        raise NotStrippable("it has no list of its items")
    infos = dict(_item_infos(content, inner[b"iinf"]))
    item_kinds = {item: content[start : start + 4] for item, start in infos.items()}
    if set(item_kinds.values()) - _PICTURE_ITEMS - _METADATA_ITEMS:
        raise NotStrippable("it has items of an unknown kind")
    texts = {item for item, kind in item_kinds.items() if kind in _METADATA_ITEMS}
    blanked = [(box.start, box.end) for box in boxes if box.kind in (b"free", b"skip", b"uuid")]
    for item, extents in _item_extents(content, inner[b"iloc"], inner[b"idat"].start if b"idat" in inner else 0):
        blanked += extents if item in texts else []
    result = bytearray(content)
    for start, end in blanked:
        result[start:end] = bytes(len(result[start:end]))
    # A reader would take zeros for damaged EXIF; an item of an unknown kind it passes over.
    for item in texts:
        result[infos[item] : infos[item] + 4] = b"skip"
    return bytes(result[: boxes[-1].end])


@dataclass(frozen=True, slots=True)
class _Box:
    """A box of ISO/IEC 14496-12. start and end: of what is in it."""

    kind: bytes
    start: int
    end: int


def _boxes(content: bytes, position: int, end: int) -> Iterator[_Box]:
    """The boxes between two positions; what follows the last whole one is none of them."""
    while position + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, position)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, position + 8)
            header = 16
        size = size or end - position
        if size < header or position + size > end or not kind.isalnum():
            return
        yield _Box(kind, position + header, position + size)
        position += size


def _item_infos(content: bytes, iinf: _Box) -> Iterator[tuple[int, int]]:
    """Number of each item, and where its kind stands."""
    version = content[iinf.start]
    for box in _boxes(content, iinf.start + (6 if version == 0 else 8), iinf.end):
        version = content[box.start]
        if box.kind != b"infe" or version not in (2, 3):
            raise NotStrippable("its list of items is of an older form")
        (item,) = struct.unpack_from(">H" if version == 2 else ">I", content, box.start + 4)
        yield item, box.start + (8 if version == 2 else 10)


def _item_extents(content: bytes, iloc: _Box, idat: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Number of each item, and where its bytes stand: start and end of each part."""
    version, sizes = content[iloc.start], struct.unpack_from(">H", content, iloc.start + 4)[0]
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    if version > 2 or {offset_size, length_size, base_size} - {0, 4, 8}:
        raise NotStrippable("its list of places is of an unknown form")
    position = iloc.start + 6

    def number(size: int) -> int:
        nonlocal position
        position += size
        if position > iloc.end:
            raise NotStrippable("its list of places is cut off")
        return int.from_bytes(content[position - size : position], "big")

    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size) + (idat if method == 1 else 0)
        extents = []
        for _ in range(number(2)):
            if version:
                number(index_size)
            start = base + number(offset_size)
            extents.append((start, start + (number(length_size) or len(content) - start)))
        if method > 1 or (method == 1 and not idat):
            raise NotStrippable("an item stands in another item")
        yield item, extents
