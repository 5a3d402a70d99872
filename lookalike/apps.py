"""The project package as an app, for its management commands and system checks."""

from django.apps import AppConfig


class LookalikeConfig(AppConfig):
    """The app with the command `demo`."""

    name = "lookalike"

    def ready(self) -> None:
        """Register the system checks."""
        from lookalike.checks import register_checks

        register_checks()
