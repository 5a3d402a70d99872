"""Rows whose photos are links, with the photos being fetched a little ahead of the row that is saved."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Collection, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from django.conf import settings

from catalog.fetching import Fetched, Fetcher, PhotoUnreachable, Remembered
from catalog.importers.photo_files import PhotoLink
from catalog.importers.rows import PhotoSource, Row, Taken
from catalog.models import FetchedPhoto, ProductImage

# No more photos than this wait for their rows; each may have PHOTO_MAX_BYTES.
AHEAD = 16


def fetched(rows: Iterable[Row], fetcher: Fetcher, *, remember: bool = True) -> Generator[Row]:
    """The same rows, their links replaced by photos that are fetched in the background. Closes the fetcher at the end.

    What a server said of a photo is remembered, so that it is asked only whether the photo changed; a dry run remembers
    nothing. The database is used by the thread that reads the rows alone.
    """
    waiting: deque[tuple[Row, int]] = deque()
    under_way = 0
    pool = ThreadPoolExecutor(settings.FETCH_THREADS, thread_name_prefix="fetch")
    try:
        for row in rows:
            asked, count = _asked_for(row, fetcher, pool, remember=remember)
            waiting.append((asked, count))
            under_way += count
            while waiting and (max(under_way, len(waiting)) > AHEAD or not under_way):
                ready, count = waiting.popleft()
                under_way -= count
                yield ready
        while waiting:
            yield waiting.popleft()[0]
    finally:
        fetcher.close()
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Coming:
    """A photo that is being fetched. link_sha256: what it is remembered by."""

    name: str
    alt: str
    link_sha256: str
    former: Remembered | None
    future: Future[Fetched]
    remember: bool

    def take(self, known: Collection[str]) -> Taken:
        fetched = self.future.result()
        if fetched.photo is None and fetched.remembered.sha256 not in known:
            raise PhotoUnreachable("the photo was removed while it was asked for: import again")
        if self.remember and fetched.remembered != self.former:
            _remember(self.link_sha256, fetched.remembered)
        return Taken(fetched.remembered.sha256, fetched.photo)


def _asked_for(row: Row, fetcher: Fetcher, pool: ThreadPoolExecutor, *, remember: bool) -> tuple[Row, int]:
    links = {photo.name: _sha256(photo.name) for photo in row.photos or () if isinstance(photo, PhotoLink)}
    if not links or row.photos is None:
        return row, 0
    # Only of a photo that the product has may a server answer that it is unchanged.
    stored = set(ProductImage.objects.filter(product__sku=row.sku).values_list("sha256", flat=True))
    known = {
        told.link_sha256: Remembered(told.resource_sha256, told.etag, told.last_modified, told.sha256)
        for told in FetchedPhoto.objects.filter(pk__in=links.values(), sha256__in=stored)
    }

    def coming(photo: PhotoLink) -> PhotoSource:
        former = known.get(links[photo.name])
        future = pool.submit(fetcher.fetch, photo.name, former)
        return _Coming(photo.name, photo.alt, links[photo.name], former, future, remember)

    photos = tuple(coming(photo) if isinstance(photo, PhotoLink) else photo for photo in row.photos)
    return replace(row, photos=photos), len(links)


def _remember(link_sha256: str, told: Remembered) -> None:
    FetchedPhoto.objects.update_or_create(
        pk=link_sha256,
        defaults={
            "resource_sha256": told.resource,
            "etag": told.etag,
            "last_modified": told.last_modified,
            "sha256": told.sha256,
        },
    )


def _sha256(link: str) -> str:
    return hashlib.sha256(link.encode()).hexdigest()
