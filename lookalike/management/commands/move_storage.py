"""manage.py move_storage: copy photos, encoders and uploads from the folders into the bucket, or back."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.core.files.storage import StorageHandler
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalog.models import ImportDraft
from jobs import arguments
from jobs.storage import os_error_message
from stores.base import ENCODERS, PHOTOS, UPLOADS, FileStore
from stores.moving import Copied, CopyDiffers, copy_files
from stores.patience import patience

TO_BUCKET, TO_FOLDERS = "to-bucket", "to-folders"
_KINDS = {"photos": PHOTOS, "encoders": ENCODERS, "uploads": UPLOADS}
# A store that is away for longer ends the command, which can be run again.
_PATIENCE_S = 600.0


class Command(BaseCommand):
    help = (
        "Copy photos, trained encoders and uploads from the folders into the bucket of STORAGE_URL, or back. Each copy is read "
        "again and compared. Nothing is deleted. Files that are there already are passed over, so the command can be "
        "interrupted and run again: first while the shop runs, then once more for what was written meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("direction", choices=(TO_BUCKET, TO_FOLDERS), help="where files are copied to")
        parser.add_argument("--only", choices=tuple(_KINDS), help="copy this kind of files alone")
        parser.add_argument(
            "--threads", type=arguments.whole_number(1), default=8, help="files copied at a time (default: %(default)s)"
        )
        parser.add_argument(
            "--compare", action="store_true", help="also compare the content of the files that are there already"
        )

    def handle(self, *, direction: str, only: str | None, threads: int, compare: bool, **_: Any) -> None:
        if not settings.STORAGE_URL:
            raise CommandError("Set STORAGE_URL for this command; other processes may go on without it.")
        patience.seconds = _PATIENCE_S
        folders, bucket = StorageHandler(settings.FOLDER_STORAGES), StorageHandler(settings.BUCKET_STORAGES)
        for kind in [only] if only else _KINDS:
            source, target = (cast("FileStore", each[_KINDS[kind]]) for each in (folders, bucket))
            if direction == TO_FOLDERS:
                source, target = target, source
            self._copy(kind, source, target, threads=threads, compare=compare)

    def _copy(self, kind: str, source: FileStore, target: FileStore, *, threads: int, compare: bool) -> None:
        # Their parts are nowhere but where they were sent to.
        drafts = set(ImportDraft.objects.filter(complete=False).values_list("upload", flat=True))
        try:
            with tqdm(desc=kind, unit="file", disable=None) as bar:
                copied = copy_files(
                    source,
                    target,
                    skipped=drafts,
                    compare_all=compare,
                    threads=threads,
                    on_copied=bar.update,
                )
        except CopyDiffers as error:
            raise CommandError(f"{error}: run the command again to copy it again.") from error
        except OSError as error:
            raise CommandError(
                f"{kind} cannot be copied from {source.place} to {target.place}: {os_error_message(error)}, then run the same"
                " command again to go on."
            ) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run the same command again to go on.", returncode=130) from None
        self.stdout.write(_sentence(kind, copied, target))


def _sentence(kind: str, copied: Copied, target: FileStore) -> str:
    return (
        f"{kind}: {copied.copied:,} files ({copied.size:,} bytes) copied to {target.place} and compared,"
        f" {copied.there:,} were there"
    )
