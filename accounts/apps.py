"""The app `accounts`."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, API keys, permissions, throttling and the audit log."""

    name = "accounts"
