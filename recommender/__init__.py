"""The recommender service, and the project that wires the three services together."""

from recommender.celery import app as celery_app

__all__ = ["celery_app"]
