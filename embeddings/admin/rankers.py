"""Ranker versions: how good each is beside the order of the text search, and which one puts searches by words in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.admin.display import Badge, ReadOnlyAdmin, badges, sentence, table, with_interval
from embeddings import ranker_versions
from embeddings.errors import EmbeddingsError
from embeddings.models import Collection, RankerVersion
from embeddings.ranker_versions import DIFFERENCE


@admin.register(RankerVersion)
class RankerVersionAdmin(ReadOnlyAdmin):
    """The rankers of collections: trained by a job or a command, activated and rolled back here."""

    list_display = ("label_shown", "use", "kind", "quality", "advantage", "created_at")
    list_select_related = ("collection",)
    list_filter = ("collection", "kind")
    search_fields = ("collection__name", "collection__slug")
    fieldsets = (
        (None, {"fields": ("label_shown", "use", "kind", "files", "fingerprint", "created_at")}),
        (_("Quality"), {"fields": ("figures",)}),
        (_("Recipe"), {"fields": ("recipe_shown",)}),
    )
    actions = ("activate", "roll_back", "delete_versions")
    actions_list = ("train",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RankerVersion]:
        queryset: QuerySet[RankerVersion] = super().get_queryset(request)
        return queryset.select_related("collection")

    @admin.display(description=_("version"), ordering="collection__slug")
    def label_shown(self, version: RankerVersion) -> str:
        """How users name the version."""
        return version.label

    @admin.display(description=_("use"))
    def use(self, version: RankerVersion) -> SafeString:
        """Whether it puts searches in order, is kept for a roll-back, or is neither."""
        if version.pk == version.collection.active_ranker_id:
            return badges([Badge(str(_("active")), "success")])
        if version.pk == version.collection.previous_ranker_id:
            return badges([Badge(str(_("previous")), "info")])
        return badges([Badge(str(_("stand-by")), "default")])

    @admin.display(description=_("nDCG@10"))
    def quality(self, version: RankerVersion) -> str:
        """On the queries that its training kept aside."""
        found = version.metrics.get("ndcg")
        return f"{found['mean']:.3f}" if found else ""

    @admin.display(description=_("against the text order"))
    def advantage(self, version: RankerVersion) -> str:
        """The difference from the order of the text search, and where its 95% confidence interval lies."""
        found = version.metrics.get(DIFFERENCE)
        return with_interval(found["mean"], (found["low"], found["high"]), signed=True) if found else ""

    @admin.display(description=_("figures"))
    def figures(self, version: RankerVersion) -> SafeString | str:
        """Its order beside that of the text search."""
        rows = [
            [str(name), with_interval(found["mean"], (found["low"], found["high"]))]
            for name, found in (
                (_("text order"), version.metrics.get("text_order")),
                (version, version.metrics.get("ndcg")),
            )
            if found
        ]
        counted = [
            [str(_("queries to train on")), str(version.data.get("trained_on", ""))],
            [str(_("queries kept aside")), str(version.data.get("kept_aside", ""))],
        ]
        difference = [[str(_("difference")), self.advantage(version)]]
        return table(["", str(_("nDCG@10, 95% interval"))], [*rows, *difference, *counted]) if rows else ""

    @admin.display(description=_("recipe"))
    def recipe_shown(self, version: RankerVersion) -> SafeString | str:
        """How it was trained."""
        recipe: Mapping[str, Any] = version.recipe
        return table([], [[name.replace("_", " "), str(value)] for name, value in recipe.items()]) if recipe else ""

    def has_activate_permission(self, request: HttpRequest) -> bool:
        """Who may say which version puts searches in order."""
        return request.user.has_perm("embeddings.change_rankerversion")

    def has_delete_versions_permission(self, request: HttpRequest) -> bool:
        """Who may delete versions that are not used."""
        return request.user.has_perm("embeddings.delete_rankerversion")

    @action(description=_("Train a ranker"), icon="school", permissions=["activate"])  # type: ignore[untyped-decorator]
    def train(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        """A way from the list to the page that trains rankers."""
        return redirect("admin:train_ranker")

    @admin.action(description=_("Activate"), permissions=["activate"])
    def activate(self, request: HttpRequest, queryset: QuerySet[RankerVersion]) -> None:
        """Have one version put the searches of its collection in order, from now on."""
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            messages.error(request, _("Choose one version: a collection has one that is active."))
            return
        try:
            ranker_versions.activate_ranker(chosen[0])
        except EmbeddingsError as error:
            messages.error(request, sentence(error))
        else:
            messages.success(request, _("%s is active.") % chosen[0].label)

    @admin.action(description=_("Roll back to the previous ranker"), permissions=["activate"])
    def roll_back(self, request: HttpRequest, queryset: QuerySet[RankerVersion]) -> None:
        """Make the previous ranker of the selected versions' collections the active one again."""
        for collection in Collection.objects.filter(rankers__in=queryset.order_by()).distinct():
            try:
                version = ranker_versions.roll_back_ranker(collection)
            except EmbeddingsError as error:
                messages.error(request, sentence(error))
                continue
            if version is None:
                messages.success(request, _("Searches of %s are in the order of the words again.") % collection.slug)
            else:
                messages.success(request, _("%s is active again.") % version.label)

    @admin.action(description=_("Delete with their files, if they are not used"), permissions=["delete_versions"])
    def delete_versions(self, request: HttpRequest, queryset: QuerySet[RankerVersion]) -> None:
        """Delete the chosen versions that are not used; the others are named with the reason."""
        for version in queryset:
            label = version.label
            try:
                ranker_versions.delete_ranker(version)
            except EmbeddingsError as error:
                messages.error(request, sentence(error))
            else:
                messages.success(request, _("%s is deleted, with its files.") % label)
