"""The admin's own pages: the overview, and search by photo."""
