"""One script per measurement; each prints a table and writes bench/results/<question>.json."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lookalike.settings")
SECRET_KEY = "only-for-benches-on-loopback-addresses"  # noqa: S105
os.environ.setdefault("SECRET_KEY", SECRET_KEY)
# What bench/pgvector.py fills and bench/pgvector_shop.py reads.
PGVECTOR_TABLE = "lookalike_bench_pgvector"
