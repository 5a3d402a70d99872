"""A broker whose workers are away, and one that is full: the queues are bounded, and drain by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from tests.services.conftest import ROOT, RedisServer, find_redis

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.services.settings", "PYTHONPATH": str(ROOT), "TEST_QUEUE": "limits"}

# Three hours of the periodic task and of beat, without a worker, and an import of many products after them.
THREE_HOURS = """
import json, time
from celery import current_app
from jobs.tasks import queue_lengths
from lookalike.celery import Scheduler
from embeddings import receivers, tasks

real, passed = time.monotonic, 0
time.monotonic = lambda: real() + passed
beat = Scheduler(current_app, lazy=True, schedule_filename="unused")
entries = [
    beat.Entry(name=name, app=current_app, **{key: value for key, value in entry.items()})
    for name, entry in current_app.conf.beat_schedule.items()
]
for minute in range(180):
    passed += 60
    tasks.reconcile(0)
    for entry in entries:
        beat.apply_entry(entry)
print(json.dumps(queue_lengths()))
for batch in range(800):
    receivers.tasks.dispatch_indexing([batch])
print(json.dumps(queue_lengths()))
"""

# The import's own transactions end by time, too: their number is not known on a busy machine.
IN_ONE_TRANSACTION = """
from django.core.management import call_command
from django.db import transaction

with transaction.atomic():
    call_command("import_catalog", "{folder}")
"""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(find_redis(), tmp_path, "--maxmemory", "6mb", "--maxmemory-policy", "volatile-lru")
    server.start()
    yield server
    server.stop()


def test_workers_that_are_away_find_a_bounded_queue(make_site, draw_photos, redis):
    site = make_site(CELERY_BROKER_URL=redis.url, **SETTINGS)
    site.manage("import_catalog", str(draw_photos(3)))

    done = site.manage("shell", "--no-imports", "-c", THREE_HOURS)

    by_the_clock, by_an_import = map(json.loads, done.stdout.splitlines()[-2:])
    assert set(by_the_clock) == {f"limits-{queue}" for queue in ("sync", "embed", "jobs", "train")}
    assert 0 < max(by_the_clock.values()) <= 60
    assert by_an_import["limits-sync"] <= 510


def test_one_message_is_sent_for_what_a_transaction_of_an_import_changes(make_site, draw_photos, redis):
    site = make_site(CELERY_BROKER_URL=redis.url, **SETTINGS)

    site.manage("shell", "--no-imports", "-c", IN_ONE_TRANSACTION.format(folder=draw_photos(40)))

    with closing(Redis.from_url(redis.url)) as client:
        messages = client.llen("limits-sync")
    assert messages == 2  # one for the photos, one for the texts


def test_a_worker_starts_at_the_limit_of_redis_and_drains(make_site, draw_photos, postgres_url, redis):
    site = make_site(DATABASE_URL=postgres_url, CELERY_BROKER_URL=redis.url, MESSAGE_LOST_AFTER_S="1", **SETTINGS)
    site.manage("import_catalog", str(draw_photos(3)))
    with closing(Redis.from_url(redis.url)) as client, pytest.raises(OutOfMemoryError):
        for _ in range(10_000):
            client.lpush("limits-embed", "x" * 10_000)

    site.start_worker("--loglevel=info", "--beat", f"--schedule={site.folder / 'schedule'}")

    site.wait_until(lambda: site.states() == {"indexed": 3})
    assert "Redis is at its limit of memory: the messages of" in site.log()
