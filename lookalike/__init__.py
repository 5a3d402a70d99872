"""The Django project package: settings, URLs, Celery, logging, health checks and tracing."""

from lookalike.celery import app as celery_app

__all__ = ["celery_app"]
