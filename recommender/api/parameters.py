"""The parameters of the recommender's endpoints, and how errors of what they name are reported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from django.http import QueryDict

from catalog.api.parameters import FilterParameters
from embeddings.errors import UnknownCollection
from embeddings.parts.layout import MODES, PARTS, Weights
from product_files.product_data import SKU_LENGTH
from recommender.models import COLLECTION_LENGTH
from recommender.queries import DEFAULT_COLLECTION, DEFAULT_LIMIT
from recommender.searching import COUNTED, NEIGHBOURHOOD
from recommender.strip_pages import texts
from recommender.weighing import NoParts
from rest.errors import InvalidParameters, ParameterError
from rest.parameters import (
    BooleanParameter,
    ChoiceParameter,
    IntegerParameter,
    LanguageParameter,
    NumberParameter,
    Parameter,
    Schema,
    TextParameter,
)

MAX_LIMIT = 100
MAX_OFFSET = 1000
_MAX_SCORE = 1e9


_NUMBER = r"-?(?:1(?:\.0{1,6})?|0?\.[0-9]{1,6}|0)"
_WEIGHT = f"(?:{'|'.join(PARTS)}):{_NUMBER}"


class WeightsParameter(Parameter):
    """What each part of a vector counts: `shape:1,colour:0.5,pattern:0.2`."""

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{_WEIGHT}(?:,{_WEIGHT}){{0,{len(PARTS) - 1}}}$"}

    def parse(self, text: str) -> Weights:
        return Weights.parse(text)


class SearchParameters(FilterParameters):
    """The parameters of a search: the fields of SearchQuery."""

    limit = IntegerParameter("Maximum number of products.", minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT)
    offset = IntegerParameter(
        "Number of the best products that are passed over: with `limit`, the pages of an answer.",
        minimum=0,
        maximum=MAX_OFFSET,
        default=0,
    )
    diversity = NumberParameter(
        "Weight of diversity in maximal marginal relevance: 0 is nearest first, 1 is maximum diversity.",
        minimum=0,
        maximum=1,
        default=0,
    )
    min_score = NumberParameter(
        "Score threshold: the minimum for cosine and dot, the maximum distance for l1 and l2. Ignored for fallback results, "
        "which have no scores.",
        minimum=-_MAX_SCORE,
        maximum=_MAX_SCORE,
    )
    max_score = NumberParameter(
        "The maximum for cosine and dot, the minimum distance for l1 and l2: leaves out what is nearly the same. Ignored for "
        "fallback results.",
        minimum=-_MAX_SCORE,
        maximum=_MAX_SCORE,
    )
    min_confidence = NumberParameter(
        "Minimum confidence. Ignored if the encoder version has no calibration (confidence is null).",
        minimum=0,
        maximum=1,
    )
    weights = WeightsParameter(
        f"What each part of the photos counts ({', '.join(PARTS)}), -1 to 1. A part that is not named counts nothing; below 0,"
        " what differs in it is preferred. Without it, what the collection has found in its catalogue.",
        example="shape:1,colour:0.5,pattern:0.2",
    )
    mode = ChoiceParameter(
        "Weights by name, instead of `weights`: the same shape in another colour, or the same colour in another shape.",
        choices=[*MODES],
    )
    rules = BooleanParameter(
        "Whether merchandising rules apply; with false, the answer is as if there were none.", default=True
    )
    explain = BooleanParameter(
        "Whether to say what merchandising rules did, in `explanation`. Takes twice as long.", default=False
    )

    @classmethod
    def parse(cls, *sources: QueryDict, errors: Iterable[ParameterError] = ()) -> dict[str, Any]:
        """See Parameters; the weights of a mode are in `weights`, and no rules are a rule set without a name."""
        values = super().parse(*sources, errors=errors)
        if not values.pop("rules"):
            values["rule_set"] = ""
        mode = values.pop("mode", None)
        return values if mode is None else {**values, "weights": MODES[mode]}

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterable[ParameterError]:
        """Weights twice."""
        yield from super().conflicts(values)
        if "mode" in values and "weights" in values:
            yield ParameterError("mode", "cannot be given with weights: it stands for weights")


MAX_TEXT = 500
MAX_EXAMPLES = 20
_MAX_WEIGHT = 10.0
# Of a photo in the form itself; a larger one is sent as a file.
_MAX_DATA_URL = 2_000_000
_PART = r"(?:[0-9]{1,3}(?:\.[0-9]{0,10})?|\.[0-9]{1,10})"
# Above 0 and up to _MAX_WEIGHT.
_EXAMPLE_WEIGHT = r"(?:0?10(?:\.0{0,10})?|0{0,2}[1-9](?:\.[0-9]{0,10})?|0{0,3}\.[0-9]{0,9}[1-9][0-9]{0,9})"


class CropParameter(Parameter):
    """A part of a photo: `x,y,width,height`, each 0 to 1."""

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": rf"^{_PART}(?:,{_PART}){{3}}$"}

    def parse(self, text: str) -> tuple[float, float, float, float]:
        if re.fullmatch(rf"{_PART}(?:,{_PART}){{3}}", text):
            x, y, width, height = map(float, text.split(","))
            if width > 0 and height > 0 and x + width <= 1 + 1e-6 and y + height <= 1 + 1e-6:
                return x, y, width, height
        raise ValueError("must be x,y,width,height, each 0 to 1, of a part that lies within the photo")


class ExampleParameter(Parameter):
    """A product by its SKU or id, with a weight if wanted: `MUG-017` or `MUG-017^0.5`."""

    multiple = True
    max_times = MAX_EXAMPLES
    _text = TextParameter("", max_length=SKU_LENGTH + 8)

    def schema(self) -> dict[str, Any]:
        control = r"\x00-\x1f\x7f-\x9f"
        return {**self._text.schema(), "pattern": rf"^(?:[^\^{control}]+|[^{control}]+\^{_EXAMPLE_WEIGHT})$"}

    def parse(self, text: str) -> tuple[str, float]:
        reference, caret, weight = self._text.parse(text).rpartition("^")
        if not caret:
            return text, 1.0
        if not reference or not re.fullmatch(_EXAMPLE_WEIGHT, weight):
            raise ValueError(
                f"must be a SKU or id, with a weight above 0 and up to {_MAX_WEIGHT:g} behind `^` if wanted"
            )
        return reference, float(weight)


class TextSearchParameters(SearchParameters):
    """The parameters of `GET /api/search`: the fields of ProductSearch that can be in a link."""

    text = TextParameter(
        "Words: of title, brand, categories, tags, attributes and description. Other forms of a word and words with a typing error"
        " are found as well; an exact SKU or barcode comes first. With a photo or a liked product, the words choose among the"
        f" {NEIGHBOURHOOD} products that look most alike.",
        max_length=MAX_TEXT,
        example="blue mug",
    )
    liked = ExampleParameter(
        "SKU or id of a product that the results look like, with a weight behind `^` if wanted. A SKU counts first. Repeatable, up"
        f" to {MAX_EXAMPLES}.",
        example=["MUG-017^0.5"],
    )
    disliked = ExampleParameter(
        "The same of a product that the results do not look like; needs a photo or a liked product.",
    )
    text_weight = NumberParameter("Weight of the words beside looks.", minimum=0, maximum=_MAX_WEIGHT, default=1)
    photo_weight = NumberParameter(
        "Weight of the photo beside liked products, and of looks beside words.",
        minimum=0,
        maximum=_MAX_WEIGHT,
        default=1,
    )
    typing = BooleanParameter(
        "Whether the last word is still being typed: it is found as the beginning of a word, too. For suggestions.",
        default=False,
    )
    similar_looks = BooleanParameter(
        "Whether to find what looks like the best that the words find, too.", default=False
    )
    facets = BooleanParameter(
        f"Whether to count, in `facets`, what the best {COUNTED:,} products can be narrowed down by.", default=False
    )

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterable[ParameterError]:
        """Those of the filter; scores that do not go together with the rest."""
        yield from super().conflicts(values)
        if any(values.get(name) for name in ("text", "liked", "disliked", "facets")):
            for name in ("min_score", "max_score", "min_confidence", "diversity"):
                if values.get(name):
                    yield ParameterError(name, "applies to a search by a photo alone: leave it out")


class LinkableSearchParameters(TextSearchParameters):
    """The parameters of `GET /api/search`."""

    collection = TextParameter("Collection to search.", max_length=COLLECTION_LENGTH, default=DEFAULT_COLLECTION)


class ProductSearchParameters(TextSearchParameters):
    """The parameters of `POST /api/collections/<slug>/search`: the fields of ProductSearch."""

    photo = TextParameter(
        "A photo as an http(s) link or a `data:` URL; a larger one is sent as a file of the form.",
        max_length=_MAX_DATA_URL,
        source="photo_address",
    )
    crop = CropParameter(
        "The part of the photo that counts: `x,y,width,height`, each 0 to 1 from its left upper corner.",
        example="0.25,0,0.5,1",
    )


class SimilarParameters(SearchParameters):
    """The parameters of `GET /api/products/<id>/similar`: the fields of SimilarQuery."""

    # Those that say how an answer is written.
    own_names: ClassVar[frozenset[str]] = frozenset()

    collection = TextParameter("Collection to search.", max_length=COLLECTION_LENGTH, default=DEFAULT_COLLECTION)
    fallback = BooleanParameter(
        "Whether bestsellers and new products of the category are the answer while the vector index is away; with false, that is a"
        " problem with status 503, or 507 where the embedded index has no room to be opened.",
        default=True,
    )


class StripParameters(SimilarParameters):
    """The parameters of `GET /api/products/<id>/similar.html`: those of similar products, and how the strip is written."""

    own_names: ClassVar[frozenset[str]] = frozenset({"heading", "lang", "mail"})

    heading = TextParameter("Heading of the strip, and its name for screen readers.", max_length=200, default="")
    lang = LanguageParameter("Language of the texts and prices.", languages=tuple(texts()), default="en")
    mail = BooleanParameter(
        "Whether the strip is for mail: with styles in the elements, and without the data that the widget reads.",
        default=False,
    )

    def get_fields(self) -> dict[str, Any]:
        """All but `explain`."""
        return {name: each for name, each in super().get_fields().items() if name != "explain"}


class SubstituteParameters(SimilarParameters):
    """The parameters of `GET /api/products/<id>/substitutes`: those of similar products. Only what is in stock is returned."""

    def get_fields(self) -> dict[str, Any]:
        """All but `available`."""
        return {name: each for name, each in super().get_fields().items() if name != "available"}


class SimilarBatchParameters(SimilarParameters):
    """The parameters of `POST /api/similar:batch`: those of similar products, for all products of the batch."""

    def get_fields(self) -> dict[str, Any]:
        """All but `explain`."""
        return {name: each for name, each in super().get_fields().items() if name != "explain"}


@contextmanager
def weighed() -> Iterator[None]:
    """Report that a collection's vectors have no parts to weigh."""
    try:
        yield
    except NoParts as error:
        raise InvalidParameters([ParameterError("weights", str(error))]) from error


@contextmanager
def known_collection() -> Iterator[None]:
    """Report a collection that does not exist as an error of the parameter."""
    try:
        yield
    except UnknownCollection as error:
        raise InvalidParameters([ParameterError("collection", str(error))]) from error
