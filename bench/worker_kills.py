"""Workers are killed while they embed photos: is each photo indexed exactly once, and how long does it take?

Usage: python -m bench.worker_kills [--photos 5000] [--kills 10] [--impatient]
PostgreSQL (TEST_DATABASE_URL, or a server of its own), a Redis server of its own, a real worker and beat. Each worker is killed
with SIGKILL when it has indexed its share of the photos, and replaced by the next. A lost message is sent again after two minutes,
as in production; with --impatient, after one second.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.shops import BASE, PATIENCE_S, write_catalogue
from bench.tables import publish
from tests.services.conftest import RedisServer, Site, find_redis, fresh_database, running_postgres
from tests.services.faults import kill_workers, photos_and_rows, start_beat, verified

IMPATIENT = {
    "DJANGO_SETTINGS_MODULE": "tests.services.settings",
    "TEST_QUEUE": "kills",
    "MESSAGE_LOST_AFTER_S": "1",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and save the results. Exits with an error if a photo is lost, or indexed twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--impatient", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lookalike-kills-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        redis = RedisServer(find_redis(), folder)
        redis.start()
        stack.callback(redis.stop)
        database = stack.enter_context(fresh_database(stack.enter_context(running_postgres())))
        ours = {"DATABASE_URL": database, "CELERY_BROKER_URL": redis.url}
        site = Site(folder, patience_s=PATIENCE_S, **(BASE | ours | (IMPATIENT if options.impatient else {})))
        stack.callback(site.stop)
        site.manage("migrate", "--verbosity", "0")
        start_beat(site)
        catalogue = write_catalogue(folder / "catalogue", options.photos, one_photo_each=True)
        site.manage("import_catalog", str(catalogue.file), "--images", str(catalogue.images))
        started = time.monotonic()
        killed = kill_workers(site, kills=options.kills, photos=options.photos)
        last_killed = time.monotonic()
        site.start_worker()
        site.wait_until(lambda: site.states() == {"indexed": options.photos})
        ended = time.monotonic()
        photos, rows = photos_and_rows(site)
        found = re.search(r"\d+ missing, \d+ stale, \d+ orphaned", verified(site))
    once = len(photos) == options.photos and rows == photos
    publish(
        "worker_kills",
        [
            {
                "photos": options.photos,
                "workers killed": killed,
                "s until all were indexed": ended - started,
                "s from the last kill on": ended - last_killed,
                "indexed once each": "yes" if once else "no",
                "reindex --verify": found[0] if found else "",
            }
        ],
        {
            "a lost message is sent again after": "1 s" if options.impatient else "120 s",
            "load average, 1 min": os.getloadavg()[0],
        },
    )
    if killed < options.kills:
        raise SystemExit(f"all was indexed after {killed} of {options.kills} kills: raise --photos")
    if not once or not found or re.search(r"[1-9]", found[0]):
        raise SystemExit("a photo was lost, or indexed twice")


if __name__ == "__main__":
    main()
