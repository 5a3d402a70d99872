"""Behaviour of the embedded index only: shards are files, and one process at a time holds them."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge

from embeddings.errors import CollectionNotFound, EmbeddingsError, IndexLocked, IndexUnavailable
from embeddings.vector_index.base import Filter, Hit, IndexCollection, Point, Range, VectorQuery
from embeddings.vector_index.edge import EdgeVectorIndex

REPOSITORY = Path(__file__).parents[2]
SHIRTS = IndexCollection("shirts-v1", 4)

# Opens the shard in a process of its own, prints how many points it has, then writes and prints what is acknowledged.
ANOTHER_PROCESS = """
import sys
import numpy as np
from embeddings.vector_index.base import Point
from embeddings.vector_index.edge import EdgeVectorIndex
index = EdgeVectorIndex(sys.argv[1])
print("count", index.count("shirts-v1"), flush=True)
for number in range(100, int(sys.argv[2])):
    index.upsert("shirts-v1", [Point(number, np.array([1, number, 0, 0], np.float32), {"product_id": number})])
    index.set_payload("shirts-v1", [number], {"brand": "kept"})
    index.delete("shirts-v1", [number - 1])
    print("acknowledged", number, flush=True)
sys.stdin.read()
"""


def points(*point_ids: int) -> list[Point]:
    return [Point(each, np.array([1, each, 0, 0], np.float32), {"product_id": each}) for each in point_ids]


def ids(hits: Sequence[Hit]) -> list[int]:
    return [hit.id for hit in hits]


def another_process(folder: Path, write_up_to: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS, str(folder), str(write_up_to)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said, process.communicate()[1]
    return said.strip()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[EdgeVectorIndex]:
    made = EdgeVectorIndex(tmp_path / "index")
    made.ensure(SHIRTS)
    made.upsert("shirts-v1", points(1, 2, 3))
    yield made
    made.close()


@pytest.fixture
def folder(index: EdgeVectorIndex, tmp_path: Path) -> Path:
    return tmp_path / "index"


def test_a_shard_held_by_another_process_is_named_with_a_remedy(index: EdgeVectorIndex, folder: Path) -> None:
    index.close()
    with another_process(folder) as server:
        assert line(server) == "count 3"
        with pytest.raises(IndexLocked) as locked:
            index.query("shirts-v1", VectorQuery(positive_ids=[1]))
        server.communicate()
    for part in (str(folder / "shirts-v1"), "another process", "server", "QDRANT_URL"):
        assert part in str(locked.value)
    assert index.count("shirts-v1") == 3


def test_without_the_lock_one_still_sees_what_stands_and_can_make_more(index: EdgeVectorIndex, folder: Path) -> None:
    beside = EdgeVectorIndex(folder)  # the index of this test holds the shard
    assert beside.exists("shirts-v1")
    beside.ensure(SHIRTS)
    beside.ensure(IndexCollection("shirts-v2", 4))
    beside.upsert("shirts-v2", points(1))
    beside.close()
    assert index.count("shirts-v2") == 1


def test_closing_one_collection_lets_another_process_have_it(index: EdgeVectorIndex, folder: Path) -> None:
    index.ensure(IndexCollection("mugs-v1", 4))
    index.upsert("mugs-v1", points(1))
    index.close("shirts-v1")
    beside = EdgeVectorIndex(folder)
    assert beside.count("shirts-v1") == 3
    with pytest.raises(IndexLocked, match="mugs-v1"):
        beside.count("mugs-v1")
    beside.close()


def test_one_process_at_a_time_works_on_the_index(index: EdgeVectorIndex, folder: Path) -> None:
    beside = EdgeVectorIndex(folder)
    beside.claim()
    beside.claim()
    with pytest.raises(IndexLocked, match="another process"):
        index.claim()
    # Building a new collection needs no claim, and closing it releases none.
    index.ensure(IndexCollection("shirts-v2", 4))
    index.upsert("shirts-v2", points(1))
    index.close("shirts-v2")
    beside.close("shirts-v2")
    with pytest.raises(IndexLocked):
        index.claim()
    beside.close()
    index.claim()


def test_the_claim_of_a_killed_process_is_free(index: EdgeVectorIndex, folder: Path) -> None:
    pid = os.fork()
    if pid == 0:
        EdgeVectorIndex(folder).claim()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    index.claim()


def test_a_forked_process_has_not_its_parents_claim(index: EdgeVectorIndex, folder: Path) -> None:
    index.claim()
    pid = os.fork()
    if pid == 0:
        try:
            index.claim()
        except IndexLocked:
            os._exit(17)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 17
    with pytest.raises(IndexLocked):
        EdgeVectorIndex(folder).claim()


def test_an_index_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IndexUnavailable, match="cannot be written"):
        EdgeVectorIndex(tmp_path / "file").claim()


def test_a_killed_process_loses_nothing_that_was_acknowledged(index: EdgeVectorIndex, folder: Path) -> None:
    index.close()
    with another_process(folder, write_up_to=100_000) as writer:
        while (said := line(writer)) != "acknowledged 150":
            pass
        writer.send_signal(signal.SIGKILL)
        assert writer.stdout is not None
        last = int([said, *writer.stdout.read().split("\n")[:-1]][-1].split()[1])
    # The write after the last acknowledged one may or may not have been applied.
    kept = index.retrieve("shirts-v1", range(last + 2))
    assert kept.keys() <= {1, 2, 3, last, last + 1}
    assert kept.keys() >= {1, 2, 3}
    assert kept.keys() & {last, last + 1}
    assert last not in kept or kept[last].payload["brand"] == "kept"
    assert index.count("shirts-v1") == len(kept)
    assert index.count("shirts-v1", Filter(match={"brand": "kept"})) >= (last in kept)


def test_a_forked_process_opens_the_shard_for_itself(index: EdgeVectorIndex) -> None:
    """A copy of the parent's handle would hang in the child."""
    assert index.count("shirts-v1") == 3
    pid = os.fork()
    if pid == 0:
        try:
            index.query("shirts-v1", VectorQuery(positive_ids=[1]))
        except IndexLocked:
            os._exit(17)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 17
    assert index.count("shirts-v1") == 3


def test_an_index_not_opened_before_a_fork_works_in_the_child(index: EdgeVectorIndex) -> None:
    index.close()
    process = multiprocessing.get_context("fork").Process(target=index.upsert, args=("shirts-v1", points(4)))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert index.count("shirts-v1") == 4


def test_a_collection_dropped_by_another_goes_on_where_it_is_open(index: EdgeVectorIndex, folder: Path) -> None:
    beside = EdgeVectorIndex(folder)
    beside.drop("shirts-v1")
    assert not index.exists("shirts-v1")
    assert [hit.id for hit in index.query("shirts-v1", VectorQuery(positive_ids=[1], limit=5))] == [2, 3]
    index.close("shirts-v1")
    with pytest.raises(CollectionNotFound):
        index.count("shirts-v1")


def test_a_collection_dropped_by_another_can_be_made_anew(index: EdgeVectorIndex, folder: Path) -> None:
    EdgeVectorIndex(folder).drop("shirts-v1")
    index.ensure(SHIRTS)
    assert index.count("shirts-v1") == 0
    index.upsert("shirts-v1", points(7))
    assert index.count("shirts-v1") == 1


def test_a_drop_leaves_no_files(index: EdgeVectorIndex, folder: Path) -> None:
    index.drop("shirts-v1")
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_no_index_is_left_alone(index: EdgeVectorIndex, folder: Path) -> None:
    (folder / "mugs-v1").mkdir()
    (folder / "mugs-v1" / "notes.txt").write_text("mine")
    with pytest.raises(IndexUnavailable, match="mugs-v1 is in the way"):
        index.ensure(IndexCollection("mugs-v1", 4))
    assert not index.exists("mugs-v1")
    assert [each.name for each in (folder / "mugs-v1").iterdir()] == ["notes.txt"]


def test_a_graph_that_a_filter_cuts_to_pieces_still_gives_all_there_is(tmp_path: Path) -> None:
    """If a payload index is created after the graph, a filtered search ends early; then every vector is compared."""
    index = EdgeVectorIndex(tmp_path, full_scan_threshold_kb=5)
    index.ensure(IndexCollection("hats-v1", 32))
    shard = qdrant_edge.EdgeShard.load(str(tmp_path / "hats-v1"))
    shard.update(qdrant_edge.UpdateOperation.delete_field_index("brand"))
    shard.close()
    matrix = np.random.default_rng(0).normal(size=(5000, 32)).astype(np.float32)
    index.upsert("hats-v1", [Point(i, row, {"product_id": i, "brand": str(i % 50)}) for i, row in enumerate(matrix)])
    index.optimise("hats-v1")
    index.close()
    shard = qdrant_edge.EdgeShard.load(str(tmp_path / "hats-v1"))
    keyword = qdrant_edge.PayloadSchemaType.Keyword
    shard.update(qdrant_edge.UpdateOperation.create_field_index("brand", keyword))
    shard.close()
    for target in matrix[:10]:
        for by_product in (False, True):
            query = VectorQuery(
                positive=[target], filter=Filter(match={"brand": "7"}), limit=50, group_by_product=by_product
            )
            assert len(index.query("hats-v1", query)) == 50
    index.close()


def test_a_target_that_no_point_is_like_is_searched_for_more_widely(tmp_path: Path) -> None:
    """As where a part of the vectors counts against a product: the same shape, but another colour."""
    random = np.random.default_rng(0)
    shapes = random.normal(size=(2000, 48))[np.arange(8000) % 2000] + 0.3 * random.normal(size=(8000, 48))
    colours = random.normal(size=(12, 24))[random.integers(12, size=8000)] + 0.05 * random.normal(size=(8000, 24))
    matrix = np.concatenate([shapes, colours], axis=1).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    index = EdgeVectorIndex(tmp_path, full_scan_threshold_kb=5)
    index.ensure(IndexCollection("hats-v1", 72))
    index.upsert("hats-v1", [Point(i, row, {"product_id": i}) for i, row in enumerate(matrix)])
    index.optimise("hats-v1")
    recalls = {}
    for breadth in (1, 8):
        found = 0
        for row in matrix[:60]:
            target = np.concatenate([row[:48], -row[48:]])
            nearest = np.argsort(-(matrix @ target))[:10]
            hits = index.query("hats-v1", VectorQuery(positive=[target], limit=10, breadth=breadth))
            found += len({int(each) for each in nearest} & set(ids(hits)))
        recalls[breadth] = found / 600
    index.close()
    assert recalls[8] > 0.97
    assert recalls[8] > recalls[1] + 0.1


def test_closing_waits_for_queries_and_later_ones_open_it_again(index: EdgeVectorIndex) -> None:
    failed: list[EmbeddingsError] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            try:
                assert len(index.query("shirts-v1", VectorQuery(positive_ids=[1], limit=2))) == 2
            except EmbeddingsError as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        index.close("shirts-v1")
    enough.set()
    for thread in threads:
        thread.join(30)
    assert failed == []


def test_a_large_collection_whose_points_are_learned_answers_the_same_and_closes_at_once(tmp_path: Path) -> None:
    index = EdgeVectorIndex(tmp_path / "index")
    index.ensure(SHIRTS)
    vectors = np.random.default_rng(3).standard_normal((8_000, 4)).astype(np.float32)
    index.upsert("shirts-v1", [Point(n, vector, {"product_id": n // 2}) for n, vector in enumerate(vectors)])
    wanted = VectorQuery(positive=[vectors[7]], limit=5, group_by_product=True)
    first = index.query("shirts-v1", wanted)
    # While its points are read, one of the answer goes to another product, and one goes away.
    index.set_payload("shirts-v1", [first[1].id], {"product_id": 50_000})
    index.delete("shirts-v1", [first[2].id])
    deadline = time.monotonic() + 30
    while any(thread.name == "points" for thread in threading.enumerate()) and time.monotonic() < deadline:
        assert [hit.product_id for hit in index.query("shirts-v1", wanted)][1] == 50_000
    after = index.query("shirts-v1", wanted)
    assert first[0].product_id == after[0].product_id == 3
    assert after[1].product_id == 50_000
    assert first[2].id not in ids(after)
    index.close()

    # It begins again, and ends with the collection.
    assert ids(index.query("shirts-v1", wanted)) == ids(after)
    index.close("shirts-v1")
    beside = EdgeVectorIndex(tmp_path / "index")
    assert beside.count("shirts-v1") == 7_999
    beside.close()


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_a_large_collection_is_filtered_the_same_once_it_has_cells_and_while_it_changes(
    tmp_path: Path, quantization: str | None
) -> None:
    draw = np.random.default_rng(5)
    vectors = draw.standard_normal((100, 16))[np.arange(6_000) % 100] + 0.4 * draw.standard_normal((6_000, 16))
    vectors = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
    index = EdgeVectorIndex(tmp_path / "index", full_scan_threshold_kb=100, quantization=quantization)
    index.ensure(IndexCollection("shirts-v1", 16))
    index.upsert(
        "shirts-v1",
        [
            Point(
                n, vector, {"product_id": n, "category": [f"d{n % 5}"], "price": float(n % 97), "available": n % 7 > 0}
            )
            for n, vector in enumerate(vectors)
        ],
    )
    index.optimise("shirts-v1")
    price, department = np.arange(6_000) % 97, np.arange(6_000) % 5

    def check() -> None:
        right = 0
        for number in range(0, 6_000, 307):
            for wanted, passing in (
                (Filter(exclude={"category": [f"d{number % 5}"]}), department != number % 5),
                (Filter(ranges={"price": Range(lte=30)}), price <= 30),
                (
                    Filter(exclude={"category": ["d1"]}, exclude_ids=[number]),
                    (department != 1) & (np.arange(6_000) != number),
                ),
            ):
                query = VectorQuery(positive=[vectors[number]], filter=wanted, limit=10, group_by_product=True)
                answer, (together, _) = index.query("shirts-v1", query), index.query_batch("shirts-v1", [query, query])
                assert all(passing[each] for each in ids(answer))
                assert ids(together) == ids(answer)
                nearest = np.argsort(-np.where(passing, vectors @ vectors[number], -np.inf))[:10]
                right += len({*nearest.tolist()} & {*ids(answer)})
        assert right / 600 >= 0.98

    check()
    wait_for_points()
    check()
    # Each kind of change counts at once: a price, another category, another vector, a new point, one that goes.
    far = VectorQuery(positive=[vectors[0]], filter=Filter(exclude={"category": ["d0"]}), limit=3)
    index.set_payload("shirts-v1", [0, 100], {"price": 1000.0})
    index.set_payload("shirts-v1", [200], {"category": ["d1"]})
    index.upsert("shirts-v1", [Point(1, vectors[0], {"product_id": 1, "category": ["d1"]})])
    index.upsert("shirts-v1", [Point(7_000, vectors[0], {"product_id": 7_000, "category": ["d2"]})])
    index.delete("shirts-v1", [300])
    dear = Filter(ranges={"price": Range(gte=500)})
    assert ids(index.query("shirts-v1", VectorQuery(positive=[vectors[0]], filter=dear, limit=3))) == [0, 100]
    assert {*ids(index.query("shirts-v1", far))} == {1, 7_000, 200}
    own = VectorQuery(positive=[vectors[300]], filter=Filter(match={"category": "d0"}), limit=3)
    assert 300 not in ids(index.query("shirts-v1", own))
    # From then on its cells are old, and queries go on without them.
    index.upsert(
        "shirts-v1",
        [Point(10_000 + n, vectors[0], {"product_id": 10_000 + n, "category": ["d0"]}) for n in range(1_100)],
    )
    assert {*ids(index.query("shirts-v1", far))} == {1, 7_000, 200}
    index.close()


def wait_for_points() -> None:
    """Until no thread reads points any more."""
    for thread in threading.enumerate():
        if thread.name == "points":
            thread.join(30)
            assert not thread.is_alive()


def test_fields_that_came_after_a_collection_are_missing_until_it_is_made_anew(folder: Path) -> None:
    marker = folder / "shirts-v1" / "collection.json"
    about = json.loads(marker.read_text())
    marker.write_text(json.dumps({**about, "fields": [each for each in about["fields"] if each != "currency"]}))
    later = EdgeVectorIndex(folder)
    assert later.missing_fields("shirts-v1") == {"currency"}
    later.ensure(SHIRTS)
    assert later.missing_fields("shirts-v1") == {"currency"}
    later.drop("shirts-v1")
    later.ensure(SHIRTS)
    assert later.missing_fields("shirts-v1") == frozenset()
    later.close()
