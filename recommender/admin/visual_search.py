"""Search by photo in the admin: the results as shoppers see them, with scores and confidences."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from unfold.sites import UnfoldAdminSite

from embeddings.models import Collection
from recommender.queries import DEFAULT_COLLECTION


def may_search(request: HttpRequest) -> bool:
    """Whether the user may see or change products."""
    return request.user.has_perm("catalog.view_product") or request.user.has_perm("catalog.change_product")


@require_safe
def visual_search(request: HttpRequest, site: UnfoldAdminSite) -> HttpResponse:
    """The page; the widget runs the search.

    Args:
        request: of a user who may see products.
        site: the admin site, for the context of its pages.

    Returns:
        The page.

    Raises:
        PermissionDenied: the user may not see products.
    """
    if not may_search(request):
        raise PermissionDenied
    collections = list(Collection.objects.filter(active_version__isnull=False))
    slugs = [collection.slug for collection in collections]
    context = {
        **site.each_context(request),
        "title": _("Visual search"),
        "collections": collections,
        "chosen": DEFAULT_COLLECTION if DEFAULT_COLLECTION in slugs else next(iter(slugs), ""),
        # The script replaces 0 by the id of a product.
        "product_url": reverse("admin:catalog_product_change", args=[0]),
    }
    return render(request, "admin/recommender/visual_search.html", context)
