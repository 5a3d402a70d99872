"""A reindex with ready vectors beside the same points loaded and indexed by the engine's client alone, in one run.

Usage: python -m bench.reindexing [--points 100000] [--rounds 3] [--keep FOLDER]
Data as in bench/similar_latency.py, whose folder --keep may be; the embedded engine. `reindex` is what `manage.py reindex` does: it
reads vectors, products and texts from the database, writes the photos' and the texts' collections, has graphs built and switches.
`client`: collections of the same configuration and points that are in memory already, written a thousand at a time, and the graphs
built. Times are of the clock and of the processor, child processes included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.similar_latency import prepared
from bench.tables import median, publish

A_WRITE = 1000
CHILD = "--here"


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        environment = prepared(options.keep or Path(temporary), options.points)
        command = [sys.executable, "-m", "bench.reindexing", CHILD, str(options.rounds)]
        said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    rounds: list[dict[str, dict[str, float]]] = json.loads(said)
    rows = [
        {"what": what, **{name: median([each[what][name] for each in rounds]) for name in rounds[0][what]}}
        for what in rounds[0]
    ]
    ratios = {
        f"reindex / client, {name}": median([each["reindex"][name] / each["client"][name] for each in rounds])
        for name in ("s", "processor s")
    }
    publish("reindexing", rows, {"points": options.points, **ratios})


def measure_here(rounds: int) -> None:
    """Measure in this process, with its settings; prints seconds by what was done, for each round."""
    import django
    from django.conf import settings
    from django.db.models.functions import Now

    django.setup()
    from embeddings.backends import get_vector_index
    from embeddings.generations import build_generation
    from embeddings.models import ImageEmbedding, IndexedText
    from embeddings.selectors import active_versions
    from embeddings.vector_index.base import IndexCollection
    from lookalike.garbage import look_for_garbage

    # As in a command.
    look_for_garbage()
    # As in a shop: what changed within the last half minute is written by each pass, and here that would be everything.
    for rows in (ImageEmbedding.objects, IndexedText.objects):
        rows.update(changed_at=Now() - timedelta(hours=1))
    index, (version,) = get_vector_index(), active_versions()
    measured = []
    for _ in range(rounds):
        with _timed() as ours:
            build_generation(version)
        version.refresh_from_db()
        live = [version.index_collection(), version.text_collection()]
        copies = [IndexCollection(f"{each.name}-copy", each.dim, each.distance, each.sparse) for each in live]
        points = [_all_points(index, each.name) for each in live]
        with _timed() as bare:
            for copy, of_it in zip(copies, points, strict=True):
                index.ensure(copy, bulk_load=True)
                _load(Path(settings.VECTOR_INDEX["OPTIONS"]["path"]) / copy.name, of_it)
                index.optimise(copy.name)
        for copy in copies:
            index.drop(copy.name)
        measured.append({"reindex": ours, "client": bare})
    sys.stdout.write(json.dumps(measured))


def _all_points(index: Any, name: str) -> list[Any]:
    """The points of a collection with their vectors, which `scroll` leaves out."""
    return [
        point
        for batch in index.scroll(name, batch_size=A_WRITE)
        for point in index.retrieve(name, [each.id for each in batch]).values()
    ]


def _load(shard: Path, points: Sequence[Any]) -> None:
    """Write points by the engine's client."""
    import qdrant_edge as engine

    from embeddings.vector_index.edge_values import engine_payload, engine_vector

    opened = engine.EdgeShard.load(str(shard))
    for start in range(0, len(points), A_WRITE):
        batch = [
            engine.Point(each.id, engine_vector(each), engine_payload(each.payload))
            for each in points[start : start + A_WRITE]
        ]
        opened.update(engine.UpdateOperation.upsert_points(batch))
    opened.close()


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    spent: dict[str, float] = {}
    began, processor = time.perf_counter(), _processor_s()
    yield spent
    spent |= {"s": time.perf_counter() - began, "processor s": _processor_s() - processor}


def _processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        measure_here(int(sys.argv[2]))
    else:
        main()
