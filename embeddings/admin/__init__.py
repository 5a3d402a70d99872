"""The embedding service in the back office, a module for each thing that a manager looks after."""

from embeddings.admin import doctor, duplicates, photos, rankers, versions

__all__ = ["doctor", "duplicates", "photos", "rankers", "versions"]
