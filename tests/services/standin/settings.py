"""The tests' settings with the stand-in."""

from tests.services.settings import *  # noqa: F403

INSTALLED_APPS = ["tests.services.standin.apps.StandinConfig", *INSTALLED_APPS]  # noqa: F405
CELERY_BEAT_SCHEDULE["run-waiting-trainings"]["schedule"] = 1.0  # noqa: F405
