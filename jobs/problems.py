"""The problem types of jobs, uploads and storage."""

from __future__ import annotations

from http import HTTPStatus

from jobs.errors import JobEnded, JobInProgress, JobNotFound, UploadTooLarge
from jobs.storage import StorageFull, StorageUnavailable
from rest.problems import RETRY_AFTER_S, TOO_LARGE, ProblemType, ProblemTypes

# Somebody has to free space first.
STORAGE_RETRY_AFTER_S = 60

JOB_NOT_FOUND = ProblemType(HTTPStatus.NOT_FOUND, "job-not-found", "Job not found")
JOB_IN_PROGRESS = ProblemType(
    HTTPStatus.CONFLICT, "job-under-way", "A job of this kind is already in progress", retry_after_s=RETRY_AFTER_S
)
JOB_ENDED = ProblemType(HTTPStatus.CONFLICT, "job-ended", "The job has already ended")
STORAGE_FULL = ProblemType(
    HTTPStatus.INSUFFICIENT_STORAGE, "storage-full", "Insufficient storage",
    detail="The server has no disk space left for this request. Retry when space is available.",
    retry_after_s=STORAGE_RETRY_AFTER_S, log_level="error",
)  # fmt: skip
STORAGE_UNAVAILABLE = ProblemType(
    HTTPStatus.SERVICE_UNAVAILABLE, "storage-unavailable", "Storage unavailable",
    detail="The server cannot reach or write its storage at the moment. Retry later.",
    retry_after_s=STORAGE_RETRY_AFTER_S, log_level="error",
)  # fmt: skip

PROBLEM_TYPES: ProblemTypes = {
    JobNotFound: JOB_NOT_FOUND,
    JobInProgress: JOB_IN_PROGRESS,
    JobEnded: JOB_ENDED,
    UploadTooLarge: TOO_LARGE,
    StorageFull: STORAGE_FULL,
    StorageUnavailable: STORAGE_UNAVAILABLE,
}
