"""Saves the demo catalogue in the database, through the same services as the importers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from os import cpu_count

from django.core.exceptions import ValidationError

from catalog.models import Category, Product
from catalog.services import Attachment, attach_images, save_products
from catalog.transactions import transaction_with_files
from pictures.photos import validate_photo
from product_files.product_data import ProductData
from storefront.demo.catalogue import DemoProduct, demo_products, photo_files

# Few statements for each product, and few products to draw again after an interruption.
_SAVED_TOGETHER = 16


def load_demo(count: int = 300, on_progress: Callable[[int], object] | None = None) -> list[Product]:
    """Draw and save the demo products. Products that exist with all their photos are not changed.

    Args:
        count: number of products.
        on_progress: called with the number of products that were saved, after each few.

    Returns:
        All products of the demo, in the order of `demo_products`.
    """
    products = demo_products(count=count)
    complete = set(Product.objects.filter(sku__startswith="DEMO-", images__position=1).values_list("sku", flat=True))
    drawn = _drawn([product for product in products if product.sku not in complete])
    categories: dict[tuple[str, ...], Category] = {}
    while batch := list(islice(drawn, _SAVED_TOGETHER)):
        _save(batch, categories)
        if on_progress:
            on_progress(len(batch))
    by_sku = Product.objects.in_bulk([product.sku for product in products], field_name="sku")
    return [by_sku[product.sku] for product in products]


def _drawn(products: list[DemoProduct]) -> Iterator[tuple[DemoProduct, list[bytes]]]:
    if not products:
        return
    # Forking a process that runs threads would copy their locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(cpu_count() or 1, 8), mp_context=context) as pool:
        yield from zip(products, pool.map(photo_files, products, chunksize=8), strict=True)


@transaction_with_files()
def _save(drawn: Sequence[tuple[DemoProduct, Sequence[bytes]]], categories: dict[tuple[str, ...], Category]) -> None:
    saved = save_products([(_data(demo), None) for demo, _ in drawn], categories=categories)
    attachments: list[Attachment] = []
    for (demo, photos), result in zip(drawn, saved, strict=True):
        if isinstance(result, ValidationError):
            raise result
        for view, photo in enumerate(photos):
            alt = demo.title if view == 0 else f"{demo.title}, another view"
            attachments.append(Attachment(result[0], validate_photo(photo), alt, view))
    attach_images(attachments)


def _data(demo: DemoProduct) -> ProductData:
    return ProductData(
        sku=demo.sku, title=demo.title, description=demo.description, category=demo.category_names, brand=demo.brand,
        price=demo.price, currency=demo.currency, available=demo.available, tags=demo.tags, attributes=demo.attributes,
    )  # fmt: skip
