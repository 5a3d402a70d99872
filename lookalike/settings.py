"""Django's settings. What a deployment may choose comes from the variables that `environment.py` declares."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from lookalike import environment

BASE_DIR = environment.BASE_DIR
env = environment.read()

# Whoever guesses the key signs sessions and forms.
MIN_SECRET_KEY_LENGTH = 32

DEBUG = env.DEBUG
SECRET_KEY = env.SECRET_KEY
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set: set it to a long random string (or use SECRET_KEY_FILE), or set DEBUG=true for development"
    )
if len(SECRET_KEY) < MIN_SECRET_KEY_LENGTH and not DEBUG:
    raise ImproperlyConfigured(
        f"SECRET_KEY has {len(SECRET_KEY)} characters, and needs {MIN_SECRET_KEY_LENGTH}: make one with"
        ' python3 -c "import secrets; print(secrets.token_urlsafe(50))"'
    )
ALLOWED_HOSTS = env.ALLOWED_HOSTS
CSRF_TRUSTED_ORIGINS = env.CSRF_TRUSTED_ORIGINS
SERVICE = env.SERVICE
DATA_DIR = env.DATA_DIR

INSTALLED_APPS = [
    # Not the default app, which would create an admin site of its own: ours is in recommender/admin/site.py.
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
    "rest",
    "accounts",
    "jobs",
    "catalog",
    "storefront",
    "embeddings",
    "training",
    "recommender",
    "lookalike",
]
MIDDLEWARE = [
    "lookalike.request_ids.RequestIdMiddleware",
    "lookalike.policies.ContentPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "lookalike.pages.SessionsForPages",
    "lookalike.pages.LanguageForPages",
    "lookalike.pages.CommonForPages",
    "django.middleware.csrf.CsrfViewMiddleware",
    "lookalike.pages.UsersForPages",
    "lookalike.bodies.BodyLimitMiddleware",
    "accounts.audit.AuditMiddleware",
    "lookalike.pages.MessagesForPages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last, because it replaces the response of a refused sign-in.
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "lookalike.urls"
WSGI_APPLICATION = "lookalike.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before those of unfold, which is the first app.
        "DIRS": [BASE_DIR / "lookalike" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "storefront.widget.widget",
                "storefront.brand.brand",
            ]
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {"default": env.database()}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    try:
        Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"the folder of the database cannot be made: {error}: name another by DATA_DIR, or by DATABASE_URL if it is set"
        ) from error
    # IMMEDIATE: otherwise a transaction that reads first and writes later fails at once when there is another writer.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# A new connection takes longer than a whole recommendation, even with SQLite.
DATABASES["default"]["CONN_MAX_AGE"] = env.DATABASE_CONN_MAX_AGE_S

REDIS_URL = env.REDIS_URL
# Rate limits of up to 100,000 clients in one process, in at most 25 MB. Django's default of 300 entries would evict busy clients.
_IN_PROCESS = {
    "BACKEND": "accounts.counts.CountCache",
    "LOCATION": "requests",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # Seconds that a request waits for Redis.
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }
    if REDIS_URL
    else _IN_PROCESS,
    # For rate limits while Redis is unavailable.
    "requests": _IN_PROCESS,
    # API keys that were looked up; the size is more than any shop has.
    "api_keys": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "api_keys",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
    # What each process keeps for itself, with Redis or without, e.g. the figures of the admin's overview.
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "process"},
}

# Without a broker, a thread of the web process embeds photos from the same outbox.
CELERY_BROKER_URL = env.CELERY_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2.0
# A request does not wait for an unavailable broker: its rows stay in the outbox, where the periodic task finds them.
CELERY_TASK_PUBLISH_RETRY = False
# At Redis's limit of memory a worker goes on trying.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_WORKER_CONSUMER = "lookalike.celery:Consumer"
CELERY_BEAT_SCHEDULER = "lookalike.celery:Scheduler"
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 5}
# Separate queues: a price change does not wait for photos to be embedded, nor a photo for a training. A worker without -Q serves
# the first three; trainings need workers of their own: celery -A lookalike worker --pool=threads -Q train
CELERY_TASK_QUEUES: dict[str, dict[str, Any]] = {"sync": {}, "embed": {}, "jobs": {}}
CELERY_TASK_DEFAULT_QUEUE = "sync"
CELERY_TASK_ROUTES = {
    "embeddings.tasks.embed_images": {"queue": "embed"},
    "catalog.tasks.sweep_unused_files": {"queue": "jobs"},
    "catalog.tasks.find_photo_roles": {"queue": "jobs"},
    "recommender.tasks.clean_up": {"queue": "jobs"},
    "jobs.tasks.run_job": {"queue": "jobs"},
    "jobs.tasks.run_waiting_jobs": {"queue": "jobs"},
    "jobs.tasks.run_training": {"queue": "train"},
    "jobs.tasks.run_waiting_trainings": {"queue": "train"},
}
# Seconds after which the message of a pending photo counts as lost and is sent again.
MESSAGE_LOST_AFTER_S = env.MESSAGE_LOST_AFTER_S

# File of synonyms for the search by words; None: none. It is read again when it changes.
TEXT_SYNONYMS = env.TEXT_SYNONYMS

# They expire, because they would pile up behind long tasks.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "reconcile": {"task": "embeddings.tasks.reconcile", "schedule": 60.0, "options": {"expires": 50.0}},
    "run-waiting-jobs": {"task": "jobs.tasks.run_waiting_jobs", "schedule": 60.0, "options": {"expires": 50.0}},
    "run-waiting-trainings": {
        "task": "jobs.tasks.run_waiting_trainings",
        "schedule": 60.0,
        "options": {"expires": 50.0},
    },
    "sweep-unused-files": {
        "task": "catalog.tasks.sweep_unused_files",
        "schedule": 300.0,
        "options": {"expires": 250.0},
    },
    "find-photo-roles": {
        "task": "catalog.tasks.find_photo_roles",
        "schedule": 300.0,
        "options": {"expires": 250.0},
    },
    "import-due-feeds": {
        "task": "catalog.tasks.import_due_feeds",
        "schedule": 60.0,
        "options": {"expires": 50.0},
    },
    "prune-events": {"task": "recommender.tasks.prune_events", "schedule": 3600.0},
    "clean-up": {"task": "recommender.tasks.clean_up", "schedule": 3600.0, "options": {"expires": 3500.0}},
    "learn-nightly": {"task": "recommender.tasks.learn_nightly", "schedule": 600.0, "options": {"expires": 550.0}},
    "check-experiments": {
        "task": "recommender.tasks.check_experiments",
        "schedule": 3600.0,
        "options": {"expires": 3500.0},
    },
}

QDRANT_URL = env.QDRANT_URL
VECTOR_INDEX: dict[str, Any] = (
    {
        "BACKEND": "embeddings.vector_index.qdrant.QdrantVectorIndex",
        "OPTIONS": env.qdrant_options(),
    }
    if QDRANT_URL
    else {
        "BACKEND": "embeddings.vector_index.faiss.FaissVectorIndex",
        "OPTIONS": {"path": str(DATA_DIR / "index-faiss"), "kind": env.FAISS_INDEX},
    }
    if env.FAISS_INDEX
    else {
        "BACKEND": "embeddings.vector_index.edge.EdgeVectorIndex",
        "OPTIONS": {
            "path": str(DATA_DIR / "index"),
            "quantization": env.INDEX_QUANTIZATION,
        },
    }
)
DEFAULT_ENCODER = env.DEFAULT_ENCODER
# Trained encoders with their manifests and reports. Without STORAGE_URL, all processes of a deployment share this folder.
ENCODERS_ROOT = env.ENCODERS_ROOT
ENCODER_THREADS = env.ENCODER_THREADS
# Sets of real photos that `manage.py evaluate --suite`, benches and tests use.
REAL_DATA = env.REAL_DATA

# Who may read and write through the API.
API_READS = env.API_READS
API_WRITES = env.API_WRITES
# Rate limits per IP address and per API key; 0: no limit.
API_REQUESTS_PER_MINUTE = env.API_REQUESTS_PER_MINUTE
KEY_REQUESTS_PER_MINUTE = env.KEY_REQUESTS_PER_MINUTE
# Hours that the answer to a request with an Idempotency-Key is kept for its retries.
IDEMPOTENCY_KEEP_HOURS = env.IDEMPOTENCY_KEEP_HOURS
# The publishable API key of the widget in the storefront and the admin.
WIDGET_API_KEY = env.WIDGET_API_KEY
# Days that entries of the audit log are kept.
AUDIT_KEEP_DAYS = env.AUDIT_KEEP_DAYS
# The hour of the day at which what is past its time is deleted, and the days that are kept: of jobs that have ended, of records by
# which photos behind links are fetched only if they changed, and of encoder versions that are not used.
CLEAN_UP_HOUR = env.CLEAN_UP_HOUR
JOBS_KEEP_DAYS = env.JOBS_KEEP_DAYS
FETCHED_PHOTOS_KEEP_DAYS = env.FETCHED_PHOTOS_KEEP_DAYS
UNUSED_VERSIONS_KEEP_DAYS = env.UNUSED_VERSIONS_KEEP_DAYS
# Backbones by name: a request names one of these, never a path or a URL.
BACKBONES = {**env.BACKBONES, "bundled": "bundled", "bundled-fast": "bundled-fast"}
# Uploads of jobs, and rows that imports rejected; never below MEDIA_ROOT. Without STORAGE_URL, web processes and the workers of the
# queues `jobs` and `train` share this folder.
UPLOADS_ROOT = env.UPLOADS_ROOT
TRAIN_ARCHIVE_MAX_BYTES = env.TRAIN_ARCHIVE_MAX_BYTES
IMPORT_MAX_BYTES = env.IMPORT_MAX_BYTES
# How long the file of a dry run is kept for the import, and how long rejected rows can be downloaded.
IMPORT_UPLOAD_KEEP_HOURS = env.IMPORT_UPLOAD_KEEP_HOURS
IMPORT_REJECTED_KEEP_DAYS = env.IMPORT_REJECTED_KEEP_DAYS
# Where missing products are withdrawn: of a source that has lost a larger share of its products, none are.
IMPORT_MAX_WITHDRAWN_PERCENT = env.IMPORT_MAX_WITHDRAWN_PERCENT
ARCHIVE_MAX_UNPACKED_BYTES = env.ARCHIVE_MAX_UNPACKED_BYTES
ARCHIVE_MAX_FILES = env.ARCHIVE_MAX_FILES

# Limits of every photo: its file, its sides, and the memory that decoding it takes; and the pixels and the memory of a photo that a
# visitor searches with.
PHOTO_MAX_BYTES = env.PHOTO_MAX_BYTES
PHOTO_MAX_SIDE = env.PHOTO_MAX_SIDE
PHOTO_MAX_DECODED_BYTES = env.PHOTO_MAX_DECODED_BYTES
SEARCH_PHOTO_MAX_PIXELS = env.SEARCH_PHOTO_MAX_PIXELS
SEARCH_PHOTO_MAX_DECODED_BYTES = env.SEARCH_PHOTO_MAX_DECODED_BYTES
# How long the file of a deleted photo is kept. No transaction may take longer than this.
DELETED_PHOTOS_KEEP_MINUTES = env.DELETED_PHOTOS_KEEP_MINUTES
# Photos given as links: timeout of a connection and of each response, of a photo with all attempts; parallel requests to one
# server and in total; allowed ports; and allowed networks besides the public internet.
FETCH_TIMEOUT_S = env.FETCH_TIMEOUT_S
FETCH_DEADLINE_S = env.FETCH_DEADLINE_S
FETCH_PER_HOST = env.FETCH_PER_HOST
FETCH_THREADS = env.FETCH_THREADS
FETCH_PORTS = env.FETCH_PORTS
FETCH_ALLOW_NETWORKS = env.FETCH_ALLOW_NETWORKS
# Feeds by their address: timeout of a connection and of each part of the response, for shops that make the file when it is asked
# for; and of all of it, with redirects and attempts.
FEED_TIMEOUT_S = env.FEED_TIMEOUT_S
FEED_DEADLINE_S = env.FEED_DEADLINE_S
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "jobs.temporary_uploads.SpoolingUploadHandler",
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
LANGUAGE_CODE = env.LANGUAGE_CODE
# LANGUAGE_CODE may be another one, whose dates and prices pages have, with English texts.
LANGUAGES = [
    (code, name) for code, name in global_settings.LANGUAGES if code in environment.LANGUAGES or code == LANGUAGE_CODE
]
# What shoppers see, and what only staff see. Both come before the texts of Django and its packages.
LOCALE_PATHS = [BASE_DIR / "storefront" / "locale", BASE_DIR / "lookalike" / "locale"]
TIME_ZONE = env.TIME_ZONE
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
# WhiteNoise warns if the folder does not exist; before the first collectstatic it does not.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = DEBUG
# Photos in a bucket are at an address of their own, or `/media/` redirects to signed ones.
MEDIA_URL = f"{env.STORAGE_PHOTOS_URL}/" if env.STORAGE_URL and env.STORAGE_PHOTOS_URL else "/media/"
MEDIA_ROOT = DATA_DIR / "media"
if UPLOADS_ROOT.resolve().is_relative_to(MEDIA_ROOT.resolve()):
    raise ImproperlyConfigured(f"UPLOADS_ROOT={str(UPLOADS_ROOT)!r} is below {MEDIA_ROOT}, which is public")
# In production a CDN or nginx serves media; the demo and a laptop have neither.
SERVE_MEDIA = env.SERVE_MEDIA
# Where clients reach this server's root, e.g. https://shop.example/lookalike; empty: as each request says.
PUBLIC_URL = env.PUBLIC_URL
# URL template of the shop's own product pages, e.g. https://shop.example/p/{sku}; empty: the storefront's pages.
PRODUCT_URL = env.PRODUCT_URL
# ISO 4217 code of prices in filters that name no currency; empty: the currency of most products.
SHOP_CURRENCY = env.SHOP_CURRENCY
# Whether the storefront's page of a product that is withdrawn or sold out shows what can be bought instead.
SHOP_SUBSTITUTES = env.SHOP_SUBSTITUTES

# The shop's colour on light and on dark pages; "" for those of the demo.
BRAND_COLOUR = env.BRAND_COLOUR
BRAND_COLOUR_DARK = env.BRAND_COLOUR_DARK
# A folder shared by the web processes of one server, so that /metrics adds up their values. prometheus_client reads the
# variable itself, and treats an empty one as the current folder.
PROMETHEUS_MULTIPROC_DIR = env.PROMETHEUS_MULTIPROC_DIR
if PROMETHEUS_MULTIPROC_DIR:
    Path(PROMETHEUS_MULTIPROC_DIR).mkdir(parents=True, exist_ok=True)
else:
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
# Address and port of a Celery worker's metrics; web processes have them at /metrics.
WORKER_METRICS_PORT = env.WORKER_METRICS_PORT
# Address and port of a web process for health checks, which visitors cannot hold up.
HEALTH_PORT = env.HEALTH_PORT
# URL of an OpenTelemetry collector (OTLP over HTTP). Empty: no traces.
OTEL_EXPORTER_OTLP_ENDPOINT = env.OTEL_EXPORTER_OTLP_ENDPOINT
# A bucket in place of the folders MEDIA_ROOT, ENCODERS_ROOT and UPLOADS_ROOT; and the folder of its files that are in use on this
# machine, with the bytes that it may take.
STORAGE_URL = env.STORAGE_URL
STORAGE_PHOTOS_URL = env.STORAGE_PHOTOS_URL
STORAGE_CACHE_DIR = env.STORAGE_CACHE_DIR
STORAGE_CACHE_MAX_BYTES = env.STORAGE_CACHE_MAX_BYTES
_PHOTOS = {
    "public_url": MEDIA_URL,
    "signed_endpoint_url": env.STORAGE_SIGNED_ENDPOINT_URL,
    "querystring_expire": env.STORAGE_SIGNED_URL_S,
}
# In a folder: the setting that names it, and the permissions of its files, which a worker of another user of the group reads.
FOLDER_STORAGES: dict[str, Any] = {
    name: {"BACKEND": "stores.folder.FolderStorage", "OPTIONS": options}
    for name, options in {
        "default": {"root": "MEDIA_ROOT"},
        "encoders": {"root": "ENCODERS_ROOT"},
        "uploads": {"root": "UPLOADS_ROOT", "permissions": 0o640},
    }.items()
}
BUCKET_STORAGES: dict[str, Any] = {
    name: {
        "BACKEND": "stores.bucket.BucketStorage",
        "OPTIONS": {**env.bucket(), "location": f"{env.bucket_prefix()}{folder}", **options},
    }
    for name, folder, options in (
        ("default", "media", _PHOTOS),
        ("encoders", "encoders", {}),
        ("uploads", "uploads", {}),
    )
}
STORAGES = {
    **(BUCKET_STORAGES if STORAGE_URL else FOLDER_STORAGES),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Serve over HTTPS only: secure cookies, redirect from HTTP, and HSTS.
HTTPS = env.HTTPS
BEHIND_TLS_PROXY = env.BEHIND_TLS_PROXY
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
SECURE_SSL_REDIRECT = env.HTTPS_REDIRECT
# Internal requests use plain HTTP.
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]
SECURE_HSTS_SECONDS = env.HSTS_SECONDS if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.HSTS_INCLUDE_SUBDOMAINS
SECURE_HSTS_PRELOAD = env.HSTS_PRELOAD
# Other hosts of the domain may lack HTTPS.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# Number of proxies in front of this process whose X-Forwarded-For entries are trusted.
TRUSTED_PROXIES = env.TRUSTED_PROXIES

# Failed sign-in attempts per user and IP address, and the lockout after them.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = env.LOGIN_FAILURES
AXES_COOLOFF_TIME = timedelta(minutes=env.LOGIN_LOCKED_MINUTES)
AXES_HANDLER = "accounts.sign_in.SignInHandler"
# Failures of an address, with any user names, at which it is locked for all of them.
LOGIN_ADDRESS_FAILURES = env.LOGIN_ADDRESS_FAILURES
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "accounts.addresses.client_network"
AXES_LOCKOUT_TEMPLATE = "admin/accounts/locked_out.html"
AXES_ALLOWED_CORS_ORIGINS = ""
# No admin pages of axes, because they do not use unfold: failed sign-ins are in the log and in manage.py axes_list_attempts,
# successful ones in the audit log.
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
# User names are not logged, because people type passwords there by mistake. IP addresses are.
AXES_SENSITIVE_PARAMETERS = ["username"]

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser", "rest_framework.parsers.MultiPartParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.ReadPermission", "accounts.permissions.WritePermission"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttling.AddressThrottle", "accounts.throttling.KeyThrottle"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "recommender.api.exceptions.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lookalike",
    "DESCRIPTION": "Visually similar product recommendations.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Without this, Swagger UI sends the schema's URL to a validator on the internet.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "PREPROCESSING_HOOKS": ["rest.schema.without_version_alias"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "rest.schema.with_required_bodies",
        "jobs.schema.with_job_links",
        "rest.schema.with_headers",
        "rest.parameters.with_parameter_examples",
    ],
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
}

# Days that visitor events are kept, and how many at most: the oldest are deleted first. How many are stored in an hour, and how
# many bytes for one IP address in a day; more are refused.
EVENTS_KEEP_DAYS = env.EVENTS_KEEP_DAYS
EVENTS_MAX_ROWS = env.EVENTS_MAX_ROWS
EVENTS_MAX_ROWS_AN_HOUR = env.EVENTS_MAX_ROWS_AN_HOUR
EVENTS_ADDRESS_MAX_BYTES_A_DAY = env.EVENTS_ADDRESS_MAX_BYTES_A_DAY

# Whether strips are arranged by what visitors click: `off`; `measure`, A/B tests and nightly reports only; `on`, where a replay
# found it better. And the hour of the day, in UTC, of the nightly learning.
LEARNING = env.LEARNING
LEARNING_HOUR = env.LEARNING_HOUR

LOGIN_REDIRECT_URL = "admin:index"
UNFOLD = {
    "COLORS": {"primary": "storefront.brand.admin_shades"},
    "SITE_TITLE": "Lookalike",
    "SITE_HEADER": "Lookalike",
    "SITE_SUBHEADER": _("Visually similar products"),
    "SITE_ICON": lambda _request: static("storefront/icon.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("storefront/icon.svg")}],
    "SHOW_BACK_BUTTON": True,
    "STYLES": [
        lambda _request: static("accounts/header.css"),
        lambda _request: static("accounts/form-tabs.css"),
        lambda _request: static("accounts/long-words.css"),
        lambda _request: static("recommender/admin/everything.css"),
    ],
    "SCRIPTS": [
        lambda _request: static("accounts/landmarks.js"),
        lambda _request: static("accounts/form-tabs.js"),
    ],
    "TABS": "recommender.admin.sidebar.tabs",
    "SIDEBAR": {
        "show_search": False,
        "navigation": "recommender.admin.sidebar.navigation",
    },
}

# Ids in each line of the log.
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
            "class": "lookalike.logging.RedactingStreamHandler",
            "formatter": env.LOG_FORMAT,
            "filters": [*_IDS],
        }
    },
    # Which of its builds for the processor was loaded.
    "loggers": {"faiss.loader": {"level": "WARNING"}},
    "root": {
        "handlers": ["console"],
        "level": env.LOG_LEVEL,
    },
}
