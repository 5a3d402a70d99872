"""Examples that endpoints of recommendations share in the schema."""

from __future__ import annotations

from catalog.api.documenting import CARD

RESULTS = [{"product": CARD, "score": 0.912345, "confidence": 0.9731, "matched_image": 17, "query_image": None}]
WEIGHTS = {"shape": 1.0, "colour": 0.2, "pattern": 0.1}
