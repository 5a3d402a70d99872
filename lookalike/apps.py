"""The project package as an app, for its management commands."""

from django.apps import AppConfig


class LookalikeConfig(AppConfig):
    """Has the command that sets up and serves the demo."""

    name = "lookalike"
