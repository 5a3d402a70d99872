"""The search over everything that the admin has: pages, products, and the rows of its lists, as far as the user may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.apps import apps
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext
from unfold.sites import UnfoldAdminSite

from catalog.models import Product, ProductQuerySet
from embeddings.errors import EmbeddingsError
from jobs.states import JobState
from recommender.admin.rules import kind_label
from recommender.admin.sidebar import Page, pages
from recommender.queries import DEFAULT_COLLECTION
from recommender.searching import ProductSearch, search_products

# Rows of a kind.
LIMIT = 6
# Characters of a text; further ones are ignored.
MAX_TEXT = 200
# Products that fit less than this share of how the best one fits are left out: they mean something similar at most.
_FITS = 0.5
# Lists with a row for each photo and each change, which a search would read from end to end.
_LEFT_OUT = frozenset({"embeddings.imageembedding", "accounts.auditentry"})
_PRODUCT = Product._meta.label_lower


@dataclass(frozen=True, slots=True)
class Found:
    """A page, or a row of a list. detail: in what it differs from others of the same title."""

    title: str
    url: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one kind. icon: of Material Symbols."""

    title: str
    icon: str
    found: Sequence[Found]


def search_everything(request: HttpRequest, site: UnfoldAdminSite, text: str) -> list[Group]:
    """What a text finds.

    Args:
        request: of the user who searches.
        site: the admin site.
        text: words of a page's title, of a product, or of what a list is searched by.

    Returns:
        Groups with at most LIMIT of a kind; those without any are left out.
    """
    text = " ".join(text.replace("\0", "").split())[:MAX_TEXT]
    if not text:
        return []
    shown = [page for page in pages(request) if all(word in page.title.casefold() for word in text.casefold().split())]
    found = [Group(gettext("Pages"), "web", [Found(page.title, page.url) for page in shown[:LIMIT]])]
    found += [Group(page.title, page.icon, [*rows]) for page, rows in _rows_of_lists(request, site, text)]
    return [group for group in found if group.found]


def _rows_of_lists(request: HttpRequest, site: UnfoldAdminSite, text: str) -> Iterator[tuple[Page, Iterator[Found]]]:
    """The rows of each list that the side bar has and the user may see."""
    for page in pages(request, permitted=False):
        if not page.model or page.model in _LEFT_OUT:
            continue
        model_admin = site.get_model_admin(apps.get_model(page.model))
        if not model_admin.search_fields or not model_admin.has_view_or_change_permission(request):
            continue
        found = _products(model_admin, request, text) if page.model == _PRODUCT else _rows(model_admin, request, text)
        yield page, _shown(page.model, found)


def _rows(model_admin: ModelAdmin[Any], request: HttpRequest, text: str) -> Sequence[Any]:
    """Rows that the search of their list finds."""
    rows, has_duplicates = model_admin.get_search_results(request, model_admin.get_queryset(request), text)
    return [*(rows.distinct() if has_duplicates else rows)[:LIMIT]]


def _products(model_admin: ModelAdmin[Product], request: HttpRequest, text: str) -> Sequence[Product]:
    """The product with this SKU, those that the index of words finds, and withdrawn ones, which are in no index."""
    products = cast("ProductQuerySet", model_admin.get_queryset(request))
    found = {product.pk: product for product in products.filter(sku=text)}
    search = ProductSearch(limit=LIMIT, text=text, typing=True, rule_set="", with_confidence=False)
    try:
        results = search_products(DEFAULT_COLLECTION, search).results
        least = _FITS * (results[0].score or 0.0) if results else 0.0
        ids = [each.product.id for each in results if (each.score or 0.0) >= least]
        by_id = products.in_bulk(ids)
        found |= {each: by_id[each] for each in ids if each in by_id}
    except EmbeddingsError:
        # The catalogue alone says less, and is there.
        found |= {product.pk: product for product in products.visible().containing(text)[:LIMIT]}
    withdrawn = products.filter(active=False).containing(text)[:LIMIT]
    return [*[*found.values()][:LIMIT], *(product for product in withdrawn if product.pk not in found)]


def _shown(model: str, rows: Sequence[Any]) -> Iterator[Found]:
    title, detail = _SHOWN_AS.get(model, (str, _nothing))
    for row in rows:
        yield Found(title(row), reverse(f"admin:{model.replace('.', '_')}_change", args=[row.pk]), detail(row))


def _nothing(_row: Any) -> str:
    return ""


def _of_product(product: Product) -> str:
    return product.sku if product.active else f"{product.sku} · {gettext('withdrawn')}"


def _of_job(job: Any) -> str:
    return f"{JobState(job.state).label}, {date_format(localtime(job.created_at), 'SHORT_DATETIME_FORMAT')}"


def _rule_title(rule: Any) -> str:
    return f"{kind_label(rule.kind)}: {rule.target}" if rule.target else kind_label(rule.kind)


# The title and the detail of rows whose own text does not say enough.
_SHOWN_AS: Mapping[str, tuple[Callable[[Any], str], Callable[[Any], str]]] = {
    _PRODUCT: (str, _of_product),
    "catalog.category": (lambda category: category.name, lambda category: category.path),
    "embeddings.collection": (lambda collection: collection.name, lambda collection: collection.slug),
    "embeddings.encoderversion": (str, lambda version: version.encoder),
    "embeddings.rankerversion": (str, lambda version: capfirst(version.get_kind_display())),
    "jobs.job": (lambda job: job.title, _of_job),
    "recommender.rule": (_rule_title, lambda rule: rule.note),
    "accounts.apikey": (lambda key: key.name, lambda key: f"{key.prefix}…"),
    "accounts.user": (str, lambda user: user.email),
}
