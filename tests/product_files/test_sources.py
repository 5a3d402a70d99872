"""The format of a catalogue is detected from its content, not from its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from product_files.rows import InvalidSource
from product_files.sources import detect_format
from tests.zips import packed


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (packed(), "zip"),
        (b"sku,title\n", "csv"),
        (b"id;title;image_link\n", "merchant"),
        (b"", "csv"),
        (b"<?xml version='1.0'?><rss/>", "merchant"),
        (b"\xef\xbb\xbf\n<rss/>", "merchant"),
        ("<feed/>".encode("utf-16"), "merchant"),
        (b"id\ttitle\tdescription\timage_link\r\n", "merchant"),
        (b'"ID"\t"Title"\t"Image Link"\n', "merchant"),
        (b'{"sku": "m1"}\n', "jsonl"),
        (b"[\n", "jsonl"),
        (b'\xef\xbb\xbfHandle,Title,Body (HTML),"Variant Price"\n', "shopify"),
    ],
)
def test_the_content_says_what_it_is(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "catalogue.txt"
    path.write_bytes(content)
    assert detect_format(path) == kind


def test_a_folder_is_a_folder(tmp_path: Path) -> None:
    assert detect_format(tmp_path) == "folder"


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidSource, match="there is no file or folder"):
        detect_format(tmp_path / "no.csv")
