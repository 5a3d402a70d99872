"""Near-duplicates in the admin: pairs of products that may be one, side by side, and the decisions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from catalog.decisions import DecisionNotPossible
from catalog.decisions import undo as undo_decision
from catalog.duplicates import DuplicateGroup, FoundPair, duplicate_groups, make_variants
from catalog.duplicates import mark_as_different as mark_different
from catalog.duplicates import merge as merge_products
from catalog.models import DuplicateDecision, DuplicatePair, DuplicateSearch, Product, ProductImage
from embeddings.admin.display import ReviewAdmin
from embeddings.submissions import submit_duplicate_search
from jobs.admin import notify_submitted
from jobs.errors import JobInProgress
from jobs.facts import worded

GROUPS_PER_PAGE = 10
# Limits of a page; the other pairs of a group are shown when these are decided on.
PAIRS_SHOWN = 12
OTHERS_SHOWN = 12
PHOTOS_SHOWN = 4
DECISIONS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product of a pair as the page shows it. photos: the first few."""

    product: Product
    photos: Sequence[ProductImage]
    more_photos: int


@dataclass(frozen=True, slots=True)
class PairView:
    """A pair as the page shows it. others: further products of its group, which can be decided on with it."""

    candidates: Sequence[Candidate]
    kind: str
    percent: int
    differences: Sequence[str]
    others: Sequence[Product]


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as the page shows it. count: of its products; more: how many pairs it has besides those shown."""

    pairs: Sequence[PairView]
    percent: int
    count: int
    more: int


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision that can be undone. titles: of its products."""

    decision: DuplicateDecision
    titles: Sequence[str]


@admin.register(DuplicatePair)
class DuplicatesAdmin(ReviewAdmin):
    """Products that may be one."""

    def get_urls(self) -> list[URLPattern]:
        return [
            path("", self.admin_site.admin_view(self.changelist_view), name="catalog_duplicatepair_changelist"),
            path("decide/", self.admin_site.admin_view(self.decide), name="catalog_duplicatepair_decide"),
            path("undo/", self.admin_site.admin_view(self.undo), name="catalog_duplicatepair_undo"),
            path("search/", self.admin_site.admin_view(self.search), name="catalog_duplicatepair_search"),
        ]

    @method_decorator(require_safe)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """A page of groups, the most similar first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        page = Paginator(duplicate_groups(), GROUPS_PER_PAGE).get_page(request.GET.get("page"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Near-duplicates"),
            "groups": group_views(list(page.object_list)),
            "page": page,
            "decisions": latest_decisions(),
            "searched": DuplicateSearch.objects.order_by("-finished_at").first(),
            "may_merge": request.user.has_perm("catalog.delete_product"),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/embeddings/duplicates.html", context)

    @method_decorator(require_POST)
    def search(self, request: HttpRequest) -> HttpResponse:
        """Submit a search for near-duplicates as a job."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            job = submit_duplicate_search()
        except JobInProgress as error:
            messages.warning(request, worded(str(error)))
        else:
            self.log_addition(request, job, [{"added": {}}])
            notify_submitted(request, job, _("The search for near-duplicates has started."))
        return redirect("admin:catalog_duplicatepair_changelist")

    @method_decorator(require_POST)
    def decide(self, request: HttpRequest) -> HttpResponse:
        """Merge the selected products, make them variants, or save that they are different; then return to the page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = _parse_ids(request.POST.getlist("product"))
        main = next(iter(_parse_ids(request.POST.getlist("main"))), None)
        try:
            messages.success(request, self._decide(request, request.POST.get("decision", ""), main, chosen))
        except DecisionNotPossible as error:
            messages.error(request, str(error))
        page = next(iter(_parse_ids(request.POST.getlist("page"))), 1)
        return redirect(f"{reverse('admin:catalog_duplicatepair_changelist')}?page={page}")

    @method_decorator(require_POST)
    def undo(self, request: HttpRequest) -> HttpResponse:
        """Undo a decision; then return to the page. A merge needs the permission that it needed to be made."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = next(iter(_parse_ids(request.POST.getlist("made"))), 0)
        is_merge = DuplicateDecision.objects.filter(pk=chosen, kind=DuplicateDecision.Kind.MERGE).exists()
        if is_merge and not request.user.has_perm("catalog.delete_product"):
            raise PermissionDenied
        try:
            decision = undo_decision(chosen)
        except DecisionNotPossible as error:
            messages.error(request, str(error))
        else:
            message = _("Undone: “%(decision)s”.") % {"decision": decision.get_kind_display()}
            for product in Product.objects.filter(pk__in=decision.products):
                self._log_change(request, product, message, set(decision.products))
            messages.success(request, message)
        return redirect("admin:catalog_duplicatepair_changelist")

    def _decide(self, request: HttpRequest, decision: str, main: int | None, chosen: set[int]) -> str:
        """Apply the decision and record it in the history. Raises DecisionNotPossible, PermissionDenied."""
        if decision == "different":
            mark_different(chosen)
            message = _("Saved: these are different products.")
            for product in Product.objects.filter(pk__in=chosen):
                self._log_change(request, product, message, chosen)
            return message
        if main is None:
            raise DecisionNotPossible(_("Choose the main product."))
        others = len(chosen - {main})
        if decision == "variants":
            kept = make_variants(main, chosen)
            text = ngettext(
                "%(count)d product is a variant of “%(title)s” now.",
                "%(count)d products are variants of “%(title)s” now.",
                others,
            )
        elif decision == "merge":
            if not request.user.has_perm("catalog.delete_product"):
                raise PermissionDenied
            kept = merge_products(main, chosen)
            text = ngettext(
                "%(count)d product was merged into “%(title)s”.",
                "%(count)d products were merged into “%(title)s”.",
                others,
            )
        else:
            raise DecisionNotPossible(_("Choose an action."))
        message = text % {"count": others, "title": kept.title}
        self._log_change(request, kept, message, chosen)
        return message

    def _log_change(self, request: HttpRequest, product: Product, message: str, chosen: set[int]) -> None:
        self.log_change(request, product, f"{message} ({', '.join(map(str, sorted(chosen - {product.pk})))})")


def group_views(groups: Sequence[DuplicateGroup]) -> list[GroupView]:
    """The groups with what the page shows of their products.

    Args:
        groups: of one page.

    Returns:
        A view of each, read in two queries for all of them.
    """
    ids = {product for group in groups for product in group.products}
    products = Product.objects.select_related("category", "variant_of").in_bulk(ids)
    photos: dict[int, list[ProductImage]] = {}
    for image in ProductImage.objects.filter(product__in=ids):
        photos.setdefault(image.product_id, []).append(image)
    return [_group_view(group, products, photos) for group in groups]


def latest_decisions() -> list[DecisionView]:
    """The latest decisions that were not undone, the newest first, read in two queries."""
    made = list(DuplicateDecision.objects.filter(undone_at=None).order_by("-made_at", "-pk")[:DECISIONS_SHOWN])
    titles = dict(
        Product.objects.filter(pk__in={pk for each in made for pk in each.products}).values_list("pk", "title")
    )
    return [DecisionView(each, [titles[pk] for pk in each.products if pk in titles]) for each in made]


def _group_view(
    group: DuplicateGroup, products: Mapping[int, Product], photos: Mapping[int, Sequence[ProductImage]]
) -> GroupView:
    # A product may be deleted between the two queries; its pairs are gone then, too.
    existing = [pair for pair in group.pairs if pair.first in products and pair.second in products]
    pairs = [_pair_view(pair, group, products, photos) for pair in existing[:PAIRS_SHOWN]]
    return GroupView(pairs, _percent(group.similarity), len(group.products), len(existing) - len(pairs))


def _pair_view(
    pair: FoundPair,
    group: DuplicateGroup,
    products: Mapping[int, Product],
    photos: Mapping[int, Sequence[ProductImage]],
) -> PairView:
    others = [products[pk] for pk in group.products if pk in products and pk not in (pair.first, pair.second)]
    return PairView(
        [_candidate(products[pk], photos.get(pk, ())) for pk in (pair.first, pair.second)],
        str(pair.evidence.kind.label),
        _percent(pair.evidence.similarity),
        [str(each.label) for each in sorted(pair.differences)],
        others[:OTHERS_SHOWN],
    )


def _candidate(product: Product, photos: Sequence[ProductImage]) -> Candidate:
    return Candidate(product, photos[:PHOTOS_SHOWN], max(len(photos) - PHOTOS_SHOWN, 0))


def _percent(similarity: float) -> int:
    """Rounded down, so that only an identical photo is 100%."""
    return int(100 * similarity)


def _parse_ids(texts: Sequence[str]) -> set[int]:
    """What of a form's values can be an id or a number of a page."""
    return {int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 19}
