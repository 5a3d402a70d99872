"""The demo storefront: a shop to see recommendations in, and to copy the widget's use from.

It knows the catalogue alone. Recommendations reach its pages in the browser, through the widget.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from catalog.models import Category, Product, lineage
from catalog.selectors import (
    browsable_categories,
    images_of,
    product_cards,
    products_matching,
    visible_product,
)

PRODUCTS_PER_PAGE = 24
LONGEST_SEARCH_TEXT = 200
# On the storefront's own host: one proxy stands before the services where they run apart.
WIDGET_PATH = "/widget/v1/similar.js"

Page = Callable[..., HttpResponse]


def storefront_page(page: Page) -> Page:
    """A page that is only read, and that answers "not found" in the shop's own way."""

    @require_safe
    @wraps(page)
    def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return page(request, **kwargs)
        except Http404 as missing:
            return page_not_found(request, missing)

    return wrapped


@storefront_page
def home(request: HttpRequest) -> HttpResponse:
    """All products, or those that a search finds, in the whole shop or in one category."""
    return _listing(request, category=request.GET.get("category", ""))


@storefront_page
def category(request: HttpRequest, category_path: str) -> HttpResponse:
    """The products of a category and of those below it."""
    return _listing(request, category=category_path)


@storefront_page
def product(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    """One product with its photos and, through the widget, the products that look like it."""
    shown = visible_product(pk)
    if shown is None:
        raise Http404(_("This product is no longer in the shop."))
    if slug != shown.slug:
        return redirect(shown, permanent=True)
    categories = browsable_categories()
    context = {
        "product": shown,
        "images": list(images_of([pk])),
        "trail": _trail(categories, shown.category.path if shown.category else ""),
    }
    return _render(request, "storefront/product.html", categories, context)


@storefront_page
def visual_search(request: HttpRequest) -> HttpResponse:
    """Search by a photo of the visitor's own."""
    return _render(request, "storefront/visual_search.html", browsable_categories(), {})


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The shop's answer to an address that leads nowhere; also fit as a project's `handler404`."""
    # Where no URL pattern matched, the argument is Django's account of all that it tried: not for visitors.
    reason = exception.args[0] if exception and exception.args and isinstance(exception.args[0], str) else ""
    return _render(request, "storefront/not_found.html", browsable_categories(), {"reason": reason}, status=404)


def _listing(request: HttpRequest, *, category: str) -> HttpResponse:
    categories = browsable_categories()
    if category and category not in categories:
        raise Http404(_("There is no such category, or nothing in it at the moment."))
    # PostgreSQL takes no NUL in a text.
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH_TEXT]
    found = Paginator(products_matching(category=category, text=text), PRODUCTS_PER_PAGE)
    page = found.get_page(request.GET.get("page"))
    # The home page's choices are in its header already.
    choices = _choices(categories, category) if category or text else []
    context = {
        "category": categories.get(category),
        "text": text,
        "page": page,
        "cards": product_cards(cast("QuerySet[Product]", page.object_list)),
        "pages": found.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "choices": [(choice, _listing_url(choice.path, text)) for choice in choices],
        "everything_url": _listing_url("", text),
        "trail": _trail(categories, category),
        "shop_is_empty": not categories and not found.count and not text,
    }
    return _render(request, "storefront/list.html", categories, context)


def _choices(categories: dict[str, Category], current: str) -> list[Category]:
    """Where to go from a category: one level down, or to its neighbours where nothing is below."""
    children = [choice for choice in categories.values() if choice.path.rpartition("/")[0] == current]
    if children or not current:
        return children
    return _choices(categories, current.rpartition("/")[0])


def _trail(categories: dict[str, Category], category: str) -> list[Category]:
    """The category and those above it, from the root down."""
    return [categories[step] for step in lineage(category) if step in categories]


def _listing_url(category: str, text: str) -> str:
    """The address of a category's products; with a search text, of those among them that it finds."""
    if text:
        query = {"q": text} | ({"category": category} if category else {})
        return f"{reverse('storefront:home')}?{urlencode(query)}"
    if category:
        return reverse("storefront:category", kwargs={"category_path": category})
    return reverse("storefront:home")


def _render(
    request: HttpRequest, template: str, categories: dict[str, Category], context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page, with the roots of the category tree for its header, that may load nothing but the shop's own files."""
    departments = [category for category in categories.values() if category.parent_id is None]
    shared = {"departments": departments, "widget_path": WIDGET_PATH}
    response = render(request, template, shared | context, status=status)
    response["Content-Security-Policy"] = _content_security_policy()
    return response


def _content_security_policy() -> str:
    """Nothing inline, nothing foreign; where static or media files come from another host, that host."""
    static, media = (_origin(settings.STATIC_URL), _origin(settings.MEDIA_URL))
    return "; ".join(
        [
            " ".join(["default-src 'self'", *static]),
            " ".join(["img-src 'self' data: blob:", *sorted({*static, *media})]),
            " ".join(["style-src 'self'", *static]),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def _origin(url: str) -> list[str]:
    parts = urlsplit(url)
    return [f"{parts.scheme}://{parts.netloc}"] if parts.scheme and parts.netloc else []


app_name = "storefront"
urlpatterns = [
    path("", home, name="home"),
    path("categories/<path:category_path>/", category, name="category"),
    path("products/<int:pk>/<slug:slug>/", product, name="product"),
    path("visual-search/", visual_search, name="visual-search"),
]
