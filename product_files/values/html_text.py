"""Converts HTML descriptions to plain text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

# Elements of HTML; what else stands between angle brackets is text: `<M>`, `<2 m>`.
_ELEMENTS = (
    "a|abbr|address|article|aside|audio|b|bdi|bdo|big|blockquote|body|br|button|canvas|caption|center|cite|code|col|colgroup|data|"
    "dd|del|details|dfn|dialog|div|dl|dt|em|embed|fieldset|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|"
    "img|input|ins|kbd|label|legend|li|link|main|map|mark|meta|nav|noscript|object|ol|optgroup|option|p|param|picture|pre|q|rp|rt|"
    "ruby|s|samp|script|section|select|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|template|textarea|"
    "tfoot|th|thead|time|title|tr|tt|u|ul|var|video|wbr|[a-z]+-[a-z-]+"
)
_TAG = re.compile(
    rf"</?(?:{_ELEMENTS})(?=[\s/>])[^<>]*>|<!--|&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]+[0-9]*);", re.IGNORECASE
)
_MARKUP = re.compile(rf"</?(?:{_ELEMENTS})(?=[\s/>])|<!--", re.IGNORECASE)
_ELEMENT = re.compile(_ELEMENTS, re.IGNORECASE)
# What Editor.js writes, of Saleor and others: JSON with the blocks of a text.
_BLOCKS_OF_TEXT = re.compile(r'\s*\{.*"blocks"\s*:\s*\[', re.DOTALL)
# Line breaks that a program wrote as two characters each.
_WRITTEN_BREAK = re.compile(r"(?:\\r)?\\n")
_HIDDEN_TAGS = frozenset(("script", "style", "template", "noscript", "iframe", "object", "svg"))
_BLOCKS = re.compile(
    "address|article|aside|blockquote|br|dd|div|dl|dt|figure|footer|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|table|td|th|tr|ul"
)


def is_block(tag: str) -> bool:
    """Whether an element of HTML, by its name in small letters, stands on lines of its own: `p` and `br`, but not `b`."""
    return _BLOCKS.fullmatch(tag) is not None


def html_to_line(text: str) -> str:
    """Convert HTML to text on one line."""
    return " ".join(html_to_text(text).split())


def with_line_breaks(text: str) -> str:
    r"""Convert the two characters `\n`, which a program wrote for a line break."""
    return _WRITTEN_BREAK.sub("\n", text) if "\\" in text else text


def html_to_text(text: str) -> str:
    """Convert HTML to text.

    Args:
        text: HTML, plain text, or JSON of Editor.js.

    Returns:
        The visible text, a line per block; `text` itself, stripped, if it has no tags.
    """
    if _BLOCKS_OF_TEXT.match(text):
        text = _of_blocks(text)
    if not _TAG.search(text):
        return text.strip()
    if not _MARKUP.search(text):
        text = html.unescape(text)
        # Some programs escape HTML twice.
        if not _MARKUP.search(text):
            return text.strip()
    extractor = _TextExtractor()
    extractor.feed(text)
    extractor.close()
    lines = (" ".join(line.split()) for line in "".join(extractor.parts).split("\n"))
    return "\n".join(line for line in lines if line)


def _of_blocks(text: str) -> str:
    """The HTML of blocks; the text itself if it is none of Editor.js."""
    try:
        blocks = json.loads(text, strict=False).get("blocks")
        found = [block.get("data") for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
        return "".join(f"<p>{line}</p>" for data in found for line in _lines_of(data)) or text
    except (ValueError, RecursionError):
        return text


def _lines_of(data: object) -> Iterator[str]:
    """The texts of a block: its own, and those of the items of a list."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list):
        for each in data:
            yield from _lines_of(each)
    elif isinstance(data, dict):
        for name in ("text", "content", "items"):
            yield from _lines_of(data.get(name))


class _TextExtractor(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 -- HTMLParser's
        if tag in _HIDDEN_TAGS:
            self._hidden_depth += 1
        elif is_block(tag):
            self.parts.append("\n")
        elif not _ELEMENT.fullmatch(tag):
            self.handle_data(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN_TAGS:
            self._hidden_depth = max(self._hidden_depth - 1, 0)
        elif is_block(tag):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden_depth:
            # A line break in HTML is a space.
            self.parts.append(" ".join(data.split("\n")))
