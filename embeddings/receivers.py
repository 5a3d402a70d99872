"""Receivers of the catalogue's signals: write the outbox in the transaction of the change, and dispatch it after the commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.signals import post_delete, post_migrate

from catalog import events
from catalog.models import ProductImage
from embeddings import background, outbox, tasks, text_outbox, versions
from embeddings.models import Collection, CollectionCategory
from jobs.services import cancel_all_of


def connect() -> None:
    """Connect the receivers once, when the app is ready."""
    events.images_changed.connect(on_images_changed, dispatch_uid="embeddings.images_changed")
    events.products_changed.connect(on_products_changed, dispatch_uid="embeddings.products_changed")
    events.products_added.connect(on_products_added, dispatch_uid="embeddings.products_added")
    events.products_removed.connect(on_products_removed, dispatch_uid="embeddings.products_removed")
    events.images_removed.connect(on_images_removed, dispatch_uid="embeddings.images_removed")
    events.categories_emptied.connect(on_categories_emptied, dispatch_uid="embeddings.categories_emptied")
    post_migrate.connect(on_migrated, dispatch_uid="embeddings.default_collection")
    post_delete.connect(on_collection_deleted, sender=Collection, dispatch_uid="embeddings.collection_deleted")


def on_images_changed(*, image_ids: Sequence[int], **_: Any) -> None:
    """Enqueue photos to be embedded."""
    outbox.enqueue_images(image_ids)
    dispatch_indexing(image_ids)


def on_products_changed(*, product_ids: Sequence[int], **_: Any) -> None:
    """Enqueue payload updates and texts."""
    outbox.enqueue_products(product_ids)
    dispatch_indexing(list(ProductImage.objects.filter(product__in=product_ids).values_list("pk", flat=True)))
    on_products_added(product_ids=product_ids)


def on_products_added(*, product_ids: Sequence[int], **_: Any) -> None:
    """Enqueue texts."""
    text_outbox.enqueue_texts(product_ids)
    dispatch_texts(product_ids)


def on_products_removed(*, product_ids: Sequence[int], **_: Any) -> None:
    """Enqueue deletions of texts."""
    text_outbox.enqueue_text_removals(product_ids)
    dispatch_texts(product_ids)


def on_images_removed(*, image_ids: Sequence[int], **_: Any) -> None:
    """Enqueue deletions of points."""
    outbox.enqueue_removals(image_ids)
    dispatch_indexing(image_ids)


def on_categories_emptied(*, paths: Sequence[str], **_: Any) -> str | None:
    """Say which collections cover categories that have no products any more."""
    covered = CollectionCategory.objects.filter(category__path__in=paths).order_by("category__path", "collection__slug")
    texts = [
        f"the category {path} has no products any more, and the collection {slug} covers it: if it was renamed, choose the new"
        " category on the page of the collection"
        for path, slug in covered.values_list("category__path", "collection__slug")
    ]
    return "; ".join(texts) or None


def on_collection_deleted(*, instance: Collection, **_: Any) -> None:
    """Cancel the jobs of a deleted collection. A model signal covers every way of deletion."""
    cancel_all_of(instance.slug)


def on_migrated(*, app_config: Any, **_: Any) -> None:
    """Create the default collection in a new database."""
    if app_config.label == "embeddings":
        versions.ensure_default_collection()


def dispatch_indexing(image_ids: Sequence[int] | None) -> None:
    """Dispatch the processing of outbox rows after the commit. If the message is lost, the periodic task sends it again.

    Args:
        image_ids: photos of the rows; None for all due rows.
    """
    _after_commit(_Photos, image_ids)


def dispatch_texts(product_ids: Sequence[int]) -> None:
    """Dispatch the processing of texts after the commit, as `dispatch_indexing` does that of photos."""
    _after_commit(_Texts, product_ids)


class _Dispatch:
    """Sends what a transaction changes once it is committed."""

    def __init__(self, ids: Sequence[int] | None) -> None:
        self._ids = None if ids is None else dict.fromkeys(ids)

    def add(self, ids: Iterable[int] | None) -> None:
        """Send these, too; None: all that are due."""
        if ids is None or self._ids is None:
            self._ids = None
        else:
            self._ids.update(dict.fromkeys(ids))

    def __call__(self) -> None:
        if settings.CELERY_BROKER_URL:
            self.send(None if self._ids is None else list(self._ids))
        else:
            background.wake_outbox()

    def send(self, ids: Sequence[int] | None) -> None:
        """Send them to the workers."""
        raise NotImplementedError


class _Photos(_Dispatch):
    def send(self, ids: Sequence[int] | None) -> None:
        tasks.dispatch_indexing(ids)


class _Texts(_Dispatch):
    def send(self, ids: Sequence[int] | None) -> None:
        tasks.dispatch_texts(ids or ())


def _after_commit(kind: type[_Dispatch], ids: Sequence[int] | None) -> None:
    savepoints = set(connection.savepoint_ids)
    for made_in, waiting, *_ in connection.run_on_commit:
        # One message for all that a transaction changes, each row of an import in a savepoint of its own. Photos of a savepoint
        # that is rolled back later are sent for nothing, which does no harm: no row of theirs is due.
        if isinstance(waiting, kind) and (made_in <= savepoints or not made_in & savepoints):
            waiting.add(ids)
            return
    transaction.on_commit(kind(ids))
