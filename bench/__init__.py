"""One script per measurement; each prints a table and writes bench/results/<question>.json."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lookalike.settings")
os.environ.setdefault("SECRET_KEY", "bench")
