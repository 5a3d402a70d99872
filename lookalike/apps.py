"""The project package as an app, for its management commands."""

from django.apps import AppConfig


class LookalikeConfig(AppConfig):
    """The app with the command `demo`."""

    name = "lookalike"
