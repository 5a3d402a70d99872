"""XML: feeds, exchange formats, and any other."""
