"""Pairs of products that are near-duplicates, what was decided about them, and the search for them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.models.products import Product


class DuplicatePair(models.Model):
    """Two products that may be the same, and the decision about them.

    `first` has the smaller id. `similarity` (cosine of the vectors) and `hash_distance` (different bits of the perceptual hashes)
    are of their most similar photos; of a pair by text, `similarity` is the probability that they are the same. `kind` is empty if
    there is only a decision.
    """

    class Kind(models.TextChoices):
        """What is similar in them."""

        SAME_FILE = "same_file", _("identical photo")
        SIMILAR = "alike", _("similar photo")
        MIRRORED = "mirrored", _("similar photo, mirrored")
        TEXT = "text", _("similar text")

    class Decision(models.TextChoices):
        """The relation of the two products."""

        OPEN = "open", _("open")
        DIFFERENT = "different", _("not a duplicate")
        VARIANT = "variant", _("variants")

    first = models.ForeignKey(Product, verbose_name=_("first product"), on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Product, verbose_name=_("second product"), on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices, blank=True)
    similarity = models.FloatField(_("similarity"), default=0)
    hash_distance = models.PositiveSmallIntegerField(_("hash distance"), default=0)
    decision = models.CharField(_("decision"), max_length=12, choices=Decision.choices, default=Decision.OPEN)
    found_at = models.DateTimeField(_("found"), auto_now_add=True)

    class Meta:
        verbose_name = _("near-duplicate")
        verbose_name_plural = _("near-duplicates")
        default_permissions = ()
        indexes = [models.Index(fields=("decision",), name="duplicate_by_decision")]
        constraints = [
            models.UniqueConstraint(fields=("first", "second"), name="duplicate_pair_once"),
            models.CheckConstraint(condition=models.Q(first__lt=models.F("second")), name="duplicate_pair_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.first_id}/{self.second_id}: {self.decision}"


class DuplicateDecision(models.Model):
    """A decision about near-duplicates, with what is needed to undo it.

    Attributes:
        products: ids of those it was about.
        main: id of the product that was kept, or became the main one of the variants.
        before: what it changed, as it was; see `catalog.decisions`.
    """

    class Kind(models.TextChoices):
        """What was decided."""

        DIFFERENT = "different", _("different products")
        VARIANTS = "variants", _("variants")
        MERGE = "merge", _("merged")

    kind = models.CharField(_("decision"), max_length=12, choices=Kind.choices)
    products = models.JSONField(_("products"))
    main = models.BigIntegerField(_("main product"), null=True)
    before = models.JSONField(_("before"))
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    undone_at = models.DateTimeField(_("undone"), null=True)

    class Meta:
        verbose_name = _("decision on near-duplicates")
        verbose_name_plural = _("decisions on near-duplicates")
        default_permissions = ()
        indexes = [models.Index(fields=("-made_at",), name="duplicate_decision_latest")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.products}"


class DuplicateSearch(models.Model):
    """A finished search for near-duplicates."""

    photos = models.PositiveIntegerField(_("photos"))
    finished_at = models.DateTimeField(_("finished"), auto_now_add=True)

    class Meta:
        verbose_name = _("search for near-duplicates")
        verbose_name_plural = _("searches for near-duplicates")
        default_permissions = ()
        get_latest_by = "finished_at"

    def __str__(self) -> str:
        return f"{self.finished_at:%Y-%m-%d %H:%M}"
