"""The project's settings, for bench/similar_latency.py: a bare view is served beside everything else."""

from recommender.settings import *  # noqa: F403

ROOT_URLCONF = "bench.served_urls"
