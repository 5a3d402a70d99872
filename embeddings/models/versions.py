"""The encoders and rankers of a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from embeddings.models.collections import Collection
from embeddings.parts.layout import DEFAULT_WEIGHTS, LAYOUTS, Layout, Weights
from embeddings.ranking import files as ranker_files
from embeddings.text.bm25 import SPARSE_VECTORS
from embeddings.vector_index.base import Distance, IndexCollection

REBUILD_LIMIT = timedelta(hours=6)


class EncoderVersion(models.Model):
    """An encoder as a collection uses it, with the index generation that holds its vectors.

    `encoder`: a name that `embeddings.backends.get_encoder` knows ("bundled", or a model file). A reindex builds the next
    generation beside the live one and switches by raising `index_generation`. A version that was trained says how:
    `recipe` holds its hyper-parameters, `data` a summary of its photos (the whole manifest lies with its files), `metrics`
    what the evaluation found, `calibration` what its scores mean (see `embeddings.evaluation.calibration`).
    `parts` says which parts its vectors have beside the encoder's, `weights` what they count by default (see `embeddings.parts`).
    """

    collection = models.ForeignKey(
        Collection, verbose_name=_("collection"), on_delete=models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField(_("number"), validators=[MinValueValidator(1)])
    encoder = models.CharField(_("encoder"), max_length=300)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    dim = models.PositiveIntegerField(_("dimensions"), validators=[MinValueValidator(1), MaxValueValidator(65_536)])
    files = models.CharField(
        _("files"),
        max_length=200,
        blank=True,
        help_text=_("Folder of its model, manifest and report in ENCODERS_ROOT."),
    )
    recipe = models.JSONField(_("recipe"), default=dict, blank=True)
    data = models.JSONField(_("training data"), default=dict, blank=True)
    metrics = models.JSONField(_("metrics"), default=dict, blank=True)
    calibration = models.JSONField(_("calibration"), null=True, blank=True)
    parts = models.PositiveSmallIntegerField(
        _("parts"),
        default=0,
        choices=[(number, ", ".join(part.name for part in parts) or "-") for number, parts in LAYOUTS.items()],
        help_text=_("Colour and pattern of the photos, beside the encoder's vector."),
    )
    weights = models.JSONField(
        _("weights"), default=dict, blank=True, help_text=_("What each part counts by default, found in the catalogue.")
    )
    index_generation = models.PositiveIntegerField(_("index generation"), default=1)
    rebuild_started_at = models.DateTimeField(
        _("rebuild started"),
        null=True,
        editable=False,
        help_text=_("While set, removed photos keep their rows for the next generation."),
    )
    text_lengths = models.JSONField(
        _("mean lengths of texts"),
        default=dict,
        editable=False,
        help_text=_("By field, and of how many products: what a long text is, as the text index counts it."),
    )
    text_encoder = models.CharField(
        _("text encoder"),
        max_length=100,
        blank=True,
        editable=False,
        help_text=_("That of the live text index; empty: it has words alone."),
    )
    text_map = models.CharField(
        _("text map"),
        max_length=100,
        blank=True,
        editable=False,
        help_text=_("File in ENCODERS_ROOT of what products look like by their texts; empty: none was trained."),
    )
    text_dim = models.PositiveIntegerField(
        _("dimensions of texts"), default=0, editable=False, help_text=_("Length of the text encoder's vectors.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("encoder version")
        verbose_name_plural = _("encoder versions")
        ordering = ("collection", "-number")
        constraints = [models.UniqueConstraint(fields=("collection", "number"), name="encoder_version_number_once")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """How the API names the version: `fashion-v2`."""
        return f"{self.collection.slug}-v{self.number}"

    @property
    def outcome(self) -> Mapping[str, Any]:
        """What the evaluation after its training found of the version itself; empty where nobody measured it."""
        outcomes: Sequence[Mapping[str, Any]] = self.metrics.get("outcomes") or [{}]
        return outcomes[0]

    @property
    def rebuilding(self) -> bool:
        """Whether a next generation is being built; a build that was killed counts for REBUILD_LIMIT at most."""
        return self.rebuild_started_at is not None and timezone.now() - self.rebuild_started_at < REBUILD_LIMIT

    @property
    def layout(self) -> Layout:
        """What its vectors consist of. Only cosines of parts can be weighed: other distances compare the encoder's vector alone."""
        weighed = self.collection.distance == Distance.COSINE
        return Layout(self.dim, LAYOUTS[self.parts] if weighed else ())

    @property
    def default_weights(self) -> Weights:
        """What each part counts in a query that does not say."""
        found = self.weights.get("weights")
        return DEFAULT_WEIGHTS if found is None else Weights(**found)

    def index_collection(self, generation: int | None = None) -> IndexCollection:
        """The index collection of a generation (the live one unless said otherwise)."""
        number = self.index_generation if generation is None else generation
        return IndexCollection(f"{self.label}-g{number}", self.layout.dim, Distance(self.collection.distance))

    def text_collection(self, generation: int | None = None, dim: int | None = None) -> IndexCollection:
        """The index collection of the products' texts, which switches with that of the photos.

        Args:
            generation: None for the live one.
            dim: length of a text encoder's vectors, 0 for words alone; None for that of the live one.

        Returns:
            Its name and what its points have.
        """
        name = f"{self.index_collection(generation).name}-text"
        return IndexCollection(name, self.text_dim if dim is None else dim, sparse=SPARSE_VECTORS)


class RankerVersion(models.Model):
    """A ranker of a collection: what puts the best of the text search in a better order.

    `recipe`: its hyper-parameters. `data`: how many judgements it was trained and measured on. `metrics`: nDCG@10 on judgements
    kept aside, beside that of the text search (see `embeddings.ranking.quality`).
    """

    class Kind(models.TextChoices):
        """The kinds of rankers."""

        BOOSTED = ranker_files.BOOSTED, _("boosted trees")
        DEEPRANK = ranker_files.DEEPRANK, _("DeepRank")

    collection = models.ForeignKey(
        Collection, verbose_name=_("collection"), on_delete=models.CASCADE, related_name="rankers"
    )
    number = models.PositiveIntegerField(_("number"), validators=[MinValueValidator(1)])
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    files = models.CharField(_("files"), max_length=200, help_text=_("Folder of its model in ENCODERS_ROOT."))
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    recipe = models.JSONField(_("recipe"), default=dict, blank=True)
    data = models.JSONField(_("judgements"), default=dict, blank=True)
    metrics = models.JSONField(_("metrics"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("ranker version")
        verbose_name_plural = _("ranker versions")
        ordering = ("collection", "-number")
        constraints = [models.UniqueConstraint(fields=("collection", "number"), name="ranker_version_number_once")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """How users name the version: `fashion-r2`."""
        return f"{self.collection.slug}-r{self.number}"
