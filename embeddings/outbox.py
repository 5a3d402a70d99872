"""Writes down what is to be done for the index, in the transaction of the change that calls for it."""

from __future__ import annotations

from collections.abc import Collection as AnyCollection
from collections.abc import Sequence

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Now

from catalog.models import ProductImage
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.selectors import followed_versions

State = ImageEmbedding.State


def images_covered(version: EncoderVersion) -> QuerySet[ProductImage]:
    """The photos that the version's collection covers."""
    images = ProductImage.objects.all()
    paths = list(version.collection.categories.values_list("path", flat=True))
    if not paths:
        return images
    covered = Q()
    for path in paths:
        covered |= Q(product__category__path=path) | Q(product__category__path__startswith=f"{path}/")
    return images.filter(covered)


def note_images_changed(image_ids: Sequence[int]) -> None:
    """These photos are new or have new content: each covered one is to be embedded."""
    for version in followed_versions():
        renew(version, image_ids)


def renew(version: EncoderVersion, image_ids: Sequence[int]) -> None:
    """The same, for one version."""
    hashes = dict(images_covered(version).filter(pk__in=image_ids).values_list("pk", "sha256"))
    known = ImageEmbedding.objects.filter(version=version, image_id__in=hashes)
    for row in known:
        same = row.content_hash == hashes[row.image_id]
        if same and row.state == State.PENDING:
            continue
        state = State.EMBEDDED if same and row.vector is not None else State.PENDING
        _change(known.filter(pk=row.pk), state, content_hash=hashes[row.image_id])
    enrol(version, hashes)


def enrol(version: EncoderVersion, hashes: dict[int, str]) -> int:
    """Give each photo (id -> SHA-256) a pending row unless it has one; one on its way out comes back. Returns how many had none."""
    rows = ImageEmbedding.objects.filter(version=version, image_id__in=hashes)
    back = rows.filter(state=State.REMOVED)
    _change(back.filter(vector__isnull=False), State.EMBEDDED)
    _change(back.filter(vector__isnull=True), State.PENDING)
    known = set(rows.values_list("image_id", flat=True))
    missing = [
        ImageEmbedding(version=version, image_id=image_id, content_hash=content_hash)
        for image_id, content_hash in hashes.items()
        if image_id not in known
    ]
    ImageEmbedding.objects.bulk_create(missing, ignore_conflicts=True, batch_size=500)
    return len(missing)


def note_products_changed(product_ids: Sequence[int]) -> None:
    """Details of these products changed: their points' payloads are to be updated, and photos enter or leave by category."""
    image_ids = list(ProductImage.objects.filter(product__in=product_ids).values_list("pk", flat=True))
    for version in followed_versions():
        covered = dict(images_covered(version).filter(pk__in=image_ids).values_list("pk", "sha256"))
        rows = ImageEmbedding.objects.filter(version=version, image_id__in=image_ids)
        _change(rows.exclude(image_id__in=covered).exclude(state=State.REMOVED), State.REMOVED)
        staying = rows.filter(image_id__in=covered)
        _change(staying.filter(state__in=(State.INDEXED, State.OUTDATED)), State.OUTDATED)
        # The point may be on its way with the details as they were.
        _change(staying.filter(state=State.EMBEDDED), State.EMBEDDED)
        enrol(version, covered)


def note_images_removed(image_ids: AnyCollection[int]) -> None:
    """These photos are going: their points are to be removed."""
    _change(ImageEmbedding.objects.filter(image_id__in=image_ids), State.REMOVED)


def embed_again(image_ids: AnyCollection[int]) -> None:
    """Forget the vectors of these photos in the versions in use and embed them anew, failed and forgotten ones too."""
    for version in followed_versions():
        hashes = dict(images_covered(version).filter(pk__in=image_ids).values_list("pk", "sha256"))
        rows = ImageEmbedding.objects.filter(version=version, image_id__in=hashes)
        rows.update(vector=None)
        _change(rows, State.PENDING)
        enrol(version, hashes)


def patch_again(image_ids: AnyCollection[int]) -> None:
    """Write the points of these photos anew from their stored vectors."""
    rows = ImageEmbedding.objects.filter(
        version__in=[version.pk for version in followed_versions()], image_id__in=image_ids
    )
    _change(rows.filter(state__in=(State.INDEXED, State.OUTDATED), vector__isnull=False), State.EMBEDDED)


def _change(rows: QuerySet[ImageEmbedding], state: str, *, content_hash: str | None = None) -> None:
    values: dict[str, object] = {
        "state": state,
        "revision": F("revision") + 1,
        "changed_at": Now(),
        "attempts": 0,
        "error": "",
    }
    if content_hash is not None:
        values["content_hash"] = content_hash
        values["vector"] = Case(When(content_hash=content_hash, then=F("vector")), default=Value(None))
    rows.update(**values)
