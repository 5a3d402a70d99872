"""The problem types of products, photos, archives and catalogues."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from catalog.errors import DryRunFileExpired, FeedNotFound, NoRejectedRows, PageNotFound, ProductMerged, ProductNotFound
from pictures import photos
from pictures.photos import ImageRejected
from pictures.turns import DecoderBusy
from product_files.containers import archives
from product_files.containers.archives import ArchiveRejected
from product_files.rows import InvalidSource
from rest.problems import RETRY_AFTER_S, TOO_LARGE, ProblemType, ProblemTypes


def _reason(error: ImageRejected | ArchiveRejected) -> dict[str, str]:
    return {"reason": str(error.reason)}


PRODUCT_NOT_FOUND = ProblemType(HTTPStatus.NOT_FOUND, "product-not-found", "Product not found")
PRODUCT_MERGED = ProblemType(HTTPStatus.CONFLICT, "product-merged", "The product was merged into another one")
FEED_NOT_FOUND = ProblemType(HTTPStatus.NOT_FOUND, "feed-not-found", "Feed not found")
PAGE_NOT_FOUND = ProblemType(HTTPStatus.NOT_FOUND, "page-not-found", "Page not found")
IMAGE_REJECTED = ProblemType(HTTPStatus.BAD_REQUEST, "image-rejected", "Invalid photo", members=_reason)
IMAGE_TOO_LARGE = replace(TOO_LARGE, members=_reason)
DECODER_BUSY = ProblemType(
    HTTPStatus.SERVICE_UNAVAILABLE, "decoder-busy", "Other large photos are being read",
    retry_after_s=RETRY_AFTER_S, log_level="info",
)  # fmt: skip
ARCHIVE_REJECTED = ProblemType(HTTPStatus.BAD_REQUEST, "archive-rejected", "Invalid archive", members=_reason)
ARCHIVE_TOO_LARGE = replace(ARCHIVE_REJECTED, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
INVALID_CATALOGUE = ProblemType(HTTPStatus.BAD_REQUEST, "unusable-catalogue", "Invalid catalogue")
NO_REJECTED_ROWS = ProblemType(HTTPStatus.NOT_FOUND, "no-rejected-rows", "No rejected rows")
DRY_RUN_FILE_EXPIRED = ProblemType(HTTPStatus.CONFLICT, "nothing-to-import", "The uploaded file is no longer available")


def _of_image(error: ImageRejected) -> ProblemType:
    return IMAGE_TOO_LARGE if error.reason is photos.PhotoRejectionReason.TOO_LARGE else IMAGE_REJECTED


def _of_archive(error: ArchiveRejected) -> ProblemType:
    return ARCHIVE_TOO_LARGE if error.reason is archives.ArchiveRejectionReason.TOO_LARGE else ARCHIVE_REJECTED


PROBLEM_TYPES: ProblemTypes = {
    ProductNotFound: PRODUCT_NOT_FOUND,
    ProductMerged: PRODUCT_MERGED,
    FeedNotFound: FEED_NOT_FOUND,
    PageNotFound: PAGE_NOT_FOUND,
    ImageRejected: _of_image,
    DecoderBusy: DECODER_BUSY,
    ArchiveRejected: _of_archive,
    InvalidSource: INVALID_CATALOGUE,
    NoRejectedRows: NO_REJECTED_ROWS,
    DryRunFileExpired: DRY_RUN_FILE_EXPIRED,
}
