"""The widget, for templates: the storefront and the admin show it as any shop would, through its script."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

# On the page's own host: one proxy stands before the services where they run apart.
_PATH = "/widget/v1/similar.js"


def widget(_: HttpRequest) -> dict[str, str]:
    """`widget_path`: the script's address. `widget_api_key`: for the elements' attribute `api-key`, "" for none."""
    return {"widget_path": _PATH, "widget_api_key": settings.WIDGET_API_KEY}
