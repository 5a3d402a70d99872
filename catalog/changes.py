"""Changes of single products by SKU, as a shop's system sends them: created or replaced, changed in part, deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError

from catalog import facts
from catalog.errors import ProductMerged, ProductNotFound
from catalog.fetching import Fetcher, FetchResult
from catalog.models import Category, Product, ProductImage
from catalog.selectors import product_id_of
from catalog.services import (
    Attachment,
    SaveResult,
    arrange_images,
    attach_images,
    delete_products,
    remove_images,
    save_products,
)
from catalog.transactions import lock_products, with_retries
from pictures.photos import ImageRejected, Photo, PhotoRejectionReason
from product_files.product_data import ProductData

MAX_PHOTOS = 10
_CATEGORY_SEPARATOR = ">"
# Who creates the same product at the same time is tried again.
_CONFLICT_WAIT_S = 0.05

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ProductChange:
    """What is to become of a product.

    Attributes:
        sku: of the product.
        values: fields of ProductData by name, except `sku`; `category` and `other_categories` as `category_names` returns them.
        photos: all of its photos, in display order; None if they stay as they are.
    """

    sku: str
    values: Mapping[str, Any]
    photos: Sequence[Photo] | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change did to a product."""

    product: Product
    result: SaveResult


ChangeResult = Changed | ProductNotFound | ProductMerged | ValidationError


def put_product(change: ProductChange) -> Changed:
    """Create the product of a SKU, or replace all of its fields; those that are not named get their defaults.

    Args:
        change: with at least a title.

    Returns:
        The product, and whether it was created.

    Raises:
        ValidationError: a field is invalid; nothing is written.
        ProductMerged: the product was merged into another one.
        StorageUnavailable: a photo cannot be stored.
    """

    def write() -> Changed:
        lock_products([change.sku], families={change.values.get("family", "")})
        (result,) = _save([change], replace=True)
        return _raised(result)

    return _in_transaction(write)


def patch_product(change: ProductChange) -> Changed:
    """Change the named fields of the product of a SKU.

    Args:
        change: any fields.

    Returns:
        The product, and whether anything changed.

    Raises:
        ProductNotFound: there is none.
        ValidationError: a field is invalid; nothing is written.
        ProductMerged: the product was merged into another one.
        StorageUnavailable: a photo cannot be stored.
    """
    product_id_of(change.sku)
    (result,) = patch_products([change])
    return _raised(result)


def patch_products(changes: Sequence[ProductChange]) -> list[ChangeResult]:
    """Change the named fields of many products in one transaction, with a few statements for all of them.

    Args:
        changes: each SKU once.

    Returns:
        For each change, in order, what it did, or why it was not made; all others are made.

    Raises:
        StorageUnavailable: the database or a photo cannot be stored; nothing is written.
    """

    def write() -> list[ChangeResult]:
        skus = [change.sku for change in changes]
        codes = {change.values["family"] for change in changes if "family" in change.values}
        known = lock_products(skus, families=codes or None)
        saved = iter(_save([change for change in changes if change.sku in known], replace=False))
        return [next(saved) if sku in known else ProductNotFound(sku=sku) for sku in skus]

    return _in_transaction(write)


def delete_product(sku: str) -> None:
    """Delete the product of a SKU, visible or not, with its photos.

    Args:
        sku: of the product.

    Raises:
        ProductNotFound: there is none.
    """
    product_id = product_id_of(sku)

    def write() -> None:
        lock_products([sku], families=set())
        if not delete_products([product_id]):
            raise ProductNotFound(sku=sku)

    _in_transaction(write)


def category_names(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read categories as clients write them.

    Args:
        texts: each the slug path of a category that exists, as products have it (`kitchen/mugs`), or names from the root down
            (`Kitchen > Mugs`).

    Returns:
        By text: names from the root down, for ProductData; () where the text has no name.
    """
    known = set(Category.objects.filter(path__in=texts).values_list("path", flat=True)) if texts else set()
    return {
        text: tuple(text.split("/"))
        if text in known
        else tuple(name for part in text.split(_CATEGORY_SEPARATOR) if (name := " ".join(part.split())))
        for text in texts
    }


class LinksRejected(Exception):
    """Photos could not be fetched. `errors`: why, by the number of the link."""

    def __init__(self, errors: Mapping[int, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors


def fetch_photos(links: Sequence[str]) -> list[Photo]:
    """Fetch photos at the same time, all of them within FETCH_DEADLINE_S.

    Args:
        links: HTTP(S) URLs.

    Returns:
        The photos, in the order of the links.

    Raises:
        LinksRejected: not all of them are usable photos from allowed servers.
    """
    if not links:
        return []
    fetcher = Fetcher()
    pool = ThreadPoolExecutor(settings.FETCH_THREADS, thread_name_prefix="fetch")
    ends_at = time.monotonic() + settings.FETCH_DEADLINE_S
    try:
        fetched = [pool.submit(fetcher.fetch, link) for link in links]
        photos, errors = [], {}
        for number, future in enumerate(fetched):
            try:
                photos.append(_photo_of(future, ends_at))
            except ImageRejected as error:
                errors[number] = str(error)
    finally:
        fetcher.close()
        pool.shutdown(wait=False, cancel_futures=True)
    if errors:
        raise LinksRejected(errors)
    return photos


def _photo_of(future: Future[FetchResult], ends_at: float) -> Photo:
    try:
        photo = future.result(max(ends_at - time.monotonic(), 0)).photo
    except TimeoutError:
        raise ImageRejected(
            PhotoRejectionReason.UNREADABLE, facts.PHOTOS_TOO_SLOW(seconds=settings.FETCH_DEADLINE_S)
        ) from None
    if photo is None:
        raise AssertionError("a request without validators gets a photo")
    return photo


def _save(changes: Sequence[ProductChange], *, replace: bool) -> list[ChangeResult]:
    """Save changes with their photos. replace: fields that are not named, too."""
    products = [
        (ProductData(sku=change.sku, **{"title": "", **change.values}), None if replace else frozenset(change.values))
        for change in changes
    ]
    results: list[ChangeResult] = []
    for change, saved in zip(changes, save_products(products), strict=True):
        if isinstance(saved, ValidationError):
            results.append(saved)
            continue
        product, result = saved
        if product.merged_into_id is not None:
            results.append(ProductMerged(change.sku))
            continue
        if change.photos is not None and _replace_photos(product, change.photos) and result is SaveResult.UNCHANGED:
            result = SaveResult.UPDATED
        results.append(Changed(product, result))
    return results


def _replace_photos(product: Product, photos: Sequence[Photo]) -> bool:
    """Give a product exactly these photos, and those that it got from merged products. Returns whether anything changed."""
    by_hash = {photo.sha256: photo for photo in photos}
    images = {image.sha256: image for image in ProductImage.objects.filter(product=product)}
    removed = [image.pk for sha256, image in images.items() if sha256 not in by_hash and not image.from_merged_product]
    moved = {
        images[sha256].pk: position
        for position, sha256 in enumerate(by_hash)
        if sha256 in images and images[sha256].position != position
    }
    added = {position: photo for position, (sha256, photo) in enumerate(by_hash.items()) if sha256 not in images}
    if removed:
        remove_images(removed)
    if moved:
        arrange_images(moved)
    attach_images(Attachment(product, photo, position=position) for position, photo in added.items())
    return bool(removed or moved or added)


def _raised(result: ChangeResult) -> Changed:
    if isinstance(result, Changed):
        return result
    raise result


def _in_transaction(write: Callable[[], Result]) -> Result:
    return with_retries(write, wait_s=_CONFLICT_WAIT_S, check_foreign_keys=True)
