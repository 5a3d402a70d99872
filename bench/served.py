"""The project's settings for benches of a server, with URLs that include a bare view."""

from lookalike.settings import *  # noqa: F403

ROOT_URLCONF = "bench.served_urls"
# All clients of a bench use one address. Requests are still counted, but the limit is never reached.
API_REQUESTS_PER_MINUTE = 1_000_000_000
