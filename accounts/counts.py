"""The cache in which a process counts requests by itself."""

from __future__ import annotations

from django.core.cache.backends.locmem import LocMemCache


class CountCache(LocMemCache):
    """Counts in memory. Any text is a key: Django would check each of its characters, which takes longer than counting."""

    def validate_key(self, key: str) -> None:
        """Nothing."""
