"""What rules name: whether it still exists, and what may have been meant. A rule whose target is gone applies to nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Q

from catalog.json_conditions import AttributeIs, HasAttribute, ListHolds
from catalog.models import Category, Product
from catalog.nearest_names import nearest_names
from catalog.selectors import ids_of_skus
from catalog.suggestions import known_attribute_names, known_attribute_values, known_tags
from embeddings.models import Collection
from recommender.models import Rule
from recommender.rules.kinds import RuleParameters

_SCOPES = {Rule.Scope.COLLECTION: "collection", Rule.Scope.CATEGORY: "category", Rule.Scope.PRODUCT: "product"}


@dataclass(frozen=True, slots=True)
class Named:
    """Something that a rule names.

    Attributes:
        member: of the rule, e.g. "target" or "parameters.brand".
        what: collection, category, product, brand, tag, attribute or value.
        name: slug, path, SKU or text; of a value `attribute=value`.
    """

    member: str
    what: str
    name: str

    def __str__(self) -> str:
        return f"{self.what} {self.name}"


def named_by(scope: str, target: str, parameters: RuleParameters) -> Iterator[Named]:
    """Everything that a rule names.

    Args:
        scope: a value of Rule.Scope.
        target: of the scope.
        parameters: of the rule's kind.

    Yields:
        Each name.
    """
    if scope in _SCOPES:
        yield Named("target", _SCOPES[Rule.Scope(scope)], target)
    for parameter, what, name in parameters.names():
        yield Named(f"parameters.{parameter}", what, name)


def lost(named: Iterable[Named]) -> list[Named]:
    """Those of these names that nothing has.

    Args:
        named: what rules name.

    Returns:
        In the same order, those that do not exist.
    """
    named = [*named]
    asked: dict[str, set[str]] = defaultdict(set)
    for each in named:
        asked[each.what].add(each.name)
    existing = {what: _existing(what, names) for what, names in asked.items()}
    gone = [each for each in named if each.name not in existing[each.what]]
    # Of an attribute that is gone the values need not be named, too.
    attributes = {each.name for each in gone if each.what == "attribute"}
    return [each for each in gone if each.what != "value" or _value(each.name)[0] not in attributes]


def lost_by_rule(rules: Mapping[int, Iterable[Named]]) -> dict[int, list[Named]]:
    """As `lost`, for several rules at once.

    Args:
        rules: what each names, by its id.

    Returns:
        What is lost, by the id of each rule that has lost something.
    """
    by_rule = {rule_id: [*named] for rule_id, named in rules.items()}
    gone = {(each.what, each.name) for each in lost(each for named in by_rule.values() for each in named)}
    found = {rule_id: [each for each in named if (each.what, each.name) in gone] for rule_id, named in by_rule.items()}
    return {rule_id: named for rule_id, named in found.items() if named}


def detail_of(named: Named) -> str:
    """What is wrong with a name that nothing has, with the nearest names: a predicate without its subject."""
    nearest = nearest_names(named.name.rpartition("=")[2] if named.what == "value" else named.name, _known(named))
    similar = f"; the nearest: {', '.join(nearest)}" if nearest else ", nor one that is spelled alike"
    return f"names no {named.what}, {named.name!r}{similar}"


def _existing(what: str, names: set[str]) -> set[str]:
    match what:
        case "collection":
            return {*Collection.objects.filter(slug__in=names).values_list("slug", flat=True)}
        case "category":
            return {*Category.objects.filter(path__in=names).values_list("path", flat=True)}
        case "product":
            return {*ids_of_skus(names)}
        case "brand":
            return {*Product.objects.filter(brand__in=names).order_by().values_list("brand", flat=True).distinct()}
        case "tag":
            return {name for name in names if _some(Q(ListHolds("tags", name)))}
        case "attribute":
            return {name for name in names if _some(Q(HasAttribute("attributes", name)))}
    return {name for name in names if _some(Q(AttributeIs("attributes", *_value(name))))}


def _some(condition: Q) -> bool:
    return Product.objects.filter(condition).order_by().exists()


def _value(name: str) -> tuple[str, list[str]]:
    attribute, _, text = name.partition("=")
    return attribute, [text]


def _known(named: Named) -> Iterable[str]:
    match named.what:
        case "collection":
            return Collection.objects.values_list("slug", flat=True)
        case "category":
            return Category.objects.values_list("path", flat=True).iterator()
        case "product":
            # Of a large catalogue those that begin alike.
            return Product.objects.filter(sku__istartswith=named.name[:2]).values_list("sku", flat=True)[:10_000]
        case "brand":
            return Product.objects.exclude(brand="").order_by().values_list("brand", flat=True).distinct()
        case "tag":
            return known_tags(limit=None)
        case "attribute":
            return known_attribute_names(limit=None)
    attribute, texts = _value(named.name)
    return known_attribute_values(attribute, limit=None) if texts else ()
