"""The embedding service in the back office, a module for each thing that a manager looks after."""

from embeddings.admin import jobs, photos, versions

__all__ = ["jobs", "photos", "versions"]
