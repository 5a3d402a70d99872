"""Recommendations and jobs as the API shows them: the JSON, and its serializers for the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from catalog.api.serializers import ProductSerializer, product_cards, product_texts
from catalog.models import PRICE_DECIMALS, PRICE_DIGITS
from recommender.queries import Parts, Recommendation, Recommendations
from recommender.rules.explanation import Explanation
from recommender.rules.plan import Place
from recommender.searching import COUNTED
from rest.json_text import json_text
from rest.problems import ProblemSerializer

# Scores are float32; more digits are noise.
_SCORE_DIGITS = 6
_CONFIDENCE_DIGITS = 4
_CROP_DIGITS = 4
_NUMBERS = ("score", "confidence", "matched_image", "query_image")
_NUMBERS_TEXT = ",".join(f'"{name}":%s' for name in _NUMBERS) + "}"


def recommendations(recommended: Recommendations, base: str, *, product_id: int | None = None) -> dict[str, Any]:
    """The JSON of recommendations.

    Args:
        recommended: what was recommended.
        base: from `rest.addresses.base_address`.
        product_id: the product that the recommendations are for; None after a search.

    Returns:
        An object as SimilarResponseSerializer describes it, after a search as SearchResponseSerializer does.
    """
    results = recommended.results
    cards = product_cards((each.product for each in results), base)
    return {
        **_before_results(recommended, product_id),
        "results": [{"product": card, **_result(each)} for card, each in zip(cards, results, strict=True)],
        **_after_results(recommended, product_id),
    }


def recommendations_texts(
    recommended: Mapping[int, Recommendations], base: str, *, stamp: int | None = None
) -> dict[int, str]:
    """The texts of the same JSON beside several products, faster where texts of the results are kept.

    Args:
        recommended: what was recommended, by the product that it is for.
        base: from `rest.addresses.base_address`.
        stamp: of the catalogue, see `catalog.kept`.

    Returns:
        By product an object as SimilarResponseSerializer describes it.
    """
    cards = {each.product.id: each.product for answer in recommended.values() for each in answer.results}
    products = dict(zip(cards, product_texts([*cards.values()], base, stamp), strict=True))
    return {product_id: _text(product_id, answer, products) for product_id, answer in recommended.items()}


def _text(product_id: int, recommended: Recommendations, products: Mapping[int, str]) -> str:
    shown = [f'{{"product":{products[each.product.id]},{_result_text(each)}' for each in recommended.results]
    before, after = _before_results(recommended, product_id), _after_results(recommended, product_id)
    return f'{json_text(before)[:-1]},"results":[{",".join(shown)}],{json_text(after)[1:]}'


def _before_results(recommended: Recommendations, product_id: int | None) -> dict[str, Any]:
    product = {} if product_id is None else {"product": product_id}
    return {**product, "collection": recommended.collection, "encoder": recommended.encoder}


def _numbers(each: Recommendation) -> tuple[float | None, ...]:
    """The values of _NUMBERS."""
    score, confidence = each.score, each.confidence
    return (
        None if score is None else round(score, _SCORE_DIGITS),
        None if confidence is None else round(confidence, _CONFIDENCE_DIGITS),
        each.matched_image,
        each.query_image,
    )


def _result(each: Recommendation) -> dict[str, Any]:
    """A result without its product, which comes first."""
    numbers = dict(zip(_NUMBERS, _numbers(each), strict=True))
    return numbers if each.parts is None else {**numbers, "parts": _parts(each.parts)}


def _result_text(each: Recommendation) -> str:
    """The JSON of `_result` behind its brace. Of nothing but numbers it is put together here, which is several times as fast."""
    if each.parts is not None:
        return json_text(_result(each))[1:]
    return _NUMBERS_TEXT % tuple(["null" if value is None else value for value in _numbers(each)])


def _after_results(recommended: Recommendations, product_id: int | None) -> dict[str, Any]:
    body: dict[str, Any] = {"weights": None if recommended.weights is None else recommended.weights.as_dict()}
    if product_id is not None:
        body["fallback"] = recommended.fallback
    if recommended.proposed_crop is not None:
        body["proposed_crop"] = [round(each, _CROP_DIGITS) for each in recommended.proposed_crop]
    if recommended.facets is not None:
        body["count"] = recommended.count
        body["facets"] = asdict(recommended.facets)
    if recommended.ranker is not None and recommended.explanation is not None:
        body["ranker"] = recommended.ranker
    if recommended.explanation is not None:
        body["explanation"] = _explanation(recommended.explanation)
    return body


def _parts(parts: Parts) -> dict[str, float | None]:
    members = {name: None if value is None else round(value, _SCORE_DIGITS) for name, value in asdict(parts).items()}
    if parts.ranker is None:
        del members["ranker"]
    return members


def _explanation(explanation: Explanation) -> dict[str, Any]:
    return {
        "rule_set": explanation.rule_set,
        "rules": [
            {**asdict(each.rule), "place": each.place, "products": [*each.products], "lost": [*each.lost]}
            for each in explanation.rules
        ],
    }


@extend_schema_serializer(component_name="ScorePartsSchema")
class PartsSerializer(serializers.Serializer[Any]):
    """What the score of a search is made of."""

    text = serializers.FloatField(allow_null=True, help_text="How well the words fit; null without words.")
    looks = serializers.FloatField(
        allow_null=True, help_text="How much it looks like what was given; null for words alone."
    )
    ranker = serializers.FloatField(
        required=False,
        help_text="Of the active ranker, which puts the best of a search by words in order; comparable within one answer.",
    )


@extend_schema_serializer(component_name="RecommendationSchema")
class RecommendationSerializer(serializers.Serializer[Any]):
    """A recommended product."""

    product = ProductSerializer()
    score = serializers.FloatField(
        allow_null=True,
        help_text="Similarity for cosine and dot (higher is nearer), distance for l1 and l2 (lower is nearer); with colour and "
        "pattern, the mean of the parts' cosines by their weights. null for "
        "fallback results, and where a rule brought in a product that is far away.",
    )
    confidence = serializers.FloatField(
        allow_null=True,
        help_text="Calibrated probability, 0 to 1, that the product is of the same kind, by its shape alone; null if the encoder "
        "version has no calibration.",
    )
    matched_image = serializers.IntegerField(
        allow_null=True,
        help_text="Id of the photo of this product that matches best, as in `images` of the product; null without a score.",
    )
    query_image = serializers.IntegerField(
        allow_null=True,
        help_text="Id of the photo that it matches, of the product of the request; null without a score and after a search by "
        "photo.",
    )
    parts = PartsSerializer(
        required=False, help_text="Only with `explain=true`, in a search by words or liked products."
    )


@extend_schema_serializer(component_name="RuleEffectSchema")
class RuleEffectSerializer(serializers.Serializer[Any]):
    """What a rule did to an answer."""

    id = serializers.IntegerField()
    kind = serializers.CharField(help_text="As in the rule.")
    scope = serializers.CharField(help_text="As in the rule.")
    target = serializers.CharField(help_text="As in the rule.")
    place = serializers.ChoiceField(
        [place.value for place in Place],
        allow_null=True,
        help_text="Where it was applied: in the query of the index, or after it; null for a rule that applies nowhere, since what "
        "it names is gone.",
    )
    products = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Ids of the products that it pinned, moved or filled in, or that it left out of what the answer would be "
        "without rules.",
    )
    lost = serializers.ListField(
        child=serializers.CharField(), help_text="What the rule names and what does not exist, e.g. `brand Acme`."
    )


@extend_schema_serializer(component_name="ExplanationSchema")
class ExplanationSerializer(serializers.Serializer[Any]):
    """What merchandising rules did to an answer."""

    rule_set = serializers.CharField(help_text='Name of the rule set that is active; "" if there is none.')
    rules = RuleEffectSerializer(many=True)


@extend_schema_serializer(component_name="WeightsSchema")
class WeightsSerializer(serializers.Serializer[Any]):
    """What each part of the photos counted, -1 to 1."""

    shape = serializers.FloatField()
    colour = serializers.FloatField()
    pattern = serializers.FloatField()


@extend_schema_serializer(component_name="FacetValueSchema")
class FacetValueSerializer(serializers.Serializer[Any]):
    """A value, and how many of the products have it."""

    value = serializers.CharField(help_text="For the filter.")
    name = serializers.CharField(help_text="For people.")
    products = serializers.IntegerField()


@extend_schema_serializer(component_name="PriceBandSchema")
class PriceBandSerializer(serializers.Serializer[Any]):
    """A range of prices, and how many of the products cost that."""

    min_price = serializers.DecimalField(PRICE_DIGITS, PRICE_DECIMALS, allow_null=True)
    max_price = serializers.DecimalField(PRICE_DIGITS, PRICE_DECIMALS, allow_null=True)
    products = serializers.IntegerField()


@extend_schema_serializer(component_name="FacetsSchema")
class FacetsSerializer(serializers.Serializer[Any]):
    """What the products that were found can be narrowed down by."""

    categories = FacetValueSerializer(many=True, help_text="By path; each with those below it.")
    brands = FacetValueSerializer(many=True)
    prices = PriceBandSerializer(many=True)
    currency = serializers.CharField(help_text="Of the prices.")
    attributes = serializers.DictField(
        child=FacetValueSerializer(many=True), help_text="Values by name, for `attribute.<name>`."
    )


@extend_schema_serializer(component_name="SearchAnswerSchema")
class SearchResponseSerializer(serializers.Serializer[Any]):
    """Products that were found, best first."""

    collection = serializers.CharField()
    encoder = serializers.CharField(help_text="Label of the encoder version, e.g. all-v1.")
    results = RecommendationSerializer(many=True)
    weights = WeightsSerializer(
        allow_null=True,
        help_text="What each part counted; null for fallback results, and where the vectors of the collection have no parts.",
    )
    proposed_crop = serializers.ListField(
        child=serializers.FloatField(min_value=0, max_value=1),
        min_length=4,
        max_length=4,
        required=False,
        help_text="Where the product is on the photo that was sent, with a margin, for another search with `crop`: x, y, width,"
        " height. Only after a search by a whole photo, where something stands out from its background and does not fill it.",
    )
    explanation = ExplanationSerializer(required=False, help_text="Only with `explain=true`.")
    ranker = serializers.CharField(
        required=False,
        help_text="Label of the ranker that put the best of a search by words in order, e.g. all-r2; scores stay the words'."
        " Only with `explain=true`, and where one is active.",
    )
    count = serializers.IntegerField(
        required=False, help_text=f"How many products were found, counted up to {COUNTED:,}; only with `facets=true`."
    )
    facets = FacetsSerializer(required=False, help_text="Only with `facets=true`.")


@extend_schema_serializer(component_name="SimilarAnswerSchema")
class SimilarResponseSerializer(SearchResponseSerializer):
    """Products that look like a product, best first."""

    product = serializers.IntegerField(help_text="The product of the request.")
    fallback = serializers.BooleanField(
        help_text="true if the product has no vector yet, or the index is away. The results are then the newest products of "
        "its category, then of the parent categories, then of any that the collection covers; scores are null."
    )


@extend_schema_serializer(component_name="SimilarBatchItemSchema")
class SimilarBatchItemSerializer(serializers.Serializer[Any]):
    """What became of one product of a batch."""

    status = serializers.ChoiceField(["ok", "error"])
    answer = SimilarResponseSerializer(
        required=False, help_text="With ok: as `GET /api/products/<id>/similar` answers."
    )
    problem = ProblemSerializer(required=False, help_text="With error: why there is no answer.")


@extend_schema_serializer(component_name="SimilarBatchSchema")
class SimilarBatchSerializer(serializers.Serializer[Any]):
    """Similar products of several products."""

    ok = serializers.IntegerField(help_text="Number of products with an answer.")
    errors = serializers.IntegerField(help_text="Number of products with a problem.")  # type: ignore[assignment]
    results = SimilarBatchItemSerializer(many=True, help_text="One for each product, in the order of the request.")
