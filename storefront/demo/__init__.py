"""The demo catalogue: products invented from known attributes, and their photos drawn by code."""
