"""Copies the files of one store into another, each compared afterwards. What is there already is passed over, so a copy goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import IO, Any, BinaryIO, cast

from stores.base import FileStore, StoredFile

_CHUNK_BYTES = 1024**2


class CopyDiffers(Exception):
    """A copy is not what it is a copy of."""


@dataclass(slots=True)
class Copied:
    """What became of the files of a store.

    Attributes:
        copied: number of files that were copied, and compared.
        size: their bytes.
        there: number of files that were there already.
    """

    copied: int = 0
    size: int = 0
    there: int = 0


def copy_files(
    source: FileStore,
    target: FileStore,
    *,
    skipped: Collection[str] = (),
    compare_all: bool = False,
    threads: int = 1,
    on_copied: Callable[[], object] = lambda: None,
) -> Copied:
    """Copy all files of a store; those that are there with the same size are passed over.

    Args:
        source: the store.
        target: where to.
        skipped: names of files that are not copied. Unfinished ones are not, either.
        compare_all: also compare the content of those that are there already, and copy them again where it differs.
        threads: how many files are copied at the same time.
        on_copied: called after each file, by any thread.

    Returns:
        Counts.

    Raises:
        CopyDiffers: a copy is not what it is a copy of; it is deleted.
        OSError: a store fails; what was copied stays.
    """
    result = Copied()
    files = (stored for stored in source.walk() if stored.name not in skipped and not _is_unfinished(stored.name))
    with ThreadPoolExecutor(threads) as pool:

        def copy(stored: StoredFile) -> bool:
            done = _copy(source, target, stored.name)
            on_copied()
            return done

        for folder, group in groupby(files, key=lambda stored: stored.name.rpartition("/")[0]):
            sizes = {each.name: each.size for each in target.walk(folder)}
            for some in _batches(group, 4 * threads):
                missing = [
                    stored
                    for stored in some
                    if sizes.get(stored.name) != stored.size
                    or (compare_all and _hash(source, stored.name) != _hash(target, stored.name))
                ]
                result.there += len(some) - len(missing)
                for stored, is_copied in zip(missing, pool.map(copy, missing), strict=True):
                    result.copied += is_copied
                    result.size += stored.size if is_copied else 0
    return result


def _copy(source: FileStore, target: FileStore, name: str) -> bool:
    """Copy a file and compare the copy. False where it is gone meanwhile."""
    try:
        with source.open(name) as file:
            wanted = _hash_of(file)
            file.seek(0)
            target.put(name, cast("BinaryIO", file))
    except FileNotFoundError:
        return False
    if _hash(target, name) != wanted:
        target.delete(name)
        raise CopyDiffers(f"the copy of {name} in {target.place} differs from {source.place}")
    return True


def _is_unfinished(name: str) -> bool:
    """Whether a process is writing it, or was when it died."""
    return name.endswith(".part") or any(part.startswith(".") for part in name.split("/"))


def _hash(store: FileStore, name: str) -> str:
    with store.open(name) as file:
        return _hash_of(file)


def _hash_of(file: IO[Any]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _batches(files: Iterator[StoredFile], size: int) -> Iterator[list[StoredFile]]:
    batch: list[StoredFile] = []
    for stored in files:
        batch.append(stored)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
