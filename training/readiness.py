"""What a collection's own photos can teach: how many each category has, and what is wrong with them, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Count, Q

from catalog.models import Category, ProductImage
from embeddings.dataset import IMBALANCE, SMALL_CLASS
from embeddings.models import Collection, ImageEmbedding
from embeddings.selectors import covered_by

MIN_CLASSES = 2
MIN_PHOTOS_PER_CLASS = 2


class Shortcoming(StrEnum):
    """What is wrong with the photos of a category."""

    NO_PHOTO = "no_photo"
    ONE_PHOTO = "one_photo"
    FEW_PHOTOS = "few_photos"
    ONE_PRODUCT = "one_product"
    UNREADABLE = "unreadable"
    CHARTS = "charts"
    USELESS = "useless"


@dataclass(frozen=True, slots=True)
class CategoryPhotos:
    """The photos of the visible products of a category, without those of categories below it.

    Attributes:
        category: the category.
        products: how many products have a photo to train on.
        photos: how many photos there are to train on.
        unreadable: photos that could not be embedded.
        charts: charts and placeholders, which show no product of their own.
        useless: photos that are too small, or set aside by hand.
    """

    category: Category
    products: int
    photos: int
    unreadable: int
    charts: int
    useless: int

    @property
    def shortcomings(self) -> list[Shortcoming]:
        """What is wrong, the worst first."""
        checks = (
            (Shortcoming.NO_PHOTO, not self.photos),
            (Shortcoming.ONE_PHOTO, 0 < self.photos < MIN_PHOTOS_PER_CLASS),
            (Shortcoming.FEW_PHOTOS, MIN_PHOTOS_PER_CLASS <= self.photos < SMALL_CLASS),
            (Shortcoming.ONE_PRODUCT, self.photos >= MIN_PHOTOS_PER_CLASS and self.products == 1),
            (Shortcoming.UNREADABLE, self.unreadable > 0),
            (Shortcoming.CHARTS, self.charts > 0),
            (Shortcoming.USELESS, self.useless > 0),
        )
        return [shortcoming for shortcoming, applies in checks if applies]


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a collection can be trained on.

    Attributes:
        categories: those with a photo, most photos first.
        without_category: photos of products that have no category; nothing is learned of them.
    """

    categories: Sequence[CategoryPhotos]
    without_category: int

    @property
    def photos(self) -> int:
        """How many photos there are to train on."""
        return sum(each.photos for each in self.categories)

    @property
    def taught(self) -> int:
        """How many categories have a photo to train on."""
        return sum(each.photos > 0 for each in self.categories)

    @property
    def usable(self) -> int:
        """How many categories have photos enough to learn of."""
        return sum(each.photos >= MIN_PHOTOS_PER_CLASS for each in self.categories)

    @property
    def is_ready(self) -> bool:
        """Whether a training can start."""
        return self.usable >= MIN_CLASSES

    @property
    def is_imbalanced(self) -> bool:
        """Whether the largest category has many times the photos of the smallest one."""
        counts = [each.photos for each in self.categories if each.photos]
        return len(counts) > 1 and max(counts) > IMBALANCE * min(counts)


def photo_readiness(collection: Collection) -> Readiness:
    """Count the photos that a training of the collection would read.

    Args:
        collection: with or without an active version.

    Returns:
        The counts by category. Photos that cannot be read are known where the active version has tried them.
    """
    failed = ImageEmbedding.objects.filter(version=collection.active_version_id, state=ImageEmbedding.State.FAILED)
    unreadable = Q(pk__in=failed.values("image_id"))
    compared = Q(role__in=ProductImage.COMPARED)
    shown = ProductImage.objects.filter(covered_by(collection.pk, "product"), product__active=True).order_by()
    counted = shown.values_list("product__category").annotate(
        products=Count("product", distinct=True, filter=compared & ~unreadable),
        photos=Count("pk", filter=compared & ~unreadable),
        unreadable=Count("pk", filter=compared & unreadable),
        charts=Count("pk", filter=Q(role__in=ProductImage.SHARED)),
        useless=Count("pk", filter=Q(role=ProductImage.Role.IGNORED)),
    )
    rows: dict[int | None, tuple[int, ...]] = {category: tuple(counts) for category, *counts in counted}
    without = rows.pop(None, None)
    categories = Category.objects.in_bulk(rows)
    found = [CategoryPhotos(category, *rows[pk]) for pk, category in categories.items()]
    found.sort(key=lambda each: (-each.photos, each.category.path))
    return Readiness(found, without[1] if without else 0)
