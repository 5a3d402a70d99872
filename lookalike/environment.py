"""Every variable that a deployment may set, declared once: name, type, bounds and default. `.env.example` explains them.

django-environ reads the process environment, a `.env` file in the project's folder (ENV_FILE names another), and for a variable X
the file that X_FILE names (Docker and Kubernetes secrets). pydantic converts and checks the values.
"""

from __future__ import annotations

import io
import os
import re
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import environ
from django.conf.global_settings import LANGUAGES as DJANGO_LANGUAGES
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    IPvAnyNetwork,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from catalog.contrast import AA, contrast, readable

BASE_DIR = Path(__file__).resolve().parent.parent

# The languages of pages, by their codes. The first is that of the source; `lookalike.translations` has the others.
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "ja")

# What text of the brand's colour stands on: the storefront's surface, and the darkest and the lightest of the admin.
LIGHT_GROUNDS = ("#f1ede7", "#ffffff")
DARK_GROUNDS = ("#262320", "#1f2937")
# What PRODUCT_URL may name.
_IN_PRODUCT_URLS = ("id", "slug", "sku")
_COLOUR = re.compile(r"#[0-9a-f]{6}\Z")

_DATABASE_SCHEMES = ("postgres", "postgresql", "psql", "pgsql", "sqlite")
# With the byte order mark that editors of Windows write, or without it.
_ENV_ENCODING = "utf-8-sig"
# A line of a `.env` file; names with points or hyphens are for other programs.
_VARIABLE = re.compile(r"(?:export )?([A-Za-z_0-9.-]+)=")
_FIRST_WORD = re.compile(r"\s*(?:export\s+)?(\w+)")
_HOST_ALONE = re.compile("[A-Za-z0-9._-]+")
# How alike a misspelt name is, of 1.
_NEARLY = 0.85
# The parts of OpenTelemetry that `lookalike.tracing` imports.
_TRACING = ("sdk", "exporter.otlp.proto.http", *(f"instrumentation.{name}" for name in ("celery", "django", "psycopg")))


def _split(value: object) -> object:
    """Split "a, b" at its commas; defaults are tuples already."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _split_pairs(value: object) -> object:
    """Split "name=value, name=value"."""
    parts = _split(value)
    if not isinstance(parts, list):
        return parts
    pairs = {}
    for part in parts:
        name, _, text = (piece.strip() for piece in part.partition("="))
        if not (name and text):
            raise PydanticCustomError(
                "pairs", "should be name=value pairs separated by commas; {pair} is none", {"pair": repr(part)}
            )
        pairs[name] = text
    return pairs


def _empty_is_none(value: object) -> object:
    """An empty variable is an unset one: docker-compose passes those on."""
    return None if value == "" else value


def _boolean(value: object) -> object:
    """Read a boolean as pydantic does, with spaces and empty text (false) allowed."""
    text = value.strip() if isinstance(value, str) else value
    try:
        return TypeAdapter(bool).validate_python(text or False)
    except ValidationError:
        raise PydanticCustomError("boolean", "should be true or false") from None


def _host_and_port(value: object) -> object:
    """Split "0.0.0.0:8001" or "[::]:8001"; a port alone is one of 127.0.0.1."""
    if not isinstance(value, str) or not value:
        return value or None
    host, _, port = value.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise PydanticCustomError(
            "host_and_port", "should be a port like 8001, or an address and a port like 0.0.0.0:8001"
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def _database_url(url: str) -> str:
    """Check the scheme. The message leaves out the URL, which may contain a password."""
    scheme, has_scheme, _ = url.partition("://")
    if has_scheme and scheme in _DATABASE_SCHEMES:
        return url
    says = f"starts with {scheme!r}" if has_scheme else "has no scheme"
    raise ValueError(f"{says}: use postgres://user:password@host:5432/name or sqlite:///absolute/path")


def _redis_url(url: str) -> str:
    """Check the scheme. The message leaves out the URL, which may contain a password."""
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("has no scheme of Redis: use redis://127.0.0.1:6379/0, or rediss:// for TLS")
    return url


def _broker_url(url: str) -> str:
    """Check that there is a scheme, or the name of a host alone, which is one of RabbitMQ. The message leaves out the URL."""
    if url and "://" not in url and not _HOST_ALONE.fullmatch(url):
        raise ValueError("has no scheme: use redis://127.0.0.1:6379/0 or amqp://user:password@127.0.0.1:5672//")
    return url


def _folder(value: object) -> object:
    """The path of a folder or file: one that is not absolute is below the project's folder, whatever the current one is."""
    if isinstance(value, str) and not value.strip():
        raise PydanticCustomError("path", "should be a path like /srv/lookalike")
    try:
        return BASE_DIR / Path(str(value)).expanduser()
    except RuntimeError:
        raise PydanticCustomError("home", "should be a path: its ~ is no user's folder here") from None


def _host(name: str) -> str:
    """Check a host's name as Django compares it, which is neither an address nor has a port."""
    if "/" in name or re.fullmatch(r"[^:]*:[0-9]*|\[.*\]:[0-9]*", name):
        raise PydanticCustomError("host", "should be the name of a host like shop.example, without https:// and port")
    return name


def _widget_key(key: str) -> str:
    """Check that it is a key that visitors may read. The message leaves it out."""
    if key and not key.startswith("pk_"):
        raise ValueError(
            "is no publishable key (pk_...): visitors can read it in the pages, so it must not be a secret one"
        )
    return key


def _currency(code: str) -> str:
    """Check the code of a currency."""
    if code and not re.fullmatch("[A-Za-z]{3}", code):
        raise PydanticCustomError("currency", "should be a code of ISO 4217 like EUR")
    return code.upper()


def _public_url(url: str) -> str:
    """Check the URL of the root, and remove the slash at its end."""
    if not url:
        return url
    try:
        parts = TypeAdapter(HttpUrl).validate_python(url)
    except ValidationError:
        parts = None
    if parts is None or parts.query is not None or parts.fragment is not None:
        raise PydanticCustomError("url", "should be a URL like https://shop.example or https://shop.example/lookalike")
    return url.rstrip("/")


def _time_zone(name: str) -> str:
    """Check the name of a time zone."""
    if name not in available_timezones():
        raise PydanticCustomError("time_zone", "should be the name of a time zone like Europe/Berlin")
    return name


def _language_code(code: str) -> str:
    """Check the code of a language that Django knows."""
    if code not in dict(DJANGO_LANGUAGES):
        raise PydanticCustomError("language", "should be the code of a language like de or pt-br")
    return code


def _brand_colour(colour: str, pages: str, *grounds: str) -> str:
    """Check a colour, and that text of it can be read on the pages' grounds."""
    colour = colour.lower()
    if not colour:
        return colour
    if not _COLOUR.match(colour):
        raise PydanticCustomError("colour", "should be a colour like #1f5d4c")
    lowest = min(contrast(colour, ground) for ground in grounds)
    if lowest < AA:
        raise PydanticCustomError(
            "contrast",
            "has a contrast of {lowest}:1 on {pages} pages, where text needs {needed}:1 (WCAG AA): {nearest} is the nearest"
            " that has it",
            {"lowest": f"{lowest:.1f}", "pages": pages, "needed": AA, "nearest": readable(colour, *grounds)},
        )
    return colour


def _light_brand_colour(colour: str) -> str:
    return _brand_colour(colour, "light", *LIGHT_GROUNDS)


def _dark_brand_colour(colour: str, info: ValidationInfo) -> str:
    """Check it; without one, it is as near to BRAND_COLOUR as can be read on dark pages."""
    of_light_pages = info.data.get("BRAND_COLOUR", "")
    if colour and "BRAND_COLOUR" in info.data and not of_light_pages:
        raise ValueError("is set, and BRAND_COLOUR is not: set that, too")
    if not colour and of_light_pages:
        return readable(of_light_pages, *DARK_GROUNDS)
    return _brand_colour(colour, "dark", *DARK_GROUNDS)


def _product_url(template: str) -> str:
    """Check the template of a product's page: a URL, or a path from the root."""
    if template and not template.startswith(("http://", "https://", "/")):
        raise PydanticCustomError(
            "template", "should be a URL like https://shop.example/p/{sku}, or a path like /p/{sku}"
        )
    rest = re.sub(rf"\{{({'|'.join(_IN_PRODUCT_URLS)})\}}", "", template)
    if template and (rest == template or "{" in rest or "}" in rest):
        raise PydanticCustomError(
            "template", "should name the product by {id}, {slug} or {sku}, and has no other braces"
        )
    return template


def _collector_url(url: str) -> str:
    """Check the URL of an OpenTelemetry collector, and that OpenTelemetry is installed."""
    if not url:
        return url
    try:
        TypeAdapter(HttpUrl).validate_python(url)
    except ValidationError:
        raise PydanticCustomError("url", "should be a URL like http://collector:4318") from None
    if not all(map(_is_installed, _TRACING)):
        raise ValueError(
            "is set, but OpenTelemetry is not installed: pip install --require-hashes -r requirements/otel.txt,"
            " or build the images with REQUIREMENTS=otel"
        )
    return url


def _bucket_url(url: str) -> str:
    """Check the URL of a bucket and a prefix in it, and that the client of such stores is installed."""
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
        raise PydanticCustomError("bucket", "should be a bucket and a prefix in it, like s3://shop-files/lookalike")
    if find_spec("boto3") is None or find_spec("storages") is None:
        raise ValueError(
            "is set, but the client of S3 is not installed: pip install --require-hashes -r requirements/s3.txt,"
            " or build the images with REQUIREMENTS=s3"
        )
    return url.rstrip("/")


def _http_url(url: str) -> str:
    """Check a URL with http or https."""
    if url:
        try:
            TypeAdapter(HttpUrl).validate_python(url)
        except ValidationError:
            raise PydanticCustomError("url", "should be a URL like https://photos.shop.example") from None
    return url.rstrip("/")


def _check_faiss(kind: str | None, info: ValidationInfo) -> str | None:
    if kind is None:
        return None
    if info.data.get("QDRANT_URL"):
        raise ValueError("is set, and so is QDRANT_URL: one index answers, so unset one of them")
    if info.data.get("INDEX_QUANTIZATION"):
        raise ValueError("is set, and so is INDEX_QUANTIZATION, which is the embedded engine's: unset one of them")
    if find_spec("faiss") is None:
        raise ValueError("is set, but FAISS is not installed: pip install --require-hashes -r requirements/faiss.txt")
    return kind


def _is_installed(part: str) -> bool:
    try:
        return find_spec(f"opentelemetry.{part}") is not None
    except ModuleNotFoundError:
        return False


def _if_debug(debug: Any, production: Any) -> Any:
    """A default that depends on DEBUG."""
    return Field(default_factory=lambda values: debug if values["DEBUG"] else production)


Bool = Annotated[bool, BeforeValidator(_boolean)]
CommaSeparated = BeforeValidator(_split)
Port = Annotated[int, Field(gt=0, lt=65536)]
Folder = Annotated[Path, BeforeValidator(_folder)]
Quantization = Annotated[Literal["int8"] | None, BeforeValidator(_empty_is_none)]
Unset = BeforeValidator(_empty_is_none)


class Environment(BaseModel):
    """The variables with their values. A default that depends on another variable names it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    DEBUG: Bool = False
    SECRET_KEY: str = _if_debug("not-secret-for-development-only", "")
    ALLOWED_HOSTS: Annotated[list[Annotated[str, AfterValidator(_host)]], CommaSeparated] = [
        "localhost",
        "127.0.0.1",
        "[::1]",
    ]
    CSRF_TRUSTED_ORIGINS: Annotated[list[str], CommaSeparated] = []
    HTTPS: Bool = False
    BEHIND_TLS_PROXY: Bool = False
    TRUSTED_PROXIES: NonNegativeInt = Field(default_factory=lambda values: int(values["BEHIND_TLS_PROXY"]))
    HTTPS_REDIRECT: Bool = Field(default_factory=lambda values: values["HTTPS"])
    HSTS_SECONDS: NonNegativeInt = 365 * 24 * 3600
    HSTS_INCLUDE_SUBDOMAINS: Bool = False
    HSTS_PRELOAD: Bool = False
    SERVICE: Literal["all", "catalog", "recommender"] = "all"
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    LOG_FORMAT: Literal["plain", "json"] = _if_debug("plain", "json")

    DATA_DIR: Folder = BASE_DIR / "var"
    DATABASE_URL: Annotated[str, AfterValidator(_database_url)] = Field(
        default_factory=lambda values: f"sqlite:///{values['DATA_DIR'] / 'lookalike.sqlite3'}"
    )
    DATABASE_CONN_MAX_AGE_S: PositiveInt = 600
    STORAGE_URL: Annotated[str, AfterValidator(_bucket_url)] = ""
    STORAGE_ENDPOINT_URL: Annotated[str, AfterValidator(_http_url)] = ""
    STORAGE_REGION: str = ""
    STORAGE_ACCESS_KEY_ID: str = ""
    STORAGE_SECRET_ACCESS_KEY: str = ""
    STORAGE_PHOTOS_URL: Annotated[str, AfterValidator(_http_url)] = ""
    STORAGE_SIGNED_ENDPOINT_URL: Annotated[str, AfterValidator(_http_url)] = ""
    STORAGE_SIGNED_URL_S: Annotated[int, Field(ge=60, le=7 * 24 * 3600)] = 3600
    STORAGE_CACHE_DIR: Folder = Field(default_factory=lambda values: values["DATA_DIR"] / "cache")
    STORAGE_CACHE_MAX_BYTES: PositiveInt = 10 * 1024**3
    REDIS_URL: Annotated[str, AfterValidator(_redis_url)] = ""
    CELERY_BROKER_URL: Annotated[str, AfterValidator(_broker_url)] = Field(
        default_factory=lambda values: values["REDIS_URL"]
    )
    MESSAGE_LOST_AFTER_S: PositiveInt = 120

    TEXT_SYNONYMS: Annotated[Folder | None, Unset] = None
    INDEX_QUANTIZATION: Quantization = None
    QDRANT_URL: str = ""
    FAISS_INDEX: Annotated[Literal["flat", "hnsw", "ivf_pq"] | None, Unset, AfterValidator(_check_faiss)] = None
    # The adapter declares the defaults of those below.
    QDRANT_API_KEY: Annotated[str | None, Unset] = None
    QDRANT_GRPC_PORT: Annotated[PositiveInt | None, Unset] = None
    QDRANT_TIMEOUT_S: Annotated[PositiveInt | None, Unset] = None
    QDRANT_QUERY_TIMEOUT_S: Annotated[PositiveInt | None, Unset] = None
    QDRANT_SHARD_NUMBER: Annotated[PositiveInt | None, Unset] = None
    QDRANT_REPLICATION_FACTOR: Annotated[PositiveInt | None, Unset] = None
    QDRANT_WRITE_CONSISTENCY_FACTOR: Annotated[PositiveInt | None, Unset] = None
    QDRANT_READ_CONSISTENCY: Annotated[PositiveInt | Literal["majority", "quorum", "all"] | None, Unset] = None
    QDRANT_HNSW_M: Annotated[PositiveInt | None, Unset] = None
    QDRANT_HNSW_EF_CONSTRUCT: Annotated[PositiveInt | None, Unset] = None
    QDRANT_QUANTIZATION: Quantization = None
    QDRANT_ON_DISK: Bool = False
    QDRANT_ON_DISK_PAYLOAD: Bool = False
    QDRANT_EF: Annotated[PositiveInt | None, Unset] = None

    DEFAULT_ENCODER: str = "bundled"
    ENCODERS_ROOT: Folder = Field(default_factory=lambda values: values["DATA_DIR"] / "encoders")
    ENCODER_THREADS: PositiveInt = os.cpu_count() or 1
    REAL_DATA: Annotated[Folder | None, Unset] = None
    BACKBONES: Annotated[dict[str, str], BeforeValidator(_split_pairs)] = {}

    API_READS: Literal["open", "keys"] = "open"
    API_WRITES: Literal["open", "keys", "off"] = _if_debug("open", "keys")
    API_REQUESTS_PER_MINUTE: NonNegativeInt = _if_debug(0, 600)
    KEY_REQUESTS_PER_MINUTE: NonNegativeInt = _if_debug(0, 6000)
    IDEMPOTENCY_KEEP_HOURS: PositiveInt = 24
    WIDGET_API_KEY: Annotated[str, AfterValidator(_widget_key)] = ""
    LOGIN_FAILURES: PositiveInt = 5
    LOGIN_ADDRESS_FAILURES: PositiveInt = 50
    LOGIN_LOCKED_MINUTES: PositiveInt = 15
    AUDIT_KEEP_DAYS: PositiveInt = 365
    CLEAN_UP_HOUR: Annotated[int, Field(ge=0, lt=24)] = 4
    JOBS_KEEP_DAYS: PositiveInt = 90
    FETCHED_PHOTOS_KEEP_DAYS: PositiveInt = 180
    UNUSED_VERSIONS_KEEP_DAYS: PositiveInt = 365
    EVENTS_KEEP_DAYS: PositiveInt = 90
    LEARNING: Literal["off", "measure", "on"] = "off"
    LEARNING_HOUR: Annotated[int, Field(ge=0, lt=24)] = 3
    EVENTS_MAX_ROWS: PositiveInt = 10_000_000
    EVENTS_MAX_ROWS_AN_HOUR: PositiveInt = 200_000
    EVENTS_ADDRESS_MAX_BYTES_A_DAY: PositiveInt = 12 * 1024**2

    UPLOADS_ROOT: Folder = Field(default_factory=lambda values: values["DATA_DIR"] / "uploads")
    TRAIN_ARCHIVE_MAX_BYTES: PositiveInt = 2 * 1024**3
    IMPORT_MAX_BYTES: PositiveInt = 2 * 1024**3
    IMPORT_UPLOAD_KEEP_HOURS: PositiveInt = 24
    IMPORT_REJECTED_KEEP_DAYS: PositiveInt = 30
    IMPORT_MAX_WITHDRAWN_PERCENT: Annotated[int, Field(ge=1, le=100)] = 50
    ARCHIVE_MAX_UNPACKED_BYTES: PositiveInt = 8 * 1024**3
    ARCHIVE_MAX_FILES: PositiveInt = 200_000
    PHOTO_MAX_BYTES: PositiveInt = 20 * 1024**2
    PHOTO_MAX_SIDE: PositiveInt = 16_384
    PHOTO_MAX_DECODED_BYTES: PositiveInt = 640 * 1024**2
    SEARCH_PHOTO_MAX_PIXELS: PositiveInt = 16_000_000
    SEARCH_PHOTO_MAX_DECODED_BYTES: PositiveInt = 128 * 1024**2
    DELETED_PHOTOS_KEEP_MINUTES: PositiveInt = 60
    FETCH_TIMEOUT_S: PositiveInt = 10
    FETCH_DEADLINE_S: PositiveInt = 60
    FEED_TIMEOUT_S: PositiveInt = 120
    FEED_DEADLINE_S: PositiveInt = 3600
    FETCH_PER_HOST: PositiveInt = 4
    FETCH_THREADS: PositiveInt = 8
    FETCH_PORTS: Annotated[tuple[Port, ...], CommaSeparated, Field(min_length=1)] = (80, 443)
    FETCH_ALLOW_NETWORKS: Annotated[tuple[IPvAnyNetwork, ...], CommaSeparated] = ()

    SERVE_MEDIA: Bool = Field(default_factory=lambda values: values["DEBUG"])
    PUBLIC_URL: Annotated[str, AfterValidator(_public_url)] = ""
    PRODUCT_URL: Annotated[str, AfterValidator(_product_url)] = ""
    TIME_ZONE: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    LANGUAGE_CODE: Annotated[str, AfterValidator(_language_code)] = "en"
    SHOP_CURRENCY: Annotated[str, AfterValidator(_currency)] = ""
    SHOP_SUBSTITUTES: Bool = False
    BRAND_COLOUR: Annotated[str, AfterValidator(_light_brand_colour)] = ""
    BRAND_COLOUR_DARK: Annotated[str, AfterValidator(_dark_brand_colour), Field(validate_default=True)] = ""
    PROMETHEUS_MULTIPROC_DIR: str = ""
    HEALTH_PORT: Annotated[tuple[str, int] | None, BeforeValidator(_host_and_port)] = None
    WORKER_METRICS_PORT: Annotated[tuple[str, int] | None, BeforeValidator(_host_and_port)] = None
    OTEL_EXPORTER_OTLP_ENDPOINT: Annotated[str, AfterValidator(_collector_url)] = ""

    def database(self) -> dict[str, Any]:
        """Django's connection settings from DATABASE_URL."""
        return dict(environ.Env.db_url_config(self.DATABASE_URL))

    def bucket(self) -> dict[str, Any]:
        """The options of a store in the bucket of STORAGE_URL, without its place there; empty without one."""
        if not self.STORAGE_URL:
            return {}
        return {
            "bucket_name": urlsplit(self.STORAGE_URL).netloc,
            "endpoint_url": self.STORAGE_ENDPOINT_URL or None,
            "region_name": self.STORAGE_REGION or None,
            # Without them, the variables of AWS and the role of the machine.
            **({"access_key": self.STORAGE_ACCESS_KEY_ID} if self.STORAGE_ACCESS_KEY_ID else {}),
            **({"secret_key": self.STORAGE_SECRET_ACCESS_KEY} if self.STORAGE_SECRET_ACCESS_KEY else {}),
        }

    def bucket_prefix(self) -> str:
        """The prefix of STORAGE_URL; it ends with a slash unless it is empty."""
        prefix = urlsplit(self.STORAGE_URL).path.strip("/")
        return f"{prefix}/" if prefix else ""

    def qdrant_options(self) -> dict[str, Any]:
        """The options of the Qdrant adapter: those of the QDRANT_ variables that are set."""
        values = {name.removeprefix("QDRANT_").lower(): value for name, value in self if name.startswith("QDRANT_")}
        return {name: value for name, value in values.items() if value is not None or name == "api_key"}


def read() -> Environment:
    """Read `.env`, or the file that ENV_FILE names, and the process environment.

    Returns:
        The checked values of all variables.

    Raises:
        ImproperlyConfigured: a value is not usable, or a file that X_FILE or ENV_FILE names cannot be read. The message names
            the variable and what is allowed.
    """
    _read_env_file()
    variables = _Variables()
    try:
        return Environment.model_validate(
            {name: variables[name] for name in Environment.model_fields if name in variables}
        )
    except ValidationError as error:
        raise ImproperlyConfigured("\n".join(_messages(error))) from None


def misspelt() -> list[tuple[str, str]]:
    """Names in the `.env` file that no variable has, and that are nearly those of one.

    Returns:
        Each name with the variable that it is near to. Other names may be there for other programs.
    """
    known = _known_names()
    return [
        (name, near[0])
        for name in _names_in_env_file()
        if name not in known and (near := get_close_matches(name.upper(), known, n=1, cutoff=_NEARLY))
    ]


def _known_names() -> list[str]:
    return [*Environment.model_fields, *(f"{name}_FILE" for name in Environment.model_fields)]


def _env_file() -> Path:
    named = environ.Env().str("ENV_FILE", default="")
    if named and not Path(named).exists():
        raise ImproperlyConfigured(f"ENV_FILE='{named}': there is no such file")
    return Path(named or BASE_DIR / ".env")


@cache
def _text_of(path: Path) -> str:
    """What a `.env` file says; empty where there is none. It is read once: it may be a pipe."""
    if not path.exists():
        return ""
    try:
        return path.read_text(encoding=_ENV_ENCODING)
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be read: it is not UTF-8 ({error.reason} at {error.start})"
        ) from error


def _names_in_env_file() -> list[str]:
    """What the lines of the `.env` file set. A line that is neither a variable nor a comment is refused."""
    path = _env_file()
    names, wrong = [], []
    for number, line in enumerate(_text_of(path).splitlines(), start=1):
        if found := _VARIABLE.match(line):
            names.append(found[1])
        elif line.strip() and not line.lstrip().startswith("#"):
            # Nothing else of it: it may be a secret, or a line of one.
            word = _FIRST_WORD.match(line)
            said = f"{word[1]!r} is no" if word and word[1] in _known_names() else "there is no"
            wrong.append(f"{path}, line {number}: {said} NAME=value, without spaces before the name and round the =")
    if wrong:
        raise ImproperlyConfigured("\n".join(wrong))
    return names


def _read_env_file() -> None:
    if _names_in_env_file():
        environ.Env.read_env(io.StringIO(_text_of(_env_file())))


class _Variables(FileAwareMapping):  # type: ignore[misc]  # django-environ carries no types
    """The environment, without the line end that editors and `echo` put at the end of a secret's file."""

    def __getitem__(self, key: str) -> str:
        try:
            value: str = super().__getitem__(key)
        except OSError as error:
            raise ImproperlyConfigured(f"{key}_FILE: {error}") from error
        return value.removesuffix("\n") if self.env.get(f"{key}_FILE") else value


def _messages(error: ValidationError) -> list[str]:
    """A line for each variable with an unusable value: the variable, the value and what is allowed."""
    lines: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0])
        if detail["type"] == "default_factory_not_called":
            # The default depends on a variable that has a line of its own.
            continue
        if detail["type"] == "value_error":
            lines[name] = f"{name} {detail['ctx']['error']}"
            continue
        # "Input should be ..." and "value is not ..." are pydantic's words.
        text = detail["msg"].removeprefix("Input ").removeprefix("value ")
        if name not in lines:
            lines[name] = f"{name}={detail['input']!r} {text}"
        elif text not in lines[name]:
            lines[name] += f", or {text}"
    return list(lines.values())
