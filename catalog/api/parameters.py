"""The parameters of the catalogue's endpoints; those of the product filter follow from its conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from django.db.models import AutoField, BooleanField, DecimalField, Field, Q
from django.http import QueryDict

from catalog.errors import ProductNotFound
from catalog.filters import NO_FILTER, Condition, Lookup, ProductFilter, conditions
from catalog.importers.run import SOURCE_CHARACTERS, ImportOptions
from catalog.json_conditions import MAX_TERM, AttributeIs, HasAttribute, ListHolds
from catalog.models import MAX_PRODUCT_ID, Product
from catalog.nearest_names import nearest_names
from catalog.selectors import PAGE_SIZE, in_shop_currency, shop_currency
from catalog.suggestions import known_attribute_names, known_attribute_values, known_tags
from product_files.containers.encodings import ENCODINGS
from product_files.product_data import SKU_LENGTH
from product_files.sources import FORMATS
from rest.cursors import CursorParameter
from rest.errors import InvalidParameters, ParameterError
from rest.parameters import (
    ANY_NAME,
    BooleanParameter,
    ChoiceParameter,
    IntegerParameter,
    KeyValueParameter,
    NamedTextParameter,
    Parameter,
    Parameters,
    PriceParameter,
    SlugPathParameter,
    TextParameter,
)

# `IntegerParameter` takes twelve digits.
_MAX_ID_PARAMETER = 10**12 - 1
MAX_PAGE = 1_000_000
MAX_PAGE_SIZE = 100


# Of so many currencies, or values of an attribute, those are listed where none is like a mistyped one: `EUR` or `XL` are too
# short to be alike.
_MAX_LISTED = 10

_CONDITION_NAMES = tuple(condition.name for condition in conditions())


class FilterParameters(Parameters):
    """Parameters of an endpoint whose products can be filtered: those that a subclass declares, and the product filter's."""

    strict = BooleanParameter(
        "Whether a `category`, `brand`, `currency`, `tag` or `attribute.<name>` that no product has is an error, which names the"
        " nearest; if not, the results are empty.",
        default=True,
    )

    def get_fields(self) -> dict[str, Any]:
        """The declared parameters, then one for each condition that the API offers."""
        offered = [condition for condition in conditions() if condition.description]
        return {**super().get_fields(), **{_parameter_name(condition): _parameter(condition) for condition in offered}}

    @classmethod
    def parse(cls, *sources: QueryDict, errors: Iterable[ParameterError] = ()) -> dict[str, Any]:
        """As `Parameters.parse`, with the conditions together, a ProductFilter under the name `filter`.

        `strict` is for the view: see `check_names`.
        """
        values = super().parse(*sources, errors=errors)
        names = [name for name in _CONDITION_NAMES if name in values]
        product_filter = ProductFilter(**{name: values.pop(name) for name in names}) if names else NO_FILTER
        values["filter"] = in_shop_currency(product_filter)
        return values

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterable[ParameterError]:
        """A price range that is empty."""
        low, high = values.get("min_price"), values.get("max_price")
        if low is not None and high is not None and low > high:
            yield ParameterError("min_price", "is above max_price")


def check_names(product_filter: ProductFilter, *, is_empty: bool) -> None:
    """Check that what a filter names exists. What is asked for and does not exist has no products: an empty answer calls for
    this. What is left out and does not exist changes no answer, so it is always looked up.

    Args:
        product_filter: of the request.
        is_empty: whether the answer is.

    Raises:
        InvalidParameters: there is no such category, brand, currency or attribute, or a tag or a value of an attribute is
            spelled nearly as one that there is; each error has the nearest names, or of currencies all.
    """
    if product_filter == NO_FILTER:
        return
    errors: list[ParameterError] = []
    for condition, value in product_filter.conditions():
        if not condition.names or not (is_empty or condition.lookup.excludes):
            continue
        if condition.lookup is Lookup.ATTRIBUTES:
            errors += _unknown_attributes(condition, value)
            continue
        if condition.lookup is Lookup.HOLDS:
            errors += _unknown_tags(condition, value)
            continue
        field = _model_field(condition.path)
        named = field.model._default_manager.order_by()
        wanted = value if condition.lookup.is_multiple else (value,)
        if condition.names == "currency" and value == shop_currency():
            # A price without a currency is in this one, which products need not have.
            continue
        found = set(named.filter(**{f"{field.name}__in": wanted}).values_list(field.name, flat=True))
        for unknown in [name for name in wanted if name not in found]:
            known = named.exclude(**{field.name: ""}).values_list(field.name, flat=True).distinct()
            nearest = nearest_names(unknown, known.iterator())
            few = list(known[:_MAX_LISTED]) if condition.names == "currency" else []
            errors.append(ParameterError(condition.name, _unknown(condition.names, nearest, few)))
    if errors:
        raise InvalidParameters(errors)


def _unknown_tags(condition: Condition, tags: Sequence[str]) -> Iterator[ParameterError]:
    """Tags such as `sale` come and go: one that no product has is mistyped only where another is spelled nearly alike."""
    for tag in tags:
        if not _some_product(Q(ListHolds(condition.path, tag))):
            nearest = nearest_names(tag, known_tags(limit=None))
            if nearest:
                yield ParameterError(condition.name, _unknown(condition.names, nearest))


def _unknown_attributes(
    condition: Condition, attributes: Sequence[tuple[str, Sequence[str]]]
) -> Iterator[ParameterError]:
    """Products have one of an attribute's values: with one that there is, it is not the others that leave the answer empty.

    Values come and go as tags do; the names of attributes do not.
    """
    for name, texts in attributes:
        parameter = f"{condition.name}.{name}"
        if not _some_product(Q(HasAttribute(condition.path, name))):
            nearest = nearest_names(name, known_attribute_names(limit=None))
            yield ParameterError(parameter, _unknown(condition.names, nearest))
        elif not _some_product(Q(AttributeIs(condition.path, name, texts))):
            known = known_attribute_values(name, limit=None)
            nearest = [*dict.fromkeys(near for text in texts for near in nearest_names(text, known))]
            if nearest:
                yield ParameterError(parameter, _unknown(f"value of this {condition.names}", nearest))


def _some_product(condition: Q) -> bool:
    return Product.objects.filter(condition).order_by().exists()


def _unknown(kind: str, nearest: Sequence[str], known: Sequence[str] = ()) -> str:
    if nearest:
        similar = f"; the nearest: {', '.join(nearest)}"
    elif known:
        similar = f"; there is: {', '.join(sorted(known))}"
    else:
        similar = ", nor one that is spelled alike"
    return f"names no {kind}{similar} (with strict=false the results are empty)"


def _product_id(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_PRODUCT_ID:
        raise ValueError("is no product id")
    return int(text)


class ProductListParameters(FilterParameters):
    """The parameters of `GET /api/products`."""

    q = TextParameter(
        "Words that title or brand contain, in any order, or an exact SKU.",
        max_length=200,
        source="text",
    )
    sku = TextParameter("SKU; exact, case-sensitive match.", max_length=SKU_LENGTH, example="MUG-017")
    page = IntegerParameter("Page number.", minimum=1, maximum=MAX_PAGE, default=1)
    page_size = IntegerParameter("Products per page.", minimum=1, maximum=MAX_PAGE_SIZE, default=PAGE_SIZE)
    pagination = ChoiceParameter(
        "`page`: pages by number, with `count`. `cursor`: `next` and `previous` have a cursor, so that a late page costs no more"
        " than the first; `count` is null. For reading a whole catalogue.",
        choices=("page", "cursor"),
        default="page",
    )
    cursor = CursorParameter("From `next` or `previous` of a page by cursor.", columns=[_product_id])

    @classmethod
    def parse(cls, *sources: QueryDict, errors: Iterable[ParameterError] = ()) -> dict[str, Any]:
        """As FilterParameters.parse, with `by_cursor` instead of `pagination`."""
        values = super().parse(*sources, errors=errors)
        values["by_cursor"] = values.pop("pagination") == "cursor" or "cursor" in values
        return values

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterable[ParameterError]:
        """Those of the filter, and a page number beside a cursor."""
        yield from super().conflicts(values)
        by_cursor = values.get("pagination") == "cursor" or "cursor" in values
        if by_cursor and values.get("page", 1) != 1:
            yield ParameterError("page", "is a page number, and pages by cursor have none: give one of the two")


_OPTIONS = ImportOptions()
_SEPARATOR_LENGTH = 10
_ENCODING_LENGTH = 40
_NAME_LENGTH = 200
_PAIR_LENGTH = 500


class ImportParameters(Parameters):
    """The parameters of `POST /api/imports`: the fields of ImportOptions, which has the defaults that are not declared here."""

    format = ChoiceParameter("Format of the file (or of the file in the zip). Default: detected.", choices=FORMATS)
    dry_run = BooleanParameter(
        "Validate and report without writing. The file is stored for a day and can be imported with "
        "`POST /api/jobs/<id>/import`.",
        default=_OPTIONS.dry_run,
    )
    source = TextParameter(  # type: ignore[assignment]  # a field, which the metaclass removes from the class
        "Name of the source of these products.", max_length=SOURCE_CHARACTERS, example="feed"
    )
    deactivate_missing = BooleanParameter(
        "Deactivate products of `source` that are not in this file; they are reactivated when they reappear.",
        default=_OPTIONS.deactivate_missing,
    )
    withdraw_many = BooleanParameter(
        "With `deactivate_missing`: even if more of the products of `source` are missing than the server allows (half, by its "
        "setting IMPORT_MAX_WITHDRAWN_PERCENT); otherwise none is deactivated then, and `not_withdrawn` of the result says so.",
        default=_OPTIONS.withdraw_many,
    )
    update_only = BooleanParameter(
        "Change the products that there are, and add none: rows of other SKUs are left out, and a title is not needed, so that "
        "a file of prices and stocks can be sent.",
        default=_OPTIONS.update_only,
    )
    fetch = BooleanParameter("Whether to download photos given as links.", default=_OPTIONS.fetch)
    map = KeyValueParameter(
        "Column of a field, as `field=column`. Repeatable; `category`, `tags` and `image` may have several columns.",
        max_length=_PAIR_LENGTH,
        example=["sku=ArtNo", "image=front"],
    )
    set = KeyValueParameter(
        "Constant for a field, as `field=text`. `{column}` is replaced by the row's value.",
        max_length=_PAIR_LENGTH,
        example=["currency=CHF"],
    )
    encoding = TextParameter(
        "Character encoding of a text file, as Python names it. Default: detected.",
        max_length=_ENCODING_LENGTH,
        example=ENCODINGS[2],
    )
    delimiter = ChoiceParameter(
        "Delimiter of a table. Default: detected from the first line.", choices=(",", ";", "|", "tab")
    )
    decimal = ChoiceParameter("Decimal separator of prices. Default: detected per price.", choices=(".", ","))
    category_separator = TextParameter(
        "Separator between the levels of a category in one column. Default: detected.", max_length=_SEPARATOR_LENGTH
    )
    image_separator = TextParameter(
        "Separator between photos in one column. Default: detected.", max_length=_SEPARATOR_LENGTH
    )
    item = TextParameter(
        "Of XML: name or path of the elements that are products. Default: detected.",
        max_length=_NAME_LENGTH,
        example="product",
    )
    table = TextParameter(
        "Of a zip with several tables: the one to import, by its name or path.",
        max_length=_NAME_LENGTH,
        example="products.csv",
    )

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterable[ParameterError]:
        """Missing products of which source."""
        if values["deactivate_missing"] and "source" not in values:
            yield ParameterError("source", "is required with deactivate_missing")


def validate_product_id(product_id: int) -> int:
    """Check that a database can hold an id; otherwise a query with it would fail.

    Args:
        product_id: from the URL, which can contain any number of digits.

    Returns:
        The id.

    Raises:
        ProductNotFound: the id is too large.
    """
    if product_id > MAX_PRODUCT_ID:
        raise ProductNotFound(product_id)
    return product_id


def _parameter(condition: Condition) -> Parameter:
    field = _model_field(condition.path)
    description, is_multiple = condition.description, condition.lookup.is_multiple
    if condition.lookup is Lookup.ATTRIBUTES:
        return NamedTextParameter(description, max_length=MAX_TERM, source=condition.name)
    if isinstance(field, AutoField):
        return IntegerParameter(description, minimum=1, maximum=_MAX_ID_PARAMETER, multiple=is_multiple)
    if isinstance(field, BooleanField):
        return BooleanParameter(description)
    if isinstance(field, DecimalField):
        return PriceParameter(description)
    text = SlugPathParameter if condition.lookup in (Lookup.SUBTREE, Lookup.OUTSIDE) else TextParameter
    return text(
        description, max_length=field.max_length or MAX_TERM, example=condition.example, multiple=is_multiple or None
    )


def _parameter_name(condition: Condition) -> str:
    return f"{condition.name}.{ANY_NAME}" if condition.lookup is Lookup.ATTRIBUTES else condition.name


def _model_field(path: str) -> Field[Any, Any]:
    model: Any = Product
    for name in path.split("__"):
        field = model._meta.get_field(name)
        model = field.related_model
    return cast("Field[Any, Any]", field)
