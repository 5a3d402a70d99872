"""Products, and which sources have them."""

from __future__ import annotations

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from catalog.filters import ProductFilter
from catalog.models.categories import Category
from product_files.product_data import DEFAULT_CURRENCY, SKU_LENGTH

# Kuwait and others have three decimals.
PRICE_DIGITS, PRICE_DECIMALS = 13, 3
MAX_PRICE = Decimal(10) ** (PRICE_DIGITS - PRICE_DECIMALS) - Decimal(1).scaleb(-PRICE_DECIMALS)
# Of a text that products are searched for; further ones make no difference.
MAX_WORDS = 16
# A database cannot compare with a larger number.
MAX_PRODUCT_ID = models.BigIntegerField.MAX_BIGINT


class ProductQuerySet(models.QuerySet["Product"]):
    """Which products: visible ones, those that meet a filter, those that contain a text."""

    def visible(self) -> ProductQuerySet:
        """Products that may be shown."""
        return self.filter(active=True)

    def matching(self, product_filter: ProductFilter) -> ProductQuerySet:
        """Products that meet all conditions of the filter."""
        return self.filter(product_filter.q())

    def containing(self, text: str | None) -> ProductQuerySet:
        """Products with each word of the text in title or brand, and the one with this SKU; all products without a text."""
        words = (text or "").split()
        if not words:
            return self
        has_each = models.Q()
        for word in words[:MAX_WORDS]:
            has_each &= models.Q(title__icontains=word) | models.Q(brand__icontains=word)
        return self.filter(models.Q(sku__iexact=" ".join(words)) | has_each)


class Product(models.Model):
    """Something a shop sells."""

    sku = models.CharField(_("SKU"), max_length=SKU_LENGTH, unique=True)
    title = models.CharField(_("title"), max_length=300)
    slug = models.SlugField(_("slug"), max_length=320, blank=True, help_text=_("Generated from the title if empty."))
    description = models.TextField(_("description"), blank=True)
    category = models.ForeignKey(
        Category, verbose_name=_("category"), null=True, blank=True, on_delete=models.PROTECT, related_name="products"
    )
    other_categories = models.ManyToManyField(
        Category,
        verbose_name=_("other categories"),
        blank=True,
        related_name="+",
        help_text=_("Categories that the product is found in as well."),
    )
    brand = models.CharField(_("brand"), max_length=120, blank=True, db_index=True)
    price = models.DecimalField(
        _("price"), max_digits=PRICE_DIGITS, decimal_places=PRICE_DECIMALS, null=True, blank=True
    )
    list_price = models.DecimalField(
        _("list price"),
        max_digits=PRICE_DIGITS,
        decimal_places=PRICE_DECIMALS,
        null=True,
        blank=True,
        help_text=_("The price before a reduction, if there is one."),
    )
    currency = models.CharField(
        _("currency"),
        max_length=3,
        default=DEFAULT_CURRENCY,
        validators=[RegexValidator(r"^[A-Z]{3}$", _("Three capital letters, as in EUR."))],
    )
    available = models.BooleanField(_("available"), default=True)
    tags = models.JSONField(_("tags"), default=list, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    active = models.BooleanField(
        _("active"), default=True, help_text=_("An inactive product is never shown or recommended.")
    )
    variant_of = models.ForeignKey(
        "self",
        verbose_name=_("variant of"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="variants",
        help_text=_(
            "The main product, if this one differs only in colour or size. Only one of them is recommended at a time."
        ),
    )
    family_code = models.CharField(
        _("family code"),
        max_length=SKU_LENGTH,
        blank=True,
        db_index=True,
        help_text=_(
            "What the shop's own data calls the family: item_group_id, handle, or the SKU of the main product."
        ),
    )
    merged_into = models.ForeignKey(
        "self",
        verbose_name=_("merged into"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="merged",
        help_text=_("The product that this one was merged into; visitors are redirected to it."),
    )
    import_id = models.UUIDField(
        _("import"),
        null=True,
        editable=False,
        db_index=True,
        help_text=_("The job of the last import that created or changed it."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ("-id",)
        indexes = [
            models.Index(fields=("active", "-id"), name="product_listing"),
            models.Index(fields=("category", "active"), name="product_by_category"),
            models.Index(fields=("slug",), name="product_slug"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price__isnull=True) | models.Q(price__gte=0), name="product_price_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(list_price__isnull=True) | models.Q(list_price__gte=0),
                name="product_list_price_not_negative",
            ),
            models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="product_currency_iso_4217"),
            models.CheckConstraint(condition=models.Q(sku__length__gt=0), name="product_sku_not_empty"),
            models.CheckConstraint(
                condition=models.Q(merged_into__isnull=True) | models.Q(active=False),
                name="product_merged_is_inactive",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The product's page in the storefront."""
        return reverse("storefront:product", kwargs={"pk": self.pk, "slug": self.slug})

    def clean(self) -> None:
        """Check the price, tags and attributes, and the family."""
        for name in ("price", "list_price"):
            if (price := getattr(self, name)) is not None and price < 0:
                raise ValidationError({name: _("The price must not be negative.")})
        if not isinstance(self.tags, list) or not all(isinstance(tag, str) for tag in self.tags):
            raise ValidationError({"tags": _('Tags are a list of words: ["summer", "linen"].')})
        if not isinstance(self.attributes, dict):
            raise ValidationError({"attributes": _('Attributes are a mapping: {"colour": "blue"}.')})
        self.slug = self.slug or slugify(self.title)[:320] or slugify(self.sku) or "product"
        if self.merged_into_id is not None and self.active:
            raise ValidationError({"active": _("A product that was merged into another one stays inactive.")})
        if self.variant_of is not None:
            self._clean_variant_of(self.variant_of)

    def _clean_variant_of(self, main: Product) -> None:
        """A family is a main product and its variants, without variants of variants."""
        if main.pk == self.pk:
            raise ValidationError({"variant_of": _("A product cannot be a variant of itself.")})
        if main.variant_of is not None:
            raise ValidationError(
                {"variant_of": _("This product is a variant: choose its main product, %s.") % main.variant_of}
            )
        if self.pk is not None and self.variants.exists():
            raise ValidationError({"variant_of": _("This product has variants: move them first.")})


class ProductSource(models.Model):
    """The last source of a product, to find products that are missing in their source."""

    product = models.OneToOneField(
        Product, verbose_name=_("product"), on_delete=models.CASCADE, primary_key=True, related_name="product_source"
    )
    source = models.CharField(_("source"), max_length=80, db_index=True)
    missing_since = models.DateTimeField(_("missing since"), null=True, blank=True)

    class Meta:
        verbose_name = _("product source")
        verbose_name_plural = _("product sources")

    def __str__(self) -> str:
        return f"{self.source}/{self.product_id}"
