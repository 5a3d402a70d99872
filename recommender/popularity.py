"""How often products were bought, by the events that are kept, as it was minutes ago."""

from __future__ import annotations

from django.core.cache import caches
from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from recommender.models import Event

# Products that count as bestsellers, and the seconds for which they are remembered.
BESTSELLERS = 1000
_TTL_S = 600


def bought() -> dict[int, int]:
    """The products that were bought most.

    Returns:
        How many were bought by product, the most often bought first; BESTSELLERS at most.
    """
    return caches["process"].get_or_set("recommender:bought", _most_bought, _TTL_S) or {}


def _most_bought() -> dict[int, int]:
    purchases = Event.objects.filter(type=Event.Type.PURCHASE, product_id__isnull=False).order_by()
    counts = purchases.values_list("product_id").annotate(bought=Sum(Coalesce(F("quantity"), 1)))
    return {
        product_id: number
        for product_id, number in counts.order_by("-bought", "product_id")[:BESTSELLERS]
        if product_id
    }
