"""Filters of the product list in the admin."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeNumericListFilter, TextFilter
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from accounts.admin.display import SelectFilter
from catalog.admin.suggestions import suggest_attributes
from catalog.filters import ProductFilter
from catalog.models import MAX_PRICE, Category, Product, ProductImage, ProductQuerySet
from catalog.selectors import in_shop_currency, shop_currency

_CURRENCY = "price_currency"


class CategoryFilter(SelectFilter):
    """By category, with its subcategories; products that have it as another category are found, too."""

    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        rows = Category.objects.order_by("path").values_list("path", "name")
        return [(path, "\N{EM SPACE}" * path.count("/") + name) for path, name in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:  # noqa: ARG002
        return cast("ProductQuerySet", queryset).matching(ProductFilter(category=self.value()))


class BrandForm(forms.Form):
    """A brand, which may be typed or chosen from those that begin with what was typed."""

    brand = forms.CharField(
        label=_("By brand"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs=suggest_attributes("brand")),
    )


class BrandFilter(TextFilter):
    """By brand, or by words of it where no brand has exactly this name."""

    title = _("brand")
    parameter_name = "brand"
    template = SelectFilter.template

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # noqa: ARG002
        yield {"form": BrandForm({"brand": self.value()})}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:  # noqa: ARG002
        brand = (self.value() or "").strip()
        if not brand:
            return queryset
        if Product.objects.filter(brand=brand).exists():
            return queryset.filter(brand=brand)
        return queryset.filter(brand__icontains=brand)


class PriceForm(forms.Form):
    """The lowest and the highest price, and their currency."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in (("price_from", _("Lowest price")), ("price_to", _("Highest price"))):
            self.fields[name] = forms.DecimalField(
                label=label,
                required=False,
                min_value=Decimal(0),
                max_value=MAX_PRICE,
                widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"}),
            )
        self.fields[_CURRENCY] = forms.CharField(
            label=_("Currency"),
            required=False,
            max_length=3,
            widget=UnfoldAdminTextInputWidget(attrs={"placeholder": shop_currency(), "maxlength": 3}),
        )


class PriceFilter(RangeNumericListFilter):
    """By price, in the shop's currency or the one that is named. Products without a price are not found."""

    title = _("price")
    parameter_name = "price"
    template = "admin/catalog/product/price_filter.html"

    def init_used_parameters(self, params: dict[str, Any]) -> None:
        super().init_used_parameters(params)
        if _CURRENCY in params:
            value = params.pop(_CURRENCY)
            self.used_parameters[_CURRENCY] = value[0] if isinstance(value, list) else value

    def expected_parameters(self) -> list[str | None]:
        return [*super().expected_parameters(), _CURRENCY]

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:  # noqa: ARG002
        yield {"form": self._form}

    @property
    def _form(self) -> PriceForm:
        return PriceForm(self.used_parameters)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:  # noqa: ARG002
        form = self._form
        form.is_valid()
        values = form.cleaned_data
        chosen = ProductFilter(
            min_price=values.get("price_from"),
            max_price=values.get("price_to"),
            currency=(values.get(_CURRENCY) or "").upper(),
        )
        return cast("ProductQuerySet", queryset).matching(in_shop_currency(chosen))


# Those of photos that are not as most are.
_ROLES = [role for role in ProductImage.Role if role is not ProductImage.Role.PRODUCT]


class PhotoFilter(SelectFilter):
    """Products with or without a photo, or with one that is not as it should be."""

    title = _("photos")
    parameter_name = "photos"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [
            ("yes", _("with a photo")),
            ("no", _("without a photo")),
            (ProductImage.Finding.BLANK.value, _("a photo of one colour")),
            (ProductImage.Finding.TINY.value, _("a photo that is too small")),
            *((role.value, _("a photo of the role: %s") % role.label) for role in _ROLES),
            ("shared", _("a photo that other products have, too")),
            ("file_missing", _("a photo whose file is missing")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:  # noqa: ARG002
        photos = ProductImage.objects.filter(product=OuterRef("pk")).order_by()
        match self.value():
            case None | "":
                return queryset
            case "yes":
                return queryset.filter(Exists(photos))
            case "no":
                return queryset.filter(~Exists(photos))
            case "shared":
                others = ProductImage.objects.filter(sha256=OuterRef("sha256")).exclude(product=OuterRef("product"))
                return queryset.filter(Exists(photos.filter(Exists(others.order_by()))))
            case "file_missing":
                return queryset.filter(Exists(photos.filter(file_missing=True)))
            case role if role in _ROLES:
                return queryset.filter(Exists(photos.filter(role=role)))
            case finding:
                return queryset.filter(Exists(photos.filter(finding=finding)))
