"""What is wrong outside the program ends a command with one line: what it is, and what to do."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from argparse import Action, _SubParsersAction
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import get_commands, load_command_class

from tests.factories import jpeg
from tests.services.conftest import PATIENCE_S, ROOT, ForkedSite, Site

OWN = {"accounts", "catalog", "embeddings", "lookalike", "recommender", "training"}
LONG = "x" * 300


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


def failed(site: Site, *words: str) -> tuple[int, str]:
    """The exit status of a command that fails, and what it says."""
    done = site.manage(*words, check=False)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "the database is not that of this release: run manage.py migrate (no such table"),
        ({"DATABASE_URL": "postgres://shop:secret@127.0.0.1:1/shop"}, "the database 127.0.0.1/shop cannot be used: "),
    ],
)
def test_a_database_that_cannot_be_used_is_named(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    status, error = failed(ForkedSite(tmp_path, **environment), "api_key", "list")

    assert (status, "secret" in error) == (1, False)
    assert f"CommandError: {said}" in error


def test_a_mistake_is_said_in_a_line(site: Site) -> None:
    for words, status, said in (
        (("import_catalog", LONG), 1, f"{LONG} cannot be used: File name too long"),
        (("import_catalog", ""), 2, "SOURCE: the path is empty: is a variable not set?"),
        (
            ("import_catalog", "sftp://shop:secret@shop.example/feed.xml"),
            2,
            "addresses that begin with sftp:// are not read: use http:// or https://",
        ),
        (("train", "--data", "nowhere"), 2, "--data: there is no file or folder nowhere"),
        (("evaluate", "--queries", "nowhere.zip"), 2, "--queries: there is no file or folder nowhere.zip"),
        (("doctor", "--limit", "-1"), 2, "'-1' is not a whole number from 0"),
        (("adapt", "--seed", "-1"), 2, "'-1' is not a whole number from 0 to 4,294,967,295"),
        (("train_ranker", "--clicks", "--seed", "x"), 2, "'x' is not a whole number from 0 to 4,294,967,295"),
        (("demo", "--count", "0"), 2, "'0' is not a whole number from 1 to 100,000"),
        (("demo", "--port", "99999"), 2, "'99999' is not a whole number from 1 to 65,535"),
        (("match", "--left", "a", "--right", "b", "--min-probability", "x"), 2, "'x' is no probability"),
        (("widget_files", "--base", "shop.example"), 2, "'shop.example' is no address such as https://"),
        (("export_collection", "--format", "bruno", "--out", "c", "--base", "shop"), 2, "'shop' is no address such as"),
        (("api_key", "create", ""), 1, "name: This field cannot be blank"),
        (("api_key", "create", "shop", "--may", "all"), 2, "(choose from 'import', 'train')"),
    ):
        ended, error = failed(site, *words)
        assert (ended, said in error) == (status, True), error


def own_commands() -> Iterator[tuple[str, list[Action]]]:
    """Each command of the project, with its arguments and those of its actions."""
    for name, app in sorted(get_commands().items()):
        if str(app) in OWN:
            parser = load_command_class(app, name).create_parser("manage.py", name)
            found = list(parser._actions)
            for action in parser._actions:
                for each in action.choices.values() if isinstance(action, _SubParsersAction) else ():
                    found += each._actions
            yield name, found


def test_a_job_that_does_not_exist_is_named_by_every_command_that_runs_jobs(site: Site) -> None:
    job = uuid4()
    for name, arguments in own_commands():
        if any("--job" in each.option_strings for each in arguments):
            status, error = failed(site, name, "--job", str(job))
            assert (status, error.endswith(f"CommandError: there is no job {job}\n")) == (1, True), f"{name}: {error}"


def test_an_empty_path_is_never_the_current_folder() -> None:
    """As of a variable that is not set: `import_catalog "$FILE"` imported every photo of the folder it ran in."""
    assert [name for name, arguments in own_commands() if any(each.type is Path for each in arguments)] == []


def test_a_file_that_is_no_encoder_is_named_and_leaves_no_collection(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(b"not a model")

    status, said = failed(site, "add_encoder", str(file), "--collection", "fashion")

    assert (status, f"CommandError: {file} is not a LiteRT model" in said) == (1, True), said
    assert "there is: all\n" in failed(site, "rollback_encoder", "--collection", "fashion")[1]


def test_a_client_replaces_no_other_package(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "pyproject.toml"
    other.write_text('[project]\nname = "shop"\n')

    status, said = failed(site, "export_client", "--out", str(tmp_path))

    assert (status, "is the folder of another package" in said) == (1, True), said
    assert other.read_text() == '[project]\nname = "shop"\n'


def test_a_port_that_is_taken_is_named_before_the_demo_is_drawn() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        for port, said in ((number, f"port {number} of 127.0.0.1 cannot be used"), ("web", "PORT=web is not a number")):
            done = subprocess.run(
                ["make", "free-port", f"PORT={port}", f"BIN={shlex.quote(str(Path(sys.executable).parent))}"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, said in done.stderr) == (2, True), done.stderr
            assert "PORT=9000" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_interrupt_any_command_without_a_traceback(
    site: Site, tmp_path: Path, number: signal.Signals
) -> None:
    never_written = tmp_path / "rules.json"
    os.mkfifo(never_written)
    process = site.start("manage.py", "rules", "import", str(never_written))
    _wait_for_reader(never_written)

    os.kill(process.pid, number)

    assert process.wait(PATIENCE_S) == 128 + number
    assert site.log().endswith("Interrupted.\n")
    assert "Traceback" not in site.log()


def test_photos_are_indexed_where_nobody_reads_the_output(site: Site, tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("sku,title,image\nm1,Mug,mug.jpg\n")
    (tmp_path / "mug.jpg").write_bytes(jpeg())
    site.manage("migrate", "-v0")
    reader, output = os.pipe()
    os.close(reader)

    command = [sys.executable, "manage.py", "import_catalog", str(tmp_path / "shop.csv")]
    done = subprocess.run(command, cwd=ROOT, env=site.environment, stdout=output, stderr=subprocess.PIPE, text=True)
    os.close(output)

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "indexed 1, removed 0, failed 0" in done.stderr


def _wait_for_reader(fifo: Path) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            # It stays open: its end would be that of the file.
            os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < give_up, "nothing reads it"
            time.sleep(0.05)
        else:
            return
