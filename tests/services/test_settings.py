"""How the environment is read, and the errors of values that cannot be used."""

import ast
import os
import re
import threading
from pathlib import Path

import httpx
import pytest

from lookalike import environment
from tests.services.conftest import ForkedSite, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site without a database: nothing here gets that far."""
    return ForkedSite(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("DATABASE_URL", "mysql://root@127.0.0.1/shop", "DATABASE_URL starts with 'mysql': use postgres://"),
        ("API_WRITES", "maybe", "API_WRITES='maybe' should be 'open', 'keys' or 'off'"),
        ("API_REQUESTS_PER_MINUTE", "many", "API_REQUESTS_PER_MINUTE='many' should be a valid integer"),
        ("DEBUG", "maybe", "DEBUG='maybe' should be true or false"),
        ("SERVICE", "everything", "SERVICE='everything' should be 'all', 'catalog' or 'recommender'"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL='LOUD' should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("ENCODER_THREADS", "0", "ENCODER_THREADS='0' should be greater than 0"),
        ("PHOTO_MAX_BYTES", "20MB", "PHOTO_MAX_BYTES='20MB' should be a valid integer"),
        ("DEFAULT_ENCODER", "/nowhere/model.tflite", "there is no file /nowhere/model.tflite"),
        ("DEBUG", "false", "SECRET_KEY is not set"),
        ("BACKBONES", "mobilenet", "BACKBONES='mobilenet' should be name=value pairs"),
        ("FETCH_PORTS", "80,70000", "FETCH_PORTS='70000' should be less than 65536"),
        ("QDRANT_SHARD_NUMBER", "-1", "QDRANT_SHARD_NUMBER='-1' should be greater than 0"),
        ("API_REQUESTS_PER_MINUTE", "-1", "API_REQUESTS_PER_MINUTE='-1' should be greater than or equal to 0"),
        ("FETCH_PORTS", "http", "FETCH_PORTS='http' should be a valid integer"),
        ("FETCH_ALLOW_NETWORKS", "intranet", "FETCH_ALLOW_NETWORKS='intranet' is not a valid IPv4 or IPv6 network"),
        (
            "WORKER_METRICS_PORT",
            "10.0.0.5",
            "WORKER_METRICS_PORT='10.0.0.5' should be a port like 8001, or an address and a port",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "collector:4317",
            "'collector:4317' should be a URL like http://collector:4318",
        ),
        (
            "QDRANT_READ_CONSISTENCY",
            "most",
            "QDRANT_READ_CONSISTENCY='most' should be a valid integer",
        ),
        ("QDRANT_READ_CONSISTENCY", "most", "or should be 'majority', 'quorum' or 'all'"),
        ("FAISS_INDEX", "annoy", "FAISS_INDEX='annoy' should be 'flat', 'hnsw' or 'ivf_pq'"),
        ("FAISS_INDEX", "hnsw", "FAISS_INDEX is set, and so is QDRANT_URL"),
        ("QDRANT_SHARD_NUMBER", "many", "QDRANT_SHARD_NUMBER='many' should be a valid integer"),
        ("TIME_ZONE", "Berlin", "TIME_ZONE='Berlin' should be the name of a time zone like Europe/Berlin"),
        ("LANGUAGE_CODE", "klingon", "LANGUAGE_CODE='klingon' should be the code of a language like de"),
        ("TRAIN_ARCHIVE_MAX_BYTES", "2GB", "TRAIN_ARCHIVE_MAX_BYTES='2GB' should be a valid integer"),
        ("DATABASE_URL", "sqlite", "DATABASE_URL has no scheme: use postgres://"),
        ("DATABASE_URL", "sqlite:////proc/nowhere/shop.sqlite3", "the folder of the database cannot be made"),
        ("DATA_DIR", " ", "DATA_DIR=' ' should be a path"),
        (
            "DATA_DIR",
            "~nobody-here/var",
            "DATA_DIR='~nobody-here/var' should be a path: its ~ is no user's folder here",
        ),
        ("REDIS_URL", "127.0.0.1:6379", "REDIS_URL has no scheme of Redis: use redis://127.0.0.1:6379/0"),
        ("CELERY_BROKER_URL", "rabbit:5672", "CELERY_BROKER_URL has no scheme"),
        ("ALLOWED_HOSTS", "https://shop.example", "ALLOWED_HOSTS='https://shop.example' should be the name of a host"),
        ("ALLOWED_HOSTS", "shop.example:8000", "ALLOWED_HOSTS='shop.example:8000' should be the name of a host"),
        ("WIDGET_API_KEY", "sk_secret", "WIDGET_API_KEY is no publishable key (pk_...)"),
        ("SHOP_CURRENCY", "euro", "SHOP_CURRENCY='euro' should be a code of ISO 4217 like EUR"),
        ("PRODUCT_URL", "https://shop.example/p/{handle}", "should name the product by {id}, {slug} or {sku}"),
        ("PRODUCT_URL", "https://shop.example/p/{id}}", "should name the product by {id}, {slug} or {sku}"),
        ("PRODUCT_URL", "https://shop.example/p/", "should name the product by {id}, {slug} or {sku}"),
    ],
)
def test_an_unusable_value_is_refused_with_what_is_allowed(site, variable, value, message):
    failed = site.manage("check", check=False, **{"QDRANT_URL": "http://127.0.0.1:6333", variable: value})
    assert failed.returncode != 0
    assert message in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "sk_secret" not in failed.stderr


def test_a_broker_may_be_named_by_its_host_alone(site):
    assert site.manage("check", CELERY_BROKER_URL="rabbit.internal").returncode == 0


def test_with_traceback_an_unusable_value_has_one(site):
    assert "Traceback" in site.manage("check", "--traceback", check=False, DEBUG="maybe").stderr


def test_a_path_is_below_the_folder_of_the_project_whatever_the_current_folder_is(site):
    show = (
        "from django.conf import settings; print(settings.DATA_DIR, settings.ENCODERS_ROOT, settings.SHOP_CURRENCY,"
        " settings.ALLOWED_HOSTS, sep='\\n')"
    )
    hosts = {"ALLOWED_HOSTS": "*, .shop.example, [::1], fd00::1, 10.0.0.1"}
    result = site.run(
        "-c", show, **hosts, DATA_DIR="build/../var", ENCODERS_ROOT="~/encoders", SHOP_CURRENCY="chf",
        HOME=str(site.folder), DJANGO_SETTINGS_MODULE="lookalike.settings",
    )  # fmt: skip
    assert result.stdout.splitlines() == [
        f"{environment.BASE_DIR}/build/../var",
        f"{site.folder}/encoders",
        "CHF",
        "['*', '.shop.example', '[::1]', 'fd00::1', '10.0.0.1']",
    ]


def test_a_secret_key_that_can_be_guessed_is_refused_in_production(site):
    failed = site.manage("check", check=False, DEBUG="false", SECRET_KEY="x" * 31)
    assert failed.returncode != 0
    assert "SECRET_KEY has 31 characters, and needs 32" in failed.stderr


def test_all_unusable_values_are_reported_at_once(site):
    failed = site.manage("check", check=False, SERVICE="everything", DEBUG="maybe", FETCH_THREADS="none")
    for name in ("SERVICE", "DEBUG", "FETCH_THREADS"):
        assert f"{name}='" in failed.stderr


def test_the_password_in_a_database_url_is_not_in_the_error(site):
    failed = site.manage("check", check=False, DATABASE_URL="mysql://root:s3cret@127.0.0.1/shop")
    assert "s3cret" not in failed.stderr


def test_another_file_than_env_can_be_named(site, tmp_path):
    file = tmp_path / "second-shop.env"
    file.write_text("FETCH_THREADS=none\n")
    assert "FETCH_THREADS='none'" in site.manage("check", check=False, ENV_FILE=str(file)).stderr
    assert "there is no such file" in site.manage("check", check=False, ENV_FILE=str(tmp_path / "missing")).stderr


def test_a_line_of_the_file_that_sets_nothing_is_refused(site, tmp_path):
    file = tmp_path / "shop.env"
    file.write_text("\ufeff# Of the shop\nDEBUG=true\n\nSECRET_KEY = s3cret\n", encoding="utf-8")

    failed = site.manage("check", check=False, ENV_FILE=str(file))

    assert (
        f"{file}, line 4: 'SECRET_KEY' is no NAME=value, without spaces before the name and round the ="
        in failed.stderr
    )
    assert "s3cret" not in failed.stderr


@pytest.mark.parametrize(
    "lines", ["SECRET_KEY: s3cret", "SECRET_KEY s3cret", "SECRET_KEY='first\ns3cret'", "  A=s3cret"]
)
def test_what_a_line_that_sets_nothing_says_is_kept_secret(site, tmp_path, lines):
    file = tmp_path / "shop.env"
    file.write_text(f"{lines}\n")

    failed = site.manage("check", check=False, ENV_FILE=str(file))

    assert f"{file}, line {lines.count(chr(10)) + 1}: " in failed.stderr
    assert "s3cret" not in failed.stderr


def test_the_file_may_be_a_pipe(site, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("FETCH_THREADS=none\n",), daemon=True)
    writer.start()
    assert "FETCH_THREADS='none'" in site.manage("check", check=False, ENV_FILE=str(pipe)).stderr


def test_a_file_that_begins_with_a_byte_order_mark_is_read(site, tmp_path):
    file = tmp_path / "shop.env"
    file.write_text("FETCH_THREADS=none\n", encoding="utf-8-sig")
    assert "FETCH_THREADS='none'" in site.manage("check", check=False, ENV_FILE=str(file)).stderr


def test_a_file_that_cannot_be_read_is_named(site, tmp_path):
    file = tmp_path / "shop.env"
    file.write_bytes("# für\n".encode("latin-1"))
    assert f"{file} cannot be read" in site.manage("check", check=False, ENV_FILE=str(file)).stderr


def test_a_misspelt_name_in_the_file_is_warned_of(site, tmp_path):
    file = tmp_path / "shop.env"
    file.write_text(
        "DEBUG=true\nALOWED_HOSTS=shop.example\nredis_url=redis://127.0.0.1\nPOSTGRES_PASSWORD=x\nPORT=1\n"
        "discovery.type=single-node\nPUBLIC-URL=https://shop.example\n"
    )

    warned = site.manage("check", ENV_FILE=str(file)).stderr

    assert "ALOWED_HOSTS in the .env file is no setting of Lookalike" in warned
    assert "If it is to be ALLOWED_HOSTS, rename it." in warned
    assert "If it is to be REDIS_URL, rename it." in warned
    assert "If it is to be PUBLIC_URL, rename it." in warned
    assert warned.count("is no setting of Lookalike") == 3


def test_the_example_lists_every_variable():
    example = (environment.BASE_DIR / ".env.example").read_text()
    listed = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    assert listed == set(environment.Environment.model_fields)


def test_the_folder_for_shared_metrics_is_created(site, tmp_path):
    site.manage("check", PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "run" / "metrics"))
    assert (tmp_path / "run" / "metrics").is_dir()


def test_uploads_are_not_stored_below_the_public_media(site):
    failed = site.manage("check", check=False, UPLOADS_ROOT=str(site.folder / "media" / "uploads"))
    assert failed.returncode != 0
    assert "which is public" in failed.stderr


def test_production_requires_api_keys_unless_opened(site):
    show = "from django.conf import settings; print(settings.API_WRITES, settings.BACKBONES)"
    production = {"DJANGO_SETTINGS_MODULE": "lookalike.settings", "DEBUG": "false", "SECRET_KEY": "x" * 32}
    assert site.run("-c", show, **production).stdout == "keys {'bundled': 'bundled', 'bundled-fast': 'bundled-fast'}\n"
    result = site.run("-c", show, **production, API_WRITES="open", BACKBONES="a=/m/a, b=https://m.example/b?x=1")
    names = "'a': '/m/a', 'b': 'https://m.example/b?x=1', 'bundled': 'bundled', 'bundled-fast': 'bundled-fast'"
    assert result.stdout == f"open {{{names}}}\n"


def test_times_and_prices_are_those_of_the_shop_s_zone_and_language(site):
    show = """if True:
        from datetime import UTC, datetime
        from decimal import Decimal
        import django
        django.setup()
        from django.utils import timezone
        from django.utils.formats import date_format
        from catalog.money import money
        at = timezone.localtime(datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
        print(date_format(at, "SHORT_DATETIME_FORMAT"), money(Decimal("1234.5"), "EUR"))
    """
    shop = {"TIME_ZONE": "Europe/Berlin", "LANGUAGE_CODE": "de"}
    shown = site.run("-c", show, **shop, DJANGO_SETTINGS_MODULE="lookalike.settings").stdout
    assert shown == "02.07.2026 00:30 1.234,50\N{NO-BREAK SPACE}€\n"


def test_variables_configure_a_qdrant_cluster(site):
    show = "from django.conf import settings; print(settings.VECTOR_INDEX['OPTIONS'])"
    cluster = {
        "QDRANT_URL": "http://q:6333",
        "QDRANT_GRPC_PORT": "6334",
        "QDRANT_SHARD_NUMBER": "6",
        "QDRANT_READ_CONSISTENCY": "majority",
        "QDRANT_QUANTIZATION": "int8",
        "QDRANT_ON_DISK": "true",
    }
    result = site.run("-c", show, **cluster, DJANGO_SETTINGS_MODULE="lookalike.settings")
    assert ast.literal_eval(result.stdout) == {
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
    result = site.manage("diffsettings", "--output=unified", DEBUG="false", SECRET_KEY_FILE=str(secret))
    assert "+ SECRET_KEY = 'a long random string that nobody guesses'" in result.stdout


@pytest.mark.parametrize(
    ("content", "value"), [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" s3cret \n\n", " s3cret \n"), ("\n", "")]
)
def test_a_secret_from_a_file_has_no_trailing_line_end(site, tmp_path, content, value):
    secret = tmp_path / "secret"
    secret.write_bytes(content.encode())
    show = "from django.conf import settings; print(ascii([settings.SECRET_KEY, settings.VECTOR_INDEX['OPTIONS']['api_key']]))"
    result = site.run(
        "-c", show, DJANGO_SETTINGS_MODULE="lookalike.settings", SECRET_KEY_FILE=str(secret), DEBUG="true",
        QDRANT_URL="http://127.0.0.1:6333", QDRANT_API_KEY_FILE=str(secret), check=bool(value),
    )  # fmt: skip
    assert result.stdout == (f"{[value, value]!r}\n" if value else "")
    assert value or "SECRET_KEY is not set" in result.stderr


def test_a_missing_secret_file_is_reported_with_its_variable(site, tmp_path):
    failed = site.manage("check", check=False, DEBUG="false", SECRET_KEY_FILE=str(tmp_path / "nowhere"))
    assert failed.returncode != 0
    assert "SECRET_KEY_FILE" in failed.stderr
    assert "nowhere" in failed.stderr


PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "a3f8c1d2e4b5968770a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607",
    "ALLOWED_HOSTS": "shop.example,127.0.0.1",
    "HTTPS": "true",
    "BEHIND_TLS_PROXY": "true",
}


def test_production_passes_djangos_deployment_checks(site):
    checked = site.manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert "no issues" in checked.stdout


def test_without_https_djangos_deployment_checks_warn(site):
    checked = site.manage(
        "check", "--deploy", "--fail-level", "WARNING", check=False, **PRODUCTION | {"HTTPS": "false"}
    )
    assert checked.returncode != 0
    assert "SECURE_HSTS_SECONDS" in checked.stderr


def test_http_is_redirected_to_https_but_health_checks_are_not(make_site):
    base = make_site(**PRODUCTION).serve().base
    moved = httpx.get(f"{base}/api/products")
    assert (moved.status_code, moved.headers["Location"]) == (301, f"{base.replace('http:', 'https:')}/api/products")
    assert httpx.get(f"{base}/healthz").status_code == 200
    secure = httpx.get(f"{base}/api/products", headers={"X-Forwarded-Proto": "https"})
    assert secure.status_code == 200
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"
