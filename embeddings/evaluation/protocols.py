"""How an encoder is evaluated: queries against a gallery or each photo against the others, by class or by product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from embeddings.dataset import PhotoSet
from embeddings.encoders.base import Encoder
from embeddings.evaluation.calibration import cross_validated_error
from embeddings.evaluation.metrics import (
    PerQuery,
    RetrievalMetrics,
    bootstrap_intervals,
    confusion,
    mean_metrics,
    nearest_labels,
    per_class,
    per_query_metrics,
)
from embeddings.evaluation.photos import EmbeddedPhotos, embed_photos
from embeddings.evaluation.report import (
    CalibrationCheck,
    Confusion,
    EmbeddingMap,
    EncoderResult,
    EvaluationReport,
    LearningPoint,
    ResultGrid,
)


@dataclass(frozen=True)
class EvaluationSplit:
    """The photos that an encoder is evaluated with.

    The label of a photo says what counts as a match. Photos of the query's own product are left out where labels are classes: a
    class is not found by finding the same product again.

    Attributes:
        queries: photos to search with.
        gallery: photos to search; None compares each query with the other queries.
    """

    queries: PhotoSet
    gallery: PhotoSet | None

    @classmethod
    def one_view(cls, photo_set: PhotoSet) -> EvaluationSplit:
        """The first photo of each product against all other photos; labels are products. Raises UnusablePhotos."""
        known = photo_set.of_products()
        first = {photo.product: photo for photo in reversed(known.photos)}
        queries = [photo for photo in known.photos if first[photo.product] is photo]
        others = [photo for photo in known.photos if first[photo.product] is not photo]
        return cls(PhotoSet(known.title, queries), PhotoSet(known.title, others))


@dataclass(frozen=True)
class EvaluationResult:
    """How well one encoder found what it was to find.

    Attributes:
        name: of the encoder.
        fingerprint: of the encoder.
        queries: photos that were searched with.
        gallery: photos that were searched; the queries themselves where each was compared with the others.
        per_query: figures of each query.
    """

    name: str
    fingerprint: str
    queries: EmbeddedPhotos
    gallery: EmbeddedPhotos
    per_query: PerQuery

    @cached_property
    def metrics(self) -> RetrievalMetrics:
        """Means over the queries."""
        return mean_metrics(self.per_query)

    @cached_property
    def per_class(self) -> Mapping[str, RetrievalMetrics]:
        """Means over the queries of each class."""
        return per_class(self.per_query, self.queries.labels)

    @cached_property
    def intervals(self) -> Mapping[str, tuple[float, float]]:
        """95% confidence intervals of the means."""
        return bootstrap_intervals(self.per_query)

    def figures(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "encoder": self.fingerprint,
            **self.metrics.as_dict(),
            "gallery": len(self.gallery.photos),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "per_class": {name: metrics.as_dict() for name, metrics in self.per_class.items()},
        }


def evaluate_encoder(name: str, encoder: Encoder, photos: EvaluationSplit) -> EvaluationResult:
    """Embed the photos and rank the gallery for each query.

    Args:
        name: what the encoder is called.
        encoder: the encoder.
        photos: queries and gallery.

    Returns:
        The result of this encoder.

    Raises:
        UnusablePhotos: no photo can be read.
        ValueError: no query has a match.
    """
    queries = embed_photos(encoder, photos.queries.photos, f"{name}: {photos.queries.title}")
    gallery = (
        queries
        if photos.gallery is None
        else embed_photos(encoder, photos.gallery.photos, f"{name}: {photos.gallery.title}")
    )
    return evaluate(name, encoder.fingerprint, queries, gallery)


def evaluate(name: str, fingerprint: str, queries: EmbeddedPhotos, gallery: EmbeddedPhotos) -> EvaluationResult:
    """Rank the gallery for each query.

    Args:
        name: what the encoder is called.
        fingerprint: of the encoder.
        queries: embedded photos to search with.
        gallery: embedded photos to search; the same object as `queries` compares each query with the others.

    Returns:
        The result of the encoder that embedded them.

    Raises:
        ValueError: no query has a match.
    """
    groups = {} if queries.groups is None else {"query_groups": queries.groups, "gallery_groups": gallery.products}
    ranked = per_query_metrics(
        queries.embeddings,
        queries.labels,
        gallery.embeddings,
        gallery.labels,
        leave_one_out=gallery is queries,
        **groups,
    )
    result = EvaluationResult(name, fingerprint, queries, gallery, ranked)
    _ = result.metrics  # raises where nothing can be evaluated
    return result


def report_on(
    title: str,
    results: Sequence[EvaluationResult],
    *,
    facts: Mapping[str, object],
    learning_curve: Sequence[LearningPoint] = (),
    calibration: CalibrationCheck | None = None,
) -> EvaluationReport:
    """The report of an evaluation with several encoders.

    Args:
        title: of the page.
        results: of each encoder on the same photos; the first is the one that is looked at closely.
        facts: names and values to list.
        learning_curve: of its training.
        calibration: how far its confidence can be trusted.

    Returns:
        What `write_report` writes.
    """
    first = results[0]
    queries, gallery = first.queries, first.gallery
    return EvaluationReport(
        title=title,
        facts=facts,
        encoders=[EncoderResult(each.name, each.metrics, each.intervals, each.per_class) for each in results],
        learning_curve=learning_curve,
        confusion=Confusion(*confusion(queries.labels, nearest_labels(first.per_query, gallery.labels))),
        embedding_map=EmbeddingMap(queries.embeddings, queries.labels),
        result_grid=ResultGrid(
            first.per_query,
            queries.labels,
            gallery.labels,
            lambda row: queries.photos[row].image(at_least=160),
            lambda row: gallery.photos[row].image(at_least=160),
        ),
        calibration=calibration,
    )


def calibration_check(embedded: EmbeddedPhotos) -> CalibrationCheck:
    """How far a calibration that is fitted on some of these photos is off on the others. Raises ValueError."""
    return CalibrationCheck(*cross_validated_error(embedded.embeddings, embedded.labels, groups=embedded.groups))
