"""The vector index: one port, and an adapter for each engine behind it."""
