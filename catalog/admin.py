"""The shop's back office: products with their photos, categories, and the people who may sign in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Count, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin, TabularInline

from accounts.admin.display import RowsChangeList, SelectFilter, ids_of, in_batches
from catalog import services
from catalog.models import CATEGORY_PATH_LENGTH, Category, Product, ProductImage
from catalog.money import money
from catalog.photos import ImageRejected, read_photo
from catalog.thumbnails import thumbnail_url
from jobs.spooling import note_storage_failure, storage_failure
from jobs.storage import StorageUnavailable

if TYPE_CHECKING:
    _ProductModelForm = forms.ModelForm[Product]
    _CategoryModelForm = forms.ModelForm[Category]
else:
    _ProductModelForm = _CategoryModelForm = forms.ModelForm

logger = logging.getLogger(__name__)

# Lines that a field shows before it scrolls.
_ROWS = {"description": 5, "tags": 2, "attributes": 3}


def thumbnail(image: ProductImage | None) -> SafeString:
    """A small picture for a table's cell."""
    if image is None:
        return format_html('<span class="admin-thumbnail">{}</span>', "")
    return format_html(
        '<img class="admin-thumbnail" src="{}" width="40" height="40" loading="lazy" alt="">',
        thumbnail_url(str(image.file.name), 96),
    )


class PhotosInput(forms.FileInput):
    """Takes several files at once, chosen or dropped."""

    allow_multiple_selected = True
    template_name = "admin/catalog/photos_input.html"


class PhotosField(forms.FileField):
    """Any number of files. Each is checked when it is attached, so that a bad one never takes the good ones with it."""

    widget = PhotosInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:  # noqa: ARG002
        """The files that were sent."""
        return list(data or ())

    def has_changed(self, initial: Any, data: Any) -> bool:  # noqa: ARG002
        """Whether any file was sent."""
        return bool(data)


class ProductForm(_ProductModelForm):
    """A product, and the photos to add to it. storage_failure: why what was sent could not be kept."""

    storage_failure: StorageUnavailable | None = None

    new_photos = PhotosField(
        label=_("Photos to add"),
        required=False,
        widget=PhotosInput(attrs={"accept": "image/jpeg,image/png,image/webp", "class": "admin-photos-input"}),
        help_text=_(
            "JPEG, PNG or WebP, several at once: choose them or drop them here."
            " A file that cannot be used is named, the others are kept."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in _ROWS.items():
            if name in self.fields:
                self.fields[name].widget.attrs["rows"] = rows
                # What has changed is judged by the row, not by a copy of it in the page.
                self.fields[name].show_hidden_initial = False

    def clean(self) -> dict[str, Any] | None:
        """Refuse photos that could not be kept when this was sent."""
        cleaned = super().clean()
        if self.storage_failure is not None:
            self.add_error("new_photos" if "new_photos" in self.fields else None, str(self.storage_failure))
        return cleaned

    def clean_tags(self) -> list[str]:
        """An emptied field is no tags."""
        tags = self.cleaned_data["tags"]
        return [] if tags is None else tags

    def clean_attributes(self) -> dict[str, Any]:
        """An emptied field is no attributes."""
        attributes = self.cleaned_data["attributes"]
        return {} if attributes is None else attributes


class ProductImageInline(TabularInline):
    """The photos that a product has. They are part of it: who may change the product may change them."""

    model = ProductImage
    extra = 0
    ordering_field = "position"
    hide_title = True
    verbose_name_plural = _("photos")
    fields: Sequence[str] = ("preview", "position", "alt", "size")
    readonly_fields: Sequence[str] = ("preview", "size")

    @admin.display(description=_("photo"))
    def preview(self, image: ProductImage) -> SafeString:
        """The photo, small; a click shows it whole."""
        return format_html(
            '<a href="{}" target="_blank" rel="noopener" aria-label="{}">{}</a>',
            image.file.url,
            _("Show the photo whole"),
            thumbnail(image),
        )

    @admin.display(description=_("size"))
    def size(self, image: ProductImage) -> str:
        """Width and height in pixels."""
        return f"{image.width} × {image.height}"  # noqa: RUF001

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field; what its column is called is told to a screen reader, too."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.widget.attrs["aria-label"] = field.label
        return field

    def has_add_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        """Photos are added by the field for several at once."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("catalog.view_product") or request.user.has_perm("catalog.change_product")

    def has_change_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("catalog.change_product")

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:  # noqa: ARG002
        return request.user.has_perm("catalog.change_product")


class CategoryFilter(SelectFilter):
    """By category, with everything below it."""

    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        rows = Category.objects.order_by("path").values_list("path", "name")
        return [(path, "\N{EM SPACE}" * path.count("/") + name) for path, name in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:  # noqa: ARG002
        path = self.value()
        if not path:
            return queryset
        return queryset.filter(Q(category__path=path) | Q(category__path__startswith=f"{path}/"))


class BrandFilter(SelectFilter):
    """By brand."""

    title = _("brand")
    parameter_name = "brand"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        brands = Product.objects.exclude(brand="").order_by("brand").values_list("brand", flat=True).distinct()
        return [(brand, brand) for brand in brands]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:  # noqa: ARG002
        return queryset.filter(brand=self.value()) if self.value() else queryset


@admin.register(Product)
class ProductAdmin(ModelAdmin):
    """Products. Every write goes through the catalogue's services, so that whoever listens to them hears of it."""

    form = ProductForm
    inlines: Sequence[Any] = (ProductImageInline,)
    list_display: Sequence[str] = (
        "thumbnail", "title", "sku", "category_path", "brand", "price_shown", "available", "active", "photos", "created",
    )  # fmt: skip
    list_display_links = ("title",)
    list_filter: Sequence[Any] = (
        CategoryFilter,
        BrandFilter,
        "available",
        "active",
        ("created_at", admin.DateFieldListFilter),
    )
    list_filter_submit = True
    list_select_related = ("category",)
    list_per_page = 50
    search_fields = ("title", "sku", "brand")
    search_help_text = _("Title, SKU or brand")
    show_full_result_count = False
    actions: Sequence[Any] = ("withdraw",)
    autocomplete_fields = ("category", "variant_of")
    readonly_fields = ("created_at", "updated_at", "merged_into")
    warn_unsaved_form = True
    change_list_template = "admin/catalog/product/change_list.html"
    change_form_outer_after_template = "admin/catalog/product/similar.html"

    class Media:
        css = {"all": ("accounts/admin.css", "catalog/admin.css")}

    def complete_rows(self, products: Sequence[Product]) -> None:
        """Read what the list shows beside the products' own fields. For other services to add to."""
        prefetch_related_objects(products, "images")

    @admin.display(description=_("photo"))
    def thumbnail(self, product: Product) -> SafeString:
        """The first photo."""
        return thumbnail(next(iter(product.images.all()), None))

    @admin.display(description=_("category"), ordering="category__path")
    def category_path(self, product: Product) -> SafeString:
        """Where the product stands in the tree; a narrow column may break it between two names."""
        names = product.category.path.split("/") if product.category else []
        return format_html_join(mark_safe("/<wbr>"), "{}", ((name,) for name in names))

    @admin.display(description=_("price"), ordering="price")
    def price_shown(self, product: Product) -> str:
        """The price with its currency."""
        return "" if product.price is None else money(product.price, product.currency)

    @admin.display(description=_("photos"))
    def photos(self, product: Product) -> int:
        """How many photos there are."""
        return len(product.images.all())

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, product: Product) -> str:
        """The day on which the product came."""
        return date_format(localtime(product.created_at), "SHORT_DATE_FORMAT")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RowsChangeList]:  # noqa: ARG002
        return RowsChangeList

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> list[tuple[Any, dict[str, Any]]]:
        dates = [("created_at", "updated_at")] if obj is not None else []
        fieldsets: list[tuple[Any, dict[str, Any]]] = [
            (None, {"fields": ("title", ("sku", "slug"), "description", *dates)}),
            (_("Price and availability"), {"fields": (("price", "currency"), ("available", "active"))}),
            (_("Classification"), {"fields": (("category", "brand"), "variant_of", "tags", "attributes")}),
        ]
        if obj is not None and obj.merged_into_id is not None:
            fieldsets.insert(1, (_("Merged"), {"fields": ("merged_into",)}))
        if self.has_change_permission(request, obj) if obj else self.has_add_permission(request):
            fieldsets.append((_("New photos"), {"fields": ("new_photos",)}))
        return fieldsets

    def get_inlines(self, request: HttpRequest, obj: Product | None) -> Sequence[Any]:  # noqa: ARG002
        return () if obj is None else self.inlines

    def get_view_on_site_url(self, obj: Product | None = None) -> str | None:
        """The storefront's page, where it shows the product."""
        return super().get_view_on_site_url(obj) if obj is not None and obj.active else None

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page; after a mistake, with a word on the photos that a browser does not send twice by itself."""
        if request.method == "POST" and request.FILES.getlist("new_photos"):
            messages.warning(request, _("Nothing was saved yet. Correct the errors below and choose the photos again."))
        page: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return page

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> type[ProductForm]:
        """The form, which knows what could not be kept."""
        form: type[ProductForm] = super().get_form(request, *args, **kwargs)
        form.storage_failure = storage_failure(request)
        return form

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page. Where something cannot be kept nothing is, and the page comes again, with what was typed and the reason."""
        page: HttpResponse
        if request.method != "POST":
            page = super().changeform_view(request, *args, **kwargs)
            return page
        try:
            with services.transaction_with_files():
                page = super().changeform_view(request, *args, **kwargs)
        except StorageUnavailable as error:
            note_storage_failure(request, error)
            # The form is told of it, and is not saved again.
            page = super().changeform_view(request, *args, **kwargs)
        if failure := storage_failure(request):
            logger.error("%s: %s", request.path, failure)
        return page

    def save_model(self, request: HttpRequest, obj: Product, form: ProductForm, change: bool) -> None:
        """Store the product's own fields, and tell of it where other services know the product already."""
        super().save_model(request, obj, form, change)
        if change and set(form.changed_data) - {"new_photos"}:
            services.products_were_changed([obj.pk])

    def save_related(self, request: HttpRequest, form: ProductForm, formsets: Any, change: bool) -> None:
        """Store what was done to the photos, then attach the new ones behind them."""
        super().save_related(request, form, formsets, change)
        uploads: list[UploadedFile[bytes]] = form.cleaned_data.get("new_photos", [])
        vars(form.instance)["has_refused_photos"] = not attach_uploads(request, form.instance, uploads)

    def response_post_save_add(self, request: HttpRequest, obj: Product) -> HttpResponse:
        """To the list, or to the product itself where there are photos to choose again."""
        return self._page_of_refused(obj) or super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Product) -> HttpResponse:
        """To the list, or to the product itself where there are photos to choose again."""
        return self._page_of_refused(obj) or super().response_post_save_change(request, obj)

    def _page_of_refused(self, product: Product) -> HttpResponse | None:
        if not vars(product)["has_refused_photos"]:
            return None
        return redirect("admin:catalog_product_change", product.pk)

    def save_formset(self, request: HttpRequest, form: ProductForm, formset: Any, change: bool) -> None:
        """Positions and texts of photos are in no index; photos that go are."""
        if formset.model is not ProductImage:
            super().save_formset(request, form, formset, change)
            return
        for image in formset.save(commit=False):
            image.save(update_fields=["position", "alt"])
        services.remove_images([image.pk for image in formset.deleted_objects])

    def delete_model(self, request: HttpRequest, obj: Product) -> None:  # noqa: ARG002
        services.delete_products([obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:  # noqa: ARG002
        with transaction.atomic():
            for product_ids in in_batches(ids_of(queryset)):
                services.delete_products(product_ids)

    @admin.action(description=_("Withdraw products"), permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        """Take them out of every list and recommendation."""
        product_ids = ids_of(queryset)
        with transaction.atomic():
            withdrawn = sum(services.withdraw_products(batch) for batch in in_batches(product_ids))
        if withdrawn:
            text = ngettext("%d product was withdrawn.", "%d products were withdrawn.", withdrawn) % withdrawn
            messages.success(request, text)
        if before := len(product_ids) - withdrawn:
            text = ngettext("%d product was inactive already.", "%d products were inactive already.", before) % before
            messages.info(request, text)


def attach_uploads(request: HttpRequest, product: Product, uploads: Sequence[UploadedFile[bytes]]) -> bool:
    """Attach these files to a product, one in memory at a time, and tell what became of each.

    Returns whether every one could be used.
    """
    attached, all_usable = 0, True
    for upload in uploads:
        try:
            photo = read_photo(cast("BinaryIO", upload))
        except ImageRejected as error:
            all_usable = False
            messages.error(request, _("%(file)s was not added: %(reason)s.") % {"file": upload.name, "reason": error})
            continue
        _image, is_new = services.attach_image(product, photo)
        attached += is_new
        if not is_new:
            messages.info(request, _("%(file)s is among the product's photos already.") % {"file": upload.name})
    if attached:
        messages.success(request, ngettext("%d photo was added.", "%d photos were added.", attached) % attached)
    return all_usable


class CategoryForm(_CategoryModelForm):
    """A category; its path follows from its slug and its parent."""

    class Meta:
        model = Category
        fields = ("name", "slug", "parent")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = _("Made from the name where left empty.")

    def clean(self) -> dict[str, Any] | None:
        """Refuse a path that is taken or too long, before the database does."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        slug = cleaned.get("slug") or slugify(cleaned["name"], allow_unicode=True)[:120] or "other"
        parent: Category | None = cleaned.get("parent")
        path = f"{parent.path}/{slug}" if parent else slug
        if len(path) > CATEGORY_PATH_LENGTH:
            raise ValidationError(
                _("With its ancestors, the path is longer than %d characters.") % CATEGORY_PATH_LENGTH
            )
        if Category.objects.filter(path=path).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("There is a category %s already.") % path)
        return {**cleaned, "slug": slug}


@admin.register(Category)
class CategoryAdmin(ModelAdmin):
    """The category tree. Renaming or moving a category moves everything below it."""

    form = CategoryForm
    list_display = ("indented_name", "path", "products_here")
    search_fields = ("name", "path")
    autocomplete_fields = ("parent",)
    readonly_fields = ("path",)
    fields = (("name", "slug"), "parent", "path")

    @admin.display(description=_("name"), ordering="path")
    def indented_name(self, category: Category) -> str:
        """The name, as deep as the category is in the tree."""
        return "\N{EM SPACE}" * 2 * category.path.count("/") + category.name

    @admin.display(description=_("products"))
    def products_here(self, category: Category) -> int:
        """How many products are in the category itself."""
        return int(vars(category)["number_of_products"])

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RowsChangeList]:  # noqa: ARG002
        return RowsChangeList

    def complete_rows(self, categories: Sequence[Category]) -> None:
        """Count the products of the page's categories in one query."""
        counts = dict(
            Product.objects.filter(category__in=[category.pk for category in categories])
            .order_by()
            .values_list("category")
            .annotate(Count("pk"))
        )
        for category in categories:
            vars(category)["number_of_products"] = counts.get(category.pk, 0)

    def save_model(self, request: HttpRequest, obj: Category, form: CategoryForm, change: bool) -> None:  # noqa: ARG002
        services.save_category(obj)
