"""What is asked for, and what is answered: the queries of recommendations and their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catalog.cards import ProductCard
from catalog.filters import NO_FILTER, ProductFilter
from embeddings.parts.layout import Weights
from recommender.facets import SearchFacets
from recommender.rules.explanation import Explanation

DEFAULT_COLLECTION = "all"
DEFAULT_LIMIT = 12


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to recommend for a photo.

    Attributes:
        limit: maximum number of products.
        filter: conditions that every product has to meet.
        diversity: weight of diversity in maximal marginal relevance, 0 (nearest first) to 1.
        min_score: worst score that is returned, in the form of `Recommendation.score`.
        max_score: best score that is returned, in the same form.
        min_confidence: lowest confidence that is returned, 0 to 1; ignored where the encoder version has no calibration.
        offset: how many of the best are passed over.
        rule_set: name of the rule set that applies; None for the active one, "" for none.
        explain: whether to say which rule did what.
        weights: what shape, colour and pattern count; None for what the collection has found in its catalogue.
        stamp: of the catalogue, read before the query; what this process has read since is not read again. None: all is read.
    """

    limit: int = DEFAULT_LIMIT
    filter: ProductFilter = NO_FILTER
    diversity: float = 0.0
    min_score: float | None = None
    max_score: float | None = None
    min_confidence: float | None = None
    offset: int = 0
    rule_set: str | None = None
    explain: bool = False
    weights: Weights | None = None
    stamp: int | None = None


@dataclass(frozen=True, slots=True)
class SimilarQuery(SearchQuery):
    """What to recommend beside a product: as in a search, and in which collection.

    Attributes:
        collection: slug.
        for_visitor: whether A/B tests and the learned order apply, which differ from hour to hour.
        fallback: whether the fallback answers while the vector index is away or has not been built.
    """

    collection: str = DEFAULT_COLLECTION
    for_visitor: bool = True
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """What the score of a search by words and looks is made of.

    Attributes:
        text: of the words; None where none were given.
        looks: how much it looks like what was given; None where only words were.
        ranker: of the active ranker, which says the order; None without one, and behind the best that it puts in order.
    """

    text: float | None
    looks: float | None
    ranker: float | None = None


class Recommendation(NamedTuple):
    """A recommended product.

    Attributes:
        product: its card.
        score: as users see it (`Distance.shown`); None in a fallback, and where a rule brought in a product that is far away.
        confidence: calibrated probability, 0 to 1, that it is of the same kind; None without a calibration or a score.
        matched_image: id of its photo that matches best; None without a score.
        query_image: id of the photo that it matches, of the product that the recommendations are for; None without a score and
            for a photo that was sent.
        parts: what the score is made of; None unless that was asked for, after a search by words or for several things.
    """

    product: ProductCard
    score: float | None
    confidence: float | None = None
    matched_image: int | None = None
    query_image: int | None = None
    parts: Parts | None = None


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Recommended products.

    Attributes:
        collection: slug of the collection that was searched.
        encoder: label of its encoder version.
        results: best first.
        fallback: whether the product had no vector or the index is away, so that the results come from its category.
        index_away: whether the reason is the index, so that the results are soon others.
        explanation: what rules did; None unless it was asked for.
        weights: what each part counted; None where the vectors have no parts, and in a fallback.
        proposed_crop: x, y, width and height of the product on the photo that was sent, each 0 to 1; None for none.
        count: how many products were found, counted up to a limit; None unless facets were asked for.
        facets: what they can be narrowed down by; likewise.
        ranker: label of the ranker that put the best in order; None without one.
    """

    collection: str
    encoder: str
    results: Sequence[Recommendation]
    fallback: bool = False
    index_away: bool = False
    explanation: Explanation | None = None
    weights: Weights | None = None
    proposed_crop: tuple[float, float, float, float] | None = None
    count: int | None = None
    facets: SearchFacets | None = None
    ranker: str | None = None
