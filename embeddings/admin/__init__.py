"""The embedding service in the back office, a module for each thing that a manager looks after."""

from embeddings.admin import duplicates, photos, versions

__all__ = ["duplicates", "photos", "versions"]
