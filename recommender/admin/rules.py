"""Merchandising rules in the admin: sets and rules, what they lost, a strip before and after, and walls that suggest themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from accounts.admin.display import Badge, PrefetchingChangeList, badges
from catalog.errors import ProductNotFound
from catalog.selectors import product_id_of
from catalog.thumbnails import thumbnail_url
from embeddings.errors import EmbeddingsError
from embeddings.models import Collection
from recommender.admin.rule_forms import PREFIX, RuleSetForm, parameter_fields, rule_form
from recommender.models import Rule, RuleSet
from recommender.pipeline import similar_to
from recommender.queries import DEFAULT_COLLECTION, Recommendations, SimilarQuery
from recommender.rules.kinds import KINDS
from recommender.rules.services import announce, delete_rule, delete_set, names_of, save_rule, save_set
from recommender.rules.targets import lost_by_rule
from recommender.rules.walls import WallSuggestion, suggested_walls

_STRIP = 12


@dataclass(frozen=True, slots=True)
class Shown:
    """A product of a strip. change: "", "new", "gone", "earlier" or "later"."""

    title: str
    url: str
    image: str
    change: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What a rule did, in a line of a table."""

    name: str
    url: str
    place: str
    products: int
    lost: str


class _AnnouncingAdmin(ModelAdmin):
    """Rows whose changes every process is notified of."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PrefetchingChangeList]:  # noqa: ARG002
        return PrefetchingChangeList

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        announce()

    class Media:
        css = {"all": ("accounts/admin.css",)}


def _lost_badges(lost: Sequence[object]) -> SafeString | str:
    if not lost:
        return ""
    return badges([Badge(gettext("%(what)s is gone") % {"what": each}, "danger") for each in lost])


@admin.register(RuleSet)
class RuleSetAdmin(_AnnouncingAdmin):
    """The rule sets, of which one is active in each place."""

    form = RuleSetForm
    list_display = ("name", "place", "active", "rules_shown", "lost_shown", "preview_link")
    search_fields = ("name",)
    list_select_related = ("collection",)
    readonly_fields = ("preview_link",)
    fields = ("name", "collection", "active", "preview_link")

    def prefetch_rows(self, rows: Sequence[RuleSet]) -> None:
        """Read the rules of the page's sets."""
        rules = [*Rule.objects.filter(rule_set__in=[row.pk for row in rows])]
        lost = lost_by_rule({rule.pk: names_of(rule) for rule in rules})
        for row in rows:
            own = [rule for rule in rules if rule.rule_set_id == row.pk]
            vars(row)["own_rules"] = len(own)
            vars(row)["lost"] = [each for rule in own for each in lost.get(rule.pk, ())]

    @admin.display(description=_("in force"))
    def place(self, rule_set: RuleSet) -> str:
        """Where it is in force when it is active."""
        return str(rule_set.collection.name) if rule_set.collection else gettext("everywhere")

    @admin.display(description=_("rules"))
    def rules_shown(self, rule_set: RuleSet) -> SafeString:
        """How many rules it has, with a link to them."""
        url = f"{reverse('admin:recommender_rule_changelist')}?rule_set__id__exact={rule_set.pk}"
        return format_html('<a class="text-link" href="{}">{}</a>', url, vars(rule_set)["own_rules"])

    @admin.display(description=_("lost"))
    def lost_shown(self, rule_set: RuleSet) -> SafeString | str:
        """What its rules name and what does not exist any more."""
        return _lost_badges(vars(rule_set)["lost"])

    @admin.display(description=_("before and after"))
    def preview_link(self, rule_set: RuleSet) -> SafeString | str:
        """Where it can be tried."""
        if not rule_set.pk:
            return ""
        url = reverse("admin:recommender_ruleset_preview", args=[rule_set.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', url, gettext("Before and after"))

    def save_model(self, request: HttpRequest, obj: RuleSet, form: RuleSetForm, change: bool) -> None:  # noqa: ARG002
        saved = save_set(form.document(), RuleSet.objects.get(pk=obj.pk) if change else None)
        obj.pk = saved.pk

    def delete_model(self, request: HttpRequest, obj: RuleSet) -> None:  # noqa: ARG002
        delete_set(obj)

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview)
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:set_id>/preview/", preview, name="recommender_ruleset_preview"), *urls]

    def preview(self, request: HttpRequest, set_id: int) -> HttpResponse:
        """The strip of a product without the rules of a set and with them, and what each rule did."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rule_set = get_object_or_404(RuleSet.objects.select_related("collection"), pk=set_id)
        sku = request.GET.get("product", "").strip()
        collections = [*Collection.objects.filter(active_version__isnull=False).values_list("slug", flat=True)]
        own = rule_set.collection.slug if rule_set.collection else DEFAULT_COLLECTION
        chosen = request.GET.get("collection") or own
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Before and after: %(name)s") % {"name": rule_set.name},
            "rule_set": rule_set,
            "sku": sku,
            "collections": collections,
            "chosen": chosen,
            **(_compared(rule_set, sku, chosen) if sku else {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/recommender/rule_preview.html", context)


@admin.register(Rule)
class RuleAdmin(_AnnouncingAdmin):
    """The rules of all sets."""

    list_display = ("label", "rule_set", "scope_shown", "what", "active", "lost_shown")
    list_display_links = ("label",)
    list_filter = ("rule_set", "scope", "active")
    list_select_related = ("rule_set",)
    search_fields = ("target", "note", "kind")

    def prefetch_rows(self, rows: Sequence[Rule]) -> None:
        """Look up what the page's rules name."""
        lost = lost_by_rule({rule.pk: names_of(rule) for rule in rows})
        for rule in rows:
            vars(rule)["lost"] = lost.get(rule.pk, ())

    @admin.display(description=_("rule"), ordering="kind")
    def label(self, rule: Rule) -> str:
        """Its kind, for people."""
        return kind_label(rule.kind)

    @admin.display(description=_("scope"), ordering="scope")
    def scope_shown(self, rule: Rule) -> str:
        """Beside which products it applies."""
        return f"{rule.get_scope_display()} {rule.target}".strip()

    @admin.display(description=_("parameters"))
    def what(self, rule: Rule) -> str:
        """Its parameters in a line."""
        return "; ".join(f"{name}: {_in_a_line(value)}" for name, value in rule.parameters.items())

    @admin.display(description=_("lost"))
    def lost_shown(self, rule: Rule) -> SafeString | str:
        """What it names and what does not exist any more."""
        return _lost_badges(vars(rule).get("lost", ()))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        """The form of a new rule; without a kind, the kinds to choose from."""
        kind = request.GET.get("kind", "")
        if kind in KINDS:
            title = gettext("New rule: %(kind)s") % {"kind": kind_label(kind)}
            return super().add_view(request, form_url, {"title": title, **(extra_context or {})})
        if not self.has_add_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("New rule"),
            "kinds": [(name, each.label, each.help) for name, each in KINDS.items()],
            "query": urlencode({name: value for name, value in request.GET.items() if name == "rule_set"}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/recommender/rule_kinds.html", context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form of the rule's kind."""
        kwargs["form"] = rule_form(KINDS[_kind(request, obj)])
        kwargs["fields"] = ("rule_set", "scope", "target", "active", "note")
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The parameters of the kind, where the rule applies, and the rest."""
        kind = _kind(request, obj)
        return (
            (kind_label(kind), {"fields": parameter_fields(kind), "description": KINDS[kind].help}),
            (_("Where it applies"), {"fields": ("rule_set", "scope", "target")}),
            (None, {"fields": ("active", "note")}),
        )

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:  # noqa: ARG002
        stored = Rule.objects.get(pk=obj.pk) if change else None
        if stored is not None and stored.rule_set_id != obj.rule_set_id:
            stored.rule_set = obj.rule_set
        saved = save_rule(obj.rule_set, form.document(), stored)
        obj.pk = saved.pk
        obj.refresh_from_db()

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:  # noqa: ARG002
        delete_rule(obj)

    def get_urls(self) -> list[URLPattern]:
        walls = self.admin_site.admin_view(self.walls)
        urls: list[URLPattern] = super().get_urls()
        return [path("walls/", walls, name="recommender_rule_walls"), *urls]

    def walls(self, request: HttpRequest) -> HttpResponse:
        """The walls that the catalogue's own columns suggest."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        suggestions = [(wall, _url_of_new_wall(wall)) for wall in suggested_walls()]
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Suggested walls"),
            "suggestions": suggestions,
            "may_add": self.has_add_permission(request),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/recommender/walls.html", context)


def _url_of_new_wall(wall: WallSuggestion) -> str:
    values = {f"{PREFIX}attributes": wall.attribute, f"{PREFIX}neutral": "\n".join(wall.neutral)}
    return f"{reverse('admin:recommender_rule_add')}?{urlencode({'kind': 'wall', **values})}"


def _kind(request: HttpRequest, rule: Rule | None) -> str:
    """The kind of a rule, or that of the form of a new one; one that does not exist any more is shown as the first one."""
    kind = rule.kind if rule is not None else request.GET.get("kind", "")
    return kind if kind in KINDS else next(iter(KINDS))


def kind_label(kind: str) -> str:
    """The kind of a rule, for people."""
    return str(KINDS[kind].label) if kind in KINDS else kind


def _in_a_line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_in_a_line(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _compared(rule_set: RuleSet, sku: str, collection: str) -> dict[str, Any]:
    """Both strips and the effects; or why there are none."""
    try:
        product_id = product_id_of(sku)
        query = SimilarQuery(limit=_STRIP, collection=collection, rule_set="", for_visitor=False)
        before = similar_to(product_id, query)
        after = similar_to(product_id, replace(query, rule_set=rule_set.name, explain=True))
    except (ProductNotFound, EmbeddingsError) as error:
        text = str(error)
        return {"trouble": f"{text[:1].upper()}{text[1:]}."}
    return {"before": _strip(before, after, "gone"), "after": _strip(after, before, "new"), "effects": _effects(after)}


def _strip(strip: Recommendations, other: Recommendations, missing: str) -> list[Shown]:
    """A strip, with what is different from the other one. missing: what a product is that the other does not have."""
    places = {each.product.id: place for place, each in enumerate(other.results)}
    shown = []
    for place, each in enumerate(strip.results):
        there = places.get(each.product.id)
        change = missing if there is None else "" if missing == "gone" or there == place else _moved(place, there)
        url = reverse("admin:catalog_product_change", args=[each.product.id])
        shown.append(Shown(each.product.title, url, thumbnail_url(each.product.image, 320), change))
    return shown


def _moved(place: int, before: int) -> str:
    return "earlier" if place < before else "later"


def _effects(after: Recommendations) -> list[Effect]:
    places = {"index": gettext("in the index"), "after": gettext("after the query"), None: gettext("nowhere")}
    rules = after.explanation.rules if after.explanation else ()
    return [
        Effect(
            f"{kind_label(each.rule.kind)} {each.rule.target}".strip(),
            reverse("admin:recommender_rule_change", args=[each.rule.id]),
            places[each.place],
            len(each.products),
            ", ".join(each.lost),
        )
        for each in rules
    ]
