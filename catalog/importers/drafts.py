"""Import drafts: a file is uploaded once, in parts that can be resumed, and kept while its options are changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.http import UnreadablePostError
from django.utils import timezone

from accounts.models import User
from catalog.importers.run import ImportOptions
from catalog.importers.submission import UPLOAD_SUFFIX, create_import, too_large
from catalog.models import Feed, ImportDraft
from jobs import storage_facts
from jobs.facts import replaced
from jobs.files import delete_stored, store_upload
from jobs.models import Job
from jobs.storage import storage_errors
from pictures import photo_facts
from product_files import file_facts
from product_files.rows import ChoiceNeeded, InvalidSource, NoColumn
from product_files.sources import validate_upload
from rest.json_text import UNSTORABLE
from stores import base as stores
from stores.errors import StoreError

SUFFIX = ".draft"
_CHUNK_BYTES = 256 * 1024
# Of a part; a larger one is on the disk while it arrives. The page of an import sends parts of 8 MiB.
_IN_MEMORY_BYTES = 1024 * 1024


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
        raise InvalidSource(photo_facts.FILE_EMPTY())
    if size > settings.IMPORT_MAX_BYTES:
        raise too_large(settings.IMPORT_MAX_BYTES)
    name, store = f"{uuid4()}{SUFFIX}", stores.uploads()
    with storage_errors(storage_facts.WHAT_WAS_SENT(), store.place):
        key = store.begin_parts(name)
    shown = UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", file_name[-255:])
    return ImportDraft.objects.create(owner=owner, file_name=shown, size=size, upload=name, upload_key=key)


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


def begin_draft_of_feed(owner: User, feed: Feed) -> ImportDraft:
    """Begin a draft that gets the file of a feed, once a job has downloaded it.

    Args:
        owner: who looks at it.
        feed: the feed.

    Returns:
        The draft, without a file yet.
    """
    upload = f"{uuid4()}{SUFFIX}"
    return ImportDraft.objects.create(
        owner=owner, file_name=feed.name, size=0, upload=upload, feed=feed, options=feed.options
    )


def local_draft(draft: ImportDraft) -> AbstractContextManager[Path]:
    """The file of a draft on a disk of this machine, to be read until the block ends. Raises OSError."""
    return stores.uploads().local(draft.upload)


def get_draft(draft_id: UUID, owner: User) -> ImportDraft:
    """A draft of a user, whose file is still there.

    Args:
        draft_id: the draft.
        owner: whose.

    Returns:
        The draft.

    Raises:
        DraftNotFound: there is none, or its file has expired.
        StorageUnavailable: the store is away.
    """
    draft = ImportDraft.objects.filter(pk=draft_id, owner=owner).first()
    if draft is None or _size(draft) is None:
        raise DraftNotFound(file_facts.UPLOAD_EXPIRED(hours=settings.IMPORT_UPLOAD_KEEP_HOURS))
    return draft


def offset_of(draft: ImportDraft) -> int:
    """Number of bytes of the file that are there. Raises StorageUnavailable."""
    return _size(draft) or 0


def _size(draft: ImportDraft) -> int | None:
    store = stores.uploads()
    with storage_errors(storage_facts.WHAT_WAS_SENT(), store.place):
        return store.parts_size(draft.upload, draft.upload_key)


def append_part(draft: ImportDraft, offset: int, part: BinaryIO) -> int:
    """Write a part of the file; what arrives before an interruption stays.

    Args:
        draft: an incomplete one.
        offset: where the part begins.
        part: its bytes.

    Returns:
        Number of bytes that are there now: of a part that is not the last, a bucket keeps nothing below 5 MiB.

    Raises:
        WrongOffset: the part begins elsewhere than where the file ends.
        InvalidSource: there are more bytes than were announced.
        StorageUnavailable: the disk does not take it.
    """
    _check_offset(draft, offset)
    # Received before the transaction: it comes as slowly as its sender's line, and SQLite lets nobody else write meanwhile.
    with SpooledTemporaryFile(_IN_MEMORY_BYTES) as received:
        _receive(part, cast("BinaryIO", received), draft.size - offset, draft)
        received.seek(0)
        return _append(draft, offset, cast("BinaryIO", received))


def _check_offset(draft: ImportDraft, offset: int) -> None:
    if offset != (there := offset_of(draft)):
        raise WrongOffset(there)


def _receive(part: BinaryIO, file: BinaryIO, missing: int, draft: ImportDraft) -> None:
    """Write a part to a file, as much of it as arrives."""
    with contextlib.suppress(UnreadablePostError):
        while chunk := part.read(_CHUNK_BYTES):
            missing -= len(chunk)
            if missing < 0:
                raise InvalidSource(file_facts.UPLOAD_TOO_LONG(size=draft.size))
            with storage_errors(storage_facts.WHAT_WAS_SENT(), storage_facts.TEMPORARY_FOLDER()):
                file.write(chunk)


@transaction.atomic
def _append(draft: ImportDraft, offset: int, received: BinaryIO) -> int:
    # One part at a time: a second tab, or a retry while the first request is still being read.
    draft = ImportDraft.objects.select_for_update().get(pk=draft.pk)
    _check_offset(draft, offset)
    store, chunks = stores.uploads(), iter(partial(received.read, _CHUNK_BYTES), b"")
    with storage_errors(storage_facts.WHAT_WAS_SENT(), store.place):
        there = offset + store.append_part(draft.upload, draft.upload_key, chunks, missing=draft.size - offset)
    draft.save(update_fields=["used_at"])
    return there


def complete_draft(draft: ImportDraft) -> None:
    """Mark a file as complete, once it can be imported.

    Args:
        draft: one whose bytes are all there.

    Raises:
        InvalidSource: bytes are missing, or nothing can be imported from the file; the draft and its file are deleted then.
        StorageUnavailable: the store is away.
    """
    store = stores.uploads()
    try:
        if offset_of(draft) != draft.size:
            raise InvalidSource(file_facts.UPLOAD_INCOMPLETE(arrived=offset_of(draft), size=draft.size))
        with storage_errors(storage_facts.WHAT_WAS_SENT(), store.place):
            if draft.upload_key:
                store.end_parts(draft.upload, draft.upload_key)
                draft.upload_key = ""
            _validate(draft)
    except InvalidSource:
        delete_draft(draft)
        raise
    draft.complete = True
    draft.save()


def _validate(draft: ImportDraft) -> None:
    with local_draft(draft) as path:
        try:
            with contextlib.suppress(NoColumn, ChoiceNeeded):
                # It is chosen later.
                validate_upload(path, ImportOptions.from_parameters(draft.options).mapping())
        except InvalidSource as error:
            raise InvalidSource(replaced(str(error), str(path), draft.file_name)) from error


def delete_draft(draft: ImportDraft) -> None:
    """Delete a draft with its file. Jobs that import it keep theirs."""
    if draft.upload_key:
        with contextlib.suppress(StoreError):
            stores.uploads().abort_parts(draft.upload, draft.upload_key)
    delete_stored(draft.upload)
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
    name, store = f"{uuid4()}{UPLOAD_SUFFIX}", stores.uploads()
    with storage_errors(storage_facts.WHAT_WAS_SENT(), store.place):
        store.link(draft.upload, name)
    draft.options = options.as_parameters()
    draft.save()
    return create_import(name, options, file_name=draft.file_name, draft_id=draft.pk)


def retained_drafts() -> Iterable[str]:
    """Delete drafts that nobody has used for IMPORT_UPLOAD_KEEP_HOURS, and list the files of the others."""
    expired = timezone.now() - timedelta(hours=settings.IMPORT_UPLOAD_KEEP_HOURS)
    for draft in ImportDraft.objects.filter(used_at__lte=expired):
        delete_draft(draft)
    return ImportDraft.objects.values_list("upload", flat=True)
