"""The embedding service: encoders, vectors and the index that is derived from them."""

from django.apps import AppConfig


class EmbeddingsConfig(AppConfig):
    """Listens to the catalogue's events."""

    name = "embeddings"

    def ready(self) -> None:
        """Connect the receivers, the system checks and the kinds of job."""
        from embeddings import checks, job_kinds, receivers

        job_kinds.register_kinds()
        checks.register_checks()
        receivers.connect()
