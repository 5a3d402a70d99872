"""The app `storefront`."""

from django.apps import AppConfig


class StorefrontConfig(AppConfig):
    """The demo shop, and the drawings of its products."""

    name = "storefront"
