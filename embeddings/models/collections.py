"""Which products a similarity system covers, how it compares them, and which versions it uses."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from embeddings.text.languages import DEFAULT_LANGUAGE, LANGUAGES
from embeddings.vector_index.base import Distance


class Collection(models.Model):
    """A similarity system of its own: which categories it covers, how it compares, and its active encoder version."""

    class DistanceChoice(models.TextChoices):
        """The distances of the vector index."""

        COSINE = Distance.COSINE.value, _("cosine")
        DOT = Distance.DOT.value, _("dot product")
        L2 = Distance.L2.value, _("Euclidean (L2)")
        L1 = Distance.L1.value, _("Manhattan (L1)")

    slug = models.SlugField(_("slug"), unique=True, max_length=60)
    name = models.CharField(_("name"), max_length=120)
    categories: models.ManyToManyField[Any, Any] = models.ManyToManyField(
        "catalog.Category",
        verbose_name=_("categories"),
        blank=True,
        through="CollectionCategory",
        help_text=_(
            "With everything below them. A collection of none covers nothing, unless it covers the whole catalogue."
        ),
    )
    covers_all = models.BooleanField(_("covers the whole catalogue"), default=False)
    distance = models.CharField(
        _("distance"), max_length=8, choices=DistanceChoice.choices, default=DistanceChoice.COSINE
    )
    language = models.CharField(
        _("language of texts"),
        max_length=3,
        choices=[(code, _(language.name)) for code, language in LANGUAGES.items()],
        default=DEFAULT_LANGUAGE,
        help_text=_("Whose forms of a word are found as one: shoes and shoe. A change indexes all texts again."),
    )
    text_encoder = models.CharField(
        _("text encoder"),
        max_length=100,
        blank=True,
        editable=False,
        help_text=_(
            "Folder in ENCODERS_ROOT. From the next index on texts are found by their meaning, too; empty: by words alone."
        ),
    )
    active_version = models.ForeignKey(
        "EncoderVersion",
        verbose_name=_("active encoder version"),
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="+",
    )
    previous_version = models.ForeignKey(
        "EncoderVersion",
        verbose_name=_("previous encoder version"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Its index is kept up, so that a roll-back takes a moment."),
    )
    active_ranker = models.ForeignKey(
        "RankerVersion",
        verbose_name=_("active ranker"),
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="+",
        help_text=_("Puts the best of a search by words in a better order; none: as the words fit."),
    )
    previous_ranker = models.ForeignKey(
        "RankerVersion",
        verbose_name=_("previous ranker"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("collection")
        verbose_name_plural = _("collections")
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug


class CollectionCategory(models.Model):
    """A category that a collection covers. It cannot be deleted before the collection covers something else."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE)
    category = models.ForeignKey("catalog.Category", on_delete=models.PROTECT)

    class Meta:
        verbose_name = _("category of a collection")
        verbose_name_plural = _("categories of collections")
        db_table = "embeddings_collection_categories"
        unique_together = (("collection", "category"),)

    def __str__(self) -> str:
        return str(_("%(category)s, covered by the collection %(collection)s")) % {
            "category": self.category.path,
            "collection": self.collection.slug,
        }
