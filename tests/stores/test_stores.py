"""What both stores do alike: a folder, and a part of a bucket of a real server."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile

from stores.base import FileStore

MB = 1024**2


def content_of(store: FileStore, name: str) -> bytes:
    with store.open(name) as file:
        return bytes(file.read())


def names(store: FileStore, folder: str = "") -> list[str]:
    return sorted(stored.name for stored in store.walk(folder))


@pytest.mark.parametrize("kind", ["content", "file", "path"])
def test_what_was_put_is_read_under_its_name(store: FileStore, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "source"
    path.write_bytes(b"first")
    store.put("a/b.bin", {"content": b"first", "file": io.BytesIO(b"first"), "path": path}[kind])
    assert content_of(store, "a/b.bin") == b"first"
    assert (store.exists("a/b.bin"), store.exists("a/c.bin"), store.size("a/b.bin")) == (True, False, 5)
    assert store.listdir("a") == ([], ["b.bin"])
    assert store.listdir("") == (["a"], [])
    store.put("a/b.bin", b"second")
    assert content_of(store, "a/b.bin") == b"second"


def test_django_saves_a_file(store: FileStore) -> None:
    assert store.save("a/b.bin", ContentFile(b"saved")) == "a/b.bin"
    assert content_of(store, "a/b.bin") == b"saved"


def test_a_large_file_comes_back_as_it_was(store: FileStore, tmp_path: Path) -> None:
    content = os.urandom(37 * MB)
    path = store.scratch() / "incoming"
    path.write_bytes(content)
    store.take("large.bin", path)
    assert not path.exists()
    assert content_of(store, "large.bin") == content
    with store.local("large.bin") as local:
        assert local.read_bytes() == content


def test_a_file_that_is_not_there(store: FileStore) -> None:
    for ask in (store.open, store.size, store.touch, lambda name: store.link(name, "other")):
        with pytest.raises(FileNotFoundError):
            ask("none.bin")
    with pytest.raises(FileNotFoundError), store.local("none.bin"):
        pass
    with pytest.raises(FileNotFoundError), store.local_folder("none"):
        pass
    store.delete("none.bin")
    store.delete_folder("none")
    assert list(store.walk("none")) == []


def test_no_name_leads_out_of_the_store(store: FileStore) -> None:
    for ask in (store.open, store.exists, lambda name: store.put(name, b"")):
        with pytest.raises(SuspiciousOperation):
            ask("../../other/file")


def test_a_file_has_two_names(store: FileStore) -> None:
    store.put("one", b"content")
    store.link("one", "other")
    store.delete("one")
    assert (store.exists("one"), content_of(store, "other")) == (False, b"content")


def test_a_walk_finds_all_files_below_a_folder(store: FileStore) -> None:
    for name in ("a/1", "a/b/2", "ab/3", "4"):
        store.put(name, b"12345")
    assert names(store) == ["4", "a/1", "a/b/2", "ab/3"]
    assert names(store, "a") == ["a/1", "a/b/2"]
    found = next(stored for stored in store.walk("ab"))
    assert found.size == 5
    assert abs(found.modified_at - datetime.now(UTC)) < timedelta(minutes=1)
    store.delete_folder("a")
    assert names(store) == ["4", "ab/3"]


def test_a_touched_file_is_as_it_was_but_for_its_time(store: FileStore) -> None:
    store.put("one", b"content")
    store.touch("one")
    assert content_of(store, "one") == b"content"


def test_a_folder_is_read_on_a_disk(store: FileStore) -> None:
    store.put("model/variables/data", b"1")
    store.put("model/saved.pb", b"2")
    with store.local_folder("model") as folder:
        assert (folder / "variables" / "data").read_bytes() == b"1"
        assert (folder / "saved.pb").read_bytes() == b"2"


def test_a_file_arrives_in_parts(store: FileStore) -> None:
    content = os.urandom(22 * MB)
    key = store.begin_parts("sent")
    assert store.parts_size("sent", key) == 0
    there = 0
    for end in (17 * MB, 22 * MB):
        part = content[there:end]
        chunks = (part[start : start + MB] for start in range(0, len(part), MB))
        kept = store.append_part("sent", key, chunks, missing=len(content) - there)
        there += kept
        assert store.parts_size("sent", key) == there
    # A bucket keeps no part of less than 5 MiB but the last.
    if there < len(content):
        rest = iter([content[there:]])
        assert store.append_part("sent", key, rest, missing=len(content) - there) == len(content) - there
    store.end_parts("sent", key)
    assert content_of(store, "sent") == content


def test_parts_that_nobody_wants_are_dropped(store: FileStore) -> None:
    key = store.begin_parts("sent")
    store.append_part("sent", key, iter([b"x" * 10]), missing=10)
    store.abort_parts("sent", key)
    assert store.parts_size("sent", key) is None
    assert names(store) == []
