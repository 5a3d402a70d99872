"""The project's settings for tests: they need no secret, and ignore the developer's shell and `.env`."""

import os
import shutil
import tempfile
from pathlib import Path

os.environ["ENV_FILE"] = os.devnull
os.environ.setdefault("SECRET_KEY", "only-for-tests, long enough for production")
os.environ["DEBUG"] = "false"
on_postgres = os.environ.get("TEST_ON_POSTGRES")
os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"] if on_postgres else "sqlite:///:memory:"
for name in ("REDIS_URL", "CELERY_BROKER_URL", "SERVICE", "DEFAULT_ENCODER"):
    os.environ.pop(name, None)

# Files of tests are in memory if it has room for them: an embedded index takes the file system of a disk longer than the engine.
_MEMORY = Path("/dev/shm")  # noqa: S108
_ROOM_BYTES = 4 * 1024**3
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
_FOLDER = os.environ.get("PYTEST_DEBUG_TEMPROOT") or tempfile.gettempdir()

from lookalike.settings import *  # noqa: E402, F403

if not on_postgres:
    # A file, because the server thread of a browser test cannot share a database in memory ("table is locked").
    DATABASES["default"]["TEST"] = {"NAME": f"{_FOLDER}/lookalike-tests-{os.getpid()}.sqlite3"}  # noqa: F405
VECTOR_INDEX = {"BACKEND": "tests.memory_index.MemoryVectorIndex", "OPTIONS": {}}
STORAGES = {
    **FOLDER_STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Tests send many requests from one address.
API_REQUESTS_PER_MINUTE = KEY_REQUESTS_PER_MINUTE = 0
SERVE_MEDIA = True
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
