"""Export of every product's recommendations into a file, for shops that only serve files."""
