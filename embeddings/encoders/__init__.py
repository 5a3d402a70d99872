"""Image encoders: one port, and what runs behind it."""
