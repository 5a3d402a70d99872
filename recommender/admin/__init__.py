"""The back office's own pages: what a manager sees first, and a search by photo."""
