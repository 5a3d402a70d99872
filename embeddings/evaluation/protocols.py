"""How an encoder is judged: queries against a gallery or each photo against the others, by class or by product."""

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
    Epoch,
    EvaluationReport,
    Sheet,
)


@dataclass(frozen=True)
class Trial:
    """What photos an encoder is judged by. gallery: None compares each query with the other queries.

    The label of a photo says what counts as a match. Photos of the query's own product are left out where labels are classes: a
    class is not found by finding the same thing again.
    """

    queries: PhotoSet
    gallery: PhotoSet | None

    @classmethod
    def one_view(cls, photo_set: PhotoSet) -> Trial:
        """The first photo of each product against all other photos; labels are products. Raises UnusablePhotos."""
        known = photo_set.of_products()
        first = {photo.product: photo for photo in reversed(known.photos)}
        queries = [photo for photo in known.photos if first[photo.product] is photo]
        others = [photo for photo in known.photos if first[photo.product] is not photo]
        return cls(PhotoSet(known.title, queries), PhotoSet(known.title, others))


@dataclass(frozen=True)
class Outcome:
    """What came of a trial with one encoder. gallery is queries where each photo was compared with the others."""

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


def run_trial(name: str, encoder: Encoder, trial: Trial) -> Outcome:
    """Embed the photos and rank the gallery for each query. Raises UnusablePhotos, ValueError where no query has a match."""
    queries = embed_photos(encoder, trial.queries.photos, f"{name}: {trial.queries.title}")
    gallery = (
        queries
        if trial.gallery is None
        else embed_photos(encoder, trial.gallery.photos, f"{name}: {trial.gallery.title}")
    )
    return judge(name, encoder.fingerprint, queries, gallery)


def judge(name: str, fingerprint: str, queries: EmbeddedPhotos, gallery: EmbeddedPhotos) -> Outcome:
    """Rank the gallery for each query. Raises ValueError where no query has a match."""
    groups = {} if queries.groups is None else {"query_groups": queries.groups, "gallery_groups": gallery.products}
    ranked = per_query_metrics(
        queries.embeddings,
        queries.labels,
        gallery.embeddings,
        gallery.labels,
        leave_one_out=gallery is queries,
        **groups,
    )
    outcome = Outcome(name, fingerprint, queries, gallery, ranked)
    _ = outcome.metrics  # what cannot be judged is said now
    return outcome


def report_on(
    title: str,
    outcomes: Sequence[Outcome],
    *,
    facts: Mapping[str, object],
    epochs: Sequence[Epoch] = (),
    calibration: CalibrationCheck | None = None,
) -> EvaluationReport:
    """The report of one trial with several encoders; the first is the one that is looked at closely."""
    first = outcomes[0]
    queries, gallery = first.queries, first.gallery
    return EvaluationReport(
        title=title,
        facts=facts,
        encoders=[EncoderResult(each.name, each.metrics, each.intervals, each.per_class) for each in outcomes],
        epochs=epochs,
        confusion=Confusion(*confusion(queries.labels, nearest_labels(first.per_query, gallery.labels))),
        embedding_map=EmbeddingMap(queries.embeddings, queries.labels),
        sheet=Sheet(
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
