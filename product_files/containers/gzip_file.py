"""Unpacks what is packed with gzip: a stream as it arrives, or a file into the folder for temporary files."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

from django.conf import settings

from jobs import storage_facts
from jobs.facts import replaced
from jobs.storage import storage_errors
from product_files import file_facts
from product_files.containers.zipped_catalogue import ImportInterrupted
from product_files.rows import ChoiceNeeded, InvalidSource, NoColumn

_SIGNATURE = b"\x1f\x8b"
_PIECE_BYTES = 1024 * 1024
_SUFFIX = ".gz"


class GzipCut(Exception):
    """The data end in the middle."""


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What is packed with gzip, in one part or in several, piece by piece; other data as they are.

    Args:
        chunks: the data.

    Yields:
        The content, in pieces of at most 1 MiB.

    Raises:
        GzipCut: the data end in the middle.
        zlib.error: they are damaged.
    """
    remaining = iter(chunks)
    pending = b""
    for chunk in remaining:
        pending += chunk
        if len(pending) >= len(_SIGNATURE):
            break
    if not pending.startswith(_SIGNATURE):
        yield from chain([pending], remaining)
        return
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for chunk in chain([b""], remaining):
        pending += chunk
        piece = b""
        while pending or len(piece) == _PIECE_BYTES:
            if decoder.eof:
                if len(pending) < len(_SIGNATURE):
                    break
                if not pending.startswith(_SIGNATURE):
                    # Behind the end, as gzip itself says, is nothing that counts.
                    pending = b""
                    break
                decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            piece = decoder.decompress(pending, _PIECE_BYTES)
            pending = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            yield piece
    if not decoder.eof:
        raise GzipCut


@contextmanager
def plain_file(path: Path, should_stop: Callable[[], bool] | None = None) -> Iterator[Path]:
    """A file without its gzip, for the length of the block. IMPORT_MAX_BYTES limits what it may unpack to.

    Args:
        path: any file or folder.
        should_stop: called after each piece; True ends it.

    Yields:
        `path` itself, or what is packed in it: a temporary file. Errors of the block name it as `path`.

    Raises:
        InvalidSource: it is damaged, cut short or too large.
        StorageUnavailable: there is no space for it.
        ImportInterrupted: `should_stop` returned True.
    """
    if not _is_packed(path):
        yield path
        return
    place = storage_facts.TEMPORARY_FOLDER()
    with storage_errors(storage_facts.UNPACKED_FILE(), place):
        temporary = tempfile.TemporaryDirectory(prefix="lookalike-import-")
    with temporary as folder:
        content = Path(folder).resolve() / (path.name.removesuffix(_SUFFIX) or "feed")
        _unpack(path, content, should_stop)
        try:
            yield content
        except (NoColumn, ChoiceNeeded) as error:
            error.args = (replaced(str(error), str(content), str(path)),)
            raise
        except InvalidSource as error:
            raise InvalidSource(replaced(str(error), str(content), str(path))) from error


def _is_packed(path: Path) -> bool:
    """Whether a file begins as gzip does. What cannot be read is explained by those that read it."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return False


def _unpack(path: Path, content: Path, should_stop: Callable[[], bool] | None) -> None:
    size = 0
    # Without a buffer, a full disk is an error of the write.
    with path.open("rb") as packed, content.open("wb", buffering=0) as file:
        try:
            for piece in unpacked(iter(partial(packed.read, _PIECE_BYTES), b"")):
                if should_stop is not None and should_stop():
                    raise ImportInterrupted
                size += len(piece)
                if size > settings.IMPORT_MAX_BYTES:
                    raise InvalidSource(file_facts.GZIP_TOO_LARGE(file=str(path), limit=settings.IMPORT_MAX_BYTES))
                left = memoryview(piece)
                with storage_errors(storage_facts.UNPACKED_FILE(), storage_facts.TEMPORARY_FOLDER()):
                    while left:
                        left = left[file.write(left) :]
        except zlib.error as error:
            raise InvalidSource(file_facts.GZIP_DAMAGED(file=str(path), error=str(error))) from error
        except GzipCut as error:
            raise InvalidSource(file_facts.GZIP_CUT(file=str(path))) from error
