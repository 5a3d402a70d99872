"""The kit as an app, for the answers that it keeps."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RestConfig(AppConfig):
    """Requests that are sent again are answered once."""

    name = "rest"
    verbose_name = _("API")
