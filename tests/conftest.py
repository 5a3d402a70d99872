"""Fixtures for all tests: temporary files, real photos from REAL_DATA, and fresh process-wide objects."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from jobs.process import process
from stores.patience import patience
from tests.emptying import emptying_by_copy
from tests.settings import on_postgres

if TYPE_CHECKING:
    from tests.s3_server import S3Server

# A few examples, the same each time. --hypothesis-profile=long draws new examples each time, and stores failing ones.
_FUZZING: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
hypothesis_settings.register_profile("short", derandomize=True, max_examples=250, database=None, **_FUZZING)
hypothesis_settings.register_profile("long", max_examples=10_000, print_blob=True, **_FUZZING)
hypothesis_settings.load_profile("short")

_TESTS = Path(__file__).parent
# Their tests use no database of this process.
_WAIT_FOR_PROCESSES = ("deploy", "services")
# Files of which a test, or tests that stay together, take half a minute or longer: others would wait for them in the end.
_LONGEST = (
    "test_schema_fuzz.py", "test_memory.py", "test_runbooks.py", "test_stack.py", "test_machines.py", "test_distil.py",
    "test_training_for_real.py", "test_fine_tune.py",
)  # fmt: skip
# Objects that are made between collections of garbage.
_GARBAGE = 10_000
# Processes for tests. Each takes six seconds of processor time until its first test.
_MORE_THAN_CORES = 3
# Of a parameter in a test's name.
_LONGEST_NAME = 100
NO_TENSORFLOW = "TensorFlow is not installed: make setup"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Each test starts in the language of the settings, and with it fixtures of any scope: a page before may have left another."""
    translation.deactivate()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test fails if REQUIRE_ALL does not allow it."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and not _may_be_skipped(report):
        report.outcome, report.longrepr = "failed", _left_out(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a skipped file. If it needs TensorFlow, `-m tensorflow` must select it in the other environment."""
    report = yield
    if not report.skipped:
        return report
    if not _may_be_skipped(report):
        report.outcome, report.longrepr = "failed", _left_out(report)
    elif os.environ.get("REQUIRE_ALL") and "pytest.mark.tensorflow" not in collector.path.read_text():
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} needs TensorFlow: set `pytestmark = pytest.mark.tensorflow` in it"
    return report


def _may_be_skipped(report: pytest.TestReport | pytest.CollectReport) -> bool:
    """Whether REQUIRE_ALL allows it: "1" allows no skipped test, "without-tensorflow" allows those that need TensorFlow."""
    required = os.environ.get("REQUIRE_ALL")
    return not required or (required == "without-tensorflow" and NO_TENSORFLOW in _reason(report))


def _left_out(report: pytest.TestReport | pytest.CollectReport) -> str:
    return f"REQUIRE_ALL is set, and {report.nodeid} was skipped. {_reason(report)}"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else report.longreprtext


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the notes of passed tests: `record_property("note", text)`."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "note":
                terminalreporter.write_line(str(text))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Short names of tests whose parameter is a long text or file: the workers of pytest-xdist send the names to each other."""
    if isinstance(val, str | bytes) and len(val) > _LONGEST_NAME:
        return f"{val[:_LONGEST_NAME]!a}, {len(val)} long"
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores, because many tests wait most of the time for processes that they have started."""
    return (os.cpu_count() or 1) + _MORE_THAN_CORES


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """Workers of pytest-xdist share no fixtures, so tests that share a module's stay together; what takes longest begins first."""
    if on_postgres:
        config.hook.pytest_deselected(items=[item for item in items if not _depends_on_database(item)])
        items[:] = filter(_depends_on_database, items)
    without_tensorflow = find_spec("tensorflow") is None
    for item in items:
        if without_tensorflow and item.get_closest_marker("tensorflow"):
            item.add_marker(pytest.mark.skip(reason=NO_TENSORFLOW))
        if isinstance(item, pytest.Function) and _shares_fixtures(item) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))
    yield
    # A stable sort, to keep Django's order: a test with real transactions deletes the data of the migrations.
    items.sort(key=_rank)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected: what is imported stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Leave what was collected to no later collection of garbage, and collect seldom: a tenth of what a test takes went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)


def _rank(item: pytest.Item) -> int:
    """0 for what begins first."""
    path = item.path.relative_to(_TESTS)
    return 0 if path.name in _LONGEST else 1 if path.parts[0] in _WAIT_FOR_PROCESSES else 2


def _depends_on_database(item: pytest.Item) -> bool:
    """Whether another database can change what the test shows."""
    if item.get_closest_marker("any_database"):
        return False
    fixtures = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else ()
    return "db" in fixtures or "transactional_db" in fixtures or item.get_closest_marker("django_db") is not None


def _shares_fixtures(item: pytest.Function) -> bool:
    definitions = item._fixtureinfo.name2fixturedefs.values()
    return any(definition.scope == "module" for each in definitions for definition in each)


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """See `tests.emptying`."""
    with emptying_by_copy():
        yield


@pytest.fixture(autouse=True)
def empty_caches() -> None:
    """Each test starts with empty caches: no API keys, no request counts, no metrics."""
    for cache in caches.all():
        cache.clear()


@pytest.fixture(autouse=True)
def media_root(settings: Any, tmp_path: Path) -> Path:
    """Each test stores its photos in a folder of its own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture(autouse=True)
def uploads_root(settings: Any, tmp_path: Path) -> Path:
    """Each test stores its uploads in a folder of its own."""
    settings.UPLOADS_ROOT = tmp_path / "uploads"
    return tmp_path / "uploads"


@pytest.fixture(autouse=True)
def fresh_process() -> None:
    """Each test starts without what others left: a runner that is shutting down, job threads, patience."""
    process.clear()
    patience.seconds = 0


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photos and product data; the test is skipped if REAL_DATA is not set."""
    folder = os.environ.get("REAL_DATA")
    if not folder:
        pytest.skip("REAL_DATA is not set: no real photos to test with")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A server that speaks S3."""
    # Not above: most tests need none, and its libraries take half a second.
    from tests.s3_server import S3Server

    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def bucket(s3: S3Server, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket of the test's own, which this process keeps its files in."""
    name = s3.make_bucket()
    account = s3.account(name)
    stores = {
        kind: {**each, "OPTIONS": {**each["OPTIONS"], **account}} for kind, each in settings.BUCKET_STORAGES.items()
    }
    settings.STORAGES = {**settings.STORAGES, **stores}
    settings.STORAGE_URL = f"s3://{name}"
    settings.STORAGE_CACHE_DIR = tmp_path / "cache"
    monkeypatch.setattr("stores.bucket._Away.until", float("-inf"))
    return name
