"""Behaviour of FAISS's adapter only: structures that are built once, beside points that change, and files."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.errors import IndexFull, IndexLocked, IndexUnavailable
from embeddings.vector_index.base import (
    NO_VECTOR,
    Distance,
    Filter,
    IndexCollection,
    Point,
    SparseQuery,
    SparseVector,
    VectorQuery,
)
from embeddings.vector_index.faiss import FaissVectorIndex
from embeddings.vector_index.faiss_structures import Kind

REPOSITORY = Path(__file__).parents[2]
SHIRTS = IndexCollection("shirts-v1", 16)
KINDS: list[Kind] = ["flat", "hnsw", "ivf_pq"]

ANOTHER_PROCESS = """
import sys
import numpy as np
from embeddings.vector_index.base import Point
from embeddings.vector_index.faiss import FaissVectorIndex
index = FaissVectorIndex(sys.argv[1])
print("count", index.count("shirts-v1"), flush=True)
for number in range(5000, 5100):
    index.upsert("shirts-v1", [Point(number, np.eye(16, dtype=np.float32)[0], {"product_id": number})])
    print("acknowledged", number, flush=True)
sys.stdin.read()
"""


def clustered(count: int = 2000, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(40, 16))[np.arange(count) % 40] + 0.3 * rng.normal(size=(count, 16))
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def filled(folder: Path, kind: Kind, matrix: NDArray[np.float32]) -> FaissVectorIndex:
    index = FaissVectorIndex(folder, kind, approximate_from=1000)
    index.ensure(SHIRTS)
    index.upsert(SHIRTS.name, [Point(i, row, {"product_id": i}) for i, row in enumerate(matrix)])
    index.optimise(SHIRTS.name)
    return index


def found(index: FaissVectorIndex, target: NDArray[np.float32], limit: int = 1) -> list[int]:
    return [hit.id for hit in index.query(SHIRTS.name, VectorQuery(positive=[target], limit=limit))]


def another_process(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS, str(folder)],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_points_that_changed_after_the_structure_was_built_answer_with_their_own_ids(
    tmp_path: Path, kind: Kind
) -> None:
    """`IndexIDMap2` over inverted lists answers with shifted ids once a point was removed."""
    matrix = clustered()
    index = filled(tmp_path, kind, matrix)
    index.delete(SHIRTS.name, range(20))
    moved, new = clustered(40, seed=1)[:2]
    index.upsert(SHIRTS.name, [Point(30, moved, {"product_id": 30}), Point(9000, new, {"product_id": 9000})])
    for opened in (index, FaissVectorIndex(tmp_path, kind, approximate_from=1000)):
        assert [found(opened, matrix[i])[0] for i in range(40, 2000, 100)] == list(range(40, 2000, 100))
        assert found(opened, moved) == [30]
        assert found(opened, new) == [9000]
        assert not set(range(20)) & set(found(opened, matrix[0], limit=200))
        assert opened.count(SHIRTS.name) == 1981
        index.close()
    opened.close()


@pytest.mark.parametrize("kind", KINDS)
def test_after_many_changes_answers_are_exact(tmp_path: Path, kind: Kind) -> None:
    matrix = clustered()
    index = filled(tmp_path, kind, matrix)
    index.delete(SHIRTS.name, range(0, 2000, 2))
    target = clustered(41, seed=3)[40]
    kept = np.arange(1, 2000, 2)
    exact = kept[np.argsort(-(matrix[kept] @ target))[:20]].tolist()
    assert found(index, target, limit=20) == exact
    index.optimise(SHIRTS.name)
    assert len(set(exact) & set(found(index, target, limit=20))) >= 18
    index.close()


def test_inverted_lists_find_candidates_by_l2_for_l1(tmp_path: Path) -> None:
    matrix = clustered()
    index = FaissVectorIndex(tmp_path, "ivf_pq", approximate_from=1000)
    index.ensure(IndexCollection("l1", 16, Distance.L1))
    index.upsert("l1", [Point(i, row, {"product_id": i}) for i, row in enumerate(matrix)])
    index.optimise("l1")
    (best, *_) = index.query("l1", VectorQuery(positive=[matrix[77]]))
    assert (best.id, best.score) == (77, 0)
    index.close()


def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    filled(tmp_path, "hnsw", clustered()).close()
    with another_process(tmp_path) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline().strip() == "count 2000"
        with pytest.raises(IndexLocked, match="held by another process"):
            FaissVectorIndex(tmp_path).count(SHIRTS.name)
        acknowledged = [writer.stdout.readline().split()[-1] for _ in range(30)]
        writer.send_signal(signal.SIGKILL)
    index = FaissVectorIndex(tmp_path)
    assert {int(number) for number in acknowledged} <= index.retrieve(SHIRTS.name, range(5000, 5100)).keys()
    index.close()


def test_a_change_that_was_cut_off_is_dropped_and_the_next_takes_its_place(tmp_path: Path) -> None:
    matrix = clustered()
    index = filled(tmp_path, "hnsw", matrix)
    for number in (5000, 5001):
        index.upsert(SHIRTS.name, [Point(number, matrix[0], {"product_id": number})])
    index.close()
    (journal,) = (tmp_path / SHIRTS.name).glob("*.journal")
    journal.write_bytes(journal.read_bytes()[:-5])
    index = FaissVectorIndex(tmp_path)
    assert index.retrieve(SHIRTS.name, [5000, 5001]).keys() == {5000}
    index.upsert(SHIRTS.name, [Point(5002, matrix[0], {"product_id": 5002})])
    index.close()
    assert FaissVectorIndex(tmp_path).retrieve(SHIRTS.name, [5000, 5001, 5002]).keys() == {5000, 5002}


def test_a_save_that_was_cut_off_leaves_the_files_that_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = clustered()
    index = filled(tmp_path, "hnsw", matrix)
    index.delete(SHIRTS.name, [0])

    def no_room(*_: object) -> None:
        raise RuntimeError("write error: No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(faiss, "write_index", no_room)
        with pytest.raises(IndexFull, match="cannot be saved"):
            index.optimise(SHIRTS.name)
    index.upsert(SHIRTS.name, [Point(1, matrix[5], {"product_id": 1})])
    assert index.count(SHIRTS.name) == 1999
    index.close()
    again = FaissVectorIndex(tmp_path, approximate_from=1000)
    assert again.count(SHIRTS.name) == 1999
    assert again.count(SHIRTS.name, Filter(match={"product_id": 1})) == 1
    again.optimise(SHIRTS.name)
    again.close()
    names = {path.name for path in (tmp_path / SHIRTS.name).iterdir()}
    assert len([name for name in names if name.startswith("snapshot-")]) == 1


def test_points_without_a_vector_are_there_again_with_their_words(tmp_path: Path) -> None:
    texts = IndexCollection("texts", 0, sparse=("words",))

    def ask(index: FaissVectorIndex) -> list[int]:
        return [hit.id for hit in index.query_sparse("texts", SparseQuery("words", SparseVector.of({7: 1.0})))]

    index = FaissVectorIndex(tmp_path)
    index.ensure(texts)
    for number in range(4):
        words = SparseVector.of({7: 1.0 + number, 8 + number: 1.0})
        index.upsert("texts", [Point(number, NO_VECTOR, {"product_id": number}, {"words": words})])
    index.delete("texts", [2])
    assert ask(index) == [3, 1, 0]
    index.close()
    assert ask(index) == [3, 1, 0]
    index.optimise("texts")
    index.close()
    assert ask(FaissVectorIndex(tmp_path)) == [3, 1, 0]


def test_a_damaged_snapshot_is_named(tmp_path: Path) -> None:
    filled(tmp_path, "flat", clustered(100)).close()
    about = json.loads((tmp_path / SHIRTS.name / "collection.json").read_text())
    store = tmp_path / SHIRTS.name / f"snapshot-{about['snapshot']}" / "store.faiss"
    store.write_bytes(store.read_bytes()[:200])
    with pytest.raises(IndexUnavailable, match=r"shirts-v1.*cannot be opened"):
        FaissVectorIndex(tmp_path).count(SHIRTS.name)


def test_a_forked_process_opens_the_collection_for_itself(tmp_path: Path) -> None:
    index = filled(tmp_path, "hnsw", clustered())
    index.close()
    assert index.count(SHIRTS.name) == 2000
    index.close()

    def child() -> None:
        os._exit(0 if index.count(SHIRTS.name) == 2000 and found(index, clustered()[3]) == [3] else 1)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="flat, hnsw, ivf_pq"):
        FaissVectorIndex(tmp_path, "annoy")
