"""Links as people copy them from cloud storage, which lead to a page about a file: the file itself has another address."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_ID = r"[A-Za-z0-9_-]+"
_DRIVE_FILE = re.compile(rf"/file/(?:u/\d+/)?d/({_ID})(?:/.*)?")
_SHEET = re.compile(rf"/spreadsheets/(?:u/\d+/)?d/({_ID})(?:/(?:edit|view|htmlview|preview)?)?")
_PUBLISHED_SHEET = re.compile(rf"(/spreadsheets/d/e/{_ID}/pub)(?:html)?")
_DROPBOX_FILE = re.compile(r"/(?:s|scl/fi)/.+")

# The path and the query of the file, None where the link is none of a file's page.
_Direct = tuple[str, dict[str, str]] | None


def direct_link(link: str) -> str:
    """The address of the file that a link shares: of Google Drive, a table of Google Sheets, or Dropbox.

    Args:
        link: any address.

    Returns:
        The address of the file with the same host, or the link as it is.
    """
    try:
        parts = urlsplit(link)
        direct = _OF_HOST.get(parts.hostname or "")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        found = direct(parts.path, query, dict(parse_qsl(parts.fragment))) if direct else None
    except ValueError:
        # No address, as whoever asks for it says.
        return link
    if found is None:
        return link
    path, file_query = found
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(file_query), ""))


def _of_drive(path: str, query: dict[str, str], _fragment: dict[str, str]) -> _Direct:
    if file := _DRIVE_FILE.fullmatch(path):
        file_id = file[1]
    elif path in ("/open", "/uc") and "id" in query:
        file_id = query["id"]
    else:
        return None
    key = {"resourcekey": query["resourcekey"]} if "resourcekey" in query else {}
    return "/uc", {"export": "download", "id": file_id, **key}


def _of_sheets(path: str, query: dict[str, str], fragment: dict[str, str]) -> _Direct:
    gid = fragment.get("gid") or query.get("gid")
    sheet = {"gid": gid} if gid else {}
    if published := _PUBLISHED_SHEET.fullmatch(path):
        return None if "output" in query else (published[1], {"output": "csv", **sheet})
    if shared := _SHEET.fullmatch(path):
        return f"/spreadsheets/d/{shared[1]}/export", {"format": "csv", **sheet}
    return None


def _of_dropbox(path: str, query: dict[str, str], _fragment: dict[str, str]) -> _Direct:
    return (path, {**query, "dl": "1"}) if _DROPBOX_FILE.fullmatch(path) and "raw" not in query else None


_OF_HOST: dict[str, Callable[[str, dict[str, str], dict[str, str]], _Direct]] = {
    "drive.google.com": _of_drive,
    "docs.google.com": _of_sheets,
    "www.dropbox.com": _of_dropbox,
    "dropbox.com": _of_dropbox,
}
