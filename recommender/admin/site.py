"""The admin site: unfold's, with an overview as its index, a search over everything, and pages of its own.

Every admin module registers with the site, so it is created before they are imported; pages are imported at their first request.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from unfold.sites import UnfoldAdminSite


class AdminSite(UnfoldAdminSite):
    """The admin site; `recommender.apps.AdminConfig` makes it Django's default."""

    index_title = _("Overview")
    index_template = "admin/recommender/overview.html"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The overview, with the sections that the user may see."""
        from recommender.admin.overview import overview_context

        page: TemplateResponse = super().index(request, {**overview_context(request.user), **(extra_context or {})})
        return page

    @method_decorator(require_safe)
    @method_decorator(cache_control(private=True, no_store=True))
    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """What the search over everything shows for a text."""
        from recommender.admin.everything import search_everything

        groups = search_everything(request, self, request.GET.get("q", ""))
        context = {"groups": groups, "count": sum(len(group.found) for group in groups), **(extra_context or {})}
        return TemplateResponse(request, "admin/recommender/everything.html", context)

    def extra_urls(self) -> list[URLPattern]:
        """The URLs that are added to the admin's."""
        from recommender.admin.activation import activation
        from recommender.admin.embed import embed
        from recommender.admin.improve import improve
        from recommender.admin.train_ranker import train_ranker
        from recommender.admin.visitors import visitors
        from recommender.admin.visual_search import visual_search

        return [
            path("embed/", self.admin_view(embed), {"site": self}, name="embed"),
            path("improve/", self.admin_view(improve), {"site": self}, name="improve"),
            path("train-ranker/", self.admin_view(train_ranker), {"site": self}, name="train_ranker"),
            path("visitors/", self.admin_view(visitors), {"site": self}, name="visitors"),
            path("visual-search/", self.admin_view(visual_search), {"site": self}, name="visual_search"),
            path(
                "encoder-versions/<int:version_id>/activation/",
                self.admin_view(activation),
                {"site": self},
                name="activation",
            ),
        ]
