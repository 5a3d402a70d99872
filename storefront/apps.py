"""The app `storefront`."""

from django.apps import AppConfig


class StorefrontConfig(AppConfig):
    """The demo shop and its generated product photos."""

    name = "storefront"
