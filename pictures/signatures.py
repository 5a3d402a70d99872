"""Identifies the format of a file by its first bytes, for messages and for checks that come before a decoder sees the file."""

from __future__ import annotations

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"%PDF": "PDF",
    b"PK\x03\x04": "a zip archive",
}

HEIC = "HEIC"
READABLE = frozenset(("JPEG", "PNG", "WebP", "AVIF", "GIF", "BMP", "TIFF", HEIC))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"))


def size_in_header(content: bytes) -> tuple[int, int] | None:
    """Width and height in the header of a PNG or WebP; None for other formats."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR" and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:
        return None
    match content[12:16]:
        case b"VP8X":
            return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
        case b"VP8L":
            packed = int.from_bytes(content[21:25], "little")
            return (packed & 0x3FFF) + 1, ((packed >> 14) & 0x3FFF) + 1
        case b"VP8 ":
            return int.from_bytes(content[26:28], "little") & 0x3FFF, int.from_bytes(content[28:30], "little") & 0x3FFF
    return None


def is_truncated(content: bytes) -> bool:
    """Whether the end of a file that cannot be decoded is missing."""
    match format_of(content):
        case "JPEG":
            return b"\xff\xd9" not in content[-1024:]
        case "PNG":
            return b"IEND" not in content[-1024:]
        case "GIF":
            return not content.endswith(b";")
        case "WebP":
            return int.from_bytes(content[4:8], "little") + 8 > len(content)
    return False


def format_of(content: bytes) -> str | None:
    """The format that the bytes look like, for messages."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    if content[4:8] == b"ftyp":
        brands = {content[position : position + 4] for position in (8, *range(16, min(_ftyp_end(content), 64), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return HEIC if brands & _HEIC_BRANDS else "a video"
    for magic, name in _MAGIC.items():
        if content.startswith(magic):
            return name
    text = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "SVG" if text.startswith(b"<") and b"<svg" in text else None


def _ftyp_end(content: bytes) -> int:
    return int.from_bytes(content[:4], "big")
