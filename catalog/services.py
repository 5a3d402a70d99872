"""Writes of the catalogue. Every door (admin, importers, API) comes through here, so that no change goes untold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify

from catalog import events
from catalog.media import write_once
from catalog.models import CATEGORY_PATH_LENGTH, Category, Product, ProductImage, SourceEntry, photo_path
from catalog.photos import Photo
from catalog.thumbnails import delete_thumbnails


class Outcome(StrEnum):
    """What saving a product did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ProductData:
    """All that a shop says of a product. `category`: names from the root down, e.g. ("Clothing", "Shirts")."""

    sku: str
    title: str
    description: str = ""
    category: Sequence[str] = ()
    brand: str = ""
    price: Decimal | None = None
    currency: str = "EUR"
    available: bool = True
    tags: Sequence[str] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    active: bool = True


@transaction.atomic
def save_product(data: ProductData, *, only: Collection[str] | None = None) -> tuple[Product, Outcome]:
    """Create or update the product of this sku.

    `only`: the fields that the source speaks of; the others stay as they are in a product that exists already.
    Raises ValidationError where a field does not hold up; then nothing is written.
    """
    product = Product.objects.select_for_update().filter(sku=data.sku).first()
    category = ensure_category(data.category) if data.category else None
    values: dict[str, Any] = {
        "title": data.title,
        "description": data.description,
        "category": category,
        "brand": data.brand,
        "price": data.price,
        "currency": data.currency,
        "available": data.available,
        "tags": list(data.tags),
        "attributes": dict(data.attributes),
        "active": data.active,
    }
    if product is None:
        product = Product(sku=data.sku, **values)
        product.full_clean()
        product.save()
        return product, Outcome.CREATED
    if category is not None and product.category_id == category.pk:
        product.category = category  # spares the comparison below a query
    spoken_of = values if only is None else values.keys() & only
    changed = [name for name in values if name in spoken_of and getattr(product, name) != values[name]]
    if not changed:
        return product, Outcome.UNCHANGED
    for name in changed:
        setattr(product, name, values[name])
    product.full_clean()
    product.save(update_fields=[*changed, "updated_at"])
    products_were_changed([product.pk])
    return product, Outcome.UPDATED


def ensure_category(names: Sequence[str]) -> Category:
    """The category at the end of these names, made with its ancestors where missing. Names alike as slugs are one."""
    parent: Category | None = None
    for name in names:
        slug = slugify(name, allow_unicode=True)[:120] or "other"
        path = f"{parent.path}/{slug}" if parent else slug
        if len(path) > CATEGORY_PATH_LENGTH:
            raise ValidationError({"category": f"longer than {CATEGORY_PATH_LENGTH} characters with its ancestors"})
        parent, _ = Category.objects.get_or_create(
            path=path, defaults={"parent": parent, "slug": slug, "name": name.strip()[:120]}
        )
    if parent is None:
        raise ValueError("a category needs at least one name")
    return parent


@transaction.atomic
def save_category(category: Category) -> None:
    """Store a category edited by hand; when it was renamed or moved, its whole subtree gets new paths."""
    old_path = category.path
    category.slug = category.slug or slugify(category.name, allow_unicode=True)[:120] or "other"
    category.path = f"{category.parent.path}/{category.slug}" if category.parent else category.slug
    category.full_clean(exclude=["path"])
    category.save()
    if not old_path or old_path == category.path:
        return
    subtree = list(Category.objects.filter(path__startswith=f"{old_path}/"))
    for descendant in subtree:
        descendant.path = category.path + descendant.path[len(old_path) :]
    Category.objects.bulk_update(subtree, ["path"])
    moved = [category.pk, *(descendant.pk for descendant in subtree)]
    products_were_changed(list(Product.objects.filter(category__in=moved).values_list("pk", flat=True)))


def products_were_changed(product_ids: Sequence[int]) -> None:
    """Tell the other services that details of products changed. For doors that write through a form of their own."""
    if product_ids:
        events.products_changed.send(sender=Product, product_ids=list(product_ids))


@transaction.atomic
def attach_image(
    product: Product, photo: Photo, *, alt: str = "", position: int | None = None
) -> tuple[ProductImage, bool]:
    """Add a checked photo to a product. Returns the image and whether it is new: the same bytes are attached once."""
    existing = ProductImage.objects.filter(product=product, sha256=photo.sha256).first()
    if existing is not None:
        if position is not None and existing.position != position:
            existing.position = position
            existing.save(update_fields=["position"])
        return existing, False
    if position is None:
        last = ProductImage.objects.filter(product=product).aggregate(last=Max("position"))["last"]
        position = 0 if last is None else last + 1
    image = ProductImage(
        product=product, sha256=photo.sha256, alt=alt[:300], position=position, width=photo.width, height=photo.height
    )
    image.file.name = _store(image, photo)
    image.save()
    events.images_changed.send(sender=ProductImage, image_ids=[image.pk])
    return image, True


def _store(image: ProductImage, photo: Photo) -> str:
    """Write the photo's bytes unless they are there already, and return their path in the media storage."""
    path = photo_path(image, f"photo.{photo.extension}")
    write_once(path, photo.content)
    return path


@transaction.atomic
def arrange_images(positions: Mapping[int, int]) -> None:
    """Put photos, by their ids, into these positions."""
    for image_id, position in positions.items():
        ProductImage.objects.filter(pk=image_id).update(position=position)


@transaction.atomic
def remove_images(image_ids: Collection[int]) -> int:
    """Delete photos, and their files once no other product uses them. Returns how many went."""
    images = list(ProductImage.objects.filter(pk__in=image_ids))
    if not images:
        return 0
    events.images_removed.send(sender=ProductImage, image_ids=[image.pk for image in images])
    ProductImage.objects.filter(pk__in=[image.pk for image in images]).delete()
    _delete_unused_files_on_commit({str(image.file.name) for image in images})
    return len(images)


@transaction.atomic
def delete_products(product_ids: Collection[int]) -> int:
    """Delete products with their photos. Returns how many products went."""
    remove_images(list(ProductImage.objects.filter(product__in=product_ids).values_list("pk", flat=True)))
    _, deleted = Product.objects.filter(pk__in=product_ids).delete()
    return deleted.get(Product._meta.label, 0)


@transaction.atomic
def withdraw_products(product_ids: Collection[int]) -> int:
    """Take products out of every list and recommendation; their photos and vectors stay for their return."""
    active = list(Product.objects.filter(pk__in=product_ids, active=True).values_list("pk", flat=True))
    Product.objects.filter(pk__in=active).update(active=False)
    products_were_changed(active)
    return len(active)


@transaction.atomic
def note_source(product: Product, source: str, *, bring_back: bool) -> bool:
    """Keep in mind that this source has the product. Returns whether it was missing there and is active again.

    bring_back: whether a product that was withdrawn because it was missing becomes active.
    """
    entry, is_new = SourceEntry.objects.get_or_create(product=product, defaults={"source": source})
    was_missing = entry.missing_since is not None
    if not is_new and (was_missing or entry.source != source):
        SourceEntry.objects.filter(pk=product.pk).update(source=source, missing_since=None)
    if not (was_missing and bring_back) or product.active:
        return False
    product.active = True
    product.save(update_fields=["active", "updated_at"])
    products_were_changed([product.pk])
    return True


@transaction.atomic
def withdraw_missing(product_ids: Collection[int]) -> int:
    """Withdraw products that their source no longer has, until it has them again. Returns how many were active."""
    active = list(Product.objects.filter(pk__in=product_ids, active=True).values_list("pk", flat=True))
    SourceEntry.objects.filter(product__in=active).update(missing_since=timezone.now())
    return withdraw_products(active)


def _delete_unused_files_on_commit(names: set[str]) -> None:
    def delete() -> None:
        in_use = set(ProductImage.objects.filter(file__in=names).values_list("file", flat=True))
        for name in names - in_use:
            default_storage.delete(name)
            delete_thumbnails(name)

    transaction.on_commit(delete)
