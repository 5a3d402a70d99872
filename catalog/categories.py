"""Renames and moves categories.

SQL finds the products under the new path at once, the vector index as soon as it has their new payloads. A category with many
products is followed by a job that enqueues them in batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet

from catalog.models import CATEGORY_PATH_LENGTH, Category, Product
from catalog.services import products_were_changed
from jobs.models import Job
from jobs.progress import ProgressCallback
from jobs.services import create_job
from product_files.product_data import category_slug

# The name of the kind of job.
MOVE = "move"
# Up to this many products are enqueued at once, with the category itself; more are a job.
MAX_PRODUCTS_AT_ONCE = 1000
_BATCH_PRODUCTS = 1000


@dataclass(frozen=True, slots=True)
class CategoryChange:
    """What saving a category did. job: follows with its products, None if that is done."""

    category: Category
    job: Job | None = None


@transaction.atomic
def save_category(category: Category) -> CategoryChange:
    """Save a category; a new path changes the paths of its whole subtree.

    Args:
        category: with its new fields.

    Returns:
        The category, with the job that enqueues its products if there are many.

    Raises:
        ValidationError: a field is invalid.
        JobInProgress: its products are many, and another category is being moved; nothing is changed.
    """
    old_path = category.path
    category.slug = category.slug or category_slug(category.name)
    category.path = f"{category.parent.path}/{category.slug}" if category.parent else category.slug
    category.full_clean(exclude=["path"])
    category.save()
    if not old_path or old_path == category.path:
        return CategoryChange(category)
    subtree = _subtree(old_path)
    for descendant in subtree:
        descendant.path = category.path + descendant.path[len(old_path) :]
    Category.objects.bulk_update(subtree, ["path"])
    products = list(_products_below(category.path).values_list("pk", flat=True)[: MAX_PRODUCTS_AT_ONCE + 1])
    if len(products) > MAX_PRODUCTS_AT_ONCE:
        parameters = {"category": category.pk, "from": old_path, "to": category.path}
        return CategoryChange(category, create_job(MOVE, parameters=parameters))
    products_were_changed(products)
    return CategoryChange(category)


def has_too_long_path_below(category: Category, path: str) -> bool:
    """Whether a category below this one would have a path that no column takes.

    Args:
        category: as the database has it.
        path: its new one.

    Returns:
        False where nothing is below it.
    """
    longer = len(path) - len(category.path)
    return any(len(each.path) + longer > CATEGORY_PATH_LENGTH for each in _subtree(category.path))


def _subtree(path: str) -> list[Category]:
    """The categories below this path."""
    return list(Category.objects.filter(path__below=path))


def enqueue_products_of(category_id: int, on_progress: ProgressCallback) -> int:
    """Enqueue the products of a category that was renamed or moved, a batch in a transaction. Safe to repeat.

    Args:
        category_id: the category; one that was deleted has no products.
        on_progress: called with the stage "products", the products so far, and their number.

    Returns:
        Number of products.
    """
    path = Category.objects.filter(pk=category_id).values_list("path", flat=True).first()
    if path is None:
        return 0
    total, done = _products_below(path).count(), 0
    for batch in _batches(path):
        with transaction.atomic():
            products_were_changed(batch)
        done += len(batch)
        on_progress("products", done, max(total, done))
    return done


def _products_below(path: str) -> QuerySet[Product]:
    """The products of a category and of those below it, whether it is their main category or another."""
    subtree = Category.objects.filter(Q(path=path) | Q(path__below=path))
    others = Product.other_categories.through.objects.filter(category__in=subtree)
    return Product.objects.filter(Q(category__in=subtree) | Q(pk__in=others.values("product"))).order_by("pk")


def _batches(path: str) -> Iterator[Sequence[int]]:
    """Ids in batches by keyset, so that neither memory nor a cursor grows with the products."""
    last = 0
    while batch := list(_products_below(path).filter(pk__gt=last).values_list("pk", flat=True)[:_BATCH_PRODUCTS]):
        yield batch
        last = batch[-1]
