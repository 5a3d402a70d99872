"""The glossary lists each term once, in alphabetical order, and names only files and folders that exist; texts use plain words."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COLUMNS = 3
LINES = [line for line in (ROOT / "docs/glossary.md").read_text().splitlines() if line.startswith("| ")]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in LINES[2:]]
TERMS = [row[0] for row in ROWS]

# Words at which a reader stops who learned English as a foreign language, and what is clear instead.
UNCLEAR = {
    "tell": "say, show, separate, decide",
    "tells": "says, shows, separates, decides",
    "told": "notified, separated, known",
    "anew": "again; re-, as in rebuilt",
    "lest": "so that not",
    "wherein": "in which",
    "hitherto": "until now",
}
_UNCLEAR = re.compile(rf"(?<![.\w])({'|'.join(UNCLEAR)})\b(?!\()", re.IGNORECASE)
_SUFFIXES = (".py", ".md", ".html", ".js", ".toml", ".yaml", ".sh")
# What is installed or made stays out.
_NOT_OURS = re.compile(r"\..*|node_modules|build|var|staticfiles|findings")


def paths(cell: str) -> list[str]:
    """The paths in a cell: what is in back-ticks, without a space, and contains a slash or ends in `.py`."""
    return [text for text in re.findall(r"`([^`\s]+)`", cell) if "/" in text or text.endswith(".py")]


def test_the_glossary_is_one_table_of_three_columns():
    assert LINES[0] == "| term | meaning | where it lives |"
    assert [row for row in ROWS if len(row) != COLUMNS or not all(row)] == []


def test_each_term_is_listed_once_in_alphabetical_order():
    assert [term for term, count in Counter(TERMS).items() if count > 1] == []
    assert sorted(TERMS, key=str.lower) == TERMS


def test_texts_have_no_unclear_words():
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not _NOT_OURS.fullmatch(path.name)]
    files = [*ROOT.glob("*.*"), *(path for folder in folders for path in folder.rglob("*.*"))]

    found = [
        f"{path.relative_to(ROOT)}:{number}: {word[1]!r}: {UNCLEAR[word[1].lower()]}"
        for path in files
        if path.suffix in _SUFFIXES and path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (word := _UNCLEAR.search(line))
    ]

    assert found == []


@pytest.mark.parametrize("row", ROWS, ids=TERMS)
def test_the_paths_of_a_term_exist(row: list[str]):
    assert [path for path in paths(row[2]) if not (ROOT / path).exists()] == []
