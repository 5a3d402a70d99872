"""Context processor of the widget, which the storefront and the admin embed through its script."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

# On the host of the page: services that run separately are behind one proxy.
_PATH = "/widget/v1/similar.js"
_CLIENT_PATH = "/widget/v1/client.js"


def widget(_: HttpRequest) -> dict[str, str]:
    """URLs of the script and of its client. `widget_api_key`: for the attribute `api-key` of the elements; "" for none."""
    return {"widget_path": _PATH, "widget_client_path": _CLIENT_PATH, "widget_api_key": settings.WIDGET_API_KEY}
