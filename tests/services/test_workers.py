"""Celery workers index what other processes bring in, and nothing is lost where the broker is unavailable."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest

from tests.services.conftest import ROOT

NOWHERE = {"redis": "redis://127.0.0.1:1/0", "amqp": "amqp://guest:guest@127.0.0.1:1//"}


def test_a_worker_indexes_what_another_process_brings_in(make_site, draw_photos, postgres_url, broker):
    site = make_site(DATABASE_URL=postgres_url, **broker)
    site.start_worker("--loglevel=info")
    site.wait_until(lambda: " ready." in site.log())
    site.manage("import_catalog", str(draw_photos(5)))
    site.wait_until(lambda: site.states() == {"indexed": 5})
    site.manage("import_catalog", str(draw_photos(2, "more")))
    site.wait_until(lambda: site.states() == {"indexed": 7})


def test_what_a_worker_logs_names_the_request_that_called_for_it(make_site, postgres_url, broker):
    site = make_site(DATABASE_URL=postgres_url, LOG_FORMAT="json", **broker)
    site.start_worker(concurrency=1)
    site.wait_until(lambda: " ready." in site.log())
    imports = "from embeddings.tasks import sync_images; from lookalike.request_ids import current"
    for request_id in ("first", "second"):
        site.manage("shell", "-c", f"{imports}; current.set({request_id!r}); sync_images.delay([])")

    def succeeded() -> list[str]:
        whole = site.log().rpartition("\n")[0].splitlines()
        lines = [json.loads(line) for line in whole if line.startswith("{")]
        return [line["request_id"] for line in lines if "succeeded" in line["message"]]

    site.wait_until(lambda: len(succeeded()) >= 2)
    assert succeeded() == ["first", "second"]


@pytest.mark.parametrize("kind", ["redis", "amqp"])
def test_a_broker_that_is_away_fails_no_import_and_loses_nothing(make_site, draw_photos, kind):
    site = make_site(CELERY_BROKER_URL=NOWHERE[kind])
    done = site.manage("import_catalog", str(draw_photos(3)))
    assert "the broker is unavailable" in done.stderr
    assert site.states() == {"pending": 3}
    site.manage("reindex", "--only-missing")
    assert site.states() == {"indexed": 3}


def test_the_workers_of_the_readme_run_beside_one_another(make_site, postgres_url, broker):
    site = make_site(DATABASE_URL=postgres_url, **broker)
    machine = uuid4().hex
    commands = re.findall(r"^\.venv/bin/celery (.*?)#", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        # The queues and the machine are this test's own, and beat would write its schedule into the project's folder.
        own = command.replace("-Q ", f"-Q {broker['TEST_QUEUE']}-").replace("%h", machine).replace("--beat", "")
        site.start("-m", "celery", *own.split(), "--loglevel=info")
    site.wait_until(lambda: site.log().count(" ready.") == len(commands))
    assert "DuplicateNodename" not in site.log()


def test_a_worker_is_started_as_the_documentation_says(make_site):
    site = make_site(CELERY_BROKER_URL=NOWHERE["redis"])
    # No DJANGO_SETTINGS_MODULE is set, and the project's own settings are found.
    assert "redis://127.0.0.1:1/0" in site.run("-m", "celery", "-A", "lookalike", "report").stdout
