"""Fits the matcher on what the shop decided: merged products are the same, variants and different ones are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations
from typing import Any

import numpy as np

from catalog.models import DuplicateDecision, Product
from embeddings.errors import TooFewPairs
from embeddings.matches import COLLECTION, coefficients
from embeddings.matching.gallery import Entry, Gallery, feature_rows
from embeddings.matching.probability import default_coefficients, fit
from embeddings.matching.records import Record
from embeddings.models import ImageEmbedding, MatchCoefficients
from embeddings.selectors import live_collection
from embeddings.stored_vectors import vector_from_bytes

LEAST_PAIRS = 20
# Of the default coefficients: some 40 unclear pairs say as much as they do.
STRENGTH = 5.0
# Of a decision about many products, these are enough.
_MAX_PRODUCTS = 6
_BATCH = 500


@dataclass(frozen=True, slots=True)
class FitReport:
    """Result of a fit. log_loss: mean over the pairs, with the coefficients so far and with the new ones."""

    same: int
    different: int
    log_loss_before: float
    log_loss_after: float


def fit_on_decisions() -> FitReport:
    """Fit coefficients on the decisions that were not undone, and use them from now on.

    Returns:
        What they were fitted on, and how much better they say it.

    Raises:
        TooFewPairs: there are fewer than LEAST_PAIRS pairs, or none that are the same or none that are not.
        UnknownCollection: nothing was indexed yet.
    """
    decisions = list(DuplicateDecision.objects.filter(undone_at=None).order_by("pk"))
    entries = _entries(decisions)
    position = {product: row for row, product in enumerate(entries)}
    gallery = Gallery(list(entries.values()))
    labels: dict[tuple[int, int], bool] = {}
    for decision in decisions:
        known = [product for product in decision.products if product in entries][:_MAX_PRODUCTS]
        for pair in permutations(known, 2):
            labels[pair] = decision.kind == DuplicateDecision.Kind.MERGE
    same = sum(labels.values()) // 2
    different = len(labels) // 2 - same
    if same + different < LEAST_PAIRS or not same or not different:
        raise TooFewPairs(
            f"{same} pairs were merged and {different} were not: {LEAST_PAIRS} are needed, some of which are the same"
        )
    found = []
    for one, other in labels:
        own, its = position[one], position[other]
        near = gallery.candidates(entries[one], hidden=own, also=[its])
        found += [candidate for candidate in near if candidate.row == its]
    rows, truth = feature_rows(found), np.array([*labels.values()])
    before = coefficients()
    # Each pair is there from both sides.
    fitted = fit(rows, truth, prior=default_coefficients(), strength=2 * STRENGTH)
    MatchCoefficients.objects.create(values=fitted.values, pairs=same + different)
    losses = (_log_loss(model.probabilities(rows), truth) for model in (before, fitted))
    return FitReport(same, different, *losses)


def _entries(decisions: Iterable[DuplicateDecision]) -> dict[int, Entry]:
    """The products of decisions as they were before, by id."""
    fields: dict[int, Mapping[str, Any]] = {}
    images: dict[int, int] = {}
    for decision in decisions:
        for pk, values in decision.before["fields"].items():
            fields.setdefault(int(pk), values)
        for image in decision.before["images"]:
            images.setdefault(image["pk"], image["product_id"])
    vectors = _vectors(images)
    products = sorted(fields)
    titles: dict[int, tuple[str, str]] = {}
    for start in range(0, len(products), _BATCH):
        rows = Product.objects.filter(pk__in=products[start : start + _BATCH]).values_list("pk", "title", "sku")
        titles |= {pk: (title, sku) for pk, title, sku in rows}
    return {
        pk: Entry(_record(*titles[pk], fields[pk]), np.stack(vectors[pk]))
        if pk in vectors
        else Entry(_record(*titles[pk], fields[pk]))
        for pk in products
        if pk in titles
    }


def _vectors(images: Mapping[int, int]) -> dict[int, list[np.ndarray[Any, np.dtype[np.float32]]]]:
    version = live_collection(COLLECTION).version_id
    found: defaultdict[int, list[np.ndarray[Any, np.dtype[np.float32]]]] = defaultdict(list)
    ids = sorted(images)
    for start in range(0, len(ids), _BATCH):
        rows = ImageEmbedding.objects.filter(version=version, image_id__in=ids[start : start + _BATCH])
        for image_id, stored in rows.filter(vector__isnull=False).values_list("image_id", "vector"):
            vector = vector_from_bytes(stored or b"")
            found[images[image_id]].append(vector / np.linalg.norm(vector))
    return found


def _record(title: str, sku: str, fields: Mapping[str, Any]) -> Record:
    price = None if fields["price"] is None else Decimal(fields["price"])
    attributes = {name: str(value) for name, value in fields["attributes"].items()}
    return Record(title, fields["brand"], fields["description"], price, fields["currency"], attributes, sku)


def _log_loss(probability: np.ndarray[Any, np.dtype[np.float64]], truth: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    of_truth = np.where(truth, probability, 1 - probability)
    return float(-np.log(np.maximum(of_truth, 1e-12)).mean())
