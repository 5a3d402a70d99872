"""Roles of photos: a size chart or a placeholder that many products share says nothing about how any of them looks.

New photos are looked at with the products that have the same picture, by its bytes, or re-saved: a perceptual hash and the pixels
of a small version that differ no more than two encodings of one picture do. What a person has chosen stays, and decides for all
products with the picture.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, cast

import numpy as np
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from numpy.typing import NDArray
from PIL import Image

from catalog import events
from catalog.models import ProductImage
from catalog.transactions import with_retries
from pictures.perceptual_hash import HASH_BITS
from pictures.photos import ImageRejected, open_rgb

logger = logging.getLogger(__name__)

Role = ProductImage.Role
RoleSource = ProductImage.RoleSource

BATCH = 500
_CONFLICT_WAIT_S = 0.5

# A picture is a chart if so many families have it behind main photos of their own, and few as their main photo.
_CHART_FAMILIES = 2
_CHART_MAX_MAIN_SHARE = 1 / 5
# A picture is a placeholder if it is the main photo of so many families that are unlike each other: of different departments, or,
# where there are more of them, without a word that half of their titles have in common.
_PLACEHOLDER_FAMILIES = 3
_PLACEHOLDER_FAMILIES_BY_TITLE = 5
_COMMON_WORD_SHARE = 1 / 2
_WORD = re.compile(r"[^\W\d_]{2,}")

# What a picture is in other products is decided by the newest of them.
_SAMPLE = 64
# Of products whose photos have nearly the same hash, so many pictures are looked at.
_MAX_LOOKALIKES = 16
# Photos whose near hashes, 64 of each, are looked up in one query.
_HASHES_TOGETHER = 100
# The most that two encodings of one picture (JPEG quality 60 to 95) differed for 150 real photos: 3 bits of the hash, 1 in 98%; at
# 64 x 64 pixels 34 of 255 levels in one pixel, and 3.4 in the mean. A hash of which one bit differs is found by an index.
_KNOWN_HASH_BITS = 4
_SIDE = 64
_MAX_LEVELS, _MAX_MEAN_LEVELS = 40, 4.0


@dataclass(frozen=True, slots=True)
class Sharer:
    """A product that has a picture.

    Attributes:
        family: id of its main product, or its own.
        is_main: whether the picture is its first photo.
        main_photo: SHA-256 of its first photo.
        department: the first slug of its category's path; "" without a category.
        title: of the product.
    """

    family: int
    is_main: bool
    main_photo: str
    department: str
    title: str


def role_of_shared(sharers: Iterable[Sharer]) -> ProductImage.Role:
    """What a picture is, by the products that have it.

    Args:
        sharers: products with the same picture.

    Returns:
        `placeholder` if it stands for products that are unlike each other, `chart` if it stands behind their own main photos,
        otherwise `product`: one thing may be listed several times.
    """
    known = list(sharers)
    main = {each.family: each for each in known if each.is_main}
    behind = {each.family: each for each in known if not each.is_main}
    if _are_unlike([*main.values()]):
        return Role.PLACEHOLDER
    own_photos = {each.main_photo for each in behind.values()}
    is_behind = min(len(behind), len(own_photos)) >= _CHART_FAMILIES
    if is_behind and len(main) <= _CHART_MAX_MAIN_SHARE * (len(main) + len(behind)):
        return Role.CHART
    return Role.PRODUCT


def _are_unlike(sharers: Sequence[Sharer]) -> bool:
    """Whether products, one of each family, are too different to look the same."""
    if len(sharers) < _PLACEHOLDER_FAMILIES:
        return False
    if len({each.department for each in sharers if each.department}) > 1:
        return True
    words = Counter(word for each in sharers for word in {*_WORD.findall(each.title.casefold())})
    common = max(words.values(), default=0)
    return len(sharers) >= _PLACEHOLDER_FAMILIES_BY_TITLE and common < _COMMON_WORD_SHARE * len(sharers)


@transaction.atomic
def choose_roles(roles: dict[int, str]) -> int:
    """Give photos the roles that a person has chosen, and with them all photos of the same bytes.

    Args:
        roles: values of Role by image id; "" to have the role found again.

    Returns:
        Number of photos whose role is another one now.
    """
    changed = 0
    for image in ProductImage.objects.filter(pk__in=roles):
        picture = ProductImage.objects.filter(sha256=image.sha256)
        if role := roles[image.pk]:
            changed += _give(picture, Role(role), RoleSource.CHOSEN)
        else:
            picture.update(role_source=RoleSource.PENDING)
        _reconsider(_saved_anew(image))
        changed += find_roles([*(picture | _saved_anew(image)).values_list("pk", flat=True)])
    return changed


def reconsider(images: QuerySet[ProductImage]) -> None:
    """Have the roles of photos found again, and with them those of the same pictures in other products.

    For photos that are about to be deleted, or that move to another place, product or family. A role that was chosen stays.

    Args:
        images: the photos; their rows still exist.
    """
    shared = images.filter(role__in=ProductImage.SHARED).values_list("sha256", flat=True)
    for sha256 in {*shared}:
        picture = ProductImage.objects.filter(sha256=sha256)
        # Of more products it is still shared when some of them go.
        if len(picture.values_list("pk", flat=True)[: _SAMPLE + 1]) <= _SAMPLE:
            _reconsider(picture)
    _reconsider(ProductImage.objects.filter(product__in=images.order_by().values("product")))


def _reconsider(images: QuerySet[ProductImage]) -> None:
    images.filter(role_source=RoleSource.FOUND).update(role_source=RoleSource.PENDING)


def find_roles(image_ids: Collection[int] | None = None) -> int:
    """Find the roles of photos that were not looked at yet.

    Args:
        image_ids: of the photos; None for all.

    Returns:
        Number of photos, of these and of others with the same picture, whose role is another one now.
    """
    waiting = ProductImage.objects.filter(role_source=RoleSource.PENDING)
    if image_ids is not None:
        waiting = waiting.filter(pk__in=image_ids)
    changed, last = 0, 0
    while images := list(_with_relatives(waiting.filter(pk__gt=last))[:BATCH]):
        last = images[-1].pk
        changed += _find_roles(images)
        if len(images) < BATCH:
            break
    return changed


def find_waiting_roles() -> int:
    """Find the roles of all photos that wait for it, as `find_roles` does; beside imports, which may have the same photos."""
    return with_retries(find_roles, wait_s=_CONFLICT_WAIT_S)


@transaction.atomic
def _find_roles(images: Sequence[Any]) -> int:
    known_hashes = _known_hashes(images)
    files = _files_by_hash(images)
    own: dict[ProductImage.Role, list[int]] = {}
    changed, done = 0, set[str]()
    for image in images:
        if image.sha256 in done:
            continue
        role = _role_alone(image, known_hashes)
        if role is not None:
            own.setdefault(role, []).append(image.pk)
            continue
        # Its own file is one of them.
        may_be_saved_anew = sum(files.get(each, 0) for each in _near_hashes(image)) > 1
        group = [image.sha256, *(_lookalikes(image) if may_be_saved_anew else ())]
        if len(group) == 1 and not image.is_shared:
            own.setdefault(Role.PRODUCT, []).append(image.pk)
            continue
        done.update(group)
        same = ProductImage.objects.filter(sha256__in=group)
        chosen = same.filter(role_source=RoleSource.CHOSEN).order_by("-pk").values_list("role", flat=True).first()
        role = role_of_shared(_sharers(same)) if chosen is None else Role(chosen)
        changed += _give(same, role, RoleSource.FOUND)
    for role, image_ids in own.items():
        changed += _give(ProductImage.objects.filter(pk__in=image_ids), role, RoleSource.FOUND)
    return changed


def _role_alone(image: Any, known_hashes: NDArray[np.uint64]) -> ProductImage.Role | None:
    """The role of a photo of nothing, or of a picture whose role is known from another product; None for others."""
    if image.finding:
        return ProductImage.ROLES_OF_FINDINGS[image.finding]
    if image.known_role:
        return Role(image.known_role)
    if image.perceptual_hash and len(known_hashes):
        bits = np.bitwise_count(known_hashes ^ np.uint64(image.perceptual_hash))
        for known in known_hashes[bits <= _KNOWN_HASH_BITS][:_MAX_LOOKALIKES].tolist():
            others = ProductImage.objects.filter(perceptual_hash=known).exclude(role_source=RoleSource.PENDING)
            for other in others.filter(role__in=ProductImage.SHARED).exclude(sha256=image.sha256).order_by("-pk")[:1]:
                if _show_the_same(str(image.file.name), str(other.file.name)):
                    return Role(other.role)
    return None


def _known_hashes(images: Sequence[ProductImage]) -> NDArray[np.uint64]:
    """uint64 [n]: perceptual hashes of charts and placeholders; none if no photo is to be compared with them."""
    if not any(image.perceptual_hash for image in images):
        return np.zeros(0, dtype=np.uint64)
    found = ProductImage.objects.filter(role__in=ProductImage.SHARED, perceptual_hash__gt=0)
    hashes = found.order_by().values_list("perceptual_hash", flat=True).distinct()
    return np.array([*hashes], dtype=np.uint64)


def _lookalikes(image: ProductImage) -> list[str]:
    """SHA-256 of other files with the same picture."""
    candidates = _saved_anew(image).exclude(product=image.product_id).exclude(sha256=image.sha256).order_by("-pk")
    files = dict(candidates.values_list("sha256", "file")[:_MAX_LOOKALIKES])
    return [sha256 for sha256, name in files.items() if _show_the_same(str(image.file.name), str(name))]


def _saved_anew(image: ProductImage) -> QuerySet[ProductImage]:
    """Photos whose hash differs in one bit at most; those of one colour have none."""
    return ProductImage.objects.filter(perceptual_hash__in=_near_hashes(image))


def _near_hashes(image: ProductImage) -> list[int]:
    """The hash of a photo, and all that differ from it in one bit; none for a photo of one colour."""
    own = image.perceptual_hash
    return [own, *(own ^ (1 << bit) for bit in range(HASH_BITS))] if own else []


def _files_by_hash(images: Sequence[ProductImage]) -> dict[int, int]:
    """How many files have each of the hashes near those of photos. In few queries: most photos are like no other."""
    files: dict[int, int] = {}
    for start in range(0, len(images), _HASHES_TOGETHER):
        near = {each for image in images[start : start + _HASHES_TOGETHER] for each in _near_hashes(image)}
        rows = ProductImage.objects.filter(perceptual_hash__in=near).order_by().values_list("perceptual_hash")
        files |= dict(rows.annotate(Count("sha256", distinct=True)))
    return files


def _show_the_same(one: str, other: str) -> bool:
    """Whether two files, named by their paths in the media storage, have the same picture; not if one cannot be read."""
    try:
        apart = np.abs(_pixels(one) - _pixels(other))
    except (OSError, ImageRejected) as error:
        logger.warning("the photos %s and %s are not compared: %s", one, other, error)
        return False
    return bool(apart.max() <= _MAX_LEVELS and apart.mean() <= _MAX_MEAN_LEVELS)


@lru_cache(maxsize=256)
def _pixels(name: str) -> NDArray[np.int16]:
    """int16 [64, 64, 3]: a small version of a stored photo. Files are named by their content. Raises OSError, ImageRejected."""
    with default_storage.open(name) as file:
        picture = open_rgb(cast("BinaryIO", file), min_side=_SIDE)
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.int16)


def _with_relatives(images: QuerySet[ProductImage]) -> QuerySet[Any]:
    """Photos with `known_role`, that of the same bytes elsewhere, and `is_shared`, whether another product has them."""
    same = ProductImage.objects.filter(sha256=OuterRef("sha256")).exclude(pk=OuterRef("pk")).order_by("-pk")
    settled = same.exclude(role_source=RoleSource.PENDING)
    decisive = settled.filter(Q(role_source=RoleSource.CHOSEN) | Q(role__in=ProductImage.SHARED))
    return images.order_by("pk").annotate(
        known_role=Coalesce(
            Subquery(settled.filter(role_source=RoleSource.CHOSEN).values("role")[:1]),
            Subquery(decisive.values("role")[:1]),
        ),
        is_shared=Exists(same.exclude(product=OuterRef("product")).order_by()),
    )


def _sharers(images: QuerySet[ProductImage]) -> list[Sharer]:
    """The products of these photos, the newest ones."""
    first = ProductImage.objects.filter(product=OuterRef("product")).order_by("position", "id")
    rows = (
        images.annotate(
            family=Coalesce("product__variant_of", "product"),
            first=Subquery(first.values("pk")[:1]),
            main_photo=Subquery(first.values("sha256")[:1]),
        )
        .order_by("-pk")
        .values_list("pk", "family", "first", "main_photo", "product__category__path", "product__title")
    )
    return [
        Sharer(family, pk == first, main_photo, (path or "").split("/")[0], title)
        for pk, family, first, main_photo, path, title in rows[:_SAMPLE]
    ]


def _give(images: QuerySet[ProductImage], role: ProductImage.Role, source: ProductImage.RoleSource) -> int:
    """Give photos a role, and say so to who compares them. A role that was found replaces none that was chosen."""
    if source is RoleSource.FOUND:
        images = images.exclude(role_source=RoleSource.CHOSEN)
    # Locked in one order, for two imports that share a picture.
    rows = dict(images.select_for_update().order_by("pk").values_list("pk", "role"))
    ProductImage.objects.filter(pk__in=rows).update(role=role, role_source=source)
    was_compared = [
        pk for pk, before in rows.items() if (before in ProductImage.COMPARED) != (role in ProductImage.COMPARED)
    ]
    if was_compared:
        events.images_changed.send(sender=ProductImage, image_ids=was_compared)
    return sum(before != role for before in rows.values())
