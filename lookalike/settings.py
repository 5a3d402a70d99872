"""The one place where the environment is asked; everything a deployment chooses is a variable listed in .env.example."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from lookalike import environment
from lookalike.environment import env

BASE_DIR = environment.BASE_DIR


def _permitted(*permissions: str) -> Callable[[HttpRequest], bool]:
    """For those who have one of these permissions."""
    return lambda request: any(request.user.has_perm(permission) for permission in permissions)


def _sidebar_item(title: Promise, icon: str, app: str, model: str) -> dict[str, Any]:
    """A link to a model's list in the admin, for those who may see it."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": _permitted(f"{app}.view_{model}", f"{app}.change_{model}"),
    }


DEBUG = environment.boolean("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", default="not-secret-for-development-only" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set: give a long random string (or SECRET_KEY_FILE), or set DEBUG=true to try things out"
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SERVICE = environment.choice("SERVICE", "all", ("all", "catalog", "recommender"))
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var")))

INSTALLED_APPS = [
    # Not its default, which would make an admin site of its own: ours is in recommender/admin/site.py.
    "unfold.apps.BasicAppConfig",
    "recommender.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "jobs",
    "catalog",
    "storefront",
    "embeddings",
    "recommender",
    "lookalike",
]
MIDDLEWARE = [
    "lookalike.request_ids.RequestIdMiddleware",
    "lookalike.policies.ContentPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.audit.AuditMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Behind all that changes an answer, as it exchanges a refused login's.
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "lookalike.urls"
WSGI_APPLICATION = "lookalike.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "storefront.widget.widget",
            ]
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": environment.database("DATABASE_URL", f"sqlite:///{DATA_DIR / 'lookalike.sqlite3'}")
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    # IMMEDIATE: a transaction that reads first and writes later would otherwise fail at once beside another writer.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# A new connection costs more than a whole recommendation, with SQLite too.
DATABASES["default"]["CONN_MAX_AGE"] = environment.positive("DATABASE_CONN_MAX_AGE_S", 600)

REDIS_URL = env.str("REDIS_URL", default="")
# Requests of so many addresses and keys are counted in a process, in at most 25 MB; Django's own 300 would forget who asks much.
_IN_PROCESS = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "requests",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # No request waits for it longer.
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }
    if REDIS_URL
    else _IN_PROCESS,
    # Where requests are counted while Redis is away.
    "requests": _IN_PROCESS,
    # For the figures of the admin's overview, so that it opens whether Redis is there or not.
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "process"},
}

# With no broker, a thread of the serving process does the embedding, from the same outbox.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2.0
# A request must not hang where the broker is away: its rows stay in the outbox, and the periodic task finds them.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 5}
# A price never waits for photos to be embedded, nor a photo for a training. A worker that is not told which queues it serves (-Q)
# takes the first three; trainings have workers of their own: celery -A lookalike worker --pool=threads -Q train
CELERY_TASK_QUEUES: dict[str, dict[str, Any]] = {"sync": {}, "embed": {}, "jobs": {}}
CELERY_TASK_DEFAULT_QUEUE = "sync"
CELERY_TASK_ROUTES = {
    "embeddings.tasks.embed_images": {"queue": "embed"},
    "embeddings.tasks.run_job": {"queue": "jobs"},
    "embeddings.tasks.run_waiting_jobs": {"queue": "jobs"},
    "embeddings.tasks.run_training": {"queue": "train"},
    "embeddings.tasks.run_waiting_trainings": {"queue": "train"},
}
# A photo that waits for so long, its message is taken for lost.
MESSAGE_LOST_AFTER_S = environment.positive("MESSAGE_LOST_AFTER_S", 120)
# Behind long work these would pile up: one that nobody took in time is followed by the next.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "reconcile": {"task": "embeddings.tasks.reconcile", "schedule": 60.0, "options": {"expires": 50.0}},
    "run-waiting-jobs": {"task": "embeddings.tasks.run_waiting_jobs", "schedule": 60.0, "options": {"expires": 50.0}},
    "run-waiting-trainings": {
        "task": "embeddings.tasks.run_waiting_trainings",
        "schedule": 60.0,
        "options": {"expires": 50.0},
    },
    "prune-events": {"task": "recommender.tasks.prune_events", "schedule": 3600.0},
}

QDRANT_URL = env.str("QDRANT_URL", default="")
VECTOR_INDEX: dict[str, Any] = (
    {
        "BACKEND": "embeddings.vector_index.qdrant.QdrantVectorIndex",
        "OPTIONS": environment.qdrant_options(QDRANT_URL),
    }
    if QDRANT_URL
    else {
        "BACKEND": "embeddings.vector_index.edge.EdgeVectorIndex",
        "OPTIONS": {
            "path": str(DATA_DIR / "index"),
            "quantization": environment.choice("INDEX_QUANTIZATION", "", ("", "int8")) or None,
        },
    }
)
DEFAULT_ENCODER = env.str("DEFAULT_ENCODER", default="bundled")
# Trained encoders with their manifests and reports; every process of a deployment has to see the same folder.
ENCODERS_ROOT = Path(env.str("ENCODERS_ROOT", default=str(DATA_DIR / "encoders")))
ENCODER_THREADS = environment.positive("ENCODER_THREADS", os.cpu_count() or 1)

# Who may read by the API, and who may write: by keys, anybody, or nobody. A training takes hours of a machine.
API_READS = environment.choice("API_READS", "open", ("open", "keys"))
API_WRITES = environment.choice("API_WRITES", "open" if DEBUG else "keys", ("open", "keys", "off"))
# Requests a minute from one address and by one key; 0: any number.
API_REQUESTS_PER_MINUTE = environment.count("API_REQUESTS_PER_MINUTE", 0 if DEBUG else 600)
KEY_REQUESTS_PER_MINUTE = environment.count("KEY_REQUESTS_PER_MINUTE", 0 if DEBUG else 6000)
# The publishable key of the widget in the storefront and the admin.
WIDGET_API_KEY = env.str("WIDGET_API_KEY", default="")
# Days that the audit log goes back.
AUDIT_KEEP_DAYS = environment.positive("AUDIT_KEEP_DAYS", 365)
# What a training may start from, by name; a request never names a path or an address.
BACKBONES = {**environment.named("BACKBONES"), "bundled": "bundled"}
# What was sent, until it is worked off, and rows that an import rejected; never where media are served from. Web processes
# and the workers of the queues `jobs` and `train` have to see the same folder.
UPLOADS_ROOT = Path(env.str("UPLOADS_ROOT", default=str(DATA_DIR / "uploads")))
TRAIN_ARCHIVE_MAX_BYTES = environment.positive("TRAIN_ARCHIVE_MAX_BYTES", 2 * 1024**3)
IMPORT_MAX_BYTES = environment.positive("IMPORT_MAX_BYTES", 2 * 1024**3)
# How long a dry run's file waits for the import that may follow, and how long rejected rows can be fetched.
IMPORT_UPLOAD_KEEP_HOURS = environment.positive("IMPORT_UPLOAD_KEEP_HOURS", 24)
IMPORT_REJECTED_KEEP_DAYS = environment.positive("IMPORT_REJECTED_KEEP_DAYS", 30)
ARCHIVE_MAX_UNPACKED_BYTES = environment.positive("ARCHIVE_MAX_UNPACKED_BYTES", 8 * 1024**3)
ARCHIVE_MAX_FILES = environment.positive("ARCHIVE_MAX_FILES", 200_000)

PHOTO_MAX_BYTES = environment.positive("PHOTO_MAX_BYTES", 20 * 1024 * 1024)
PHOTO_MAX_PIXELS = environment.positive("PHOTO_MAX_PIXELS", 50_000_000)
PHOTO_MAX_SIDE = environment.positive("PHOTO_MAX_SIDE", 16_384)
# How photos behind the links of a feed are fetched: seconds to connect and for each answer, and for a photo as a whole; how
# many at a time, of one server and altogether; the ports; and which networks besides the public internet, e.g. 10.1.0.0/16.
FETCH_TIMEOUT_S = environment.positive("FETCH_TIMEOUT_S", 10)
FETCH_DEADLINE_S = environment.positive("FETCH_DEADLINE_S", 60)
FETCH_PER_HOST = environment.positive("FETCH_PER_HOST", 4)
FETCH_THREADS = environment.positive("FETCH_THREADS", 8)
FETCH_PORTS = environment.ports("FETCH_PORTS", "80,443")
FETCH_ALLOW_NETWORKS = environment.networks("FETCH_ALLOW_NETWORKS")
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "jobs.spooling.SpoolingUploadHandler",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = PHOTO_MAX_BYTES + 1024 * 1024

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
# WhiteNoise warns of a folder that is not there, which it is not before the first collectstatic.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = DEBUG
MEDIA_URL = "/media/"
MEDIA_ROOT = DATA_DIR / "media"
if UPLOADS_ROOT.resolve().is_relative_to(MEDIA_ROOT.resolve()):
    raise ImproperlyConfigured(f"UPLOADS_ROOT={str(UPLOADS_ROOT)!r} lies in {MEDIA_ROOT}, where anybody may read")
# A production shop serves its media from a CDN or nginx; the demo and a laptop do not have one.
SERVE_MEDIA = environment.boolean("SERVE_MEDIA", DEBUG)
# Where a shop's own product pages are, as https://shop.example/p/{sku}; with {id}, {slug} or {sku}. Empty: the storefront's.
PRODUCT_URL = env.str("PRODUCT_URL", default="")
# A folder that several web processes of one server share, so that /metrics adds them up. prometheus_client reads the
# variable itself, and takes an empty one for the current folder.
PROMETHEUS_MULTIPROC_DIR = env.str("PROMETHEUS_MULTIPROC_DIR", default="")
if PROMETHEUS_MULTIPROC_DIR:
    Path(PROMETHEUS_MULTIPROC_DIR).mkdir(parents=True, exist_ok=True)
else:
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
# Where a Celery worker answers Prometheus; web processes do at /metrics.
WORKER_METRICS_PORT = environment.address("WORKER_METRICS_PORT")
# Traces go there by OTLP over HTTP. Empty: none are taken.
OTEL_EXPORTER_OTLP_ENDPOINT = environment.collector("OTEL_EXPORTER_OTLP_ENDPOINT")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Visitors reach this server by HTTPS alone: cookies and the whole host are for HTTPS from then on.
HTTPS = environment.boolean("HTTPS", False)
BEHIND_TLS_PROXY = environment.boolean("BEHIND_TLS_PROXY", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
SECURE_SSL_REDIRECT = environment.boolean("HTTPS_REDIRECT", HTTPS)
# Those who ask from within come by plain HTTP.
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]
SECURE_HSTS_SECONDS = environment.count("HSTS_SECONDS", 365 * 24 * 3600) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.boolean("HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = environment.boolean("HSTS_PRELOAD", False)
# Whether the domain's other hosts have HTTPS, its owner knows alone.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# Proxies before this process that write X-Forwarded-For: what the last so many wrote is believed.
TRUSTED_PROXIES = environment.count("TRUSTED_PROXIES", 1 if BEHIND_TLS_PROXY else 0)

# Whoever guesses passwords has so many tries a user, from one address, and then waits.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = environment.positive("LOGIN_FAILURES", 5)
AXES_COOLOFF_TIME = timedelta(minutes=environment.positive("LOGIN_LOCKED_MINUTES", 15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "accounts.addresses.remote_network"
AXES_LOCKOUT_TEMPLATE = "admin/accounts/locked_out.html"
AXES_ALLOWED_CORS_ORIGINS = ""
# Its pages are not unfold's: wrong passwords are lines of the log, and manage.py axes_list_attempts has them; who signed in is in
# the audit log.
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
# Names stay out of the log, for passwords are typed there, too; addresses do not.
AXES_SENSITIVE_PARAMETERS = ["username"]

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser", "rest_framework.parsers.MultiPartParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "recommender.problems.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lookalike",
    "DESCRIPTION": "Visually similar product recommendations.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Without this, Swagger UI sends the schema's address to a validator on the internet.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "PREPROCESSING_HOOKS": ["rest.schema.without_version_alias"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "rest.schema.with_bodies_and_links",
        "rest.schema.with_headers",
    ],
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
}

# What visitors did with recommendations is forgotten after so many days.
EVENTS_KEEP_DAYS = environment.positive("EVENTS_KEEP_DAYS", 90)

LOGIN_REDIRECT_URL = "admin:index"
UNFOLD = {
    # Unfold's own is too faint to read on its dark ground (4.3:1).
    "COLORS": {"primary": {"500": "oklch(67% .23 303.9)"}},
    "SITE_TITLE": "Lookalike",
    "SITE_HEADER": "Lookalike",
    "SITE_SUBHEADER": _("Visually similar products"),
    "SITE_ICON": lambda _request: static("storefront/icon.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("storefront/icon.svg")}],
    "SHOW_BACK_BUTTON": True,
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {"items": [{"title": _("Overview"), "icon": "monitoring", "link": reverse_lazy("admin:index")}]},
            {
                "title": _("Catalogue"),
                "items": [
                    _sidebar_item(_("Products"), "sell", "catalog", "product"),
                    _sidebar_item(_("Categories"), "account_tree", "catalog", "category"),
                    {
                        "title": _("Near-duplicates"),
                        "icon": "content_copy",
                        "link": reverse_lazy("admin:catalog_duplicatepair_changelist"),
                        "permission": _permitted("catalog.change_product"),
                    },
                ],
            },
            {
                "title": _("Recommendations"),
                "separator": True,
                "items": [
                    {
                        "title": _("Visual search"),
                        "icon": "photo_camera",
                        "link": reverse_lazy("admin:visual_search"),
                        "permission": _permitted("catalog.view_product", "catalog.change_product"),
                    },
                    _sidebar_item(_("Collections"), "category_search", "embeddings", "collection"),
                    _sidebar_item(_("Encoder versions"), "model_training", "embeddings", "encoderversion"),
                    _sidebar_item(_("Image embeddings"), "image_search", "embeddings", "imageembedding"),
                    _sidebar_item(_("Jobs"), "hourglass_top", "embeddings", "job"),
                ],
            },
            {
                "title": _("People"),
                "separator": True,
                "items": [
                    _sidebar_item(_("Users"), "person", "accounts", "user"),
                    _sidebar_item(_("Groups"), "group", "auth", "group"),
                    _sidebar_item(_("API keys"), "key", "accounts", "apikey"),
                    _sidebar_item(_("Audit log"), "history", "accounts", "auditentry"),
                ],
            },
        ],
    },
}

# What each line of the log can be found by.
_IDS = {"request_id": "lookalike.request_ids.RequestIdFilter"}
if OTEL_EXPORTER_OTLP_ENDPOINT:
    _IDS["trace_id"] = "lookalike.tracing.TraceIdFilter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {name: {"()": path} for name, path in _IDS.items()},
    "formatters": {
        "plain": {
            "format": f"%(asctime)s %(levelname)s %(name)s [{' '.join(f'%({name})s' for name in _IDS)}]: %(message)s"
        },
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s " + " ".join(f"%({name})s" for name in _IDS),
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        },
    },
    "handlers": {
        "console": {
            "class": "lookalike.logging.ConsoleHandler",
            "formatter": environment.choice("LOG_FORMAT", "plain" if DEBUG else "json", ("plain", "json")),
            "filters": [*_IDS],
        }
    },
    "root": {
        "handlers": ["console"],
        "level": environment.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    },
}
