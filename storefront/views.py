"""The demo storefront: a shop to see recommendations in, and to copy the widget's use from.

It knows the catalogue alone. Recommendations reach its pages in the browser, through the widget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from catalog.cards import product_cards
from catalog.models import Category, Product, lineage
from catalog.selectors import (
    browsable_categories,
    facets,
    images_of,
    merge_target,
    shelves,
    visible_product,
    visible_products,
)
from storefront import basket, browsing, content_policy
from storefront.browsing import Wishes

PRODUCTS_PER_PAGE = 24
NEW_ARRIVALS = 12
# Beside the new arrivals, so that the home page shows nothing twice.
HERO_PHOTOS = 4
# More brands than one can look through; those that are chosen come first.
BRANDS_SHOWN = 40
QUANTITIES = range(1, 11)

Page = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Department:
    """A root of the category tree, with how much there is in it and a photo from it: a path in the media storage, or ""."""

    category: Category
    products: int
    photo: str


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
    """The departments, and what is new."""
    categories = browsable_categories()
    newest = product_cards(visible_products().order_by("-id")[: NEW_ARRIVALS + HERO_PHOTOS])
    with_photo = [card for card in newest if card.image]
    context = {
        "cards": newest[:NEW_ARRIVALS],
        "hero": (newest[NEW_ARRIVALS:] if len(with_photo) == NEW_ARRIVALS + HERO_PHOTOS else with_photo)[:HERO_PHOTOS],
        "shelves": _departments(categories),
    }
    return _render(request, "storefront/home.html", categories, context)


@storefront_page
def products(request: HttpRequest) -> HttpResponse:
    """All products, or those that a search finds, in the whole shop or in one category."""
    return _listing(request, category=request.GET.get("category", ""))


@storefront_page
def category(request: HttpRequest, category_path: str) -> HttpResponse:
    """The products of a category and of those below it."""
    return _listing(request, category=category_path)


@storefront_page
def product(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    """One product with its photos and, through the widget, the products that look like it."""
    shown = visible_product(pk) or merge_target(pk)
    if shown is None:
        raise Http404(_("This product is no longer in the shop."))
    if (pk, slug) != (shown.pk, shown.slug):
        return redirect(shown, permanent=True)
    categories = browsable_categories()
    context = {
        "product": shown,
        "images": list(images_of([pk])),
        "brand_url": Wishes(brands=(shown.brand,)).address,
        "quantities": QUANTITIES,
        "trail": _trail(categories, shown.category.path if shown.category else ""),
    }
    return _render(request, "storefront/product.html", categories, context)


@storefront_page
def visual_search(request: HttpRequest) -> HttpResponse:
    """Search by a photo of the visitor's own."""
    return _render(request, "storefront/visual_search.html", browsable_categories(), {})


@storefront_page
def basket_page(request: HttpRequest) -> HttpResponse:
    """What the visitor means to buy."""
    context = {"basket": basket.contents(request.session), "most": basket.MOST_OF_ONE}
    return _render(request, "storefront/basket.html", browsable_categories(), context)


@storefront_page
def thanks(request: HttpRequest) -> HttpResponse:
    """Thanks for an order, once; the page tells the recommender what was bought."""
    ordered = basket.take_ordered(request.session)
    if not ordered.lines:
        return redirect("storefront:basket")
    return _render(request, "storefront/thanks.html", browsable_categories(), {"basket": ordered})


@require_POST
def add_to_basket(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a product into the basket, and go back to its page."""
    try:
        added = basket.add(request.session, pk, _quantity(request, least=1))
    except (basket.NotForSale, basket.BasketFull, ValueError) as error:
        messages.error(request, str(error))
        shown = visible_product(pk)
        return redirect(shown) if shown else redirect("storefront:basket")
    messages.success(request, _("“%(title)s” is in your basket.") % {"title": added.title})
    return redirect("storefront:product", pk=added.id, slug=added.slug)


@require_POST
def change_basket(request: HttpRequest, pk: int) -> HttpResponse:
    """Have more or fewer of a product that is in the basket, or none."""
    try:
        basket.change(request.session, pk, _quantity(request, least=0))
    except (basket.BasketFull, ValueError) as error:
        messages.error(request, str(error))
    return redirect("storefront:basket")


@require_POST
def place_order(request: HttpRequest) -> HttpResponse:
    """Order what is in the basket. It is a demo: nothing is stored, nothing is sent."""
    if not basket.order(request.session):
        messages.error(request, _("There is nothing in your basket that can be bought."))
        return redirect("storefront:basket")
    return redirect("storefront:thanks")


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The shop's answer to an address that leads nowhere; also fit as a project's `handler404`."""
    # Where no URL pattern matched, the argument is Django's account of all that it tried: not for visitors.
    reason = exception.args[0] if exception and exception.args and isinstance(exception.args[0], str) else ""
    return _render(request, "storefront/not_found.html", browsable_categories(), {"reason": reason}, status=404)


def _listing(request: HttpRequest, *, category: str) -> HttpResponse:
    categories = browsable_categories()
    if category and category not in categories:
        raise Http404(_("There is no such category, or nothing in it at the moment."))
    wishes = browsing.read(request.GET, category)
    products = visible_products().matching(wishes.filter).containing(wishes.text)
    found = Paginator(products.order_by(*wishes.order), PRODUCTS_PER_PAGE)
    page = found.get_page(request.GET.get("page"))
    narrowing = facets(wishes.filter, wishes.text)
    brands = sorted(narrowing.brands, key=lambda facet: (facet.brand not in wishes.brands, -facet.products))
    context = {
        "category": categories.get(category),
        "wishes": wishes,
        "page": page,
        "cards": product_cards(cast("QuerySet[Product]", page.object_list)),
        "pages": found.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "choices": [
            (choice, replace(wishes, category=choice.path).address) for choice in _choices(categories, category)
        ],
        "everything_url": replace(wishes, category="").address,
        "facets": narrowing,
        "brands": sorted(brands[:BRANDS_SHOWN], key=lambda facet: facet.brand.casefold()),
        "sorts": [(name, label) for name, (label, _order) in browsing.SORTS.items()],
        "chips": browsing.chips(wishes, narrowing.currency),
        "without_chips_url": browsing.everything(wishes),
        "trail": _trail(categories, category),
    }
    return _render(request, "storefront/list.html", categories, context)


def _departments(categories: dict[str, Category]) -> list[Department]:
    """Every department with the photo of the newest product in it that has one."""
    found = shelves()
    photos: dict[int, str] = {}
    for image in images_of(shelf.newest for shelf in found.values()):
        photos.setdefault(image.product_id, str(image.file.name))
    departments = []
    for root in _roots(categories):
        below = [shelf for path, shelf in found.items() if lineage(path)[0] == root.path]
        newest = sorted((shelf.newest for shelf in below if shelf.newest in photos), reverse=True)
        departments.append(
            Department(root, sum(shelf.products for shelf in below), photos[newest[0]] if newest else "")
        )
    return departments


def _quantity(request: HttpRequest, *, least: int) -> int:
    """Raises ValueError, in words for the visitor."""
    given = request.POST.get("quantity", "")
    if not (given.isascii() and given.isdigit() and len(given) <= 4 and least <= int(given) <= basket.MOST_OF_ONE):
        raise ValueError(
            _("Give a quantity from %(least)d to %(most)d.") % {"least": least, "most": basket.MOST_OF_ONE}
        )
    return int(given)


def _choices(categories: dict[str, Category], current: str) -> list[Category]:
    """Where to go from a category: one level down, or to its neighbours where nothing is below."""
    children = [choice for choice in categories.values() if choice.path.rpartition("/")[0] == current]
    if children or not current:
        return children
    return _choices(categories, current.rpartition("/")[0])


def _trail(categories: dict[str, Category], category: str) -> list[Category]:
    """The category and those above it, from the root down."""
    return [categories[step] for step in lineage(category) if step in categories]


def _roots(categories: dict[str, Category]) -> Sequence[Category]:
    return [category for category in categories.values() if category.parent_id is None]


def _render(
    request: HttpRequest, template: str, categories: dict[str, Category], context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page, with the roots of the category tree for its header, that may load nothing but the shop's own files."""
    shared = {
        "departments": _roots(categories),
        "basket_count": basket.count(request.session),
    }
    response = render(request, template, shared | context, status=status)
    response["Content-Security-Policy"] = content_policy.own_files()
    return response
