"""Visitor events, without anything that identifies a visitor; and merchandising rules."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.models import CATEGORY_PATH_LENGTH

COLLECTION_LENGTH = 60
ENCODER_LENGTH = 80
QUERY_LENGTH = 100
RULE_SET_LENGTH = 60
# A category's path is the longest of what a rule may be for.
TARGET_LENGTH = CATEGORY_PATH_LENGTH
NOTE_LENGTH = 200


class Event(models.Model):
    """An impression, a click, an addition to the basket or a purchase.

    An impression is one row, however many results were seen. Products are plain numbers, not foreign keys, so that events stay
    when a product is deleted.

    Attributes:
        product_id: the product of the page whose results were seen or clicked, or the product that was bought; None after a search
            by photo.
        result_id: the result that was clicked.
        position: of the click, from 1.
        results: ids of the products that were seen, in their order.
        query: of an event that is not stored yet, the words that were searched for, see `EventQuery`; "" for none.
        created_at: cut to the hour.
    """

    query = ""

    class Type(models.TextChoices):
        """The type of an event."""

        IMPRESSION = "impression", _("results seen")
        CLICK = "click", _("result clicked")
        ADD_TO_CART = "add_to_cart", _("added to the basket")
        PURCHASE = "purchase", _("bought")

    type = models.CharField(_("type"), max_length=12, choices=Type.choices)
    product_id = models.PositiveBigIntegerField(_("product"), null=True)
    result_id = models.PositiveBigIntegerField(_("result"), null=True)
    position = models.PositiveSmallIntegerField(_("position"), null=True)
    quantity = models.PositiveIntegerField(_("quantity"), null=True)
    results = models.JSONField(_("results"), null=True)
    collection = models.CharField(_("collection"), max_length=COLLECTION_LENGTH, blank=True)
    encoder = models.CharField(_("encoder version"), max_length=ENCODER_LENGTH, blank=True)
    created_at = models.DateTimeField(_("hour"))

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        # Covers counts by type, time, product and collection, and finds events that are too old.
        indexes = [models.Index(fields=("type", "created_at", "product_id", "collection"), name="event_counts")]

    def __str__(self) -> str:
        return f"{self.type} {self.created_at:%Y-%m-%d %H:00}"


class EventQuery(models.Model):
    """The words of the search that an impression or a click belongs to, where the page says them. In lower case."""

    event = models.OneToOneField(Event, primary_key=True, on_delete=models.CASCADE, related_name="searched")
    query = models.CharField(_("query"), max_length=QUERY_LENGTH, db_index=True)

    class Meta:
        verbose_name = _("query of an event")
        verbose_name_plural = _("queries of events")
        default_permissions = ()

    def __str__(self) -> str:
        return self.query


class RuleSetQuerySet(models.QuerySet["RuleSet"]):
    """Which rule sets."""

    def in_force(self, collection: str) -> RuleSet | None:
        """The active set of a collection: its own, or the one that is active everywhere. collection: slug."""
        active = self.filter(models.Q(collection__slug=collection) | models.Q(collection=None), active=True)
        return active.order_by(models.F("collection").asc(nulls_last=True)).first()


class RuleSet(models.Model):
    """Merchandising rules that are in force together. Of a collection, or without one everywhere, one set is active.

    A collection without an active set of its own has the one that is active everywhere.
    """

    name = models.SlugField(_("name"), unique=True, max_length=RULE_SET_LENGTH)
    collection = models.ForeignKey(
        "embeddings.Collection",
        verbose_name=_("collection"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="rule_sets",
        help_text=_("Empty: for every collection that has no active set of its own."),
    )
    active = models.BooleanField(_("active"), default=False)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = RuleSetQuerySet.as_manager()

    class Meta:
        verbose_name = _("rule set")
        verbose_name_plural = _("rule sets")
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(
                fields=("collection",), condition=models.Q(active=True), name="one_active_rule_set_of_a_collection"
            ),
            models.UniqueConstraint(
                fields=("active",),
                condition=models.Q(active=True, collection__isnull=True),
                name="one_rule_set_active_everywhere",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Rule(models.Model):
    """A merchandising rule: what it does, beside which products, and with which parameters.

    Attributes:
        kind: a name of `recommender.rules.kinds.KINDS`.
        target: of the scope: slug of a collection, path of a category, or SKU. A text, not a foreign key: a rule whose target is
            gone applies to nothing, and can say so.
        parameters: as the kind declares them.
        position: place within its set, from 0.
    """

    class Scope(models.TextChoices):
        """Beside which products a rule applies."""

        EVERYWHERE = "everywhere", _("everywhere")
        COLLECTION = "collection", _("in a collection")
        CATEGORY = "category", _("beside products of a category")
        PRODUCT = "product", _("beside one product")

    rule_set = models.ForeignKey(RuleSet, verbose_name=_("rule set"), on_delete=models.CASCADE, related_name="rules")
    kind = models.CharField(_("kind"), max_length=20)
    scope = models.CharField(_("scope"), max_length=12, choices=Scope.choices, default=Scope.EVERYWHERE)
    target = models.CharField(_("target"), max_length=TARGET_LENGTH, blank=True)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    active = models.BooleanField(_("active"), default=True)
    note = models.CharField(_("note"), max_length=NOTE_LENGTH, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ("rule_set", "position", "pk")
        constraints = [
            # A rule that lost its target must never become one for everything.
            models.CheckConstraint(
                condition=models.Q(scope="everywhere", target="")
                | (~models.Q(scope="everywhere") & ~models.Q(target="")),
                name="rule_has_the_target_of_its_scope",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".strip()


class LearnedOrder(models.Model):
    """What was learned for a collection, and whether its strips are shown in the learned order.

    Attributes:
        is_live: whether strips are shown in this order, where the setting LEARNING is `on`.
        click_rate: of all pairs together, clicks for each look.
        places: how much each place is looked at, in parts of the first.
        strip_length: how many results a strip shows as a rule.
        outcome: what the replay found, see `recommender.learning.replay.Outcome`.
        reason: why it is live or not, in words.
    """

    collection = models.OneToOneField(
        "embeddings.Collection", verbose_name=_("collection"), on_delete=models.CASCADE, related_name="learned_order"
    )
    is_live = models.BooleanField(_("live"), default=False)
    click_rate = models.FloatField(_("click rate"), default=0.0)
    places = models.JSONField(_("places"), default=list)
    strip_length = models.PositiveSmallIntegerField(_("length of a strip"), default=0)
    outcome = models.JSONField(_("replay"), default=dict)
    reason = models.TextField(_("reason"), blank=True)
    learned_at = models.DateTimeField(_("learned"))

    class Meta:
        verbose_name = _("learned order")
        verbose_name_plural = _("learned orders")

    def __str__(self) -> str:
        return str(self.collection)


class PairCount(models.Model):
    """How often a result was looked at and clicked beside a product.

    Attributes:
        looks: how often it was shown, each time in the share of its place.
    """

    collection = models.ForeignKey("embeddings.Collection", on_delete=models.CASCADE, related_name="+", db_index=False)
    product_id = models.PositiveBigIntegerField(_("product"))
    result_id = models.PositiveBigIntegerField(_("result"))
    clicks = models.FloatField(_("clicks"))
    looks = models.FloatField(_("looks"))

    class Meta:
        verbose_name = _("count of a pair")
        verbose_name_plural = _("counts of pairs")
        constraints = [
            models.UniqueConstraint(fields=("collection", "product_id", "result_id"), name="pair_counted_once")
        ]

    def __str__(self) -> str:
        return f"{self.product_id} -> {self.result_id}: {self.clicks:g} of {self.looks:g}"


class Experiment(models.Model):
    """An A/B test of a collection: a share of its products, drawn again every hour, gets the candidate.

    Attributes:
        kind: what is compared.
        control: the encoder version that the others get; None where none is compared.
        candidate: the encoder version that the share gets; None where none is compared.
        control_rules: name of the rule set that the others get; "" for no rules.
        candidate_rules: name of the rule set that the share gets; "" where none is compared.
        share: of product and hour that get the candidate, 0 to 1.
        effect: the difference of click rates that the test looks for, fixed at its first look; None before.
        p_value: the least of all looks so far.
        result: what the last look found, see `recommender.learning.experiments.Result`.
    """

    class Kind(models.TextChoices):
        """What an experiment compares."""

        ENCODER = "encoder", _("two encoder versions")
        ORDER = "order", _("learned order (B) and visual order (A)")
        RULES = "rules", _("two rule sets")

    class State(models.TextChoices):
        """How an experiment stands."""

        RUNNING = "running", _("running")
        BETTER = "better", _("ended: the candidate is better")
        WORSE = "worse", _("ended: the candidate is worse")
        STOPPED = "stopped", _("stopped")

    collection = models.ForeignKey(
        "embeddings.Collection", verbose_name=_("collection"), on_delete=models.CASCADE, related_name="experiments"
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    control = models.ForeignKey(
        "embeddings.EncoderVersion", verbose_name=_("control"), null=True, on_delete=models.CASCADE, related_name="+"
    )
    candidate = models.ForeignKey(
        "embeddings.EncoderVersion", verbose_name=_("candidate"), null=True, on_delete=models.CASCADE, related_name="+"
    )
    control_rules = models.CharField(_("rule set of the control"), max_length=RULE_SET_LENGTH, blank=True)
    candidate_rules = models.CharField(_("rule set of the candidate"), max_length=RULE_SET_LENGTH, blank=True)
    share = models.FloatField(_("share"))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.RUNNING)
    effect = models.FloatField(_("effect"), null=True)
    p_value = models.FloatField(_("p-value"), default=1.0)
    result = models.JSONField(_("result"), default=dict)
    reason = models.TextField(_("reason"), blank=True)
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("A/B test")
        verbose_name_plural = _("A/B tests")
        ordering = ("-started_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("collection", "kind"), condition=models.Q(state="running"), name="one_experiment_of_a_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.collection}: {self.get_kind_display()}"
