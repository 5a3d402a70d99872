"""What the catalogue doctor found wrong with a product."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Diagnosis(models.Model):
    """Something that looks wrong with a product, found by the catalogue doctor, and the decision about it.

    Attributes:
        photo_id: id of the photo that it is about; 0 if it is about the product.
        suggestion: path of a category, a colour, or the id of another product; "" for none.
        confidence: 0 to 1; what it means is the kind's own.
        evidence: ids of photos that show why.
        before: what accepting it has changed, plain JSON, to undo it.
    """

    class Kind(models.TextChoices):
        """What looks wrong."""

        CATEGORY = "category", _("looks like another category")
        FOREIGN_PHOTO = "foreign", _("photo of another product")
        NO_PRODUCT = "no_product", _("photo that shows no product")
        COLOUR_MISSING = "no_colour", _("colour is missing")
        COLOUR_WRONG = "colour", _("another colour than it says")

    class Decision(models.TextChoices):
        """What was decided."""

        OPEN = "open", _("open")
        ACCEPTED = "accepted", _("accepted")
        DISMISSED = "dismissed", _("dismissed")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    product = models.ForeignKey(
        "catalog.Product", verbose_name=_("product"), on_delete=models.CASCADE, related_name="+"
    )
    photo_id = models.PositiveBigIntegerField(_("photo"), default=0)
    suggestion = models.CharField(_("suggestion"), max_length=500, blank=True)
    confidence = models.FloatField(_("confidence"))
    evidence = models.JSONField(_("evidence"), default=list, blank=True)
    decision = models.CharField(_("decision"), max_length=12, choices=Decision.choices, default=Decision.OPEN)
    before = models.JSONField(_("before"), null=True, editable=False)
    decided_at = models.DateTimeField(_("decided"), null=True, editable=False)

    class Meta:
        verbose_name = _("finding of the catalogue doctor")
        verbose_name_plural = _("catalogue doctor")
        default_permissions = ()
        indexes = [models.Index(fields=("decision", "kind", "-confidence"), name="diagnosis_list")]
        constraints = [
            models.UniqueConstraint(fields=("kind", "product", "photo_id"), name="diagnosis_once_per_product_and_photo")
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.kind}"
