"""Imports: the rows of a source (`product_files`) are previewed, saved and reported."""
