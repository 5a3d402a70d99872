"""Workers that are killed, and what is found of index and database afterwards."""

from __future__ import annotations

import signal
from functools import partial

from tests.services.conftest import Site


def start_beat(site: Site) -> None:
    """Apart: that of a worker is a child of its own, which outlives a worker that is killed."""
    site.start("-m", "celery", "-A", "lookalike", "beat", "--schedule", str(site.folder / "beat"))


def kill_workers(site: Site, *, kills: int, photos: int) -> int:
    """Start one worker after the other, and kill each when it has indexed its share of the photos. Returns how many were killed.

    The last share is left. Fewer than `kills` were killed where the photos were all indexed before.
    """
    for killed in range(kills):
        if _indexed(site) == photos:
            return killed
        worker = site.start_worker()
        share = photos * (killed + 1) // (kills + 1)
        site.wait_until(partial(_has_indexed, site, share))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    return kills


def _has_indexed(site: Site, photos: int) -> bool:
    return _indexed(site) >= photos


def _indexed(site: Site) -> int:
    return site.states().get("indexed", 0)


def photos_and_rows(site: Site) -> tuple[list[int], list[int]]:
    """The ids of all photos, and those that rows of embeddings are for; the same where each photo has one row."""
    photos = site.query("SELECT id FROM catalog_productimage ORDER BY id")
    rows = site.query("SELECT image_id FROM embeddings_imageembedding ORDER BY image_id")
    return [id_ for (id_,) in photos], [id_ for (id_,) in rows]


def verified(site: Site) -> str:
    """What a comparison of index and database finds, once nobody else holds the index."""
    site.stop()
    return site.manage("reindex", "--verify").stdout
