"""A store that is a part of a bucket: of Amazon S3, or of any server that speaks its protocol.

An object is there whole or not at all. Each has the hash of its content, by which it is checked when it is read, and found in the
cache of this machine; objects that others have written have none, and their ETag takes its place.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import io
import mimetypes
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar, cast

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from django.conf import settings
from django.core.files.base import File
from django.utils.encoding import filepath_to_uri
from storages.backends.s3 import S3Storage

from stores import errors
from stores.base import FileStore, GrowingFile, StoredFile
from stores.cache import FileCache
from stores.errors import StoreError
from stores.patience import patience

T = TypeVar("T")

# Parts of large objects. All but the last have at least five MiB, as the protocol wants it.
PART_BYTES = 16 * 1024**2
_SMALLEST_PART_BYTES = 5 * 1024**2
# Larger ones are not held in memory.
_IN_MEMORY_BYTES = 32 * 1024**2
_CHUNK_BYTES = 1024**2
# An object of more is copied in parts.
_COPIED_AT_ONCE_BYTES = 5 * 1024**3

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 2, 20
_ATTEMPTS = 2
# A process whose user waits asks a store that did not answer again after so long.
_AWAY_FOR_S = 5.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0

_MISSING = ("404", "NoSuchKey", "NotFound", "NoSuchUpload")
_WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidSecurity")
_FULL = ("InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "507")
_BUSY = (
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "OperationAborted",
    "TooManyRequests",
    "429",
)

_HASH = "sha256"


class BucketStorage(S3Storage, FileStore):  # type: ignore[misc]  # django-storages carries no types
    """What lies below a prefix of a bucket."""

    is_local = False

    def __init__(self, *, public_url: str | None = None, signed_endpoint_url: str = "", **options: Any) -> None:
        """Use a bucket.

        Args:
            public_url: what browsers find the files below, ends with a slash; None: they find none.
            signed_endpoint_url: where browsers reach the store, if not as this process does.
            **options: of `storages.backends.s3.S3Storage`.
        """
        self.base_url = public_url
        self._signed_endpoint_url = signed_endpoint_url or None
        super().__init__(**options)

    @property
    def place(self) -> str:
        """As STORAGE_URL has it."""
        return f"s3://{self.bucket_name}/{self.location}"

    # Django's interface

    def exists(self, name: str) -> bool:
        try:
            self._head(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        return int(self._head(name)["ContentLength"])

    def get_modified_time(self, name: str) -> Any:
        return self._head(name)["LastModified"]

    def delete(self, name: str) -> None:
        self._ask("delete_object", Key=self._key(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        folders, files = set[str](), []
        start = f"{path.strip('/')}/" if path.strip("/") else ""
        for stored in self.walk(path):
            first, slash, _ = stored.name.removeprefix(start).partition("/")
            if slash:
                folders.add(first)
            else:
                files.append(first)
        return sorted(folders), files

    def url(self, name: str | None, *_: Any, **__: Any) -> str:
        if self.base_url is None or not name:
            raise ValueError("This file is not accessible via a URL.")
        return f"{self.base_url}{filepath_to_uri(name)}"

    def signed_url(self, name: str) -> str:
        """An address at which a browser reads a file for a while, though the bucket is private.

        Args:
            name: its path in the store; whether there is such a file is not asked.

        Returns:
            The address.

        Raises:
            StoreError: there is no key to sign with.
        """
        client = _client(self._signed_endpoint_url or self.endpoint_url, *self._account())
        with _translated(self.place, name):
            url: str = client.generate_presigned_url(
                "get_object", {"Bucket": self.bucket_name, "Key": self._key(name)}, ExpiresIn=self.querystring_expire
            )
        return url

    @cached_property
    def browsers_url(self) -> str:
        """What signed addresses begin with; "" where there is no key to sign with."""
        try:
            return self.signed_url("any").partition("any?")[0]
        except StoreError:
            return ""

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if "r" not in mode:
            raise ValueError(f"{name}: a file in a bucket is written as a whole, by `put`")

        def read() -> BinaryIO:
            file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115  # closed by its reader
            try:
                self._fetch(name, cast("BinaryIO", file))
                file.seek(0)
            except BaseException:
                file.close()
                raise
            return cast("BinaryIO", file)

        return File(_insisting(read), name)

    def _save(self, name: str, content: Any) -> str:
        content.seek(0)
        self.put(name, content)
        return name

    # Ours

    def put(self, name: str, source: bytes | BinaryIO | Path) -> None:
        self._put(name, source)

    def take(self, name: str, path: Path) -> None:
        # It will be read here in a moment.
        self._cache().add(self._put(name, path), path)
        path.unlink(missing_ok=True)

    def take_folder(self, folder: str, path: Path) -> None:
        try:
            for file in sorted(each for each in path.rglob("*") if each.is_file()):
                self.take(f"{folder}/{file.relative_to(path).as_posix()}", file)
        except BaseException:
            with contextlib.suppress(OSError):
                self.delete_folder(folder)
            raise

    def _put(self, name: str, source: bytes | BinaryIO | Path) -> str:
        with _opened(source) as file:
            start = file.tell()
            digest = _hash_of(file)
            size = file.tell() - start
            file.seek(start)
            if size <= PART_BYTES:
                content = file.read()
                self._ask("put_object", **self._described(name, digest), Body=content, ContentMD5=_md5(content))
            else:
                self._put_in_parts(name, digest, file)
        return digest

    def link(self, name: str, other: str) -> None:
        source = {"Bucket": self.bucket_name, "Key": self._key(name)}
        if self.size(name) <= _COPIED_AT_ONCE_BYTES:
            self._ask("copy_object", Key=self._key(other), CopySource=source)
        else:
            with _translated(self.place, name):
                self._client().copy(source, self.bucket_name, self._key(other))

    def touch(self, name: str) -> None:
        head = self._head(name)
        self._ask(
            "copy_object", Key=self._key(name), CopySource={"Bucket": self.bucket_name, "Key": self._key(name)},
            Metadata=head["Metadata"], ContentType=head["ContentType"], MetadataDirective="REPLACE",
        )  # fmt: skip

    def walk(self, folder: str = "") -> Iterator[StoredFile]:
        root = f"{self.location}/" if self.location else ""
        prefix = f"{root}{folder.strip('/')}/" if folder.strip("/") else root
        more: dict[str, str] = {}
        while True:
            page = self._ask("list_objects_v2", Prefix=prefix, **more)
            for each in page.get("Contents", ()):
                yield StoredFile(each["Key"].removeprefix(root), each["Size"], each["LastModified"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def is_empty(self, folder: str) -> bool:
        return next(self.walk(folder), None) is None

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        head = self._head(name)
        key = head["Metadata"].get(_HASH) or hashlib.sha256(f"{self.place}/{name} {head['ETag']}".encode()).hexdigest()

        def fetch(file: BinaryIO) -> None:
            def again() -> None:
                file.seek(0)
                file.truncate()
                self._fetch(name, file)

            _insisting(again)

        with self._cache().file(key, PurePosixPath(name).name, fetch) as path:
            yield path

    @contextmanager
    def local_folder(self, folder: str) -> Iterator[Path]:
        with self._cache().folder() as own, contextlib.ExitStack() as held:
            files = list(self.walk(folder))
            if not files:
                raise FileNotFoundError(f"there is no folder {folder} in {self.place}")
            there = own / PurePosixPath(folder).name
            for stored in files:
                link = there / PurePosixPath(stored.name).relative_to(folder)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.hardlink_to(held.enter_context(self.local(stored.name)))
            yield there

    def delete_folder(self, folder: str) -> None:
        for stored in list(self.walk(folder)):
            self.delete(stored.name)

    def scratch(self) -> Path:
        return self._cache().scratch()

    @contextmanager
    def growing(self, name: str, kept_bytes: int) -> Iterator[GrowingFile]:
        with self._cache().folder() as own:
            file = _InPieces(self, name, own / PurePosixPath(name).name)
            file.restore(kept_bytes)
            yield file

    def begin_parts(self, name: str) -> str:
        return str(self._ask("create_multipart_upload", **self._described(name))["UploadId"])

    def parts_size(self, name: str, key: str) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            if key:
                return sum(int(part["Size"]) for part in self._parts(name, key))
        # It is whole already.
        with contextlib.suppress(FileNotFoundError):
            return self.size(name)
        return None

    def append_part(self, name: str, key: str, part: Iterator[bytes], *, missing: int) -> int:
        number = len(self._parts(name, key))
        kept, waiting = 0, bytearray()

        def send(content: bytes) -> int:
            nonlocal number
            number += 1
            self._ask(
                "upload_part", Key=self._key(name), UploadId=key, PartNumber=number, Body=content,
                ContentMD5=_md5(content),
            )  # fmt: skip
            return len(content)

        for chunk in part:
            waiting += chunk
            while len(waiting) >= PART_BYTES:
                kept += send(bytes(waiting[:PART_BYTES]))
                del waiting[:PART_BYTES]
        if waiting and (len(waiting) >= _SMALLEST_PART_BYTES or kept + len(waiting) == missing):
            kept += send(bytes(waiting))
        return kept

    def end_parts(self, name: str, key: str) -> None:
        parts = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in self._parts(name, key)]
        self._ask("complete_multipart_upload", Key=self._key(name), UploadId=key, MultipartUpload={"Parts": parts})

    def abort_parts(self, name: str, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._ask("abort_multipart_upload", Key=self._key(name), UploadId=key)

    # Requests

    def _put_in_parts(self, name: str, digest: str, file: BinaryIO) -> None:
        begun = self._ask("create_multipart_upload", **self._described(name, digest))
        upload = {"Key": begun["Key"], "UploadId": begun["UploadId"]}
        parts: list[Mapping[str, Any]] = []
        try:
            while content := file.read(PART_BYTES):
                number = len(parts) + 1
                sent = self._ask("upload_part", **upload, PartNumber=number, Body=content, ContentMD5=_md5(content))
                parts.append({"PartNumber": number, "ETag": sent["ETag"]})
            self._ask("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
        except BaseException:
            # Half an object is none; what is left of it where the store is away now is for its lifecycle rules.
            with contextlib.suppress(OSError):
                self._ask_once("abort_multipart_upload", upload)
            raise

    def _parts(self, name: str, key: str) -> list[Mapping[str, Any]]:
        parts: list[Mapping[str, Any]] = []
        while True:
            after = parts[-1]["PartNumber"] if parts else 0
            page = self._ask("list_parts", Key=self._key(name), UploadId=key, PartNumberMarker=after)
            parts += page.get("Parts", ())
            if not page.get("IsTruncated"):
                return parts

    def _fetch(self, name: str, file: BinaryIO) -> None:
        """Write the content to a file, checked by its length and its hash."""
        answer = self._ask_once("get_object", {"Key": self._key(name)})
        digest, size = hashlib.sha256(), 0
        with _translated(self.place, name), contextlib.closing(answer["Body"]) as body:
            while chunk := body.read(_CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        wanted = answer["Metadata"].get(_HASH) or digest.hexdigest()
        if (size, digest.hexdigest()) != (answer["ContentLength"], wanted):
            raise StoreError(errno.EIO, errors.CHANGED, is_passing=True, file=name, place=self.place)

    def _head(self, name: str) -> Any:
        return self._ask("head_object", Key=self._key(name))

    def _ask(self, operation: str, **arguments: Any) -> Any:
        return _insisting(lambda: self._ask_once(operation, arguments))

    def _ask_once(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        with _translated(self.place, str(arguments.get("Key", "")).removeprefix(f"{self.location}/")):
            return getattr(self._client(), operation)(Bucket=self.bucket_name, **arguments)

    def _client(self) -> Any:
        return _client(self.endpoint_url, *self._account())

    def _account(self) -> tuple[str | None, ...]:
        return self.region_name, self.access_key, self.secret_key, self.security_token

    def _key(self, name: str) -> str:
        return str(self._normalize_name(name))

    def _described(self, name: str, digest: str = "") -> dict[str, Any]:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        metadata = {_HASH: digest} if digest else {}
        described: dict[str, Any] = {"Key": self._key(name), "ContentType": kind, "Metadata": metadata}
        if self.base_url is not None:
            # Photos are named by their content.
            described["CacheControl"] = "public, max-age=31536000, immutable"
        return described

    def _cache(self) -> FileCache:
        return FileCache(Path(settings.STORAGE_CACHE_DIR), settings.STORAGE_CACHE_MAX_BYTES)


class _InPieces:
    """A growing file of this machine, of which the store has all pieces that were kept; their names end like the file's."""

    def __init__(self, store: BucketStorage, name: str, path: Path) -> None:
        self.path = path
        self._store = store
        self._name = name
        first, dot, rest = name.partition(".")
        self._start, self._end = f"{first}.piece-", f"{dot}{rest}"
        self._kept = 0

    def restore(self, kept_bytes: int) -> None:
        """Fetch the pieces up to here, and drop what is behind."""
        with self.path.open("wb") as file:
            for piece, start in self._pieces():
                if start >= kept_bytes:
                    self._store.delete(piece)
                    continue
                # The last one may have been longer than what was kept then.
                file.seek(start)
                with self._store.open(piece) as stored:
                    file.write(stored.read())
            if file.tell() < kept_bytes:
                raise FileNotFoundError(errno.ENOENT, f"{self._name}: {file.tell()} bytes of {kept_bytes} are there")
            file.truncate(kept_bytes)
        self._kept = kept_bytes

    def sync(self) -> None:
        size = self.path.stat().st_size
        if size <= self._kept:
            return
        with self.path.open("rb") as file:
            file.seek(self._kept)
            self._store.put(f"{self._start}{self._kept:015d}{self._end}", file.read(size - self._kept))
        self._kept = size

    def finish(self) -> None:
        self._store.put(self._name, self.path)
        self._drop_pieces()

    def discard(self) -> None:
        self._store.delete(self._name)
        self._drop_pieces()

    def _pieces(self) -> list[tuple[str, int]]:
        """Names and where they begin, in their order."""
        names = [stored.name for stored in self._store.walk() if stored.name.startswith(self._start)]
        return [(name, int(name.removeprefix(self._start).removesuffix(self._end))) for name in sorted(names)]

    def _drop_pieces(self) -> None:
        for piece, _ in self._pieces():
            self._store.delete(piece)


_making_client = threading.Lock()


def _client(*account: str | None) -> Any:
    """One for all stores of this process; it may be used by several threads."""
    with _making_client:
        return _made_client(*account)


@cache
def _made_client(
    endpoint_url: str | None, region: str | None, access_key: str | None, secret_key: str | None, token: str | None
) -> Any:
    session = boto3.session.Session(access_key, secret_key, token)
    config = Config(
        signature_version="s3v4",
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=32,
        # Not every server knows the newer checksums; content is sent with its MD5.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


class _Away:
    """Until when a store that did not answer is left alone."""

    until = float("-inf")


def _insisting(ask: Callable[[], T]) -> T:
    """Ask again while the store is away, as long as this process may wait."""
    begun, wait_s = time.monotonic(), _FIRST_WAIT_S
    if not patience.seconds and begun < _Away.until:
        raise StoreError(errno.EAGAIN, errors.NO_ANSWER_BEFORE, is_passing=True)
    while True:
        try:
            return ask()
        except StoreError as error:
            if not error.is_passing or time.monotonic() + wait_s > begun + patience.seconds:
                raise
        time.sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


@contextmanager
def _translated(place: str, name: str) -> Iterator[None]:
    """Turn the errors of the client into those of the operating system."""
    try:
        yield
    except ClientError as error:
        raise _answered(error, place, name) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreError(errno.EACCES, errors.NO_KEY, place=place) from error
    except (BotoCoreError, OSError) as error:
        if isinstance(error, StoreError) or (
            isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        ):
            raise
        _Away.until = time.monotonic() + _AWAY_FOR_S
        raise StoreError(errno.EHOSTUNREACH, errors.NO_ANSWER, is_passing=True, error=str(error)) from error


def _answered(error: ClientError, place: str, name: str) -> OSError:
    """What an answer of the store says."""
    details = error.response.get("Error", {})
    code, said = str(details.get("Code", "")), str(details.get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _MISSING:
        return FileNotFoundError(errno.ENOENT, f"there is no file {name} in {place}")
    if code == "NoSuchBucket":
        return StoreError(errno.ENODEV, errors.NO_BUCKET, place=place)
    if code in _WRONG_KEY:
        return StoreError(errno.EACCES, errors.WRONG_KEY, answer=code)
    if code in _FULL or status == 507:
        return StoreError(errno.ENOSPC, errors.FULL)
    if status in (401, 403):
        return StoreError(errno.EACCES, errors.NOT_ALLOWED, answer=code, operation=error.operation_name)
    answer = f"{code} {said}".rstrip()
    if code in _BUSY or status >= 500:
        return StoreError(errno.EBUSY, errors.BUSY, is_passing=True, answer=answer)
    return StoreError(errno.EIO, errors.REFUSES, operation=error.operation_name, answer=answer)


@contextmanager
def _opened(source: bytes | BinaryIO | Path) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def _hash_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
