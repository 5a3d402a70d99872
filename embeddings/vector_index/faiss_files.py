"""The files of a collection of FAISS: a snapshot, named by `collection.json`, and a journal with the changes since."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from embeddings.errors import IndexFull, IndexUnavailable
from embeddings.vector_index.base import PAYLOAD_FIELDS, Distance, IndexCollection, SparseVector
from embeddings.vector_index.faiss_rows import Opened
from embeddings.vector_index.faiss_structures import Kind, empty_store
from embeddings.vector_index.journal import Journal

_MARKER = "collection.json"
_STORE, _STRUCTURE, _POINTS = "store.faiss", "structure.faiss", "points.jsonl"
# A journal of this size, or of the size of the snapshot, is followed by a new snapshot.
_MAX_JOURNAL_BYTES = 64 * 1024**2


def about(folder: Path) -> dict[str, Any] | None:
    """What was noted of a collection when it was made or saved; None: there is none."""
    try:
        noted: dict[str, Any] = json.loads((folder / _MARKER).read_text())
    except FileNotFoundError:
        return None
    return noted


def collection_of(name: str, noted: Mapping[str, Any]) -> IndexCollection:
    """The collection of which this was noted."""
    return IndexCollection(name, noted["dim"], Distance(noted["distance"]), tuple(noted["sparse"]))


def create(folder: Path, collection: IndexCollection, kind: Kind) -> None:
    """Write the files of a collection without points into a new folder.

    Args:
        folder: where they belong.
        collection: what it is.
        kind: of the structure that it will get.

    Raises:
        OSError: they cannot be written.
    """
    _write_snapshot(folder / "snapshot-0", empty_store(collection), None, [])
    noted = {
        "dim": collection.dim,
        "distance": collection.distance,
        "sparse": sorted(collection.sparse),
        "fields": sorted(PAYLOAD_FIELDS),
        "kind": kind,
        "snapshot": 0,
    }
    (folder / _MARKER).write_text(json.dumps(noted))


def read(folder: Path, collection: IndexCollection, noted: Mapping[str, Any], lock: int) -> Opened:
    """Open a collection.

    Args:
        folder: of its files.
        collection: what it is.
        noted: from `about`.
        lock: a descriptor that holds the folder.

    Returns:
        The snapshot that counts, with the changes since.

    Raises:
        IndexUnavailable: the files cannot be read.
    """
    number = noted["snapshot"]
    files = folder / f"snapshot-{number}"
    journal = Journal(folder / f"snapshot-{number}.journal")
    try:
        structure = faiss.read_index(str(files / _STRUCTURE)) if (files / _STRUCTURE).exists() else None
        if isinstance(structure, faiss.IndexHNSW):
            store = faiss.downcast_index(structure.storage)
        else:
            store = faiss.read_index(str(files / _STORE))
        with (files / _POINTS).open() as lines:
            points = [json.loads(line) for line in lines]
        ids, payloads = [each[0] for each in points], [each[1] for each in points]
        sparse: list[Mapping[str, SparseVector]] = [_from_json(each[2]) for each in points]
        if store.ntotal != len(ids):
            raise IndexUnavailable(f"the index {files} is damaged: {store.ntotal} vectors of {len(ids)} points")
        opened = Opened(collection, folder, lock, number, journal, store, ids, payloads, sparse, structure)
        opened.number_rows()
        opened.saved_bytes = _size_of(files)
        for change, vectors in journal.changes(collection.dim):
            if "ids" in change:
                sparse = [_from_json(each) for each in change["sparse"]]
                shaped = vectors.reshape(len(sparse), collection.dim)
                opened.write(change["ids"], change["payloads"], shaped, sparse)
            elif "patched" in change:
                opened.patch(change["patched"], change["payload"])
            else:
                opened.remove(change["deleted"])
    except (OSError, RuntimeError, ValueError) as error:  # FAISS raises RuntimeError for what it cannot read
        raise IndexUnavailable(f"the index {files} cannot be opened: {error}") from error
    return opened


def journal_is_long(opened: Opened) -> bool:
    """Whether a new snapshot is due."""
    return opened.journal.size > max(_MAX_JOURNAL_BYTES, opened.saved_bytes)


def save(opened: Opened, kind: Kind) -> None:
    """Write a snapshot beside the one that counts, and switch to it by replacing the marker.

    Args:
        opened: the collection.
        kind: of its structure.

    Raises:
        IndexFull: it cannot be written; the former one counts.
    """
    number = opened.snapshot + 1
    files = opened.folder / f"snapshot-{number}"
    shutil.rmtree(files, ignore_errors=True)  # of a process that was killed here
    journal = opened.folder / f"snapshot-{number}.journal"
    try:
        _write_snapshot(files, opened.store, opened.structure, _lines(opened))
        journal.unlink(missing_ok=True)
        noted = json.loads((opened.folder / _MARKER).read_text())
        written = opened.folder / f"{_MARKER}.new"
        written.write_text(json.dumps({**noted, "kind": kind, "snapshot": number}))
        _to_disk(written)
        written.replace(opened.folder / _MARKER)
    except (OSError, RuntimeError) as error:
        shutil.rmtree(files, ignore_errors=True)
        raise IndexFull(f"the index {opened.folder} cannot be saved: {error}") from error
    shutil.rmtree(opened.folder / f"snapshot-{opened.snapshot}", ignore_errors=True)
    (opened.folder / f"snapshot-{opened.snapshot}.journal").unlink(missing_ok=True)
    opened.snapshot, opened.journal, opened.saved_bytes = number, Journal(journal), _size_of(files)


def as_json(sparse: Mapping[str, SparseVector]) -> dict[str, list[list[float]]]:
    """Sparse vectors as lines and journal have them."""
    return {name: [vector.indices.tolist(), vector.values.tolist()] for name, vector in sparse.items()}


def _lines(opened: Opened) -> Iterator[str]:
    """The rows as lines of JSON, dead ones too: rows are numbers of the structure."""
    for point_id, payload, sparse in zip(opened.ids, opened.payloads, opened.sparse, strict=True):
        yield json.dumps([point_id, payload, as_json(sparse)], separators=(",", ":")) + "\n"


def _from_json(sparse: Mapping[str, Sequence[Sequence[float]]]) -> Mapping[str, SparseVector]:
    return {
        name: SparseVector(np.array(indices, dtype=np.uint32), np.array(values, dtype=np.float32))
        for name, (indices, values) in sparse.items()
    }


def _write_snapshot(folder: Path, store: faiss.IndexFlat, structure: faiss.Index | None, lines: Iterable[str]) -> None:
    folder.mkdir(parents=True)
    if structure is not None:
        faiss.write_index(structure, str(folder / _STRUCTURE))
    if not isinstance(structure, faiss.IndexHNSW):  # whose file has the store
        faiss.write_index(store, str(folder / _STORE))
    with (folder / _POINTS).open("w") as file:
        file.writelines(lines)
    for path in folder.iterdir():
        _to_disk(path)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
