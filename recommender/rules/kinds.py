"""The kinds of rules, each declared once: its parameters with bounds and help, and what it adds to a plan.

The API, the file, the admin's form and the OpenAPI schema are derived from these classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from catalog.cards import ProductCard
from catalog.filters import ProductFilter
from catalog.json_conditions import MAX_TERM
from catalog.models import CATEGORY_PATH_LENGTH, MAX_PRICE, PRICE_DECIMALS, lineage
from product_files.product_data import SKU_LENGTH
from recommender.rules.details import Details
from recommender.rules.plan import Cap, Check, Draft, Fill, Floor, Move, Pin, RuleKey, Source
from recommender.rules.stages import MOVED_TOGETHER

_MAX_NAMES = 50
_MAX_PINS = 20
_LINE = r"^[^\x00-\x1f\x7f-\x9f]+$"
_IN_STOCK = ProductFilter(available=True)
_PRICE_STEP = Decimal(1).scaleb(-PRICE_DECIMALS)

Path = Annotated[str, StringConstraints(min_length=1, max_length=CATEGORY_PATH_LENGTH, pattern=_LINE)]
Sku = Annotated[str, StringConstraints(min_length=1, max_length=SKU_LENGTH, pattern=_LINE)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TERM, pattern=_LINE)]
Names = Annotated[list[Word], Field(max_length=_MAX_NAMES)]


class RuleParameters(BaseModel):
    """The parameters of a kind of rule.

    Attributes:
        kind: name of the kind.
        label: its name for people.
        help: what it does.
        needs_product: whether it compares with the product of the query, so that it does nothing in a search by photo.
        counts_once: whether, of several that apply, only the one with the narrowest scope counts.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: ClassVar[str]
    label: ClassVar[Promise]
    help: ClassVar[Promise]
    needs_product: ClassVar[bool] = False
    counts_once: ClassVar[bool] = False

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        """Add the rule to a plan."""
        raise NotImplementedError

    @property
    def changes_by_itself(self) -> bool:
        """Whether what it does changes without a change of rules and catalogue: with the age of products, or what is bought."""
        return False

    def names(self) -> Iterator[tuple[str, str, str]]:
        """What the parameters name and what has to exist: parameter, what it is a name of, and the name."""
        for parameter, named in _NAMED.items():
            value = getattr(self, parameter, None) or ()
            if isinstance(value, Mapping):
                for attribute, texts in value.items():
                    yield parameter, "attribute", attribute
                    if isinstance(texts, list):
                        yield from ((parameter, "value", f"{attribute}={text}") for text in texts)
            else:
                yield from ((parameter, named, each) for each in value)


# By parameter, what it is a name of.
_NAMED = {
    "products": "product",
    "brand": "brand",
    "category": "category",
    "tag": "tag",
    "attribute": "attribute",
    "attribute_at_least": "attribute",
    "attributes": "attribute",
}


class _Named(RuleParameters):
    """Products, by what they have: a product is meant if it has one of the values of each parameter that is given."""

    brand: Names = Field(
        default=[], title=gettext_noop("Brands"), description=gettext_noop("Brands; exact, case-sensitive match.")
    )
    category: Annotated[list[Path], Field(max_length=_MAX_NAMES)] = Field(
        default=[],
        title=gettext_noop("Categories"),
        description=gettext_noop("Slug paths of categories, each with everything below it."),
    )
    tag: Names = Field(
        default=[], title=gettext_noop("Tags"), description=gettext_noop("Tags; exact, case-sensitive match.")
    )
    attribute: Annotated[dict[Word, Names], Field(max_length=_MAX_NAMES)] = Field(
        default={},
        title=gettext_noop("Attributes"),
        description=gettext_noop("Values by name of the attribute."),
        examples=[{"material": ["wool"]}],
    )
    products: Annotated[list[Sku], Field(max_length=_MAX_NAMES)] = Field(
        default=[], title=gettext_noop("Products"), description=gettext_noop("SKUs.")
    )

    @model_validator(mode="after")
    def _says_which(self) -> Any:
        if not any(getattr(self, name) not in (None, [], {}) for name in self._conditions()):
            raise PydanticCustomError("no_condition", f"name one of {', '.join(self._conditions())}")
        if any(not texts for texts in self.attribute.values()):
            raise PydanticCustomError("no_condition", "name a value of each attribute")
        return self

    @classmethod
    def _conditions(cls) -> list[str]:
        return [name for name in cls.model_fields if name != "places"]

    @cached_property
    def needs_details(self) -> bool:
        """Whether more than a card is needed to decide whether a product is meant."""
        return bool(self.tag or self.attribute)

    @cached_property
    def meant(self) -> Check:
        """Whether a product is meant, by its card and details."""
        checks = [*self._checks()]
        if len(checks) == 1:
            return checks[0]
        return lambda card, details: all(check(card, details) for check in checks)

    def _checks(self) -> Iterator[Check]:
        if self.brand:
            brands = frozenset(self.brand)
            yield lambda card, _details: card.brand in brands
        if self.category:
            yield in_categories(tuple(self.category))
        if self.products:
            skus = frozenset(self.products)
            yield lambda card, _details: card.sku in skus
        if self.tag:
            tags = frozenset(self.tag)
            yield lambda _card, details: not tags.isdisjoint(details.tags)
        for name, texts in self.attribute.items():
            yield _has_attribute(name, frozenset(texts))


def in_categories(paths: tuple[str, ...]) -> Check:
    """Whether one of a product's categories is one of these, or below one."""
    prefixes = tuple(f"{path}/" for path in paths)
    return lambda card, _details: any(f"{own}/".startswith(prefixes) for own in (card.category, *card.other_categories))


def _has_attribute(name: str, texts: frozenset[str]) -> Check:
    return lambda _card, details: not texts.isdisjoint(details.texts(name))


def _not(check: Check) -> Check:
    return lambda card, details: not check(card, details)


class PinRule(RuleParameters):
    """Products at fixed places."""

    kind = "pin"
    label = _("Pin")
    help = _("Show products at fixed places, if no filter and no other rule leaves them out.")

    products: Annotated[list[Sku], Field(min_length=1, max_length=_MAX_PINS)] = Field(
        title=gettext_noop("Products"), description=gettext_noop("SKUs, in their order.")
    )
    place: int = Field(
        default=1,
        ge=1,
        le=100,
        title=gettext_noop("Place"),
        description=gettext_noop("Place of the first of them, from 1."),
    )

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        found = [draft.ids[sku] for sku in self.products if sku in draft.ids]
        draft.pins += [Pin(rule, product_id, self.place + number) for number, product_id in enumerate(found)]
        draft.after(rule)


class HideRule(_Named):
    """Products that are never shown."""

    kind = "hide"
    label = _("Hide")
    help = _("Never show these products.")

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        filters = ProductFilter(exclude=self._ids(draft)) if self._only == "products" else self._filters
        draft.leave_out(rule, self._is_shown, filters=filters, needs_details=self.needs_details)

    @cached_property
    def _is_shown(self) -> Check:
        return _not(self.meant)

    @cached_property
    def _only(self) -> str:
        """The only condition; "" if there are several: the index leaves out what meets one of them, not what meets all."""
        given = [name for name in self._conditions() if getattr(self, name)]
        return given[0] if len(given) == 1 and len(self.attribute) < 2 else ""

    @cached_property
    def _filters(self) -> ProductFilter | None:
        match self._only:
            case "brand":
                return ProductFilter(not_brand=tuple(self.brand))
            case "category":
                return ProductFilter(not_category=tuple(self.category))
            case "tag":
                return ProductFilter(not_tag=tuple(self.tag))
            case "attribute":
                return ProductFilter(not_attribute=tuple((name, (*texts,)) for name, texts in self.attribute.items()))
        return None

    def _ids(self, draft: Draft) -> tuple[int, ...]:
        return tuple(draft.ids[sku] for sku in self.products if sku in draft.ids)


class _Moved(_Named):
    """Products that come earlier or later."""

    newer_than_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        title=gettext_noop("New for days"),
        description=gettext_noop("Only products that came in this many days."),
    )
    available: bool | None = Field(
        default=None,
        title=gettext_noop("In stock"),
        description=gettext_noop("Only products in stock; false: only those that are not."),
    )
    attribute_at_least: Annotated[dict[Word, float], Field(max_length=_MAX_NAMES)] = Field(
        default={},
        title=gettext_noop("Attributes, at least"),
        description=gettext_noop("Least value by name of an attribute that is a number, such as a margin."),
        examples=[{"margin": 0.4}],
    )
    places: int = Field(
        default=6,
        ge=1,
        le=MOVED_TOGETHER,
        title=gettext_noop("Places"),
        description=gettext_noop(
            "How many places a product is moved. The nearest are taken in groups, and moved within their group."
        ),
    )

    sign: ClassVar[int] = 1

    @cached_property
    def needs_details(self) -> bool:
        """Whether more than a card is needed to decide whether a product is meant."""
        return bool(self.tag or self.attribute or self.attribute_at_least or self.newer_than_days)

    @property
    def changes_by_itself(self) -> bool:
        return self.newer_than_days is not None

    def _checks(self) -> Iterator[Check]:
        yield from super()._checks()
        if self.available is not None:
            available = self.available
            yield lambda card, _details: card.available is available
        if self.newer_than_days is not None:
            days = self.newer_than_days
            yield lambda _card, details: details.is_newer_than(days)
        for name, least in self.attribute_at_least.items():
            yield _is_at_least(name, least)

    @model_validator(mode="after")
    def _are_numbers(self) -> Any:
        if not all(map(math.isfinite, self.attribute_at_least.values())):
            raise PydanticCustomError("number", "must be finite numbers")
        return self

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        draft.moves.append(Move(rule, self.meant, self.sign * self.places, self.needs_details))
        draft.after(rule)


def _is_at_least(name: str, least: float) -> Check:
    def check(_card: ProductCard, details: Details) -> bool:
        number = details.number(name)
        return number is not None and number >= least

    return check


class BoostRule(_Moved):
    """Products that come earlier."""

    kind = "boost"
    label = _("Boost")
    help = _("Show these products some places earlier.")


class BuryRule(_Moved):
    """Products that come later."""

    kind = "bury"
    label = _("Bury")
    help = _("Show these products some places later.")
    sign = -1


class NeverBesideRule(RuleParameters):
    """Products that are not shown beside the product of the page."""

    kind = "never_beside"
    label = _("Never beside")
    help = _(
        "Never show products of its own brand or category beside a product, or of brands and categories that you name."
    )
    needs_product = True

    same: Annotated[list[Literal["brand", "category"]], Field(max_length=2)] = Field(
        default=[],
        title=gettext_noop("Its own"),
        description=gettext_noop("What a result must not have in common with the product."),
    )
    brand: Names = Field(
        default=[], title=gettext_noop("Brands"), description=gettext_noop("Brands; exact, case-sensitive match.")
    )
    category: Annotated[list[Path], Field(max_length=_MAX_NAMES)] = Field(
        default=[],
        title=gettext_noop("Categories"),
        description=gettext_noop("Slug paths of categories, each with everything below it."),
    )

    @model_validator(mode="after")
    def _says_which(self) -> Any:
        if not (self.same or self.brand or self.category):
            raise PydanticCustomError("no_condition", "name one of same, brand, category")
        return self

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        if draft.product is None:
            return
        own = draft.product.card
        brands, categories = [*self.brand], [*self.category]
        if "brand" in self.same and own.brand:
            brands.append(own.brand)
        if "category" in self.same and own.category:
            categories.append(own.category)
        # Most of what is similar is of the same kind, and often of the same brand.
        if brands:
            refused = frozenset(brands)
            left_out = ProductFilter(not_brand=(*refused,))
            draft.leave_out(rule, lambda card, _details: card.brand not in refused, filters=left_out, mild=False)
        if categories:
            left_out = ProductFilter(not_category=(*categories,))
            draft.leave_out(rule, _not(in_categories((*categories,))), filters=left_out, mild=False)


class OnlyInStockRule(RuleParameters):
    """Products in stock."""

    kind = "only_in_stock"
    label = _("Only in stock")
    help = _("Only show products in stock.")
    counts_once = True

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        draft.leave_out(rule, lambda card, _details: card.available, filters=_IN_STOCK)


class SameDepartmentRule(RuleParameters):
    """Products of the product's own department."""

    kind = "same_department"
    label = _("Same department")
    help = _("Only show products of the same department, a level of the category tree.")
    needs_product = True
    counts_once = True

    level: int = Field(
        default=1,
        ge=1,
        le=10,
        title=gettext_noop("Level"),
        description=gettext_noop("Level of the category tree, from 1: of a/b/c, 2 is a/b."),
    )

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        if draft.product is None or not draft.product.card.category:
            return
        department = lineage(draft.product.card.category)[: self.level][-1]
        draft.leave_out(rule, in_categories((department,)), filters=ProductFilter(category=department))


class PriceBandRule(RuleParameters):
    """Products that cost about as much."""

    kind = "price_band"
    label = _("Price band")
    help = _(
        "Only show products that cost about as much, in the same currency. Does nothing beside a product without a price."
    )
    needs_product = True
    counts_once = True

    lowest: float = Field(
        default=0.5,
        ge=0,
        le=1,
        title=gettext_noop("Lowest"),
        description=gettext_noop("Least price, as a multiple of the product's own."),
    )
    highest: float = Field(
        default=2.0,
        ge=1,
        le=1000,
        title=gettext_noop("Highest"),
        description=gettext_noop("Greatest price, as a multiple of the product's own."),
    )

    @cached_property
    def _multiples(self) -> tuple[Decimal, Decimal]:
        return Decimal(str(self.lowest)), Decimal(str(self.highest))

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        if draft.product is None or draft.product.card.price is None:
            return
        price, currency = draft.product.card.price, draft.product.card.currency
        lowest, highest = self._multiples
        least = (price * lowest).quantize(_PRICE_STEP, ROUND_DOWN)
        most = min((price * highest).quantize(_PRICE_STEP, ROUND_UP), MAX_PRICE)
        draft.leave_out(
            rule,
            lambda card, _details: card.currency == currency and card.price is not None and least <= card.price <= most,
            filters=ProductFilter(min_price=least, max_price=most, currency=currency),
        )


class AtMostRule(RuleParameters):
    """A limit of a brand's products."""

    kind = "at_most"
    label = _("At most of a brand")
    help = _("Show at most so many products of one brand. Products without a brand are not counted.")
    counts_once = True

    number: int = Field(
        default=2,
        ge=1,
        le=100,
        title=gettext_noop("Number"),
        description=gettext_noop("Products of one brand in an answer."),
    )

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        draft.cap = Cap(rule, self.number)
        draft.after(rule)


class ConfidenceFloorRule(RuleParameters):
    """A lowest confidence."""

    kind = "confidence_floor"
    label = _("Floor of confidence")
    help = _("Only show products that are of the same kind with some confidence. Ignored without a calibration.")
    counts_once = True

    min_confidence: float = Field(
        ge=0,
        le=1,
        title=gettext_noop("Lowest confidence"),
        description=gettext_noop("Lowest confidence, 0 to 1."),
        examples=[0.5],
    )

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        draft.floor = Floor(rule, self.min_confidence)
        draft.after(rule)


class WhenFewRule(RuleParameters):
    """What to do when too few products are left."""

    kind = "when_few"
    label = _("When too few are left")
    help = _("Fill the answer with the newest products of the category, with bestsellers, or with nothing.")
    counts_once = True

    show: Literal["category", "bestsellers", "nothing"] = Field(
        title=gettext_noop("Show"),
        description=gettext_noop(
            "category: the newest of its category, then of the categories above; bestsellers: what was bought most;"
            " nothing: the answer stays short."
        ),
    )
    fewer_than: int | None = Field(
        default=None,
        ge=1,
        le=100,
        title=gettext_noop("Fewer than"),
        description=gettext_noop("How many are too few; by default fewer than were asked for."),
    )

    @property
    def changes_by_itself(self) -> bool:
        return self.show == "bestsellers"

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        draft.fill = Fill(rule, Source(self.show), self.fewer_than)
        draft.after(rule)


class WallRule(RuleParameters):
    """Attributes whose values are never shown together."""

    kind = "wall"
    label = _("Wall of attributes")
    help = _(
        "Never show products together that have different values of these attributes, such as men and women. Products without"
        " the attribute are shown; a product with several values only beside those that have all of them."
    )
    needs_product = True

    attributes: Annotated[list[Word], Field(min_length=1, max_length=10)] = Field(
        title=gettext_noop("Attributes"),
        description=gettext_noop("Names of attributes."),
        examples=[["gender", "age_group"]],
    )
    neutral: Names = Field(
        default=[],
        title=gettext_noop("Neutral values"),
        description=gettext_noop("Values that go with every other."),
        examples=[["unisex"]],
    )

    def add_to(self, draft: Draft, rule: RuleKey) -> None:
        if draft.product is None:
            return
        neutral = frozenset(self.neutral)
        for name in self.attributes:
            own = frozenset(draft.product.details.texts(name))
            if not own - neutral:
                continue
            allowed = own | neutral
            others = tuple(text for text in draft.values.get(name, ()) if text not in allowed)
            draft.leave_out(
                rule,
                _has_no_other(name, allowed),
                filters=ProductFilter(not_attribute=((name, others),)) if others else None,
                needs_details=True,
            )


def _has_no_other(name: str, allowed: frozenset[str]) -> Check:
    return lambda _card, details: allowed.issuperset(details.texts(name))


_KINDS: tuple[type[RuleParameters], ...] = (
    PinRule,
    HideRule,
    BoostRule,
    BuryRule,
    NeverBesideRule,
    OnlyInStockRule,
    SameDepartmentRule,
    PriceBandRule,
    AtMostRule,
    ConfidenceFloorRule,
    WhenFewRule,
    WallRule,
)
KINDS: Mapping[str, type[RuleParameters]] = {each.kind: each for each in _KINDS}
