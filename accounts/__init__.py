"""Users, API keys, permissions, throttling and the audit log."""
