"""The rules that are in force, as each process keeps them: read again when they have changed, and made into plans of queries."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from django.db import connection
from pydantic import ValidationError

from catalog.cards import ProductCard, product_cards, visible_cards
from catalog.errors import ProductNotFound
from catalog.models import Product, lineage
from catalog.selectors import ids_of_skus
from embeddings.models import Collection
from embeddings.registry import registry
from embeddings.selectors import covered_by
from recommender.models import Rule, RuleSet
from recommender.rules.details import NO_DETAILS, Facts, details_of, known_values
from recommender.rules.errors import UnknownRuleSet
from recommender.rules.kinds import KINDS, RuleParameters, WallRule
from recommender.rules.plan import NO_RULES, Draft, Plan, RuleKey, Share

logger = logging.getLogger(__name__)

# Each process looks for changes so often, and reads what rules name again so often: products get and lose their SKUs.
CHECK_EVERY_S = 1.0
_KEEP_S = 60.0

_STAMP_SQL = f"""
    SELECT (SELECT COUNT(*) FROM {RuleSet._meta.db_table}), (SELECT MAX(changed_at) FROM {RuleSet._meta.db_table}),
    (SELECT COUNT(*) FROM {Rule._meta.db_table}), (SELECT MAX(changed_at) FROM {Rule._meta.db_table})
"""  # noqa: S608  # names of our own tables


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule with its parameters."""

    key: RuleKey
    parameters: RuleParameters


@dataclass(frozen=True, slots=True)
class Begun:
    """What some rules come to whatever the product. comparing: those that compare with it; order: all of them."""

    draft: Draft
    comparing: Sequence[ActiveRule]
    order: Sequence[RuleKey]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The active rules of a set in one collection.

    Attributes:
        rule_set: name of the set.
        general: those that apply beside every product and in searches by photo, from the widest scope to the narrowest.
        by_category: those of categories, by path.
        by_sku: those of products.
        ids: of the products that rules name, by SKU.
        outside: of them, those that the collection does not cover.
        values: of the attributes of walls.
        names: what stands for ids, outside and values, which are looked up every minute.
        changes_by_itself: whether one of the rules does, see RuleParameters.
        shares: how much of the nearest was left, by the ids of the rules that left something out.
        begun: plans as far as they do not depend on a product, by the ids of their rules.
    """

    rule_set: str
    general: Sequence[ActiveRule] = ()
    by_category: Mapping[str, Sequence[ActiveRule]] = field(default_factory=dict)
    by_sku: Mapping[str, Sequence[ActiveRule]] = field(default_factory=dict)
    ids: Mapping[str, int] = field(default_factory=dict)
    outside: frozenset[int] = frozenset()
    needs_product: bool = False
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: str = ""
    changes_by_itself: bool = False
    shares: dict[tuple[int, ...], Share] = field(default_factory=dict, compare=False)
    begun: dict[tuple[int, ...], Begun] = field(default_factory=dict, compare=False)

    def rules_for(self, card: ProductCard | None) -> list[ActiveRule]:
        """The rules of a query, from the widest scope to the narrowest. card: of its product; None after a search by photo."""
        rules = [*self.general]
        if card is None:
            return [rule for rule in rules if not rule.parameters.needs_product]
        if self.by_category:
            paths = {path for own in (card.category, *card.other_categories) for path in lineage(own)}
            for path in sorted(paths, key=lambda path: (path.count("/"), path)):
                rules += self.by_category.get(path, ())
        rules += self.by_sku.get(card.sku, ())
        return rules


class RuleBooks:
    """The rule books of a process."""

    def __init__(self) -> None:
        self._books: dict[tuple[str, str | None], RuleBook | None] = {}
        self._stamp: object = None
        self._checked_at = self._read_at = float("-inf")
        self._lock = threading.Lock()

    def get(self, collection: str, rule_set: str | None) -> RuleBook | None:
        """See `rule_book`."""
        now = time.monotonic()
        if now - self._checked_at >= CHECK_EVERY_S:
            self._check(now)
        name = (collection, rule_set)
        # Another thread may begin new ones meanwhile: what is read now may be older than they are.
        books = self._books
        if name not in books:
            books[name] = _read_book(collection, rule_set)
        return books[name]

    def confirm(self) -> None:
        """Take the books for current: the stamp of what they were read from has not changed."""
        now = time.monotonic()
        if now - self._read_at < _KEEP_S:
            self._checked_at = now

    def _check(self, now: float) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_STAMP_SQL)
            stamp = cursor.fetchone()
        with self._lock:
            if stamp != self._stamp or now - self._read_at >= _KEEP_S:
                self._books = {}
                self._stamp, self._read_at = stamp, now
            self._checked_at = now


def rule_book(collection: str, rule_set: str | None = None) -> RuleBook | None:
    """The rules of a collection, as they were CHECK_EVERY_S ago at most.

    Args:
        collection: slug.
        rule_set: name of a set, active or not; None for the active one; "" for no rules.

    Returns:
        The rules; None if there are none.

    Raises:
        UnknownRuleSet: there is no set with this name.
    """
    return None if rule_set == "" else registry.get(RuleBooks).get(collection, rule_set)


def forget_rules() -> None:
    """Have this process read the rules again, after a change of its own."""
    registry.drop(RuleBooks)


def plan_beside(
    collection: str,
    product_id: int,
    rule_set: str | None = None,
    *,
    visible_only: bool = True,
    stamp: int | None = None,
) -> Plan:
    """The plan of a query beside a product.

    Args:
        collection: slug.
        product_id: the product of the query.
        rule_set: see `rule_book`.
        visible_only: whether a product that may not be shown is none.
        stamp: of the catalogue, see `catalog.kept`.

    Returns:
        The plan; NO_RULES without rules.

    Raises:
        ProductNotFound: rules ask for the product, and it does not exist or is not visible.
        UnknownRuleSet: there is no set with this name.
    """
    book = rule_book(collection, rule_set)
    if book is None:
        return NO_RULES
    if not book.needs_product:
        return _compile(book, book.rules_for(None), None)
    card = visible_cards([product_id], stamp).get(product_id)
    if card is None and not visible_only:
        card = next(iter(product_cards(Product.objects.filter(pk=product_id))), None)
    if card is None:
        raise ProductNotFound(product_id)
    rules = book.rules_for(card)
    has_wall = any(rule.key.kind == WallRule.kind for rule in rules)
    details = details_of([product_id], stamp).get(product_id, NO_DETAILS) if has_wall else NO_DETAILS
    return _compile(book, rules, Facts(card, details))


def plan_of_search(collection: str, rule_set: str | None = None) -> Plan:
    """The plan of a search by photo: the rules of every product that compare with none.

    Args:
        collection: slug.
        rule_set: see `rule_book`.

    Returns:
        The plan; NO_RULES without rules.

    Raises:
        UnknownRuleSet: there is no set with this name.
    """
    book = rule_book(collection, rule_set)
    return NO_RULES if book is None else _compile(book, book.rules_for(None), None)


def _compile(book: RuleBook, rules: Sequence[ActiveRule], product: Facts | None) -> Plan:
    which = tuple(rule.key.id for rule in rules)
    begun = book.begun.get(which)
    if begun is None:
        begun = book.begun[which] = _begun(book, rules)
    draft = begun.draft.beside(product)
    for rule in begun.comparing:
        rule.parameters.add_to(draft, rule.key)
    return draft.plan(book.rule_set, begun.order, book.shares)


def _begun(book: RuleBook, rules: Sequence[ActiveRule]) -> Begun:
    last = {rule.key.kind: rule.key for rule in rules}
    counting = [rule for rule in rules if not rule.parameters.counts_once or last[rule.key.kind] == rule.key]
    draft = Draft(None, book.ids, book.values)
    for rule in counting:
        if not rule.parameters.needs_product:
            rule.parameters.add_to(draft, rule.key)
    draft.pins = [pin for pin in draft.pins if pin.product_id not in book.outside]
    comparing = [rule for rule in counting if rule.parameters.needs_product]
    return Begun(draft, comparing, [rule.key for rule in counting])


def _read_book(collection: str, rule_set: str | None) -> RuleBook | None:
    found = _find_set(collection, rule_set)
    if found is None:
        return None
    rules = [
        active
        for rule in found.rules.filter(active=True).order_by("position", "pk")
        if (rule.scope != Rule.Scope.COLLECTION or rule.target == collection) and (active := active_rule(rule))
    ]
    if not rules:
        return None
    skus = {name for rule in rules for _, named, name in rule.parameters.names() if named == "product"}
    ids = ids_of_skus(skus)
    pinned = {
        ids[name] for rule in rules if rule.key.kind == "pin" for _, _, name in rule.parameters.names() if name in ids
    }
    walls = [rule.parameters for rule in rules if isinstance(rule.parameters, WallRule)]
    general = [rule for rule in rules if rule.key.scope in (Rule.Scope.EVERYWHERE, Rule.Scope.COLLECTION)]
    general.sort(key=lambda rule: rule.key.scope == Rule.Scope.COLLECTION)
    by_category = _by_target(rule for rule in rules if rule.key.scope == Rule.Scope.CATEGORY)
    by_sku = _by_target(rule for rule in rules if rule.key.scope == Rule.Scope.PRODUCT)
    outside = frozenset(_not_covered(collection, pinned))
    values = {name: known_values(name) for wall in walls for name in wall.attributes}
    return RuleBook(
        found.name,
        general,
        by_category,
        by_sku,
        ids,
        outside,
        needs_product=bool(by_category or by_sku) or any(rule.parameters.needs_product for rule in rules),
        values=values,
        names=sha256(repr((sorted(ids.items()), sorted(outside), sorted(values.items()))).encode()).hexdigest(),
        changes_by_itself=any(rule.parameters.changes_by_itself for rule in rules),
    )


def active_rule(rule: Rule) -> ActiveRule | None:
    """A rule with its parameters; None, with a warning, if they are not those of its kind."""
    kind = KINDS.get(rule.kind)
    try:
        if kind is not None:
            key = RuleKey(rule.pk, rule.kind, rule.scope, rule.target)
            return ActiveRule(key, kind.model_validate(rule.parameters))
    except ValidationError as error:
        logger.warning("rule %s is left out: %s", rule.pk, error)
        return None
    logger.warning("rule %s is left out: there is no kind %r", rule.pk, rule.kind)
    return None


def _find_set(collection: str, rule_set: str | None) -> RuleSet | None:
    if rule_set is not None:
        found = RuleSet.objects.filter(name=rule_set).first()
        if found is None:
            raise UnknownRuleSet(rule_set, RuleSet.objects.values_list("name", flat=True))
        return found
    return RuleSet.objects.in_force(collection)


def _by_target(rules: Iterable[ActiveRule]) -> dict[str, list[ActiveRule]]:
    found: dict[str, list[ActiveRule]] = defaultdict(list)
    for rule in rules:
        found[rule.key.target].append(rule)
    return dict(found)


def _not_covered(collection: str, product_ids: set[int]) -> set[int]:
    """Those of these products that the collection does not cover."""
    covering = Collection.objects.filter(slug=collection).first()
    if covering is None or not product_ids:
        return set()
    covered = Product.objects.filter(covered_by(covering.pk), pk__in=product_ids)
    return product_ids - {*covered.values_list("pk", flat=True)}
