"""What visitors did with recommendations, which tells nothing of who they are; who may call the API; and who changed what."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

COLLECTION_LENGTH = 60
ENCODER_LENGTH = 80


class Event(models.Model):
    """One thing that happened in the shop. A strip of results that was seen is one row, however many products it had.

    `product_id`: whose strip it was, or what was put into a basket or bought; None for the results of a photo search.
    `result_id`, `position` (from 1): what was clicked. `results`: the ids that were seen, in their order. Products are numbers
    here and no keys: a product may be gone, and what happened to it stays. `created_at` is cut to the hour.
    """

    class Type(models.TextChoices):
        """What happened."""

        IMPRESSION = "impression", _("results seen")
        CLICK = "click", _("result clicked")
        ADD_TO_CART = "add_to_cart", _("put into the basket")
        PURCHASE = "purchase", _("bought")

    type = models.CharField(_("type"), max_length=12, choices=Type.choices)
    product_id = models.PositiveBigIntegerField(_("product"), null=True)
    result_id = models.PositiveBigIntegerField(_("result"), null=True)
    position = models.PositiveSmallIntegerField(_("position"), null=True)
    quantity = models.PositiveIntegerField(_("quantity"), null=True)
    results = models.JSONField(_("results"), null=True)
    collection = models.CharField(_("collection"), max_length=COLLECTION_LENGTH, blank=True)
    encoder = models.CharField(_("encoder version"), max_length=ENCODER_LENGTH, blank=True)
    created_at = models.DateTimeField(_("hour"))

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        # Answers alone whatever is counted by type, time, product and collection, and finds what is too old.
        indexes = [models.Index(fields=("type", "created_at", "product_id", "collection"), name="event_counts")]

    def __str__(self) -> str:
        return f"{self.type} {self.created_at:%Y-%m-%d %H:00}"
