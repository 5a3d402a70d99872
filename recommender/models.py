"""Visitor events, without anything that identifies a visitor."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

COLLECTION_LENGTH = 60
ENCODER_LENGTH = 80


class Event(models.Model):
    """An impression, a click, an addition to the basket or a purchase.

    An impression is one row, however many results were seen. Products are plain numbers, not foreign keys, so that events stay
    when a product is deleted.

    Attributes:
        product_id: the product of the page whose results were seen or clicked, or the product that was bought; None after a search
            by photo.
        result_id: the result that was clicked.
        position: of the click, from 1.
        results: ids of the products that were seen, in their order.
        created_at: cut to the hour.
    """

    class Type(models.TextChoices):
        """The type of an event."""

        IMPRESSION = "impression", _("results seen")
        CLICK = "click", _("result clicked")
        ADD_TO_CART = "add_to_cart", _("added to the basket")
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
        # Covers counts by type, time, product and collection, and finds events that are too old.
        indexes = [models.Index(fields=("type", "created_at", "product_id", "collection"), name="event_counts")]

    def __str__(self) -> str:
        return f"{self.type} {self.created_at:%Y-%m-%d %H:00}"
