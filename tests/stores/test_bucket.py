"""A bucket that is away, full, closed to this key, or whose answers are cut short; and the cache of this machine."""

from __future__ import annotations

import os
import threading
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from jobs.storage import StorageFull, StorageUnavailable, storage_errors
from stores import base as stores
from stores.bucket import PART_BYTES, _Away
from stores.errors import StoreError
from stores.patience import patience
from tests.s3_server import S3Server, refusing

pytestmark = pytest.mark.usefixtures("bucket")
MB = 1024**2


def read(name: str) -> bytes:
    with stores.uploads().open(name) as file:
        return bytes(file.read())


def cached(settings: Any) -> list[Path]:
    return list(Path(settings.STORAGE_CACHE_DIR, "files").glob("*"))


class TestAStoreThatFails:
    def test_is_away(self, s3: S3Server) -> None:
        stores.uploads().put("one", b"1")
        with s3.away(), pytest.raises(StoreError, match=r"the store does not answer .*STORAGE_ENDPOINT_URL") as caught:
            read("one")
        assert caught.value.is_passing
        # Whoever waits for a page gets the error at once for the next seconds.
        with pytest.raises(StoreError, match="did not answer a moment ago"):
            read("one")
        _Away.until = 0
        assert read("one") == b"1"

    def test_is_waited_for_by_a_job(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(patience, "seconds", 60)
        stores.uploads().put("one", b"1")
        s3.stop()
        back = threading.Timer(2, s3.start)
        back.start()
        stores.uploads().put("two", b"2")
        back.join()
        assert (read("one"), read("two")) == (b"1", b"2")

    def test_is_busy_for_longer_than_a_job_waits(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(patience, "seconds", 1)
        with (
            s3.failing(refusing("503 Slow Down", "SlowDown", "PUT")),
            pytest.raises(StoreError, match=r"fails at the moment \(SlowDown"),
        ):
            stores.uploads().put("one", b"1")

    @pytest.mark.parametrize(
        ("status", "code"),
        [("507 Insufficient Storage", "XMinioStorageFull"), ("403 Forbidden", "QuotaExceeded")],
    )
    def test_is_full(self, s3: S3Server, status: str, code: str) -> None:
        with (
            s3.failing(refusing(status, code, "PUT")),
            pytest.raises(
                StorageFull, match=r"what was sent cannot be written to s3://shop-.*: there is no room left in"
            ),
            storage_errors("what was sent", stores.uploads().place),
        ):
            stores.uploads().put("one", b"1")
        assert not stores.uploads().exists("one")

    def test_does_not_take_the_key(self, s3: S3Server) -> None:
        with (
            s3.checking_keys(),
            pytest.raises(StorageUnavailable, match=r"does not take this key .*correct STORAGE_ACCESS_KEY_ID"),
            storage_errors("what was sent", stores.uploads().place),
        ):
            stores.uploads().put("one", b"1")

    def test_does_not_allow_it(self, s3: S3Server) -> None:
        with (
            s3.failing(refusing("403 Forbidden", "AccessDenied", "PUT")),
            pytest.raises(StoreError, match=r"the key may not do this there .*PutObject.*: have its policy allow it"),
        ):
            stores.uploads().put("one", b"1")

    def test_has_no_such_bucket(self, s3: S3Server, bucket: str) -> None:
        s3.client().delete_bucket(Bucket=bucket)
        with pytest.raises(StoreError, match=r"there is no bucket of s3://.*: create it, or correct STORAGE_URL"):
            stores.uploads().put("one", b"1")


class TestHalfAFile:
    def test_that_was_sent_leaves_nothing(self, s3: S3Server, bucket: str) -> None:
        def cut(environ: dict[str, Any], start_response: Any) -> Iterable[bytes] | None:
            if environ["REQUEST_METHOD"] != "PUT" or "partNumber=2" not in environ["QUERY_STRING"]:
                return None
            environ["wsgi.input"].read(1000)
            raise ConnectionAbortedError("cut")

        with s3.failing(cut), pytest.raises(StoreError):
            stores.uploads().put("large", os.urandom(PART_BYTES + MB))
        _Away.until = 0
        assert not stores.uploads().exists("large")
        assert s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []

    def test_that_arrived_is_no_file(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        stores.uploads().put("one", b"1234567890")

        def cut(environ: dict[str, Any], start_response: Any) -> Iterable[bytes] | None:
            if environ["REQUEST_METHOD"] != "GET":
                return None
            start_response("200 OK", [("Content-Length", "10"), ("Last-Modified", "Sat, 28 Nov 2026 22:08:41 GMT")])
            return [b"12345"]

        with s3.failing(cut), pytest.raises(StoreError):
            read("one")
        with s3.failing(cut), pytest.raises(StoreError), stores.uploads().local("one"):
            pass

    def test_whose_content_was_changed_is_no_file(self, s3: S3Server, bucket: str) -> None:
        stores.uploads().put("one", b"1234567890")
        client = s3.client()
        metadata = client.head_object(Bucket=bucket, Key="uploads/one")["Metadata"]
        client.put_object(Bucket=bucket, Key="uploads/one", Body=b"1234567891", Metadata=metadata)
        with pytest.raises(StoreError, match=r"one in s3://.* is not what was stored: store it again"):
            read("one")


class TestTheCache:
    def test_fetches_a_file_once(self, s3: S3Server, settings: Any) -> None:
        stores.uploads().put("one", b"content")
        s3.requests.clear()
        for _ in range(3):
            with stores.uploads().local("one") as path:
                assert path.read_bytes() == b"content"
        assert [method for method, _ in s3.requests].count("GET") == 1
        assert not path.exists()

    def test_knows_a_file_by_its_content(self, s3: S3Server, settings: Any) -> None:
        stores.uploads().put("one", b"content")
        stores.encoders().put("other", b"content")
        for store, name in ((stores.uploads(), "one"), (stores.encoders(), "other")):
            with store.local(name):
                pass
        assert len(cached(settings)) == 1
        stores.uploads().put("one", b"changed")
        with stores.uploads().local("one") as path:
            assert path.read_bytes() == b"changed"

    def test_has_what_was_taken_from_here(self, s3: S3Server) -> None:
        path = stores.uploads().scratch() / "sent"
        path.write_bytes(b"sent")
        stores.uploads().take("one", path)
        s3.requests.clear()
        with stores.uploads().local("one") as local:
            assert local.read_bytes() == b"sent"
        assert [method for method, _ in s3.requests] == ["HEAD"]

    def test_drops_what_was_not_used_for_longest(self, settings: Any) -> None:
        settings.STORAGE_CACHE_MAX_BYTES = 2 * MB
        for name in ("one", "two", "three"):
            stores.uploads().put(name, os.urandom(MB))
        with stores.uploads().local("one") as held:
            content = held.read_bytes()
            for name in ("two", "three"):
                time.sleep(0.01)
                with stores.uploads().local(name):
                    pass
            assert sum(path.stat().st_size for path in cached(settings)) <= 2 * MB
            # Whoever reads it keeps it.
            assert held.read_bytes() == content

    def test_gives_a_file_that_is_larger_than_itself(self, settings: Any) -> None:
        settings.STORAGE_CACHE_MAX_BYTES = 10
        stores.uploads().put("one", b"more than ten bytes")
        with stores.uploads().local("one") as path:
            assert path.read_bytes() == b"more than ten bytes"
        assert cached(settings) == []


def test_a_signed_address_is_read_without_a_key(s3: S3Server) -> None:
    stores.photos().put("products/ab/photo.jpg", b"photo")
    url = stores.photos().signed_url("products/ab/photo.jpg")
    assert "X-Amz-Expires=3600" in url
    with urllib.request.urlopen(url) as answer:  # noqa: S310
        assert (answer.read(), answer.headers["Content-Type"]) == (b"photo", "image/jpeg")
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
