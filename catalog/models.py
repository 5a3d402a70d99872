"""Products, photos and categories: the data that the other apps derive theirs from."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import PurePosixPath
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Length
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from catalog.filters import ProductFilter
from catalog.media import PHOTOS
from pictures import photos
from product_files.product_data import DEFAULT_CURRENCY, SKU_LENGTH

models.CharField.register_lookup(Length)

CATEGORY_PATH_LENGTH = 500
# Kuwait and others have three decimals.
PRICE_DIGITS, PRICE_DECIMALS = 13, 3
MAX_PRICE = Decimal(10) ** (PRICE_DIGITS - PRICE_DECIMALS) - Decimal(1).scaleb(-PRICE_DECIMALS)
# Of a text that products are searched for; further ones make no difference.
MAX_WORDS = 16
# A database cannot compare with a larger number.
MAX_PRODUCT_ID = models.BigIntegerField.MAX_BIGINT


class Category(models.Model):
    """A node of the category tree. `path` holds the slugs from the root down: `clothing/shirts`."""

    parent = models.ForeignKey(
        "self", verbose_name=_("parent"), null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=120, allow_unicode=True)
    path = models.CharField(_("path"), max_length=CATEGORY_PATH_LENGTH, unique=True, editable=False)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ("path",)
        constraints = [
            models.CheckConstraint(condition=models.Q(path__length__gt=0), name="category_path_not_empty"),
        ]

    def __str__(self) -> str:
        return self.path

    def clean(self) -> None:
        """Refuse a category that would be its own ancestor."""
        ancestor = self.parent
        while ancestor is not None:
            if ancestor.pk is not None and ancestor.pk == self.pk:
                raise ValidationError({"parent": _("A category cannot be below itself.")})
            ancestor = ancestor.parent

    @property
    def lineage(self) -> list[str]:
        """Paths of the category and all its ancestors, root first."""
        return lineage(self.path)


def lineage(path: str) -> list[str]:
    """`a/b/c` -> `["a", "a/b", "a/b/c"]`; nothing for an empty path."""
    parts = path.split("/") if path else []
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


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


def photo_path(image: ProductImage, filename: str) -> str:
    """The path of a photo in the media storage: its content's hash, so that the same photo is stored once."""
    return f"{PHOTOS}/{image.sha256[:2]}/{image.sha256}{PurePosixPath(filename).suffix}"


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


class FetchedPhoto(models.Model):
    """ETag and Last-Modified of a photo behind a link, so that the next import fetches it only if it changed."""

    link_sha256 = models.CharField(_("SHA-256 of the link"), max_length=64, primary_key=True)
    resource_sha256 = models.CharField(_("SHA-256 of the final URL"), max_length=64)
    etag = models.CharField(_("ETag"), max_length=200, blank=True)
    last_modified = models.CharField(_("Last-Modified"), max_length=200, blank=True)
    sha256 = models.CharField(_("SHA-256 of the photo"), max_length=64)
    fetched_at = models.DateTimeField(_("fetched"), auto_now=True)

    class Meta:
        verbose_name = _("fetched photo")
        verbose_name_plural = _("fetched photos")

    def __str__(self) -> str:
        return self.link_sha256


class UnusedFile(models.Model):
    """A photo's file that no row needed any more; `catalog.unused_files` deletes it later, if that is still so."""

    name = models.CharField(_("file"), max_length=200, primary_key=True)
    unused_since = models.DateTimeField(_("unused since"), db_index=True)

    class Meta:
        verbose_name = _("unused file")
        verbose_name_plural = _("unused files")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class ProductImageQuerySet(models.QuerySet["ProductImage"]):
    """Which photos: those that are compared, and the first one of each product."""

    def compared(self) -> ProductImageQuerySet:
        """Photos that show their product: the only ones that are embedded, asked and found."""
        return self.filter(role__in=ProductImage.COMPARED)


class ProductImage(models.Model):
    """One photo of a product. `sha256`, `width` and `height` describe the stored file."""

    class Role(models.TextChoices):
        """What a photo is for."""

        PRODUCT = "product", _("product")
        DETAIL = "detail", _("detail")
        CHART = "chart", _("chart")
        PLACEHOLDER = "placeholder", _("placeholder")
        IGNORED = "ignored", _("ignored")

    class RoleSource(models.TextChoices):
        """Where the role comes from."""

        PENDING = "", _("not looked at yet")
        FOUND = "found", _("found")
        CHOSEN = "chosen", _("chosen by hand")

    class Finding(models.TextChoices):
        """What makes the photo useless for recommendations; the same as `pictures.photos.Finding`."""

        NONE = "", _("none")
        BLANK = photos.Finding.BLANK.value, _("one colour only")
        TINY = photos.Finding.TINY.value, _("too small")

    # Of photos that are embedded, asked and found.
    COMPARED = (Role.PRODUCT, Role.DETAIL)
    # Of pictures that stand for no product of their own.
    SHARED = (Role.CHART, Role.PLACEHOLDER)
    ROLES_OF_FINDINGS: Mapping[str, Role] = {Finding.BLANK: Role.PLACEHOLDER, Finding.TINY: Role.IGNORED}

    product = models.ForeignKey(Product, verbose_name=_("product"), on_delete=models.CASCADE, related_name="images")
    file = models.ImageField(
        _("file"), upload_to=photo_path, width_field="width", height_field="height", max_length=200
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, editable=False, db_index=True)
    width = models.PositiveIntegerField(_("width"), editable=False)
    height = models.PositiveIntegerField(_("height"), editable=False)
    alt = models.CharField(_("alternative text"), max_length=300, blank=True)
    source_sha256 = models.CharField(
        _("SHA-256 of the source"),
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("Of the file as it came, by which the next import recognises it."),
    )
    finding = models.CharField(
        _("finding"),
        max_length=12,
        choices=Finding.choices,
        blank=True,
        editable=False,
        help_text=_("What makes the photo useless for recommendations."),
    )
    file_missing = models.BooleanField(
        _("file missing"),
        default=False,
        editable=False,
        help_text=_("The file was not in the media storage when it was last looked for."),
    )
    perceptual_hash = models.BigIntegerField(
        _("perceptual hash"),
        null=True,
        editable=False,
        help_text=_("Perceptual hash of the photo; empty until computed."),
    )
    role = models.CharField(
        _("role"),
        max_length=12,
        choices=Role.choices,
        default=Role.PRODUCT,
        help_text=_("Only photos of the product and of its details are compared with others."),
    )
    role_source = models.CharField(
        _("source of the role"), max_length=6, choices=RoleSource.choices, blank=True, editable=False
    )
    from_merged_product = models.BooleanField(
        _("from a merged product"),
        default=False,
        editable=False,
        help_text=_("From a merged product; imports do not remove it."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = ProductImageQuerySet.as_manager()

    class Meta:
        verbose_name = _("product image")
        verbose_name_plural = _("product images")
        ordering = ("position", "id")
        indexes = [
            models.Index(fields=("product", "position"), name="image_by_product"),
            models.Index(fields=("perceptual_hash",), name="image_by_perceptual_hash"),
            models.Index(fields=("id",), name="image_role_pending", condition=models.Q(role_source="")),
            models.Index(
                fields=("perceptual_hash",),
                name="image_not_compared",
                condition=models.Q(role__in=("chart", "placeholder")),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=("product", "sha256"), name="image_once_per_product"),
            models.CheckConstraint(condition=models.Q(sha256__length=64), name="image_sha256_whole"),
            models.CheckConstraint(condition=models.Q(width__gt=0, height__gt=0), name="image_has_area"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}/{self.position}"


class DuplicatePair(models.Model):
    """Two products that may be the same, and the decision about them.

    `first` has the smaller id. `similarity` (cosine of the vectors) and `hash_distance` (different bits of the perceptual hashes)
    are of their most similar photos; of a pair by text, `similarity` is the probability that they are the same. `kind` is empty if
    there is only a decision.
    """

    class Kind(models.TextChoices):
        """What is similar in them."""

        SAME_FILE = "same_file", _("identical photo")
        SIMILAR = "alike", _("similar photo")
        MIRRORED = "mirrored", _("similar photo, mirrored")
        TEXT = "text", _("similar text")

    class Decision(models.TextChoices):
        """The relation of the two products."""

        OPEN = "open", _("open")
        DIFFERENT = "different", _("not a duplicate")
        VARIANT = "variant", _("variants")

    first = models.ForeignKey(Product, verbose_name=_("first product"), on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Product, verbose_name=_("second product"), on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices, blank=True)
    similarity = models.FloatField(_("similarity"), default=0)
    hash_distance = models.PositiveSmallIntegerField(_("hash distance"), default=0)
    decision = models.CharField(_("decision"), max_length=12, choices=Decision.choices, default=Decision.OPEN)
    found_at = models.DateTimeField(_("found"), auto_now_add=True)

    class Meta:
        verbose_name = _("near-duplicate")
        verbose_name_plural = _("near-duplicates")
        default_permissions = ()
        indexes = [models.Index(fields=("decision",), name="duplicate_by_decision")]
        constraints = [
            models.UniqueConstraint(fields=("first", "second"), name="duplicate_pair_once"),
            models.CheckConstraint(condition=models.Q(first__lt=models.F("second")), name="duplicate_pair_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.first_id}/{self.second_id}: {self.decision}"


class DuplicateDecision(models.Model):
    """A decision about near-duplicates, with what is needed to undo it.

    Attributes:
        products: ids of those it was about.
        main: id of the product that was kept, or became the main one of the variants.
        before: what it changed, as it was; see `catalog.decisions`.
    """

    class Kind(models.TextChoices):
        """What was decided."""

        DIFFERENT = "different", _("different products")
        VARIANTS = "variants", _("variants")
        MERGE = "merge", _("merged")

    kind = models.CharField(_("decision"), max_length=12, choices=Kind.choices)
    products = models.JSONField(_("products"))
    main = models.BigIntegerField(_("main product"), null=True)
    before = models.JSONField(_("before"))
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    undone_at = models.DateTimeField(_("undone"), null=True)

    class Meta:
        verbose_name = _("decision on near-duplicates")
        verbose_name_plural = _("decisions on near-duplicates")
        default_permissions = ()
        indexes = [models.Index(fields=("-made_at",), name="duplicate_decision_latest")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.products}"


class DuplicateSearch(models.Model):
    """A finished search for near-duplicates."""

    photos = models.PositiveIntegerField(_("photos"))
    finished_at = models.DateTimeField(_("finished"), auto_now_add=True)

    class Meta:
        verbose_name = _("search for near-duplicates")
        verbose_name_plural = _("searches for near-duplicates")
        default_permissions = ()
        get_latest_by = "finished_at"

    def __str__(self) -> str:
        return f"{self.finished_at:%Y-%m-%d %H:%M}"


class ImportDraft(models.Model):
    """A file that somebody is about to import: uploaded in parts, then looked at, tried out and changed until it is right.

    Attributes:
        upload: name of the file in the store of uploads; jobs that import it have names of their own for it.
        upload_key: what the store knows its parts by, until all have arrived.
        options: fields of ImportOptions, plain JSON.
        used_at: the file is deleted IMPORT_UPLOAD_KEEP_HOURS later.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("owner"), on_delete=models.CASCADE, related_name="import_drafts"
    )
    file_name = models.CharField(_("file name"), max_length=255)
    size = models.BigIntegerField(_("size"), help_text=_("In bytes, as announced before the upload."))
    upload = models.CharField(_("upload"), max_length=200)
    upload_key = models.CharField(_("upload key"), max_length=1024, blank=True)
    complete = models.BooleanField(_("complete"), default=False)
    options = models.JSONField(_("options"), default=dict, blank=True)
    used_at = models.DateTimeField(_("last used"), auto_now=True)

    class Meta:
        verbose_name = _("import draft")
        verbose_name_plural = _("import drafts")
        default_permissions = ()
        ordering = ("-used_at",)

    def __str__(self) -> str:
        return self.file_name


class ImportMapping(models.Model):
    """Options of an import under a name, for files with the same columns.

    Attributes:
        columns: names of the file's columns, casefolded and sorted, one a line.
        options: fields of ImportOptions, plain JSON.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    columns = models.TextField(_("columns"), blank=True)
    options = models.JSONField(_("options"), default=dict, blank=True)
    created_by = models.CharField(_("created by"), max_length=200, blank=True)
    used_at = models.DateTimeField(_("last used"), auto_now=True)

    class Meta:
        verbose_name = _("import mapping")
        verbose_name_plural = _("import mappings")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Stamp(models.Model):
    """A part of a topic's stamp, written by the database alone: see `catalog.stamps`."""

    topic = models.CharField(max_length=20)
    value = models.BigIntegerField()

    class Meta:
        verbose_name = _("stamp")
        verbose_name_plural = _("stamps")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.topic}: {self.value}"
