"""What other programs talk to the API with, made from its OpenAPI schema: a Python package, and collections of requests."""
