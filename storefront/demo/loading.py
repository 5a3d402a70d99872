"""Saves the demo catalogue in the database, through the same services as the importers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count

from catalog.models import Product
from catalog.photos import validate_photo
from catalog.services import Attachment, ProductData, attach_images, save_product
from catalog.transactions import transaction_with_files
from storefront.demo.catalogue import DemoProduct, demo_products, photo_files


def load_demo(count: int = 300, on_progress: Callable[[int], object] | None = None) -> list[Product]:
    """Draw and save the demo products. Products that exist with all their photos are not changed.

    Args:
        count: number of products.
        on_progress: called with 1 after each product that was saved.

    Returns:
        All products of the demo, in the order of `demo_products`.
    """
    products = demo_products(count=count)
    complete = set(Product.objects.filter(sku__startswith="DEMO-", images__position=1).values_list("sku", flat=True))
    for demo, photos in _drawn([product for product in products if product.sku not in complete]):
        _save(demo, photos)
        if on_progress:
            on_progress(1)
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
def _save(demo: DemoProduct, photos: list[bytes]) -> None:
    data = ProductData(
        sku=demo.sku, title=demo.title, description=demo.description, category=demo.category_names, brand=demo.brand,
        price=demo.price, currency=demo.currency, available=demo.available, tags=demo.tags, attributes=demo.attributes,
    )  # fmt: skip
    product, _ = save_product(data)
    attach_images(
        Attachment(product, validate_photo(photo), demo.title if view == 0 else f"{demo.title}, another view", view)
        for view, photo in enumerate(photos)
    )
