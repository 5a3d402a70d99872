"""The category tree in the admin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from accounts.admin.display import PrefetchingChangeList
from catalog.categories import MOVE, has_too_long_path_below, save_category
from catalog.models import CATEGORY_PATH_LENGTH, Category, Product
from jobs.admin import notify_submitted
from jobs.selectors import is_active
from product_files.product_data import category_slug

if TYPE_CHECKING:
    _CategoryModelForm = forms.ModelForm[Category]
else:
    _CategoryModelForm = forms.ModelForm


class CategoryForm(_CategoryModelForm):
    """A category; its slug and its parent determine its path."""

    class Meta:
        model = Category
        fields = ("name", "slug", "parent")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = _("Generated from the name if empty.")

    def clean(self) -> dict[str, Any] | None:
        """Refuse a path that exists or is too long, before the database does."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        slug = cleaned.get("slug") or category_slug(cleaned["name"])
        parent: Category | None = cleaned.get("parent")
        path = f"{parent.path}/{slug}" if parent else slug
        if len(path) > CATEGORY_PATH_LENGTH:
            raise ValidationError(
                _("With its ancestors, the path is longer than %d characters.") % CATEGORY_PATH_LENGTH
            )
        if self.instance.pk is not None and has_too_long_path_below(self.instance, path):
            raise ValidationError(
                _("A category below it would have a path of more than %d characters.") % CATEGORY_PATH_LENGTH
            )
        if Category.objects.filter(path=path).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("A category with the path %s already exists.") % path)
        if self.instance.pk is not None and path != self.instance.path and is_active(MOVE):
            raise ValidationError(_("Another category is being moved: wait until its job has ended."))
        return {**cleaned, "slug": slug}


def _numbers(of: type[Product | Category], by: str, categories: Sequence[Category]) -> dict[int, int]:
    """How many rows each category has, by their foreign key, in one query; none where it has none."""
    rows = of._default_manager.filter(**{f"{by}__in": [category.pk for category in categories]})
    return dict(rows.order_by().values_list(by).annotate(Count("pk")))


def _what_keeps(categories: Sequence[Category]) -> Iterator[SafeString]:
    """In the order of the tree: what keeps categories from being deleted, with what to do."""
    products, below = _numbers(Product, "category", categories), _numbers(Category, "parent", categories)
    for category in sorted(categories, key=lambda category: category.path):
        if number := products.get(category.pk):
            address = reverse("admin:catalog_product_changelist", query={"category": category.path})
            text = gettext("Products in %(path)s: %(count)s. Move them to another category first.")
            values = {"path": category.path, "count": number_format(number)}
            yield format_html('<a class="underline" href="{}">{}</a>', address, text % values)
        if number := below.get(category.pk):
            address = reverse("admin:catalog_category_changelist", query={"q": f"{category.path}/"})
            text = gettext("Categories below %(path)s: %(count)s. Move or delete them first.")
            values = {"path": category.path, "count": number_format(number)}
            yield format_html('<a class="underline" href="{}">{}</a>', address, text % values)


@admin.register(Category)
class CategoryAdmin(ModelAdmin):
    """The category tree. Renaming or moving a category moves everything below it."""

    form = CategoryForm
    list_display = ("indented_name", "path", "product_count")
    search_fields = ("name", "path")
    autocomplete_fields = ("parent",)
    readonly_fields = ("path",)
    fields = (("name", "slug"), "parent", "path")

    @admin.display(description=_("name"), ordering="path")
    def indented_name(self, category: Category) -> str:
        """The name, indented by its depth in the tree."""
        return "\N{EM SPACE}" * 2 * category.path.count("/") + category.name

    @admin.display(description=_("products"))
    def product_count(self, category: Category) -> int:
        """Number of products directly in the category."""
        return int(vars(category)["number_of_products"])

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PrefetchingChangeList]:  # noqa: ARG002
        return PrefetchingChangeList

    def prefetch_rows(self, categories: Sequence[Category]) -> None:
        """Count the products of the page's categories in one query."""
        counts = _numbers(Product, "category", categories)
        for category in categories:
            vars(category)["number_of_products"] = counts.get(category.pk, 0)

    def get_deleted_objects(
        self, objs: QuerySet[Category] | Sequence[Category], request: HttpRequest
    ) -> tuple[list[Any], dict[Any, Any], set[Any], list[Any]]:
        """What keeps categories, in a line for each with what to do; Django would list every product."""
        kept = list(_what_keeps([*objs]))
        return ([], {}, set(), kept) if kept else super().get_deleted_objects(objs, request)

    def save_model(self, request: HttpRequest, obj: Category, form: CategoryForm, change: bool) -> None:  # noqa: ARG002
        change_of_paths = save_category(obj)
        if change_of_paths.job is not None:
            notify_submitted(request, change_of_paths.job, gettext("The category was moved. Its products follow."))
