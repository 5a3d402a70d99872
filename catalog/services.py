"""Writes of the catalogue. Admin, importers and API write through these functions, which send the domain events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Field, Max
from django.utils import timezone

from catalog import events, unused_files
from catalog.families import assign_families
from catalog.media import write_if_absent
from catalog.models import CATEGORY_PATH_LENGTH, Category, Product, ProductImage, ProductSource, photo_path
from catalog.photo_roles import find_roles, reconsider
from catalog.transactions import file_was_written, lock_families
from pictures.photos import Photo
from product_files.product_data import ProductData, category_slug
from product_files.values.prices import rounded


class SaveResult(StrEnum):
    """What saving a product did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@transaction.atomic
def save_product(data: ProductData, *, fields: Collection[str] | None = None) -> tuple[Product, SaveResult]:
    """Create or update the product with this SKU.

    Args:
        data: of the product.
        fields: names of the fields to update in an existing product, `attributes.NAME` for one attribute; None for all.

    Returns:
        The product, and what was done.

    Raises:
        ValidationError: a field is invalid; nothing is written.
    """
    (saved,) = save_products([(data, fields)])
    if isinstance(saved, ValidationError):
        raise saved
    return saved


@transaction.atomic
def save_products(
    products: Sequence[tuple[ProductData, Collection[str] | None]],
    *,
    categories: dict[tuple[str, ...], Category] | None = None,
    import_id: UUID | None = None,
    left: set[int] | None = None,
) -> list[tuple[Product, SaveResult] | ValidationError]:
    """Save products as `save_product` does, with a few statements for all of them.

    Args:
        products: data and fields as in `save_product`; each SKU once.
        categories: cache by names, which is extended; invalid after a rollback.
        import_id: job of the import; products that are created or changed refer to it.
        left: gets the ids of the main categories that products have left.

    Returns:
        For each product what `save_product` returns, or the ValidationError that it raises; the other products are saved.
    """
    categories = {} if categories is None else categories
    existing = _lock_existing(products)
    old_codes = {row.sku: row.family_code for row in existing.values()}
    old_categories = {row.pk: row.category_id for row in existing.values()}
    others = _other_categories([row.pk for row in existing.values()])
    results: list[tuple[Product, SaveResult] | ValidationError] = []
    new: list[Product] = []
    changed: list[tuple[Product, Sequence[str]]] = []
    updated: list[int] = []
    moved: list[tuple[Product, list[Category]]] = []
    for data, fields in products:
        try:
            product, result, names = _build_product(data, fields, existing.get(data.sku), categories)
            found_in = _categories_of(data, fields, product, categories)
        except ValidationError as error:
            results.append(error)
            continue
        if names:
            changed.append((product, names))
        if found_in is not None and {category.pk for category in found_in} != others.get(product.pk, set()):
            moved.append((product, found_in))
            if result is SaveResult.UNCHANGED:
                result = SaveResult.UPDATED
        results.append((product, result))
        if result is SaveResult.CREATED:
            new.append(product)
        elif result is SaveResult.UPDATED:
            updated.append(product.pk)
    if import_id is not None:
        _note_import(import_id, new, updated)
    _save_columns(changed)
    Product.objects.bulk_create(new)
    _set_other_categories(moved)
    saved = [each[0] for each in results if not isinstance(each, ValidationError)]
    if left is not None:
        left |= {old for each in saved if (old := old_categories.get(each.pk)) and old != each.category_id}
    assign_families([product for product in saved if product.family_code != old_codes.get(product.sku, "")], old_codes)
    products_were_added([product.pk for product in new])
    products_were_changed(updated)
    return results


def _lock_existing(products: Sequence[tuple[ProductData, Collection[str] | None]]) -> dict[str, Product]:
    """Lock those of the products that there are, in one order for all who do so. Returns them by SKU."""
    if any(fields is None or "family" in fields for _, fields in products):
        lock_families()
    rows = Product.objects.select_for_update().filter(sku__in=[data.sku for data, _ in products])
    return {row.sku: row for row in rows.order_by("pk")}


def _note_import(import_id: UUID, new: Sequence[Product], updated: Sequence[int]) -> None:
    """Have new products, which are not saved yet, and changed ones refer to the job of their import."""
    for product in new:
        product.import_id = import_id
    Product.objects.filter(pk__in=updated).update(import_id=import_id)


def _other_categories(product_ids: Sequence[int]) -> dict[int, set[int]]:
    """Ids of the other categories of those products that have any, by product id."""
    found: dict[int, set[int]] = {}
    for each in Product.other_categories.through.objects.filter(product__in=product_ids):
        found.setdefault(each.product_id, set()).add(each.category_id)
    return found


def _categories_of(
    data: ProductData, fields: Collection[str] | None, product: Product, categories: dict[tuple[str, ...], Category]
) -> list[Category] | None:
    """The other categories that a product is to be in; None if they stay as they are."""
    if product.merged_into_id is not None or not (fields is None or "category" in fields):
        return None
    found = {
        category.pk: category for names in data.other_categories if (category := ensure_category(names, categories))
    }
    return [category for pk, category in found.items() if pk != product.category_id]


def _set_other_categories(moved: Sequence[tuple[Product, Sequence[Category]]]) -> None:
    link = Product.other_categories.through
    link.objects.filter(product__in=[product.pk for product, _ in moved]).delete()
    link.objects.bulk_create(
        link(product_id=product.pk, category_id=category.pk) for product, found_in in moved for category in found_in
    )


def _build_product(
    data: ProductData,
    fields: Collection[str] | None,
    product: Product | None,
    categories: dict[tuple[str, ...], Category],
) -> tuple[Product, SaveResult, Sequence[str]]:
    """Update an existing product, or create one; neither is saved yet.

    A product that was merged into another one is not changed. Otherwise its source would reactivate it.

    Returns:
        The product, what was done, and the names of the fields of an existing product that changed.
    """
    if product is not None and product.merged_into_id is not None:
        return product, SaveResult.UNCHANGED, ()
    currency = data.currency if product is None or fields is None or "currency" in fields else product.currency
    values: dict[str, Any] = {
        "title": data.title,
        "description": data.description,
        "brand": data.brand,
        "price": data.price and rounded(data.price, currency),
        "list_price": data.list_price and rounded(data.list_price, currency),
        "currency": data.currency,
        "available": data.available,
        "tags": list(data.tags),
        "attributes": dict(data.attributes),
        "active": data.active,
        "family_code": data.family,
    }
    # The category last: an invalid product must not leave one behind.
    if product is None:
        product = Product(sku=data.sku, **values)
        _full_clean(product)
        product.category = ensure_category(data.category, categories) if data.category else None
        return product, SaveResult.CREATED, ()
    named = values.keys() if fields is None else {_COLUMNS.get(name, name) for name in fields}
    if "attributes" not in named and (single := [name for name in named if name.startswith(_SINGLE_ATTRIBUTE)]):
        values["attributes"] = _merged_attributes(product, values["attributes"], single)
        named = {*named, "attributes"}
    changed = [name for name in values if name in named and getattr(product, name) != values[name]]
    if changed:
        for name in changed:
            setattr(product, name, values[name])
        _full_clean(product)
    if fields is None or "category" in fields:
        category = ensure_category(data.category, categories) if data.category else None
        if product.category_id != (category and category.pk):
            product.category = category
            changed.append("category")
    return product, SaveResult.UPDATED if changed else SaveResult.UNCHANGED, changed


def _save_columns(changed: Sequence[tuple[Product, Sequence[str]]]) -> None:
    """Save the named fields of products, with one statement for all products of which the same fields changed."""
    groups: dict[tuple[str, ...], list[Product]] = {}
    now = timezone.now()
    for product, names in changed:
        product.updated_at = now
        groups.setdefault((*sorted(names), "updated_at"), []).append(product)
    for names, products in groups.items():
        if len(products) == 1:
            products[0].save(update_fields=names)
        else:
            Product.objects.bulk_update(products, names)


# Fields of ProductData whose column has another name.
_COLUMNS = {"family": "family_code"}
# `attributes.NAME` is a field, too: that attribute alone.
_SINGLE_ATTRIBUTE = "attributes."


def _merged_attributes(product: Product, attributes: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """The attributes of a product with those that these fields name replaced, or removed."""
    names = {field.removeprefix(_SINGLE_ATTRIBUTE) for field in fields}
    kept = {name: value for name, value in product.attributes.items() if name not in names}
    return {**kept, **{name: value for name, value in attributes.items() if name in names}}


def _full_clean(product: Product) -> None:
    """Raise ValidationError. Needs no query: SKU and category were looked up, and `clean` checks the constraints."""
    product.full_clean(exclude={"category"}, validate_unique=False, validate_constraints=False)


# A source with more categories than this has mapped the wrong column.
_CATEGORY_CACHE_SIZE = 10_000


def category_path(names: Sequence[str]) -> str:
    """The slug path of category names.

    Args:
        names: from the root down.

    Returns:
        The path, of any length.
    """
    return "/".join(category_slug(name) for name in names)


def ensure_category(names: Sequence[str], cache: dict[tuple[str, ...], Category] | None = None) -> Category:
    """Get a category, or create it with its ancestors.

    Args:
        names: from the root down; names with the same slug are the same category.
        cache: categories by names, which is extended.

    Returns:
        The category of the last name.

    Raises:
        ValidationError: the path is too long.
        ValueError: there is no name.
    """
    if cache is not None and (category := cache.get(tuple(names))):
        return category
    path = category_path(names)
    slugs = path.split("/")
    if len(path) > CATEGORY_PATH_LENGTH:
        raise ValidationError({"category": f"longer than {CATEGORY_PATH_LENGTH} characters with its ancestors"})
    parent: Category | None = None
    for depth, (name, slug) in enumerate(zip(names, slugs, strict=True), start=1):
        written = name.strip()[:120]
        parent, _ = Category.objects.get_or_create(
            path="/".join(slugs[:depth]), defaults={"parent": parent, "slug": slug, "name": written}
        )
        if parent.name == slug != written:
            # It was created from a path of slugs, as in `home/throws`; this is its name.
            parent.name = written
            parent.save(update_fields=["name"])
    if parent is None:
        raise ValueError("a category needs at least one name")
    if cache is not None and len(cache) < _CATEGORY_CACHE_SIZE:
        cache[tuple(names)] = parent
    return parent


def products_were_changed(product_ids: Sequence[int]) -> None:
    """Send the event that details of products changed; for code that saves products itself, such as the admin's forms.

    Args:
        product_ids: of the products; nothing is sent if there are none.
    """
    if product_ids:
        events.products_changed.send(sender=Product, product_ids=list(product_ids))


def products_were_added(product_ids: Sequence[int]) -> None:
    """Send the event that there are new products; for code that saves products itself, such as the admin's forms.

    Args:
        product_ids: of the products; nothing is sent if there are none.
    """
    if product_ids:
        events.products_added.send(sender=Product, product_ids=list(product_ids))


@dataclass(frozen=True, slots=True)
class Attachment:
    """A photo that a product gets.

    Attributes:
        product: gets the photo.
        photo: a valid photo.
        alt: alternative text.
        position: in display order; None for the end.
    """

    product: Product
    photo: Photo
    alt: str = ""
    position: int | None = None


def attach_image(
    product: Product, photo: Photo, *, alt: str = "", position: int | None = None
) -> tuple[ProductImage, bool]:
    """Attach a photo to a product, as `attach_images` does.

    Args:
        product: gets the photo.
        photo: a valid photo.
        alt: alternative text.
        position: in display order; None for the end.

    Returns:
        The image, and whether it is new.

    Raises:
        StorageUnavailable: the file cannot be written.
    """
    return attach_images([Attachment(product, photo, alt, position)])[0]


@transaction.atomic
def attach_images(attachments: Iterable[Attachment]) -> list[tuple[ProductImage, bool]]:
    """Attach photos to products, and find their roles; the same content is attached once, and stored again if its file is missing.

    Args:
        attachments: photos with their products.

    Returns:
        Each image, and whether it is new.

    Raises:
        StorageUnavailable: a file cannot be written.
    """
    attached = [result for batch in _of_different_photos(attachments) for result in _attach(batch)]
    if new := [image.pk for image, is_new in attached if is_new]:
        find_roles(new)
        events.images_changed.send(sender=ProductImage, image_ids=new)
    return attached


def _of_different_photos(attachments: Iterable[Attachment]) -> Iterator[list[Attachment]]:
    """Batches in which no product gets the same photo twice: of these the second finds the first."""
    batch: dict[tuple[int, str], Attachment] = {}
    for each in attachments:
        key = (each.product.pk, each.photo.sha256)
        if key in batch:
            yield list(batch.values())
            batch = {}
        batch[key] = each
    yield list(batch.values())


def _attach(attachments: Sequence[Attachment]) -> list[tuple[ProductImage, bool]]:
    there = ProductImage.objects.filter(
        product__in={each.product.pk for each in attachments}, sha256__in={each.photo.sha256 for each in attachments}
    )
    existing = {(image.product_id, image.sha256): image for image in there}
    ends = _last_positions({each.product.pk for each in attachments if each.position is None})
    attached: list[tuple[ProductImage, bool]] = []
    for each in attachments:
        image = existing.get((each.product.pk, each.photo.sha256))
        attached.append((image or _new_image(each, ends), image is None))
    _store([(image, each.photo) for each, (image, _) in zip(attachments, attached, strict=True)])
    ProductImage.objects.bulk_create(image for image, is_new in attached if is_new)
    for each, (image, is_new) in zip(attachments, attached, strict=True):
        if not is_new and each.position is not None and image.position != each.position:
            image.position = each.position
            arrange_images({image.pk: each.position})
    return attached


def _last_positions(product_ids: Collection[int]) -> dict[int, int]:
    """The last position of each product that has photos."""
    of_products = ProductImage.objects.filter(product__in=product_ids).order_by().values_list("product")
    return dict(of_products.annotate(Max("position")))


def _new_image(attachment: Attachment, ends: dict[int, int]) -> ProductImage:
    """The row of a photo, not saved. ends: the last positions of products, which are extended."""
    product, photo, position = attachment.product, attachment.photo, attachment.position
    if position is None:
        ends[product.pk] = position = ends.get(product.pk, -1) + 1
    return ProductImage(
        product=product,
        sha256=photo.sha256,
        alt=attachment.alt[:300],
        position=position,
        width=photo.width,
        height=photo.height,
        perceptual_hash=photo.perceptual_hash,
        source_sha256=photo.source_sha256,
        finding=photo.finding or "",
        role=ProductImage.ROLES_OF_FINDINGS.get(photo.finding or "", ProductImage.Role.PRODUCT),
    )


def _store(photos: Sequence[tuple[ProductImage, Photo]]) -> None:
    """Write the files of photos that have none, and set their paths in the media storage."""
    paths = [photo_path(image, f"photo.{photo.extension}") for image, photo in photos]
    unused_files.take(set(paths))
    stored: set[str] = set()
    for (image, photo), path in zip(photos, paths, strict=True):
        is_written = write_if_absent(path, photo.content)
        if is_written:
            file_was_written(path)
        if is_written or image.file_missing:
            stored.add(photo.sha256)
        image.file.name = path
    # All products with these photos have their files again.
    same = ProductImage.objects.filter(sha256__in=stored)
    if image_ids := list(same.values_list("pk", flat=True)):
        same.update(file_missing=False)
        events.images_changed.send(sender=ProductImage, image_ids=image_ids)


def note_missing_files(image_ids: Collection[int]) -> None:
    """Record that the files of photos are not in the media storage, so that the next import stores them again.

    Args:
        image_ids: of the photos.
    """
    ProductImage.objects.filter(pk__in=image_ids).update(file_missing=True)


@transaction.atomic
def arrange_images(positions: Mapping[int, int]) -> None:
    """Set positions of photos. positions: by image id."""
    reconsider(ProductImage.objects.filter(pk__in=positions))
    for image_id, position in positions.items():
        ProductImage.objects.filter(pk=image_id).update(position=position)


@transaction.atomic
def describe_images(texts: Mapping[int, str]) -> None:
    """Set alternative texts of photos. texts: by image id."""
    for image_id, text in texts.items():
        ProductImage.objects.filter(pk=image_id).update(alt=text)


@transaction.atomic
def remove_images(image_ids: Collection[int]) -> int:
    """Delete photos; their files are deleted later, if no other product uses them then.

    Args:
        image_ids: of the photos.

    Returns:
        Number of photos deleted.
    """
    images = list(ProductImage.objects.filter(pk__in=image_ids))
    if not images:
        return 0
    reconsider(ProductImage.objects.filter(pk__in=[image.pk for image in images]))
    events.images_removed.send(sender=ProductImage, image_ids=[image.pk for image in images])
    ProductImage.objects.filter(pk__in=[image.pk for image in images]).delete()
    unused_files.note({str(image.file.name) for image in images})
    return len(images)


@transaction.atomic
def delete_products(product_ids: Collection[int]) -> int:
    """Delete products with their photos.

    Args:
        product_ids: of the products.

    Returns:
        Number of products deleted.
    """
    lock_families()
    remove_images(list(ProductImage.objects.filter(product__in=product_ids).values_list("pk", flat=True)))
    events.products_removed.send(sender=Product, product_ids=list(product_ids))
    _, deleted = Product.objects.filter(pk__in=product_ids).delete()
    return deleted.get(Product._meta.label, 0)


@transaction.atomic
def withdraw_products(product_ids: Collection[int]) -> int:
    """Deactivate products: they are in no list or recommendation, and their photos and vectors stay.

    Args:
        product_ids: of the products.

    Returns:
        Number of products that were active.
    """
    active = list(Product.objects.filter(pk__in=product_ids, active=True).values_list("pk", flat=True))
    Product.objects.filter(pk__in=active).update(active=False, updated_at=timezone.now())
    products_were_changed(active)
    return len(active)


_PRICES = ("price", "list_price")
_FLAGS = ("available", "active")


@transaction.atomic
def change_products(changes: Mapping[int, Mapping[str, Any]]) -> dict[Product, list[str]]:
    """Set prices, stock and activity of many products with a few statements.

    Args:
        changes: by product id, the new values of `price`, `list_price`, `available` and `active`; what is not named stays.

    Returns:
        The products that were changed, each with the names of the fields; a product that was merged stays inactive.

    Raises:
        ValidationError: a price is invalid; nothing is written.
    """
    changed: dict[Product, list[str]] = {}
    # Locked in one order, as `save_products` does.
    for product in Product.objects.select_for_update().filter(pk__in=changes).order_by("pk"):
        for name, value in changes[product.pk].items():
            if getattr(product, name) == value or (name == "active" and product.merged_into_id is not None):
                continue
            if name in _PRICES and value is not None:
                _check_price(product, name, value)
            setattr(product, name, value)
            changed.setdefault(product, []).append(name)
    for name in _PRICES:
        priced = [product for product, names in changed.items() if name in names]
        Product.objects.bulk_update(priced, [name], batch_size=500)
    for name in _FLAGS:
        for value in (True, False):
            ids = [each.pk for each, names in changed.items() if name in names and getattr(each, name) is value]
            Product.objects.filter(pk__in=ids).update(**{name: value})
    product_ids = [product.pk for product in changed]
    Product.objects.filter(pk__in=product_ids).update(updated_at=timezone.now())
    products_were_changed(product_ids)
    return changed


def _check_price(product: Product, name: str, price: Decimal) -> None:
    try:
        cast("Field[Any, Any]", Product._meta.get_field(name)).run_validators(price)
    except ValidationError as error:
        raise ValidationError({name: error.messages}) from error
    if price < 0:
        raise ValidationError({name: f"the price of {product.sku} must not be negative"})


@transaction.atomic
def record_source(products: Sequence[Product], source: str, *, bring_back: Collection[int]) -> set[int]:
    """Record that a source has these products.

    Args:
        products: that the source has.
        source: its name.
        bring_back: ids of products to reactivate if they were withdrawn because they were missing.

    Returns:
        Ids of the products that were reactivated.
    """
    entries = ProductSource.objects.in_bulk([product.pk for product in products])
    ProductSource.objects.bulk_create(
        ProductSource(product=product, source=source) for product in products if product.pk not in entries
    )
    missing = {entry.pk for entry in entries.values() if entry.missing_since is not None}
    elsewhere = {entry.pk for entry in entries.values() if entry.source != source}
    if missing or elsewhere:
        ProductSource.objects.filter(pk__in=missing | elsewhere).update(source=source, missing_since=None)
    reactivated = [
        product
        for product in products
        if product.pk in missing and product.pk in bring_back and not product.active and product.merged_into_id is None
    ]
    for product in reactivated:
        product.active = True
        product.save(update_fields=["active", "updated_at"])
    products_were_changed([product.pk for product in reactivated])
    return {product.pk for product in reactivated}


@transaction.atomic
def withdraw_missing(product_ids: Collection[int]) -> int:
    """Withdraw products that their source no longer has, until it has them again.

    Args:
        product_ids: of the products.

    Returns:
        Number of products that were active.
    """
    active = list(Product.objects.filter(pk__in=product_ids, active=True).values_list("pk", flat=True))
    ProductSource.objects.filter(product__in=active).update(missing_since=timezone.now())
    return withdraw_products(active)
