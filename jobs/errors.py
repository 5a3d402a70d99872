"""The errors of jobs and their uploads."""

from __future__ import annotations


class JobsError(Exception):
    """Base class of the errors that this app raises on purpose; the message says what to do."""


class JobInProgress(JobsError):
    """A job of this kind is already active for the same collection."""


class JobNotFound(JobsError):
    """There is no job with this id."""


class JobEnded(JobsError):
    """The job has ended, so it cannot be changed any more."""


class UploadTooLarge(JobsError):
    """More bytes than may be sent."""

    def __init__(self, limit: int, remedy: str = "") -> None:
        """Say what is too much.

        Args:
            limit: in bytes.
            remedy: what its sender can do about it.
        """
        super().__init__(f"the file is larger than {limit:,} bytes{remedy and f': {remedy}'}")
