"""Embed in my pages: what a strip shows, a live preview, the lines to copy, a key for the shop's origins, and a test of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import RegexValidator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.sites import UnfoldAdminSite
from unfold.widgets import (
    UnfoldAdminColorInputWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts import keys
from accounts.models import ApiKey, validate_origins
from catalog.contrast import text_upon
from catalog.models import Category, ProductImage
from catalog.selectors import ids_of_skus, visible_products
from embeddings.models import Collection
from recommender.admin.visual_search import may_search
from recommender.models import RuleSet
from recommender.page_check import check_page
from recommender.queries import DEFAULT_COLLECTION
from recommender.snippets import StripOptions, content_policy, markup, style_sheet
from rest.addresses import base_address

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

DEFAULT_LIMIT, MAX_LIMIT = 8, 24
# What the buttons of the page send; the values of the strip are in the query string.
MAKE_KEY, TEST_PAGE = "key", "test"


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour of the strip.

    Attributes:
        name: of the field.
        custom_property: of the widget.
        label: for users.
        default: about what the widget shows on a white page with dark text.
        text_property: of the text upon it; "" where there is none.
    """

    name: str
    custom_property: str
    label: StrOrPromise
    default: str
    text_property: str = ""


COLOURS = (
    Colour("accent", "--similar-accent", _("Buttons"), "#111827", "--similar-on-accent"),
    Colour("muted", "--similar-muted", _("Secondary text"), "#5f6672"),
    Colour("surface", "--similar-surface", _("Behind photos"), "#eeeeef"),
    Colour("badge", "--similar-badge", _("“Out of stock”"), "#ffffff", "--similar-on-badge"),
)


def _colour_field(colour: Colour) -> forms.CharField:
    return forms.CharField(
        label=colour.label,
        required=False,
        validators=[RegexValidator(r"\A#[0-9a-fA-F]{6}\Z")],
        widget=UnfoldAdminColorInputWidget(),
    )


class StripForm(forms.Form):
    """What a strip shows. Its values are in the query string, so that a page can be kept as a bookmark."""

    sku = forms.CharField(
        label=_("Product to try it with"), widget=UnfoldAdminTextInputWidget(), help_text=_("Its SKU.")
    )
    heading = forms.CharField(label=_("Heading"), required=False, max_length=120, widget=UnfoldAdminTextInputWidget())
    limit = forms.IntegerField(
        label=_("Number of products"), min_value=1, max_value=MAX_LIMIT, widget=UnfoldAdminIntegerFieldWidget()
    )
    collection = forms.ChoiceField(label=_("Collection"), widget=UnfoldAdminSelectWidget)
    category = forms.ChoiceField(label=_("Only of the category"), required=False, widget=UnfoldAdminSelectWidget)
    brand = forms.CharField(label=_("Only of the brand"), required=False, widget=UnfoldAdminTextInputWidget())
    min_price = forms.DecimalField(
        label=_("Price from"),
        required=False,
        min_value=0,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"}),
    )
    max_price = forms.DecimalField(
        label=_("Price to"),
        required=False,
        min_value=0,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"}),
    )
    available = forms.BooleanField(label=_("Only what is in stock"), required=False, widget=UnfoldBooleanSwitchWidget)
    api_key = forms.CharField(
        label=_("Publishable key"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("One that you have, or that you make below."),
    )
    accent, muted, surface, badge = map(_colour_field, COLOURS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        collections = Collection.objects.filter(active_version__isnull=False)
        categories = Category.objects.order_by("path").values_list("path", flat=True)
        self.fields["collection"].choices = [(each.slug, each.name) for each in collections]  # type: ignore[attr-defined]
        self.fields["category"].choices = [("", gettext("all")), *((path, path) for path in categories)]  # type: ignore[attr-defined]

    def clean_sku(self) -> str:
        """Refuse a SKU that the catalogue does not have."""
        sku: str = self.cleaned_data["sku"].strip()
        if not ids_of_skus([sku]):
            raise ValidationError(_("The catalogue has no product with this SKU."))
        return sku

    def clean_api_key(self) -> str:
        """Refuse a key that must not be in a page."""
        text: str = self.cleaned_data["api_key"].strip()
        if text and not text.startswith(ApiKey.PREFIXES[ApiKey.Kind.PUBLISHABLE]):
            raise ValidationError(_("Only a publishable key (pk_…) may be in a page."))
        return text

    def clean(self) -> dict[str, Any] | None:
        """Refuse a range of prices that is empty."""
        cleaned = super().clean() or self.cleaned_data
        low, high = cleaned.get("min_price"), cleaned.get("max_price")
        if low is not None and high is not None and low > high:
            raise ValidationError(_("The lowest price is above the highest."))
        return cleaned

    def options(self) -> StripOptions:
        """The options of a valid form; what the widget does anyway is left out."""
        values = self.cleaned_data
        return StripOptions(
            heading=values["heading"],
            limit=None if values["limit"] == DEFAULT_LIMIT else values["limit"],
            collection="" if values["collection"] == DEFAULT_COLLECTION else values["collection"],
            category=values["category"],
            brand=values["brand"],
            min_price=values["min_price"],
            max_price=values["max_price"],
            available=values["available"],
            api_key=values["api_key"],
            colours=_chosen_colours(values),
        )

    def colour_fields(self) -> list[forms.BoundField]:
        """The fields of colours."""
        return [self[colour.name] for colour in COLOURS]

    def other_fields(self) -> list[forms.BoundField]:
        """The fields before them."""
        colours = {colour.name for colour in COLOURS}
        return [field for field in self if field.name not in colours]


def _chosen_colours(values: dict[str, Any]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for colour in COLOURS:
        value = values[colour.name].lower()
        if value and value != colour.default:
            chosen[colour.custom_property] = value
            if colour.text_property:
                chosen[colour.text_property] = text_upon(value)
    return chosen


class KeyForm(forms.Form):
    """A publishable key for the shop's pages."""

    name = forms.CharField(label=_("Name"), max_length=100, widget=UnfoldAdminTextInputWidget())
    origins = forms.CharField(
        label=_("Origins of your pages"),
        validators=[validate_origins],
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("One per line, e.g. https://shop.example"),
    )


class PageForm(forms.Form):
    """A page to test."""

    url = forms.URLField(
        label=_("Address of a product page"), assume_scheme="https", widget=UnfoldAdminURLInputWidget()
    )


@require_http_methods(["GET", "HEAD", "POST"])
def embed(request: HttpRequest, site: UnfoldAdminSite) -> HttpResponse:
    """The page; its forms make a key, and test a page of the shop.

    Args:
        request: of a user who may see products.
        site: the admin site, for the context of its pages.

    Returns:
        The page. A new key is shown in this answer alone.

    Raises:
        PermissionDenied: the user may not see products, or makes a key without the permission.
    """
    if not may_search(request):
        raise PermissionDenied
    base = base_address(request)
    step = request.POST.get("step", "") if request.method == "POST" else ""
    key_form = KeyForm(request.POST if step == MAKE_KEY else None, initial={"name": gettext("Shop pages")})
    page_form = PageForm(request.POST if step == TEST_PAGE else None)
    made = _made_key(request, key_form) if step == MAKE_KEY and key_form.is_valid() else ""
    values = {**_defaults(), **request.GET.dict(), **({"api_key": made} if made else {})}
    form = StripForm(values)
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": _("Embed in my pages"),
        "form": form,
        "key_form": key_form,
        "page_form": page_form,
        "made": made,
        "may_make_key": request.user.has_perm("accounts.add_apikey"),
        "keys_required": settings.API_READS == "keys",
        "findings": check_page(page_form.cleaned_data["url"], base)
        if step == TEST_PAGE and page_form.is_valid()
        else None,
        **(_result(form, base) if form.is_valid() else {}),
    }
    return render(request, "admin/recommender/embed.html", context)


def _made_key(request: HttpRequest, form: KeyForm) -> str:
    if not request.user.has_perm("accounts.add_apikey"):
        raise PermissionDenied
    row = ApiKey(kind=ApiKey.Kind.PUBLISHABLE, created_by_id=request.user.pk, **form.cleaned_data)
    return keys.create(row).text


def _defaults() -> dict[str, Any]:
    """A form for a product that has a strip as a rule."""
    with_photo = visible_products().filter(Exists(ProductImage.objects.compared().filter(product=OuterRef("pk"))))
    sku = with_photo.order_by("-pk").values_list("sku", flat=True).first() or ""
    slugs = list(Collection.objects.filter(active_version__isnull=False).values_list("slug", flat=True))
    collection = DEFAULT_COLLECTION if DEFAULT_COLLECTION in slugs else next(iter(slugs), "")
    colours = {colour.name: colour.default for colour in COLOURS}
    if settings.BRAND_COLOUR:
        colours["accent"] = settings.BRAND_COLOUR
    heading = gettext("You may also like")
    return {"sku": sku, "heading": heading, "limit": DEFAULT_LIMIT, "collection": collection, **colours}


def _result(form: StripForm, base: str) -> dict[str, Any]:
    options, sku = form.options(), form.cleaned_data["sku"]
    attributes = options.attributes()
    # The preview is on this server's own page, for which the shop's key is not made.
    attributes.pop("api-key", None)
    rules = RuleSet.objects.in_force(form.cleaned_data["collection"])
    return {
        "markup": markup(base, sku, options),
        "style": style_sheet(options),
        "policy": content_policy(base),
        "sku": sku,
        "attributes": attributes.items(),
        "colours": "; ".join(f"{name}: {value}" for name, value in options.colours.items()),
        "rules": rules,
    }
