"""The app `accounts`."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Users, API keys, permissions, throttling and the audit log."""

    name = "accounts"
    verbose_name = _("Access")
