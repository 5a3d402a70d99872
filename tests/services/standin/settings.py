"""The project's own settings with the stand-in, and with queues that no other run of the tests listens to."""

import os

from recommender.settings import *  # noqa: F403

INSTALLED_APPS = ["tests.services.standin.apps.StandinConfig", *INSTALLED_APPS]  # noqa: F405
CELERY_TASK_DEFAULT_QUEUE = os.environ["TEST_QUEUE"]
CELERY_TASK_ROUTES = {name: {"queue": f"{CELERY_TASK_DEFAULT_QUEUE}-train"} for name in CELERY_TASK_ROUTES}  # noqa: F405
CELERY_BEAT_SCHEDULE["run-waiting-jobs"]["schedule"] = 1.0  # noqa: F405
