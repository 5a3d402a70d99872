"""The project's settings, for benches of a server: a bare view is served beside everything else."""

from recommender.settings import *  # noqa: F403

ROOT_URLCONF = "bench.served_urls"
