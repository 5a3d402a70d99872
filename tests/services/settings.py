"""The project's own settings, with a queue that no other run of the tests listens to."""

import os

from recommender.settings import *  # noqa: F403

CELERY_TASK_DEFAULT_QUEUE = os.environ["TEST_QUEUE"]
