"""The endpoints that find the same product elsewhere: of a product of the catalogue, and of a record of another shop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.documenting import CARD, NO_PRODUCT
from catalog.api.references import PRODUCT_ID, ProductReference
from catalog.api.serializers import ProductSerializer, product_cards
from catalog.cards import visible_cards
from embeddings import matches
from embeddings.matches import DEFAULT_MATCHES, MAX_MATCHES, Match
from embeddings.matching.features import FEATURES
from embeddings.matching.records import Record
from jobs.temporary_uploads import get_storage_error
from pictures.photos import FORMAT_NAMES
from product_files.product_data import SKU_LENGTH
from recommender.api.photos import PHOTO, check_size
from rest.addresses import base_address
from rest.documenting import form_body, responses
from rest.errors import GIVEN_TWICE, ParameterError
from rest.parameters import (
    ANY_NAME,
    IntegerParameter,
    NamedTextParameter,
    NoParameters,
    NumberParameter,
    ParagraphsParameter,
    Parameters,
    PriceParameter,
    TextParameter,
)
from rest.views import FORM_BYTES, ApiView, content_length

_DIGITS = 4
_MAX_TITLE, _MAX_BRAND, _MAX_DESCRIPTION = 300, 120, 20_000
_RESULTS = [
    {
        "product": CARD, "probability": 0.9731, "photo": 0.8123, "text": 0.7419,
        "reasons": {"text_contained": 2.1, "photo_lead": 1.4, "colours_differ": -0.1},
    }
]  # fmt: skip


class MatchParameters(Parameters):
    """Which matches are returned."""

    limit = IntegerParameter("Maximum number of products.", minimum=1, maximum=MAX_MATCHES, default=DEFAULT_MATCHES)
    min_probability = NumberParameter("The lowest probability that is returned.", minimum=0, maximum=1, default=0)


class RecordParameters(MatchParameters):
    """What another shop says of its product."""

    title = TextParameter("Title.", max_length=_MAX_TITLE)
    brand = TextParameter("Brand.", max_length=_MAX_BRAND, default="")
    description = ParagraphsParameter("Description, as plain text.", max_length=_MAX_DESCRIPTION, default="")
    price = PriceParameter("Price.")
    currency = TextParameter("Of the price: ISO 4217.", max_length=3, default="")
    gtin = TextParameter(
        "Barcode (GTIN, EAN, UPC or ISBN), as digits.", max_length=SKU_LENGTH, default="", source="code"
    )

    def get_fields(self) -> dict[str, Any]:
        """With attributes by name."""
        attributes = NamedTextParameter(
            "An attribute, such as `attribute.colour=blue`.", max_length=_MAX_TITLE, source="attributes"
        )
        return {**super().get_fields(), f"attribute.{ANY_NAME}": attributes}

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterable[ParameterError]:
        """A record needs a title."""
        if "title" not in values:
            yield ParameterError("title", "is missing: send the title of the product")


@extend_schema_serializer(component_name="MatchSchema")
class MatchSerializer(serializers.Serializer[Any]):
    """A product that may be the same."""

    product = ProductSerializer()
    probability = serializers.FloatField(help_text="That it is the same product, 0 to 1, calibrated.")
    photo = serializers.FloatField(
        allow_null=True, help_text="Highest cosine of two photos; null if one of the two has no photo."
    )
    text = serializers.FloatField(help_text="Cosine of the words and trigrams of the titles, 0 to 1.")
    reasons = serializers.DictField(
        child=serializers.FloatField(),
        help_text=f"What each feature adds to the log-odds, the largest first: {', '.join(FEATURES)}.",
    )


@extend_schema_serializer(component_name="MatchesSchema")
class MatchesSerializer(serializers.Serializer[Any]):
    """Products that may be the same as a record."""

    results = MatchSerializer(many=True)


@extend_schema_serializer(component_name="ProductMatchesSchema")
class ProductMatchesSerializer(MatchesSerializer):
    """Products that may be the same as a product."""

    product = serializers.IntegerField(help_text="The product of the request.")


class ProductMatchesView(ApiView):
    """Products that may be the same as a product."""

    endpoint = "matches"

    @extend_schema(
        operation_id="product_matches",
        summary="Find the same product elsewhere",
        tags=["Recommendations"],
        parameters=[PRODUCT_ID, MatchParameters],
        responses=responses(ProductMatchesSerializer, 400, 404, 503, 507),
        examples=[
            OpenApiExample(
                "Matches", value={"product": 5, "results": _RESULTS}, response_only=True, status_codes=["200"]
            ),
            NO_PRODUCT,
        ],
    )
    def get(self, request: Request, product_id: int) -> Response:
        """The products of the catalogue that may be the same as this one: of another seller or feed, the most probable first.

        Candidates are those nearest by photo and by title. The probability is calibrated: of pairs with 0.9, nine in ten are the
        same. The product's own variants are not among them.
        """
        values = MatchParameters.parse(request.query_params)
        with ProductReference(product_id).found() as known:
            found = matches.matches_of_product(known, **values)
        return Response({"product": product_id, "results": _results(found, base_address(request))})


class MatchesView(ApiView):
    """Products that may be the same as a record of another shop."""

    endpoint = "matches"
    # A photo has to be decoded and encoded.
    throttle_cost = 10
    parser_classes: Sequence[type[BaseParser]] = [MultiPartParser]

    @extend_schema(
        operation_id="matches",
        summary="Find the product of a record",
        tags=["Recommendations"],
        request=form_body(
            PHOTO,
            f"A photo of the product, if there is one: {FORMAT_NAMES}.",
            RecordParameters.form_schema(),
            required=False,
            required_fields=["title"],
        ),
        responses=responses(MatchesSerializer, 400, 413, 415, 503, 507),
        examples=[OpenApiExample("Matches", value={"results": _RESULTS}, response_only=True, status_codes=["200"])],
    )
    def post(self, request: Request) -> Response:
        """The products of the catalogue that may be the same as a record of another shop, with its photo if it has one.

        A quantity in the title, such as "500 ml", is compared in any unit.
        """
        check_size(content_length(request), allowance=FORM_BYTES)
        errors = _file_errors(request.FILES)
        if failure := get_storage_error(request._request):
            raise failure
        NoParameters.parse(request.query_params)
        values = RecordParameters.parse(request.POST, errors=errors)
        photo = request.FILES.get(PHOTO)
        if photo is not None:
            check_size(photo.size)
        limits = {name: values.pop(name) for name in ("limit", "min_probability")}
        attributes = {name: text for name, texts in values.pop("attributes", ()) for text in texts}
        record = Record(**values, attributes=attributes)
        found = matches.matches_of_record(record, None if photo is None else photo.read(), **limits)
        return Response({"results": _results(found, base_address(request))})


def _file_errors(files: MultiValueDict[str, UploadedFile[Any]]) -> list[ParameterError]:
    """The errors of the files of a form, which may have one: `photo`."""
    errors = [ParameterError(name, f"is not accepted: the only file is `{PHOTO}`") for name in files if name != PHOTO]
    if len(files.getlist(PHOTO)) > 1:
        errors.append(ParameterError(PHOTO, GIVEN_TWICE))
    return errors


def _results(found: Sequence[Match], base: str) -> list[dict[str, Any]]:
    cards = visible_cards([match.product for match in found])
    shown = [match for match in found if match.product in cards]
    return [
        {
            "product": card,
            "probability": round(match.probability, _DIGITS),
            "photo": None if match.photo is None else round(match.photo, _DIGITS),
            "text": round(match.text, _DIGITS),
            "reasons": {name: round(value, _DIGITS) for name, value in match.reasons.items()},
        }
        for card, match in zip(product_cards((cards[match.product] for match in shown), base), shown, strict=True)
    ]
