"""Filters of the product list in the admin."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin.display import SelectFilter
from catalog.models import Category, Product


class CategoryFilter(SelectFilter):
    """By category, with its subcategories."""

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
