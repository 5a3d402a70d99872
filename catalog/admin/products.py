"""Products in the admin: the list, its actions, and the page of one product."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.admin.display import PeriodFilter, PrefetchingChangeList, chunked, primary_keys, table
from catalog import services
from catalog.admin.bulk_edit import bulk_edit_page
from catalog.admin.filters import BrandFilter, CategoryFilter, PhotoFilter, PriceFilter
from catalog.admin.forms import ProductForm
from catalog.admin.imports import ImportCatalogueMixin
from catalog.admin.photos import ProductImageInline, attach_photos, keep_photos, thumbnail
from catalog.admin.suggestions import VIEW as SUGGESTIONS_VIEW
from catalog.admin.suggestions import SuggestionsMixin
from catalog.kept_photos import KeptPhotoExpired, kept_photo
from catalog.models import Product, ProductImage, ProductQuerySet
from catalog.money import money
from catalog.photo_roles import choose_roles, reconsider
from catalog.selectors import ids_of_skus
from catalog.transactions import transaction_with_files
from jobs.storage import StorageUnavailable
from jobs.temporary_uploads import get_storage_error, set_storage_error
from pictures.photos import ImageRejected

logger = logging.getLogger(__name__)


# As SKUs are listed in texts, and copied from a column.
_BETWEEN_SKUS = re.compile(r"[\s,;]+")
KEPT_PHOTO_VIEW = "catalog_kept_photo"
# What is shown in place of a field to those who may only see it.
_SHOWN_AS = {
    "price": "formatted_price",
    "list_price": "formatted_list_price",
    "tags": "tag_list",
    "attributes": "attribute_table",
}


@admin.register(Product)
class ProductAdmin(SuggestionsMixin, ImportCatalogueMixin):
    """Products. All writes go through the catalogue's services, which send the domain events."""

    form = ProductForm
    inlines: Sequence[Any] = (ProductImageInline,)
    list_display: Sequence[str] = (
        "thumbnail", "title", "sku", "category_path", "brand", "formatted_price", "available", "active", "photo_count",
        "created_date",
    )  # fmt: skip
    list_display_links = ("title",)
    list_filter: Sequence[Any] = (
        CategoryFilter,
        BrandFilter,
        PriceFilter,
        "available",
        "active",
        PhotoFilter,
        ("created_at", PeriodFilter),
    )
    list_filter_submit = True
    list_select_related = ("category",)
    list_per_page = 50
    search_fields = ("title", "sku", "brand")
    search_help_text = _("Title, SKU or brand")
    show_full_result_count = False
    actions: Sequence[Any] = ("bulk_edit", "withdraw")
    autocomplete_fields = ("category", "other_categories", "variant_of")
    readonly_fields = ("created_at", "updated_at", "merged_into", "family_code")
    warn_unsaved_form = True
    change_list_template = "admin/catalog/product/change_list.html"
    change_form_outer_after_template = "admin/catalog/product/similar.html"
    tab_after_form = ("similar-products", _("Similar products"))

    class Media:
        css = {"all": ("accounts/admin.css", "catalog/admin.css")}
        js = (
            Script("catalog/suggestions.js", type="module"),
            Script("catalog/product-form.js", type="module"),
        )

    def get_urls(self) -> list[URLPattern]:
        suggestions = self.admin_site.admin_view(self.suggestions_view)
        kept_photo = self.admin_site.admin_view(self.kept_photo_view)
        return [
            path("suggestions/", suggestions, name=SUGGESTIONS_VIEW),
            path("kept-photos/<str:token>/", kept_photo, name=KEPT_PHOTO_VIEW),
            *super().get_urls(),
        ]

    @method_decorator(require_safe)
    def kept_photo_view(self, request: HttpRequest, token: str) -> HttpResponse:
        """A small version of a photo that this user has sent with a form that had a mistake."""
        try:
            picture = kept_photo(cast("int", request.user.pk), token).preview()
        except (KeptPhotoExpired, ImageRejected, StorageUnavailable) as error:
            raise Http404(str(error)) from error
        return HttpResponse(picture, content_type="image/webp", headers={"Cache-Control": "private, max-age=600"})

    def prefetch_rows(self, products: Sequence[Product]) -> None:
        """Prefetch related rows of the list. Subclasses in other apps add theirs."""
        prefetch_related_objects(products, "images")

    @admin.display(description=_("photo"))
    def thumbnail(self, product: Product) -> SafeString:
        """The first photo."""
        return thumbnail(next(iter(product.images.all()), None))

    @admin.display(description=_("category"), ordering="category__path")
    def category_path(self, product: Product) -> SafeString:
        """The category path, which may wrap between two names."""
        names = product.category.path.split("/") if product.category else []
        return format_html_join(mark_safe("/<wbr>"), "{}", ((name,) for name in names))

    @admin.display(description=_("price"), ordering="price")
    def formatted_price(self, product: Product) -> str:
        """The price with its currency."""
        return "" if product.price is None else money(product.price, product.currency)

    @admin.display(description=_("list price"))
    def formatted_list_price(self, product: Product) -> str:
        """The list price with its currency."""
        return "" if product.list_price is None else money(product.list_price, product.currency)

    @admin.display(description=_("tags"))
    def tag_list(self, product: Product) -> str:
        """The tags, for those who may only see them."""
        return ", ".join(map(str, product.tags))

    @admin.display(description=_("attributes"))
    def attribute_table(self, product: Product) -> SafeString:
        """The attributes, for those who may only see them."""
        rows = [
            (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            for name, value in product.attributes.items()
        ]
        return table((), rows) if rows else mark_safe("")

    @admin.display(description=_("photos"))
    def photo_count(self, product: Product) -> int:
        """Number of photos."""
        return len(product.images.all())

    @admin.display(description=_("created"), ordering="created_at")
    def created_date(self, product: Product) -> str:
        """The day on which the product was created."""
        return date_format(localtime(product.created_at), "SHORT_DATE_FORMAT")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PrefetchingChangeList]:  # noqa: ARG002
        return PrefetchingChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Product], search_term: str
    ) -> tuple[QuerySet[Product], bool]:
        """The products with these words; with several SKUs, as they are copied from a table, those that have one of them."""
        texts = [text for text in _BETWEEN_SKUS.split(search_term) if text]
        if len(texts) > 1:
            named = ids_of_skus(texts)
            # Two words of a title may be SKUs by chance.
            if len(named) > 1 and len(named) * 2 >= len(texts):
                return queryset.filter(pk__in=named.values()), False
        found: tuple[QuerySet[Product], bool] = super().get_search_results(request, queryset, search_term)
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> list[tuple[Any, dict[str, Any]]]:
        may_edit = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        names = {} if may_edit else _SHOWN_AS
        dates = [("created_at", "updated_at")] if obj is not None else []
        family = ["family_code"] if obj is not None and obj.family_code else []
        prices = (names.get("price", "price"), "currency")
        merged = ["merged_into"] if obj is not None and obj.merged_into_id is not None else []
        main = [
            "title", ("sku", "slug"), ("category", "brand"), prices, names.get("list_price", "list_price"),
            ("available", "active"), *dates,
        ]  # fmt: skip
        more = ["description", "tags", "attributes", "other_categories", "variant_of", *family]
        fieldsets: list[tuple[Any, dict[str, Any]]] = [
            (_("Product"), {"classes": ["tab"], "fields": [*merged, *main]}),
            (
                _("Description and attributes"),
                {"classes": ["tab"], "fields": [names.get(name, name) for name in more]},
            ),
        ]
        # The page of a product has the field below the tiles of its photos.
        if may_edit and obj is None:
            fieldsets.append((_("Photos"), {"classes": ["tab"], "fields": ("new_photos",)}))
        return fieldsets

    def get_inlines(self, request: HttpRequest, obj: Product | None) -> Sequence[Any]:  # noqa: ARG002
        return () if obj is None else self.inlines

    def get_view_on_site_url(self, obj: Product | None = None) -> str | None:
        """The storefront's page of the product, if it is active."""
        return super().get_view_on_site_url(obj) if obj is not None and obj.active else None

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page; after an error with the photos that were sent, because browsers do not send files twice."""
        form = context["adminform"].form
        if request.method == "POST" and (sent := form.sent_photos()):
            try:
                form.show_kept(keep_photos(request, sent))
            except StorageUnavailable as error:
                logger.error("%s: %s", request.path, error)
                messages.warning(request, _("The photos could not be kept. Choose them again."))
        page: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return page

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> type[ProductForm]:
        """The form, with the request's user and storage error."""
        form: type[ProductForm] = super().get_form(request, *args, **kwargs)
        form.storage_failure = get_storage_error(request)
        form.user_id = request.user.pk
        return form

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page. After a storage error nothing is saved, and the form is shown again with the error."""
        page: HttpResponse
        if request.method != "POST":
            page = super().changeform_view(request, *args, **kwargs)
            return page
        try:
            with transaction_with_files():
                page = super().changeform_view(request, *args, **kwargs)
        except StorageUnavailable as error:
            set_storage_error(request, error)
            # The form shows the error and is not saved again.
            page = super().changeform_view(request, *args, **kwargs)
        if failure := get_storage_error(request):
            logger.error("%s: %s", request.path, failure)
        return page

    def save_model(self, request: HttpRequest, obj: Product, form: ProductForm, change: bool) -> None:
        """Save the product's own fields, and send the event."""
        super().save_model(request, obj, form, change)
        if not change:
            services.products_were_added([obj.pk])
        if change and set(form.changed_data) - {"new_photos"}:
            services.products_were_changed([obj.pk])
        if change and "variant_of" in form.changed_data:
            reconsider(ProductImage.objects.filter(product=obj))

    def save_related(self, request: HttpRequest, form: ProductForm, formsets: Any, change: bool) -> None:
        """Save changes of photos, then attach the new ones."""
        super().save_related(request, form, formsets, change)
        photos = form.cleaned_data.get("new_photos", [])
        vars(form.instance)["has_refused_photos"] = not attach_photos(request, form.instance, photos)

    def response_post_save_add(self, request: HttpRequest, obj: Product) -> HttpResponse:
        """Redirect to the list, or to the product if there are photos to choose again."""
        return self._redirect_to_refused(obj) or super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Product) -> HttpResponse:
        """Redirect to the list, or to the product if there are photos to choose again."""
        return self._redirect_to_refused(obj) or super().response_post_save_change(request, obj)

    def _redirect_to_refused(self, product: Product) -> HttpResponse | None:
        if not vars(product)["has_refused_photos"]:
            return None
        return redirect("admin:catalog_product_change", product.pk)

    def save_formset(self, request: HttpRequest, form: ProductForm, formset: Any, change: bool) -> None:
        """Save positions, texts and roles, and remove deleted photos through the service."""
        if formset.model is not ProductImage:
            super().save_formset(request, form, formset, change)
            return
        changed = formset.save(commit=False)
        services.arrange_images({image.pk: image.position for image in changed})
        services.describe_images({image.pk: image.alt for image in changed})
        roles = {
            each.instance.pk: each.cleaned_data["chosen_role"]
            for each in formset.initial_forms
            if "chosen_role" in each.changed_data and each not in formset.deleted_forms
        }
        if number := choose_roles(roles):
            text = ngettext("%d photo has another role now.", "%d photos have another role now.", number) % number
            messages.info(request, text)
        services.remove_images([image.pk for image in formset.deleted_objects])

    def delete_model(self, request: HttpRequest, obj: Product) -> None:  # noqa: ARG002
        services.delete_products([obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:  # noqa: ARG002
        with transaction.atomic():
            for product_ids in chunked(primary_keys(queryset)):
                services.delete_products(product_ids)

    @admin.action(description=_("Change price, stock or activity"), permissions=["change"])
    def bulk_edit(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        """Change the selected products alike, after a preview."""
        return bulk_edit_page(
            request,
            cast("ProductQuerySet", queryset),
            self.admin_site.each_context(request),
            "admin/catalog/product/bulk_edit.html",
        )

    @admin.action(description=_("Withdraw products"), permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        """Deactivate the selected products."""
        product_ids = primary_keys(queryset)
        with transaction.atomic():
            withdrawn = sum(services.withdraw_products(batch) for batch in chunked(product_ids))
        if withdrawn:
            text = ngettext("%d product was withdrawn.", "%d products were withdrawn.", withdrawn) % withdrawn
            messages.success(request, text)
        if before := len(product_ids) - withdrawn:
            text = ngettext("%d product was already inactive.", "%d products were already inactive.", before) % before
            messages.info(request, text)
