"""Where each photo stands, why one failed, and how to have it done again: beside the products, and as a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action

from accounts.admin.display import Badge, PeriodFilter, ReadOnlyAdmin, SelectFilter, badges, chunked, primary_keys
from catalog.admin.photos import ProductImageInline, thumbnail
from catalog.admin.products import ProductAdmin
from catalog.models import Product, ProductImage
from embeddings import outbox
from embeddings.admin.display import WAITING, State, state_badge
from embeddings.models import ImageEmbedding
from embeddings.receivers import dispatch_indexing
from embeddings.selectors import active_rows, embeddings_of


def rows_of(product: Product) -> list[ImageEmbedding]:
    """Where the product's photos stand; read once for the product object."""
    known = vars(product)
    if "embedding_rows" not in known:
        read_rows([product])
    rows: list[ImageEmbedding] = known["embedding_rows"]
    return rows


def read_rows(products: Sequence[Product]) -> None:
    """Read where the photos of all these products stand, in one query. Photos that are prefetched are not read again."""
    owners = {image.pk: product for product in products for image in product.images.all()}
    for product in products:
        vars(product)["embedding_rows"] = []
    for row in embeddings_of(owners):
        vars(owners[row.image_id])["embedding_rows"].append(row)


class EmbeddedProductImageInline(ProductImageInline):
    """A product's photos, each with where it stands."""

    fields = (*ProductImageInline.fields, "embedding")
    readonly_fields = (*ProductImageInline.readonly_fields, "embedding")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProductImage]:
        # Prefetched, all photos share one product object, on which `rows_of` keeps what it read.
        queryset: QuerySet[ProductImage] = super().get_queryset(request).prefetch_related("product__images")
        return queryset

    @admin.display(description=_("embedding"))
    def embedding(self, image: ProductImage) -> SafeString:
        """The state with each active encoder version, and why one failed; nothing for a photo that is not compared."""
        if image.role not in ProductImage.COMPARED:
            return mark_safe("")
        rows = [row for row in rows_of(image.product) if row.image_id == image.pk]
        return badges([state_badge(row) for row in rows] or [Badge(str(_("in no collection")), "default")])


class EmbeddingStateFilter(SelectFilter):
    """Products with a photo in a state, with the active version of any collection."""

    title = _("embedding")
    parameter_name = "embedding"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [
            ("failed", _("a photo failed")),
            ("waiting", _("a photo waits")),
            ("indexed", _("a photo is indexed")),
            ("missing", _("a photo is in no collection")),
            ("no_photo", _("no photo")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:  # noqa: ARG002
        rows = active_rows()
        photos = ProductImage.objects.filter(product=OuterRef("pk")).order_by()
        match self.value():
            case "failed":
                return queryset.filter(Exists(photos.filter(pk__in=rows.filter(state=State.FAILED).values("image_id"))))
            case "waiting":
                return queryset.filter(Exists(photos.filter(pk__in=rows.filter(state__in=WAITING).values("image_id"))))
            case "indexed":
                return queryset.filter(
                    Exists(photos.filter(pk__in=rows.filter(state=State.INDEXED).values("image_id")))
                )
            case "missing":
                return queryset.filter(Exists(photos.exclude(pk__in=rows.values("image_id"))))
            case "no_photo":
                return queryset.filter(~Exists(photos))
        return queryset


class EmbeddedProductAdmin(ProductAdmin):
    """Products, with where their photos stand in the index."""

    inlines = (EmbeddedProductImageInline,)
    list_display = (*ProductAdmin.list_display[:-1], "embedding", ProductAdmin.list_display[-1])
    list_filter = (*ProductAdmin.list_filter[:-1], EmbeddingStateFilter, ProductAdmin.list_filter[-1])
    actions = (*ProductAdmin.actions, "embed_again", "reindex")
    actions_list = (*ProductAdmin.actions_list, "near_duplicates")

    def prefetch_rows(self, products: Sequence[Product]) -> None:
        super().prefetch_rows(products)
        read_rows(products)

    @admin.display(description=_("embedding"))
    def embedding(self, product: Product) -> SafeString:
        """How many of the product's photos are in which state."""
        if not product.images.all():
            return badges([Badge(str(_("no photo")), "default")])
        counts = Counter("waiting" if row.state in WAITING else row.state for row in rows_of(product))
        failed, waiting, indexed = counts[State.FAILED], counts["waiting"], counts[State.INDEXED]
        shown = [
            Badge(ngettext("%d failed", "%d failed", failed) % failed if failed else "", "danger"),
            Badge(ngettext("%d waits", "%d wait", waiting) % waiting if waiting else "", "info"),
            Badge(ngettext("%d indexed", "%d indexed", indexed) % indexed if indexed else "", "success"),
        ]
        return badges([badge for badge in shown if badge.text] or [Badge(str(_("in no collection")), "default")])

    @action(description=_("Near-duplicates"), icon="content_copy", permissions=["change"])  # type: ignore[untyped-decorator]
    def near_duplicates(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        """A way from the list to the groups of products that may be one."""
        return redirect("admin:catalog_duplicatepair_changelist")

    @admin.action(description=_("Embed photos again"), permissions=["change"])
    def embed_again(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        """Delete the vectors, and run the encoder again; the way back for a photo that failed."""
        number = _for_photos(queryset, outbox.embed_again)
        _notify(
            request, number, ngettext("%d photo will be embedded again.", "%d photos will be embedded again.", number)
        )

    @admin.action(description=_("Reindex photos"), permissions=["change"])
    def reindex(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        """Upsert the points again from the stored vectors; the encoder is not run."""
        number = _for_photos(queryset, outbox.upsert_again)
        text = ngettext(
            "%d photo will be written to the index again.", "%d photos will be written to the index again.", number
        )
        _notify(request, number, text)


def _for_photos(products: QuerySet[Product], note: Callable[[Sequence[int]], None]) -> int:
    """Note this for all photos of the products and call for the work. Returns how many photos there are."""
    image_ids = primary_keys(ProductImage.objects.filter(product__in=products.order_by().values("pk")))
    with transaction.atomic():
        for batch in chunked(image_ids):
            note(batch)
            dispatch_indexing(batch)
    return len(image_ids)


def _notify(request: HttpRequest, number: int, text: str) -> None:
    if number:
        messages.success(request, text % number)
    else:
        messages.warning(request, _("The selected products have no photos."))


admin.site.unregister(Product)
admin.site.register(Product, EmbeddedProductAdmin)


@admin.register(ImageEmbedding)
class ImageEmbeddingAdmin(ReadOnlyAdmin):
    """The outbox, photo by photo."""

    list_display = ("preview", "product", "version", "state_shown", "attempts", "changed_at")
    list_display_links = ("product",)
    list_filter = ("state", "version", ("changed_at", PeriodFilter))
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-pk",)
    search_fields = ("error",)
    search_help_text = _("SKU of a product, number of a photo, or words of an error")
    fields = ("preview", "product_link", "image_id", "version", "state_shown", "attempts", "content_hash", "changed_at")
    change_list_template = "admin/catalog/product/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImageEmbedding]:
        queryset: QuerySet[ImageEmbedding] = super().get_queryset(request)
        return queryset.defer("vector").select_related("version__collection")

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[ImageEmbedding],
        search_term: str,
    ) -> tuple[QuerySet[ImageEmbedding], bool]:
        """By what a photo's row says, or by the product that the photo is of."""
        term = search_term.strip()
        if not term:
            return queryset, False
        of_product = ProductImage.objects.filter(product__sku__iexact=term).order_by().values("pk")
        found = Q(error__icontains=term) | Q(image_id__in=Subquery(of_product))
        if term.isdecimal() and len(term) < 19:
            found |= Q(image_id=int(term))
        return queryset.filter(found), False

    def prefetch_rows(self, rows: Sequence[ImageEmbedding]) -> None:
        photos = ProductImage.objects.select_related("product").in_bulk([row.image_id for row in rows])
        for row in rows:
            vars(row)["photo"] = photos.get(row.image_id)

    def _photo(self, row: ImageEmbedding) -> ProductImage | None:
        if "photo" not in vars(row):
            self.prefetch_rows([row])
        photo: ProductImage | None = vars(row)["photo"]
        return photo

    @admin.display(description=_("photo"))
    def preview(self, row: ImageEmbedding) -> SafeString:
        """The photo, where it still exists."""
        return thumbnail(self._photo(row))

    @admin.display(description=_("product"))
    def product(self, row: ImageEmbedding) -> str:
        """Whose photo it is."""
        photo = self._photo(row)
        return photo.product.title if photo else str(_("photo %d, deleted") % row.image_id)

    @admin.display(description=_("product"))
    def product_link(self, row: ImageEmbedding) -> str | SafeString:
        """Whose photo it is, to go there."""
        photo = self._photo(row)
        if photo is None:
            return self.product(row)
        address = reverse("admin:catalog_product_change", args=[photo.product_id])
        return format_html('<a class="text-link" href="{}">{}</a>', address, photo.product.title)

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, row: ImageEmbedding) -> SafeString:
        """The state, and why it failed."""
        return badges([state_badge(row, named=False)])
