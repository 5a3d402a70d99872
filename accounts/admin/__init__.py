"""The admin pages of users, API keys and the audit log."""

from accounts.admin import audit, keys, users

__all__ = ["audit", "keys", "users"]
