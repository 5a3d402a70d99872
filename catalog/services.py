"""Writes of the catalogue. Every door (admin, importers, API) comes through here, so that no change goes untold."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import DatabaseError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify

from catalog import events
from catalog.media import write_once
from catalog.models import CATEGORY_PATH_LENGTH, Category, Product, ProductImage, SourceEntry, photo_path
from catalog.photos import Photo
from catalog.thumbnails import delete_thumbnails
from jobs.storage import database_storage_errors

logger = logging.getLogger(__name__)

_written: ContextVar[set[str] | None] = ContextVar("written", default=None)


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


@contextmanager
def transaction_with_files() -> Iterator[None]:
    """A transaction; where it is rolled back, the files of the photos that were attached in it are gone, too.

    Raises StorageUnavailable where the database's own disk is full or read-only.
    """
    written: set[str] = set()
    outer = _written.set(written)
    try:
        with database_storage_errors(), transaction.atomic():
            yield
    except BaseException:
        _delete_unused_files(written)
        raise
    finally:
        _written.reset(outer)


@transaction.atomic
def save_product(data: ProductData, *, only: Collection[str] | None = None) -> tuple[Product, Outcome]:
    """Create or update the product of this sku.

    `only`: the fields that the source speaks of; the others stay as they are in a product that exists already.
    Raises ValidationError where a field does not hold up; then nothing is written.
    """
    (saved,) = save_products([(data, only)])
    if isinstance(saved, ValidationError):
        raise saved
    return saved


@transaction.atomic
def save_products(
    wanted: Sequence[tuple[ProductData, Collection[str] | None]],
    *,
    categories: dict[tuple[str, ...], Category] | None = None,
) -> list[tuple[Product, Outcome] | ValidationError]:
    """Save products as `save_product` does, each sku once, with a few statements for all of them.

    Returns what it would return for each, or the error that it would raise: that product is not written, the others are.
    categories: known ones by their names; it is added to, and good for as long as nothing of this is rolled back.
    """
    categories = {} if categories is None else categories
    skus = [data.sku for data, _ in wanted]
    # In one order, so that two imports at the same time wait for each other and never both.
    known = {row.sku: row for row in Product.objects.select_for_update().filter(sku__in=skus).order_by("pk")}
    results: list[tuple[Product, Outcome] | ValidationError] = []
    new: list[Product] = []
    updated: list[int] = []
    for data, only in wanted:
        try:
            product, outcome = _prepared(data, only, known.get(data.sku), categories)
        except ValidationError as error:
            results.append(error)
            continue
        results.append((product, outcome))
        if outcome is Outcome.CREATED:
            new.append(product)
        elif outcome is Outcome.UPDATED:
            updated.append(product.pk)
    Product.objects.bulk_create(new)
    products_were_changed(updated)
    return results


def _prepared(
    data: ProductData,
    only: Collection[str] | None,
    product: Product | None,
    categories: dict[tuple[str, ...], Category],
) -> tuple[Product, Outcome]:
    """The product with this data: stored where it was there before, otherwise still to be stored.

    One that was merged into another stays as it is: what its source says of it would bring it back.
    """
    if product is not None and product.merged_into_id is not None:
        return product, Outcome.UNCHANGED
    values: dict[str, Any] = {
        "title": data.title,
        "description": data.description,
        "brand": data.brand,
        "price": data.price,
        "currency": data.currency,
        "available": data.available,
        "tags": list(data.tags),
        "attributes": dict(data.attributes),
        "active": data.active,
    }
    # The category last: a product that is refused must not leave one behind.
    if product is None:
        product = Product(sku=data.sku, **values)
        _check(product)
        product.category = ensure_category(data.category, categories) if data.category else None
        return product, Outcome.CREATED
    changed = [name for name in values if (only is None or name in only) and getattr(product, name) != values[name]]
    if changed:
        for name in changed:
            setattr(product, name, values[name])
        _check(product)
    if only is None or "category" in only:
        category = ensure_category(data.category, categories) if data.category else None
        if product.category_id != (category and category.pk):
            product.category = category
            changed.append("category")
    if not changed:
        return product, Outcome.UNCHANGED
    product.save(update_fields=[*changed, "updated_at"])
    return product, Outcome.UPDATED


def _check(product: Product) -> None:
    """Raises ValidationError. Asks the database nothing: sku and category were looked up, and `clean` knows the constraints."""
    product.full_clean(exclude={"category"}, validate_unique=False, validate_constraints=False)


# More than this many are not kept in mind: a source that has more than that has mistaken something else for categories.
_CATEGORIES_KNOWN = 10_000


def ensure_category(names: Sequence[str], known: dict[tuple[str, ...], Category] | None = None) -> Category:
    """The category at the end of these names, made with its ancestors where missing. Names alike as slugs are one.

    known: categories by their names, so that they need not be asked for again; it is added to.
    """
    if known is not None and (category := known.get(tuple(names))):
        return category
    slugs = [slugify(name, allow_unicode=True)[:120] or "other" for name in names]
    if len("/".join(slugs)) > CATEGORY_PATH_LENGTH:
        raise ValidationError({"category": f"longer than {CATEGORY_PATH_LENGTH} characters with its ancestors"})
    parent: Category | None = None
    for depth, (name, slug) in enumerate(zip(names, slugs, strict=True), start=1):
        parent, _ = Category.objects.get_or_create(
            path="/".join(slugs[:depth]), defaults={"parent": parent, "slug": slug, "name": name.strip()[:120]}
        )
    if parent is None:
        raise ValueError("a category needs at least one name")
    if known is not None and len(known) < _CATEGORIES_KNOWN:
        known[tuple(names)] = parent
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
        product=product,
        sha256=photo.sha256,
        alt=alt[:300],
        position=position,
        width=photo.width,
        height=photo.height,
        perceptual_hash=photo.perceptual_hash,
    )
    image.file.name = _store(image, photo)
    image.save()
    events.images_changed.send(sender=ProductImage, image_ids=[image.pk])
    return image, True


def _store(image: ProductImage, photo: Photo) -> str:
    """Write the photo's bytes unless they are there already, and return their path in the media storage."""
    path = photo_path(image, f"photo.{photo.extension}")
    if write_once(path, photo.content) and (written := _written.get()) is not None:
        written.add(path)
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
def note_source(products: Sequence[Product], source: str, *, bring_back: Collection[int]) -> set[int]:
    """Keep in mind that this source has these products. Returns the ids of those that were missing and are active again.

    bring_back: ids of those that become active where they were withdrawn because they were missing.
    """
    entries = SourceEntry.objects.in_bulk([product.pk for product in products])
    SourceEntry.objects.bulk_create(
        SourceEntry(product=product, source=source) for product in products if product.pk not in entries
    )
    missing = {entry.pk for entry in entries.values() if entry.missing_since is not None}
    elsewhere = {entry.pk for entry in entries.values() if entry.source != source}
    if missing or elsewhere:
        SourceEntry.objects.filter(pk__in=missing | elsewhere).update(source=source, missing_since=None)
    back = [
        product
        for product in products
        if product.pk in missing and product.pk in bring_back and not product.active and product.merged_into_id is None
    ]
    for product in back:
        product.active = True
        product.save(update_fields=["active", "updated_at"])
    products_were_changed([product.pk for product in back])
    return {product.pk for product in back}


@transaction.atomic
def withdraw_missing(product_ids: Collection[int]) -> int:
    """Withdraw products that their source no longer has, until it has them again. Returns how many were active."""
    active = list(Product.objects.filter(pk__in=product_ids, active=True).values_list("pk", flat=True))
    SourceEntry.objects.filter(product__in=active).update(missing_since=timezone.now())
    return withdraw_products(active)


def _delete_unused_files_on_commit(names: set[str]) -> None:
    transaction.on_commit(lambda: _delete_unused_files(names))


def _delete_unused_files(names: set[str]) -> None:
    """What cannot be deleted stays and is told of: it is in nobody's way."""
    if not names:
        return
    try:
        in_use = set(ProductImage.objects.filter(file__in=names).values_list("file", flat=True))
        for name in names - in_use:
            default_storage.delete(name)
            delete_thumbnails(name)
    except (OSError, DatabaseError) as error:
        logger.error("files of photos that are gone could not be deleted (%s): %s", error, ", ".join(sorted(names)))
