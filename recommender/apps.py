"""The recommender service: the query pipeline, the API and the widget."""

from django.apps import AppConfig


class RecommenderConfig(AppConfig):
    """Owns nothing that cannot be rebuilt."""

    name = "recommender"
