"""The embedding service: encoders, vectors and the index that is derived from them."""

from django.apps import AppConfig


class EmbeddingsConfig(AppConfig):
    """Listens to the catalogue's events."""

    name = "embeddings"

    def ready(self) -> None:
        """Connect the receivers and the system checks."""
        from embeddings import checks, receivers

        checks.register_checks()
        receivers.connect()
