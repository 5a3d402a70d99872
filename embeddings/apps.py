"""The embedding service: encoders, vectors and the index that is derived from them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EmbeddingsConfig(AppConfig):
    """Listens to the catalogue's events."""

    name = "embeddings"
    verbose_name = _("Embeddings")

    def ready(self) -> None:
        """Connect the receivers, the system checks, the stamped tables and the kinds of job."""
        from catalog.stamps import Topic, watch
        from embeddings import checks, job_kinds, receivers
        from embeddings.models import Collection, CollectionCategory, EncoderVersion, ImageEmbedding, RankerVersion

        watch(Topic.CATALOGUE, ImageEmbedding)
        watch(Topic.SETUP, Collection, CollectionCategory, EncoderVersion, RankerVersion)
        job_kinds.register_kinds()
        checks.register_checks()
        receivers.connect()
