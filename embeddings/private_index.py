"""A copy of a live index for one process: the embedded engine lets only one process read a shard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from embeddings.backends import embedded_index, own_vector_index
from embeddings.indexing import points_of
from embeddings.models import ImageEmbedding
from embeddings.selectors import LiveCollection
from embeddings.vector_index.base import Point, VectorIndex
from jobs.progress import ProgressCallback, StageProgress

_BATCH = 1000
# From so many points on, building the graph takes less time than comparing every point with every query.
_GRAPH_FROM = 20_000


@contextmanager
def private_index(live: LiveCollection, on_progress: ProgressCallback | None = None) -> Iterator[None]:
    """Have `get_vector_index` give a temporary copy of a collection's index, made from the stored vectors.

    For a command that asks many questions beside the server that holds the embedded index; not for a process that serves.

    Args:
        live: the collection.
        on_progress: called with the stage "copying the index", by points.

    Yields:
        Nothing; afterwards the copy is deleted.
    """
    with TemporaryDirectory(prefix="lookalike-index-") as folder, own_vector_index(path=folder) as index:
        _copy(index, live, on_progress)
        yield


def copy_shard(
    live: LiveCollection,
    folder: Path,
    choose: Callable[[list[Point]], list[Point]],
    on_progress: ProgressCallback | None = None,
) -> None:
    """Copy a collection's stored vectors into a shard of Qdrant Edge of its own, whichever engine serves.

    Args:
        live: the collection.
        folder: of the shard; it does not exist yet, and the folder around it does.
        choose: called with each batch of points, by photo; gives those that are copied.
        on_progress: called with the stage "copying the index", by points.

    Raises:
        IndexUnavailable: the shard cannot be written.
    """
    with TemporaryDirectory(prefix=".shard-", dir=folder.parent) as temporary:
        with embedded_index(Path(temporary)) as index:
            _copy(index, live, on_progress, choose)
        (Path(temporary) / live.index.name).rename(folder)


def _copy(
    index: VectorIndex,
    live: LiveCollection,
    on_progress: ProgressCallback | None,
    choose: Callable[[list[Point]], list[Point]] = list,
) -> None:
    index.ensure(live.index, bulk_load=True)
    rows = ImageEmbedding.objects.filter(version=live.version_id, vector__isnull=False)
    rows = rows.exclude(state__in=(ImageEmbedding.State.PENDING, ImageEmbedding.State.REMOVED))
    total, last = rows.count(), 0
    progress = StageProgress(on_progress, "copying the index", total)
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:_BATCH]):
        last = batch[-1].pk
        index.upsert(live.index.name, choose(points_of(live.layout, batch)))
        progress.advance(len(batch))
    if total >= _GRAPH_FROM:
        index.optimise(live.index.name)
