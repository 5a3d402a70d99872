"""Fetches photos given as links, a few photos ahead of the row that is being saved."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from django.conf import settings

from catalog.fetching import CacheEntry, Fetcher, FetchResult, PhotoUnreachable
from catalog.media import is_missing
from catalog.models import FetchedPhoto, ProductImage
from product_files.photo_files import PhotoLink
from product_files.rows import LoadedPhoto, PhotoSource, Row

# Maximum number of photos fetched ahead; each may have PHOTO_MAX_BYTES.
PREFETCH_COUNT = 16


def fetch_photos(rows: Iterable[Row], fetcher: Fetcher, *, save_cache: bool = True) -> Generator[Row]:
    """Replace links by photos that are fetched in the background. Closes the fetcher at the end.

    Only the thread that iterates uses the database.

    Args:
        rows: of a source, in its order.
        fetcher: fetches the photos.
        save_cache: store ETag and Last-Modified of each photo, so that the next import fetches it only if it changed.

    Yields:
        The same rows, in the same order.
    """
    waiting: deque[tuple[Row, int]] = deque()
    in_flight = 0
    pool = ThreadPoolExecutor(settings.FETCH_THREADS, thread_name_prefix="fetch")
    try:
        for row in rows:
            pending, count = _start_fetching(row, fetcher, pool, save_cache=save_cache)
            waiting.append((pending, count))
            in_flight += count
            while waiting and (max(in_flight, len(waiting)) > PREFETCH_COUNT or not in_flight):
                ready, count = waiting.popleft()
                in_flight -= count
                yield ready
        while waiting:
            yield waiting.popleft()[0]
    finally:
        fetcher.close()
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _PendingPhoto:
    """A photo that is being fetched. link_sha256: key of its cache entry. cached: the entry so far."""

    name: str
    alt: str
    link_sha256: str
    cached: CacheEntry | None
    future: Future[FetchResult]
    save_cache: bool

    def load(self, known_hashes: Mapping[str, str]) -> LoadedPhoto:
        result = self.future.result()
        if result.photo is None and result.cache_entry.sha256 not in known_hashes:
            raise PhotoUnreachable("the photo was removed while it was fetched: import again")
        if self.save_cache and result.cache_entry != self.cached:
            _store_cache_entry(self.link_sha256, result.cache_entry)
        return LoadedPhoto(result.cache_entry.sha256, result.photo)


def _start_fetching(row: Row, fetcher: Fetcher, pool: ThreadPoolExecutor, *, save_cache: bool) -> tuple[Row, int]:
    links = {photo.name: _sha256(photo.name) for photo in row.photos or () if isinstance(photo, PhotoLink)}
    if not links or row.photos is None:
        return row, 0
    # A conditional request makes sense only for a photo that the product has, with its file.
    photos_of = ProductImage.objects.filter(product__sku=row.sku).values_list("sha256", "file", "file_missing")
    stored = {sha256 for sha256, name, noted in photos_of if not is_missing(name, noted=noted)}
    cache = {
        entry.link_sha256: CacheEntry(entry.resource_sha256, entry.etag, entry.last_modified, entry.sha256)
        for entry in FetchedPhoto.objects.filter(pk__in=links.values(), sha256__in=stored)
    }

    def pending(photo: PhotoLink) -> PhotoSource:
        cached = cache.get(links[photo.name])
        future = pool.submit(fetcher.fetch, photo.name, cached)
        return _PendingPhoto(photo.name, photo.alt, links[photo.name], cached, future, save_cache)

    photos = tuple(pending(photo) if isinstance(photo, PhotoLink) else photo for photo in row.photos)
    return replace(row, photos=photos), len(links)


def _store_cache_entry(link_sha256: str, entry: CacheEntry) -> None:
    FetchedPhoto.objects.update_or_create(
        pk=link_sha256,
        defaults={
            "resource_sha256": entry.resource,
            "etag": entry.etag,
            "last_modified": entry.last_modified,
            "sha256": entry.sha256,
        },
    )


def _sha256(link: str) -> str:
    return hashlib.sha256(link.encode()).hexdigest()
