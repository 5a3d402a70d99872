"""Views of the demo storefront, which shows the recommendations and is an example of how to embed the widget.

The views read the catalogue only. The widget loads recommendations in the browser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from catalog import text_search
from catalog.cards import ProductCard, product_cards, visible_cards
from catalog.models import Category, Product, lineage
from catalog.selectors import (
    category_summaries,
    facets,
    found_by,
    images_of,
    merge_target,
    non_empty_categories,
    visible_product,
    visible_products,
    withdrawn_product,
)
from storefront import basket, brand, browsing, content_policy
from storefront.browsing import ProductQuery

PRODUCTS_PER_PAGE = 24
NEW_ARRIVALS = 12
# Not among the new arrivals, to avoid duplicates on the home page.
HERO_PHOTOS = 4
# Maximum number of brands in the filter; selected brands come first.
BRANDS_SHOWN = 40
QUANTITIES = range(1, 11)
BRAND_MAX_AGE_S = 7 * 24 * 3600
# Photos that may be tried out in the search by photo: of the newest products, one of each category.
EXAMPLES, EXAMPLES_AMONG = 3, 60

Page = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Department:
    """A root category on the home page.

    Attributes:
        category: the root.
        products: number of visible products, subcategories included.
        photo: path in the media storage; "" if no product has a photo.
    """

    category: Category
    products: int
    photo: str


def storefront_page(page: Page) -> Page:
    """Decorator of read-only pages: allows GET and HEAD, and renders the shop's own 404 page."""

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
    """The home page: departments and new arrivals."""
    categories = non_empty_categories()
    newest = product_cards(visible_products().order_by("-id")[: NEW_ARRIVALS + HERO_PHOTOS])
    with_photo = [card for card in newest if card.image]
    context = {
        "cards": newest[:NEW_ARRIVALS],
        "hero": (newest[NEW_ARRIVALS:] if len(with_photo) == NEW_ARRIVALS + HERO_PHOTOS else with_photo)[:HERO_PHOTOS],
        "departments": _departments(categories),
    }
    return _render(request, "storefront/home.html", categories, context)


@storefront_page
def products(request: HttpRequest) -> HttpResponse:
    """All products or the results of a text search, in the whole shop or in one category."""
    return _product_list(request, category=request.GET.get("category", ""))


@storefront_page
def category(request: HttpRequest, category_path: str) -> HttpResponse:
    """The products of a category and its subcategories."""
    return _product_list(request, category=category_path)


@storefront_page
def product(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    """One product with its photos; the widget adds similar products."""
    shown = visible_product(pk) or merge_target(pk)
    if shown is None and settings.SHOP_SUBSTITUTES and (gone := withdrawn_product(pk, slug)):
        return _gone(request, gone)
    if shown is None:
        raise Http404(_("This product is no longer in the shop."))
    if (pk, slug) != (shown.pk, shown.slug):
        return redirect(shown, permanent=True)
    categories = non_empty_categories()
    context = {
        "product": shown,
        "images": list(images_of([pk])),
        "brand_url": ProductQuery(brands=(shown.brand,)).url,
        "quantities": QUANTITIES,
        "substitutes": settings.SHOP_SUBSTITUTES and not shown.available,
        "breadcrumbs": _breadcrumbs(categories, shown.category.path if shown.category else ""),
    }
    return _render(request, "storefront/product.html", categories, context)


@storefront_page
def visual_search(request: HttpRequest) -> HttpResponse:
    """Search by a photo that the visitor uploads, or by one of the shop's own."""
    newest = [card for card in product_cards(visible_products().order_by("-id")[:EXAMPLES_AMONG]) if card.image]
    by_category = {card.category: card for card in reversed(newest)}
    examples = sorted(by_category.values(), key=lambda card: -card.id)[:EXAMPLES]
    return _render(request, "storefront/visual_search.html", non_empty_categories(), {"examples": examples})


@storefront_page
def basket_detail(request: HttpRequest) -> HttpResponse:
    """The basket."""
    context = {"basket": basket.get_basket(request.session), "max_quantity": basket.MAX_QUANTITY}
    return _render(request, "storefront/basket.html", non_empty_categories(), context)


@storefront_page
def order_confirmation(request: HttpRequest) -> HttpResponse:
    """The confirmation of an order, shown once; the page reports the purchases to the recommender."""
    order = basket.pop_order(request.session)
    if not order.lines:
        return redirect("storefront:basket")
    return _render(request, "storefront/order_confirmation.html", non_empty_categories(), {"basket": order})


@require_safe
@cache_control(public=True, max_age=BRAND_MAX_AGE_S)
def brand_style_sheet(_: HttpRequest) -> HttpResponse:
    """The shop's own colours; pages name them in the address, which changes with them."""
    return HttpResponse(brand.style_sheet(), content_type="text/css; charset=utf-8")


@require_POST
def add_to_basket(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a product to the basket, and redirect to its page."""
    try:
        added = basket.add(request.session, pk, _quantity(request, minimum=1))
    except (basket.ProductNotAvailable, basket.BasketFull, ValueError) as error:
        messages.error(request, str(error))
        shown = visible_product(pk)
        return redirect(shown) if shown else redirect("storefront:basket")
    messages.success(request, _("“%(title)s” is in your basket.") % {"title": added.title})
    return redirect("storefront:product", pk=added.id, slug=added.slug)


@require_POST
def change_basket(request: HttpRequest, pk: int) -> HttpResponse:
    """Change the quantity of a product in the basket, or remove it."""
    try:
        basket.set_quantity(request.session, pk, _quantity(request, minimum=0))
    except (basket.BasketFull, ValueError) as error:
        messages.error(request, str(error))
    return redirect("storefront:basket")


@require_POST
def place_order(request: HttpRequest) -> HttpResponse:
    """Order the contents of the basket. In the demo nothing is stored or sent."""
    if not basket.place_order(request.session):
        messages.error(request, _("There is nothing in your basket that can be bought."))
        return redirect("storefront:basket")
    return redirect("storefront:order-confirmation")


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Render the 404 page. Can also be used as a project's `handler404`.

    Args:
        request: any request.
        exception: a string as its first argument is shown to the visitor.

    Returns:
        HTML, status 404.
    """
    # If no URL pattern matched, the argument lists the patterns that Django tried.
    reason = exception.args[0] if exception and exception.args and isinstance(exception.args[0], str) else ""
    return _render(request, "storefront/not_found.html", non_empty_categories(), {"reason": reason}, status=404)


def _gone(request: HttpRequest, product: Product) -> HttpResponse:
    """What can be bought instead of a withdrawn product. Status 410: search engines drop the address, visitors find something."""
    categories = non_empty_categories()
    category = categories.get(product.category.path) if product.category else None
    context = {"product": product, "category": category}
    return _render(request, "storefront/gone.html", categories, context, status=HTTPStatus.GONE)


def _product_list(request: HttpRequest, *, category: str) -> HttpResponse:
    categories = non_empty_categories()
    if category and category not in categories:
        raise Http404(_("This category does not exist or is empty."))
    query = browsing.parse_query(request.GET, category)
    found = text_search.search(query.text, similar_looks=query.looks) if query.text else None
    ranked = None if found is None else found.ids
    products = found_by(visible_products().matching(query.filter), query.text, ranked).order_by(*query.ordering)
    listed: Sequence[int] | QuerySet[Product] = products
    if ranked is not None and query.sort == browsing.BEST:
        left = set(products.values_list("pk", flat=True))
        listed = [product_id for product_id in ranked if product_id in left]
    paginator = Paginator(listed, PRODUCTS_PER_PAGE)
    page = paginator.get_page(request.GET.get("page"))
    product_facets = facets(query.filter, query.text, ranked)
    brands = sorted(product_facets.brands, key=lambda facet: (facet.brand not in query.brands, -facet.products))
    context = {
        "category": categories.get(category),
        "query": query,
        "page": page,
        # Events say in which place of the search a product was.
        "searched": found if query.sort == browsing.BEST and page.number == 1 else None,
        "cards": _cards(page.object_list),
        "looks_url": replace(query, looks=not query.looks).url if query.text and ranked is not None else "",
        "pages": paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "choices": [
            (choice, replace(query, category=choice.path).url)
            for choice in _navigation_categories(categories, category)
        ],
        "all_categories_url": replace(query, category="").url,
        "facets": product_facets,
        "brands": sorted(brands[:BRANDS_SHOWN], key=lambda facet: facet.brand.casefold()),
        "sorts": browsing.sorts(query.text).items(),
        "chips": browsing.filter_chips(query, product_facets.currency),
        "clear_filters_url": browsing.clear_filters_url(query),
        "breadcrumbs": _breadcrumbs(categories, category),
    }
    return _render(request, "storefront/list.html", categories, context)


def _cards(listed: Any) -> list[ProductCard]:
    """The cards of a page of products, or of ids, in their order."""
    if isinstance(listed, QuerySet):
        return product_cards(listed)
    cards = visible_cards(listed)
    return [cards[product_id] for product_id in listed if product_id in cards]


def _departments(categories: dict[str, Category]) -> list[Department]:
    """The departments, each with a photo: of the newest products of its categories, that of the newest which has one."""
    summaries = category_summaries()
    photos: dict[int, str] = {}
    for image in images_of(summary.newest_product_id for summary in summaries.values()):
        photos.setdefault(image.product_id, str(image.file.name))
    departments = []
    for root in _root_categories(categories):
        below = [summary for path, summary in summaries.items() if lineage(path)[0] == root.path]
        newest = sorted((s.newest_product_id for s in below if s.newest_product_id in photos), reverse=True)
        departments.append(Department(root, sum(s.product_count for s in below), photos[newest[0]] if newest else ""))
    return departments


def _quantity(request: HttpRequest, *, minimum: int) -> int:
    """The parameter `quantity`. Raises ValueError with a message for the visitor."""
    value = request.POST.get("quantity", "")
    if not (value.isascii() and value.isdigit() and len(value) <= 4 and minimum <= int(value) <= basket.MAX_QUANTITY):
        raise ValueError(_("Enter a quantity from %(min)d to %(max)d.") % {"min": minimum, "max": basket.MAX_QUANTITY})
    return int(value)


def _navigation_categories(categories: dict[str, Category], current: str) -> list[Category]:
    """The subcategories of a category, or its siblings if it has none."""
    children = [choice for choice in categories.values() if choice.path.rpartition("/")[0] == current]
    if children or not current:
        return children
    return _navigation_categories(categories, current.rpartition("/")[0])


def _breadcrumbs(categories: dict[str, Category], category: str) -> list[Category]:
    """The ancestors of a category and the category itself, root first."""
    return [categories[path] for path in lineage(category) if path in categories]


def _root_categories(categories: dict[str, Category]) -> Sequence[Category]:
    return [category for category in categories.values() if category.parent_id is None]


def _render(
    request: HttpRequest, template: str, categories: dict[str, Category], context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a page with the root categories in its header and a policy that allows the shop's own files only."""
    shared = {
        "root_categories": _root_categories(categories),
        "basket_count": basket.item_count(request.session),
    }
    response = render(request, template, shared | context, status=status)
    response["Content-Security-Policy"] = content_policy.own_files()
    return response
