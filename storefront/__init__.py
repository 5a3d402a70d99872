"""The demo shop, and the drawings of its products."""
