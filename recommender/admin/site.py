"""The admin site: unfold's, with a first page of figures and a page for searching by photo.

Every admin module registers with the site, so it stands before any of them, and imports what it shows when it is asked for it.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite


class AdminSite(UnfoldAdminSite):
    """The one admin site; `recommender.apps.AdminConfig` makes it Django's default."""

    index_title = _("Overview")
    index_template = "admin/recommender/overview.html"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The figures that the user may see."""
        from recommender.admin.figures import figures_for

        page: TemplateResponse = super().index(request, {**figures_for(request.user), **(extra_context or {})})
        return page

    def extra_urls(self) -> list[URLPattern]:
        """What unfold adds to the admin's addresses."""
        from recommender.admin.visual_search import visual_search

        return [path("visual-search/", self.admin_view(visual_search), {"site": self}, name="visual_search")]
