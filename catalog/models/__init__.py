"""Products, photos and categories: the data that the other apps derive theirs from."""

from django.db import models
from django.db.models.functions import Length

from catalog.lookups import Among, Below
from catalog.models.categories import CATEGORY_PATH_LENGTH, Category, lineage
from catalog.models.duplicates import DuplicateDecision, DuplicatePair, DuplicateSearch
from catalog.models.feeds import Feed
from catalog.models.images import FetchedPhoto, ProductImage, ProductImageQuerySet, UnusedFile, photo_path
from catalog.models.imports import ImportDraft, ImportMapping
from catalog.models.products import (
    MAX_PRICE,
    MAX_PRODUCT_ID,
    MAX_WORDS,
    PRICE_DECIMALS,
    PRICE_DIGITS,
    Product,
    ProductQuerySet,
    ProductSource,
)
from catalog.models.stamps import Stamp

models.CharField.register_lookup(Length)
models.CharField.register_lookup(Below)
models.IntegerField.register_lookup(Among)

__all__ = [
    "CATEGORY_PATH_LENGTH",
    "MAX_PRICE",
    "MAX_PRODUCT_ID",
    "MAX_WORDS",
    "PRICE_DECIMALS",
    "PRICE_DIGITS",
    "Category",
    "DuplicateDecision",
    "DuplicatePair",
    "DuplicateSearch",
    "Feed",
    "FetchedPhoto",
    "ImportDraft",
    "ImportMapping",
    "Product",
    "ProductImage",
    "ProductImageQuerySet",
    "ProductQuerySet",
    "ProductSource",
    "Stamp",
    "UnusedFile",
    "lineage",
    "photo_path",
]
