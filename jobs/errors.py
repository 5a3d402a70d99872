"""The errors of jobs and their uploads."""

from __future__ import annotations


class JobsError(Exception):
    """Base class of the errors that this app raises on purpose; the message says what to do."""


class UploadTooLarge(JobsError):
    """More bytes than may be sent."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the file is larger than {limit:,} bytes: divide it, or run manage.py import_catalog")
