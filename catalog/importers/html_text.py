"""Converts HTML descriptions to plain text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|&(#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]+);")
_HIDDEN_TAGS = frozenset(("script", "style", "template", "noscript", "iframe", "object", "svg"))
_BLOCKS = re.compile(
    "address|article|aside|blockquote|br|dd|div|dl|dt|figure|footer|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|table|td|th|tr|ul"
)


def html_to_text(text: str) -> str:
    """Convert HTML to text.

    Args:
        text: HTML or plain text.

    Returns:
        The visible text, a line per block; `text` itself, stripped, if it has no tags.
    """
    if not _TAG.search(text):
        return text.strip()
    extractor = _TextExtractor()
    extractor.feed(text)
    extractor.close()
    lines = (" ".join(line.split()) for line in "".join(extractor.parts).split("\n"))
    return "\n".join(line for line in lines if line)


class _TextExtractor(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 -- HTMLParser's
        if tag in _HIDDEN_TAGS:
            self._hidden_depth += 1
        elif _BLOCKS.fullmatch(tag):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN_TAGS:
            self._hidden_depth = max(self._hidden_depth - 1, 0)
        elif _BLOCKS.fullmatch(tag):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden_depth:
            # A line break in HTML is a space.
            self.parts.append(" ".join(data.split("\n")))
