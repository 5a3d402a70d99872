"""Import drafts: a file is uploaded once, in parts that can be resumed, and kept while its options are changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from catalog.importers.rows import ChoiceNeeded, InvalidSource, NoColumn
from catalog.importers.run import ImportOptions
from catalog.importers.sources import validate_upload
from catalog.importers.submission import UPLOAD_SUFFIX, create_import, too_large
from catalog.models import ImportDraft
from jobs.files import store_upload
from jobs.models import Job
from jobs.storage import storage_errors

SUFFIX = ".draft"
_CHUNK_BYTES = 256 * 1024


class DraftNotFound(Exception):
    """There is no such draft of this user any more."""


class WrongOffset(Exception):
    """A part does not begin where the file ends.

    Attributes:
        offset: bytes that are there.
    """

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset:,} bytes are there: go on behind them")
        self.offset = offset


def begin_draft(owner: User, file_name: str, size: int) -> ImportDraft:
    """Begin the upload of a file in parts.

    Args:
        owner: who uploads it.
        file_name: as its sender calls it.
        size: of the whole file, in bytes.

    Returns:
        The draft, with no byte yet.

    Raises:
        InvalidSource: it is empty or too large.
        StorageUnavailable: the disk does not take it.
    """
    if size <= 0:
        raise InvalidSource("the file is empty")
    if size > settings.IMPORT_MAX_BYTES:
        raise too_large(settings.IMPORT_MAX_BYTES)
    root = Path(settings.UPLOADS_ROOT)
    name = f"{uuid4()}{SUFFIX}"
    with storage_errors("what was sent", settings.UPLOADS_ROOT):
        root.mkdir(parents=True, exist_ok=True)
        (root / name).touch(mode=0o640)
    return ImportDraft.objects.create(owner=owner, file_name=file_name[-255:], size=size, upload=name)


def store_draft(owner: User, upload: BinaryIO, file_name: str) -> ImportDraft:
    """Store a whole file as a draft.

    Args:
        owner: who has sent it.
        upload: seekable.
        file_name: as its sender calls it.

    Returns:
        The complete draft.

    Raises:
        InvalidSource: it is empty or too large, or nothing can be imported from it.
        StorageUnavailable: the disk does not take it.
    """
    size = upload.seek(0, os.SEEK_END)
    if size > settings.IMPORT_MAX_BYTES:
        raise too_large(settings.IMPORT_MAX_BYTES)
    upload.seek(0)
    draft = ImportDraft(owner=owner, file_name=file_name[-255:], size=size, upload=store_upload(upload, SUFFIX))
    complete_draft(draft)
    return draft


def draft_path(draft: ImportDraft) -> Path:
    """Where the file of a draft is."""
    return Path(settings.UPLOADS_ROOT) / draft.upload


def get_draft(draft_id: UUID, owner: User) -> ImportDraft:
    """A draft of a user, whose file is still there.

    Args:
        draft_id: the draft.
        owner: whose.

    Returns:
        The draft.

    Raises:
        DraftNotFound: there is none, or its file has expired.
    """
    draft = ImportDraft.objects.filter(pk=draft_id, owner=owner).first()
    if draft is None or not draft_path(draft).is_file():
        raise DraftNotFound(
            f"the file is no longer kept: upload it again (it is kept for {settings.IMPORT_UPLOAD_KEEP_HOURS} hours)"
        )
    return draft


def offset_of(draft: ImportDraft) -> int:
    """Number of bytes of the file that are there."""
    return draft_path(draft).stat().st_size


@transaction.atomic
def append_part(draft: ImportDraft, offset: int, part: BinaryIO) -> int:
    """Write a part of the file; what arrives before an interruption stays.

    Args:
        draft: an incomplete one.
        offset: where the part begins.
        part: its bytes.

    Returns:
        Number of bytes that are there now.

    Raises:
        WrongOffset: the part begins elsewhere than where the file ends.
        InvalidSource: there are more bytes than were announced.
        StorageUnavailable: the disk does not take it.
    """
    # One part at a time: a second tab, or a retry while the first request is still being read.
    draft = ImportDraft.objects.select_for_update().get(pk=draft.pk)
    there = offset_of(draft)
    if offset != there:
        raise WrongOffset(there)
    with storage_errors("what was sent", settings.UPLOADS_ROOT), draft_path(draft).open("ab") as file:
        while chunk := part.read(_CHUNK_BYTES):
            there += len(chunk)
            if there > draft.size:
                raise InvalidSource(f"the file has more than the {draft.size:,} bytes that were announced")
            file.write(chunk)
    draft.save(update_fields=["used_at"])
    return there


def complete_draft(draft: ImportDraft) -> None:
    """Mark a file as complete, once it can be imported.

    Args:
        draft: one whose bytes are all there.

    Raises:
        InvalidSource: bytes are missing, or nothing can be imported from the file; the draft and its file are deleted then.
    """
    path = draft_path(draft)
    try:
        if offset_of(draft) != draft.size:
            raise InvalidSource(f"only {offset_of(draft):,} of {draft.size:,} bytes have arrived: upload it again")
        with contextlib.suppress(NoColumn, ChoiceNeeded):
            # It is chosen later.
            validate_upload(path, ImportOptions.from_parameters(draft.options).mapping())
    except InvalidSource as error:
        delete_draft(draft)
        raise InvalidSource(str(error).replace(str(path), draft.file_name)) from error
    draft.complete = True
    draft.save()


def delete_draft(draft: ImportDraft) -> None:
    """Delete a draft with its file. Jobs that import it keep theirs."""
    draft_path(draft).unlink(missing_ok=True)
    if not draft._state.adding:
        draft.delete()


def submit_draft(draft: ImportDraft, options: ImportOptions) -> Job:
    """Submit the import of a draft, which stays, so that its options can be changed and it can be tried again.

    Args:
        draft: a complete one.
        options: of the import; kept with the draft.

    Returns:
        The queued job.

    Raises:
        JobInProgress: an import is queued or running.
        InvalidSource: with these options nothing can be imported from it.
        StorageUnavailable: the disk does not take it.
    """
    name = f"{uuid4()}{UPLOAD_SUFFIX}"
    path = Path(settings.UPLOADS_ROOT) / name
    with storage_errors("what was sent", settings.UPLOADS_ROOT):
        # No copy: both names are in one folder.
        path.hardlink_to(draft_path(draft))
    draft.options = options.as_parameters()
    draft.save()
    return create_import(name, options, file_name=draft.file_name, draft_id=draft.pk)


def retained_drafts() -> Iterable[str]:
    """Delete drafts that nobody has used for IMPORT_UPLOAD_KEEP_HOURS, and list the files of the others."""
    expired = timezone.now() - timedelta(hours=settings.IMPORT_UPLOAD_KEEP_HOURS)
    for draft in ImportDraft.objects.filter(used_at__lte=expired):
        delete_draft(draft)
    return ImportDraft.objects.values_list("upload", flat=True)
