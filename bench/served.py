"""The project's settings, for benches of a server: a bare view is served beside everything else."""

from lookalike.settings import *  # noqa: F403

ROOT_URLCONF = "bench.served_urls"
# All clients of a bench ask from one address. They are counted all the same.
API_REQUESTS_PER_MINUTE = 1_000_000_000
