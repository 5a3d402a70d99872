"""The environment is read once, and a bad value is said in words."""

import ast
from pathlib import Path

import httpx
import pytest

from tests.services.conftest import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site without a database: nothing here gets that far."""
    return Site(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("DATABASE_URL", "mysql://root@127.0.0.1/shop", "DATABASE_URL starts with 'mysql': use postgres://"),
        ("API_WRITES", "maybe", "API_WRITES='maybe' is not one of open, keys, off"),
        ("API_REQUESTS_PER_MINUTE", "many", "API_REQUESTS_PER_MINUTE='many' is not a whole number"),
        ("DEBUG", "maybe", "DEBUG='maybe' is neither true nor false"),
        ("SERVICE", "everything", "SERVICE='everything' is not one of all, catalog, recommender"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL='LOUD' is not one of"),
        ("ENCODER_THREADS", "0", "ENCODER_THREADS='0' is not a whole number above 0"),
        ("PHOTO_MAX_BYTES", "20MB", "PHOTO_MAX_BYTES='20MB' is not a whole number above 0"),
        ("DEFAULT_ENCODER", "/nowhere/model.tflite", "there is no file /nowhere/model.tflite"),
        ("DEBUG", "false", "SECRET_KEY is not set"),
        ("BACKBONES", "mobilenet", "BACKBONES: 'mobilenet' is not name=value"),
        ("FETCH_PORTS", "http", "FETCH_PORTS: 'http' is not a list of ports like 80,443"),
        ("FETCH_ALLOW_NETWORKS", "intranet", "write networks like 10.1.0.0/16"),
        (
            "WORKER_METRICS_PORT",
            "10.0.0.5",
            "WORKER_METRICS_PORT='10.0.0.5' is neither a port like 8001 nor an address",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "collector:4317",
            "'collector:4317' is not an address like http://collector:4318",
        ),
        ("QDRANT_READ_CONSISTENCY", "most", "QDRANT_READ_CONSISTENCY='most' is not one of majority, quorum, all"),
        ("QDRANT_SHARD_NUMBER", "many", "QDRANT_SHARD_NUMBER='many' is not a whole number above 0"),
        ("TRAIN_ARCHIVE_MAX_BYTES", "2GB", "TRAIN_ARCHIVE_MAX_BYTES='2GB' is not a whole number above 0"),
    ],
)
def test_a_bad_value_is_said(site, variable, value, said):
    failed = site.manage("check", check=False, **{"QDRANT_URL": "http://127.0.0.1:6333", variable: value})
    assert failed.returncode != 0
    assert said in failed.stderr


def test_the_folder_where_processes_add_up_their_metrics_is_made(site, tmp_path):
    site.manage("check", PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "run" / "metrics"))
    assert (tmp_path / "run" / "metrics").is_dir()


def test_training_sets_are_not_kept_where_anybody_may_read(site):
    failed = site.manage("check", check=False, UPLOADS_ROOT=str(site.folder / "media" / "uploads"))
    assert failed.returncode != 0
    assert "where anybody may read" in failed.stderr


def test_a_production_server_asks_for_keys_unless_it_is_told_to_be_open(site):
    show = "from django.conf import settings; print(settings.API_WRITES, settings.BACKBONES)"
    production = {"DJANGO_SETTINGS_MODULE": "lookalike.settings", "DEBUG": "false", "SECRET_KEY": "x"}
    assert site.run("-c", show, **production).stdout == "keys {'bundled': 'bundled'}\n"
    told = site.run("-c", show, **production, API_WRITES="open", BACKBONES="a=/m/a, b=https://m.example/b?x=1")
    assert told.stdout == "open {'a': '/m/a', 'b': 'https://m.example/b?x=1', 'bundled': 'bundled'}\n"


def test_a_qdrant_cluster_is_described_by_variables(site):
    show = "from django.conf import settings; print(settings.VECTOR_INDEX['OPTIONS'])"
    cluster = {
        "QDRANT_URL": "http://q:6333",
        "QDRANT_GRPC_PORT": "6334",
        "QDRANT_SHARD_NUMBER": "6",
        "QDRANT_READ_CONSISTENCY": "majority",
        "QDRANT_QUANTIZATION": "int8",
        "QDRANT_ON_DISK": "true",
    }
    told = site.run("-c", show, **cluster, DJANGO_SETTINGS_MODULE="lookalike.settings")
    assert ast.literal_eval(told.stdout) == {
        "url": "http://q:6333",
        "api_key": None,
        "grpc_port": 6334,
        "shard_number": 6,
        "read_consistency": "majority",
        "quantization": "int8",
        "on_disk": True,
        "on_disk_payload": False,
    }


def test_a_secret_can_come_from_a_file(site, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a long random string that nobody guesses")
    told = site.manage("diffsettings", "--output=unified", DEBUG="false", SECRET_KEY_FILE=str(secret))
    assert "+ SECRET_KEY = 'a long random string that nobody guesses'" in told.stdout


@pytest.mark.parametrize(
    ("content", "value"), [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" s3cret \n\n", " s3cret \n"), ("\n", "")]
)
def test_the_line_end_of_a_secret_s_file_is_no_part_of_the_secret(site, tmp_path, content, value):
    secret = tmp_path / "secret"
    secret.write_bytes(content.encode())
    show = "from django.conf import settings; print(ascii([settings.SECRET_KEY, settings.VECTOR_INDEX['OPTIONS']['api_key']]))"
    told = site.run(
        "-c", show, DJANGO_SETTINGS_MODULE="lookalike.settings", SECRET_KEY_FILE=str(secret), DEBUG="true",
        QDRANT_URL="http://127.0.0.1:6333", QDRANT_API_KEY_FILE=str(secret), check=bool(value),
    )  # fmt: skip
    assert told.stdout == (f"{[value, value]!r}\n" if value else "")
    assert value or "SECRET_KEY is not set" in told.stderr


def test_a_secret_file_that_is_not_there_is_said(site, tmp_path):
    failed = site.manage("check", check=False, DEBUG="false", SECRET_KEY_FILE=str(tmp_path / "nowhere"))
    assert failed.returncode != 0
    assert "nowhere" in failed.stderr


PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "a3f8c1d2e4b5968770a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607",
    "ALLOWED_HOSTS": "shop.example,127.0.0.1",
    "HTTPS": "true",
    "BEHIND_TLS_PROXY": "true",
}


def test_djangos_own_advice_for_deployment_is_followed(site):
    checked = site.manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert "no issues" in checked.stdout


def test_without_https_djangos_advice_is_heard(site):
    checked = site.manage(
        "check", "--deploy", "--fail-level", "WARNING", check=False, **PRODUCTION | {"HTTPS": "false"}
    )
    assert checked.returncode != 0
    assert "SECURE_HSTS_SECONDS" in checked.stderr


def test_visitors_by_http_are_sent_to_https_and_those_who_probe_are_not(make_site):
    base = make_site(**PRODUCTION).serve().base
    moved = httpx.get(f"{base}/api/products")
    assert (moved.status_code, moved.headers["Location"]) == (301, f"{base.replace('http:', 'https:')}/api/products")
    assert httpx.get(f"{base}/healthz").status_code == 200
    secure = httpx.get(f"{base}/api/products", headers={"X-Forwarded-Proto": "https"})
    assert secure.status_code == 200
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"
