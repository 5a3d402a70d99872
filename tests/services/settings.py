"""The project's own settings, with queues that no other run of the tests listens to."""

import os

from lookalike.settings import *  # noqa: F403

CELERY_BEAT_SCHEDULE["reconcile"]["schedule"] = 1.0  # noqa: F405
_PREFIX = os.environ["TEST_QUEUE"]
CELERY_TASK_QUEUES = {f"{_PREFIX}-{name}": options for name, options in CELERY_TASK_QUEUES.items()}  # noqa: F405
CELERY_TASK_DEFAULT_QUEUE = f"{_PREFIX}-{CELERY_TASK_DEFAULT_QUEUE}"  # noqa: F405
CELERY_TASK_ROUTES = {
    name: {"queue": f"{_PREFIX}-{route['queue']}"}
    for name, route in CELERY_TASK_ROUTES.items()  # noqa: F405
}
