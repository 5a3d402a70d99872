"""The types of arguments that commands share, for argparse."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_ADDRESS_OF_WEB = re.compile(r"https?://", re.IGNORECASE)


def path(text: str) -> Path:
    """A path. An empty one would be the current folder, and is most often a variable that is not set.

    Args:
        text: of the argument.

    Returns:
        The path.

    Raises:
        argparse.ArgumentTypeError: it is empty, or an address of the web.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty: is a variable not set? For the current folder write .")
    if _ADDRESS.match(text):
        raise argparse.ArgumentTypeError(f"{text} is an address: download what is there, and name the file")
    return Path(text)


def path_or_address(text: str) -> Path | str:
    """A path, or an address of the web that begins with http:// or https://.

    Args:
        text: of the argument.

    Returns:
        The path, or the address as a string.

    Raises:
        argparse.ArgumentTypeError: it is empty, or another address.
    """
    if _ADDRESS_OF_WEB.match(text):
        return text
    if _ADDRESS.match(text):
        scheme = text.partition("://")[0]
        raise argparse.ArgumentTypeError(
            f"addresses that begin with {scheme}:// are not read: use http:// or https://, or download the file and name it"
        )
    return path(text)


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """One of so many names that argparse's own `choices` would fill the usage and each error with them.

    Args:
        names: that there are; the help of the command lists them elsewhere.

    Returns:
        The type of the argument, which raises argparse.ArgumentTypeError for another name and says which is nearest.
    """

    def one(text: str) -> str:
        if text in names:
            return text
        nearest = get_close_matches(text.lower(), names)
        meant = f"the nearest: {', '.join(nearest)}" if nearest else "--help lists them all"
        raise argparse.ArgumentTypeError(f"there is no {text!r}; {meant}")

    return one


def existing_path(text: str) -> Path:
    """The path of a file or folder that is read: a command says that it is missing before it loads anything.

    Args:
        text: of the argument.

    Returns:
        The path.

    Raises:
        argparse.ArgumentTypeError: it is empty, or there is nothing.
    """
    found = path(text)
    if not found.exists():
        raise argparse.ArgumentTypeError(f"there is no file or folder {text}")
    return found


def address(text: str) -> str:
    """An address of the web; "" for an option that may have none.

    Args:
        text: of the argument.

    Returns:
        The address.

    Raises:
        argparse.ArgumentTypeError: it does not begin with http:// or https:// and a host.
    """
    parts = urlsplit(text)
    if text and not (parts.scheme in ("http", "https") and parts.netloc):
        raise argparse.ArgumentTypeError(f"{text!r} is no address such as https://recommender.example")
    return text


def whole_number(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """A type of whole numbers.

    Args:
        minimum: the lowest.
        maximum: the highest; None for no limit.

    Returns:
        A function that parses an argument.
    """
    expected = f"from {minimum:,}" if maximum is None else f"from {minimum:,} to {maximum:,}"

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if number < minimum or (maximum is not None and number > maximum):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {expected}")
        return number

    return parse
