"""Any bytes given as a zip: either its files are unpacked completely and inside the folder, or it is rejected with a reason."""

from __future__ import annotations

import io
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hypothesis import example, given
from hypothesis import strategies as st

from product_files.containers.archives import ArchiveRejected, SafeArchive
from tests.fuzz.mutations import mutated
from tests.zips import encrypted, link, packed

MAX_UNPACKED = 4 * 1024**2
MAX_FILES = 50


def unpacked_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        around = Path(temporary)
        folder = around / "in" / "here"
        try:
            with SafeArchive(io.BytesIO(content), max_unpacked_bytes=MAX_UNPACKED, max_files=MAX_FILES) as archive:
                members = archive.members
                archive.extract_to(folder)
        except ArchiveRejected as error:
            assert str(error)
            assert error.reason
            members = ()
        found = {path for path in around.rglob("*") if not path.is_dir() or path.is_symlink()}
        assert all(path.is_relative_to(folder) and path.is_file() and not path.is_symlink() for path in found)
        assert sum(path.stat().st_size for path in found) <= MAX_UNPACKED
        for member in members:
            path = PurePosixPath(member.name)
            assert not path.is_absolute()
            assert ".." not in path.parts
            assert (folder / path).stat().st_size == member.size


@dataclass(frozen=True)
class Entry:
    """A file as its archive describes it, truthfully or not."""

    name: bytes
    start: bytes
    zeros: int
    method: int
    flags: int
    mode: int
    said_size: int | None
    zip64: bool
    copies: int

    @property
    def content(self) -> bytes:
        return self.start + bytes(self.zeros)


def archive_of(entries: Sequence[Entry]) -> bytes:
    """Build the archive by hand, because a zip library would correct most of the fields."""
    body, directory, count = bytearray(), bytearray(), 0
    for entry in entries:
        packer = zlib.compressobj(wbits=-15)
        data = (
            packer.compress(entry.content) + packer.flush() if entry.method == zipfile.ZIP_DEFLATED else entry.content
        )
        size = len(entry.content) if entry.said_size is None else entry.said_size
        extra = struct.pack("<HHQQ", 1, 16, size, len(data)) if entry.zip64 else b""
        sizes = (0xFFFFFFFF, 0xFFFFFFFF) if entry.zip64 else (len(data), size)
        header = (
            20, entry.flags, entry.method, 0, 0x21, zlib.crc32(entry.content), *sizes, len(entry.name), len(extra)
        )  # fmt: skip
        for _ in range(entry.copies):
            directory += struct.pack("<4sH5H3L2H", b"PK\x01\x02", 0x0314, *header)
            directory += struct.pack("<3HLL", 0, 0, 0, entry.mode << 16, len(body)) + entry.name + extra
            count += 1
        body += struct.pack("<4s5H3L2H", b"PK\x03\x04", *header) + entry.name + extra + data
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + end)


PARTS = st.sampled_from(
    ["a", "A", "ä", "a\u0308", "b.jpg", "..", ".", "", " ", "C:", "con", "x" * 200, "x" * 300, "\x00", "\x7f", "\u202e", ".git",
     "__MACOSX", "\\", "..\\..", "/etc", "~", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "a:b", "*?"]
)  # fmt: skip
NAMES = st.one_of(
    st.builds("/".join, st.lists(PARTS, min_size=1, max_size=5)).map(str.encode),
    st.builds("\\".join, st.lists(PARTS, min_size=1, max_size=3)).map(str.encode),
    st.binary(max_size=12),
    st.just(b"\xff\xfe.jpg"),
    st.just(b"x/" * 600),
)
KINDS = st.sampled_from(
    [stat.S_IFREG, stat.S_IFREG, stat.S_IFREG, 0, stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR]
)
NESTED = packed({"inner.jpg": b"x"})
ENTRIES = st.builds(
    Entry,
    name=NAMES,
    start=st.one_of(st.binary(max_size=64), st.sampled_from([b"", NESTED, b"../../etc/passwd"])),
    zeros=st.sampled_from([0, 0, 0, 1000, 2 * 1024**2, 5 * 1024**2]),
    method=st.sampled_from([0, 0, 8, 8, 8, 12, 14, 93, 99]),
    flags=st.sampled_from([0, 0, 0, 0x800, 0x800, 0x1, 0x8, 0x40, 0x2000]),
    mode=KINDS,
    said_size=st.sampled_from([None, None, None, None, 0, 1, 2**20, 2**31, 2**32 - 1]),
    zip64=st.booleans(),
    copies=st.sampled_from([1, 1, 1, 2, 60]),
)  # fmt: skip
ARCHIVES = (
    packed(), packed(compression=zipfile.ZIP_STORED), packed({"a/b/c.txt": b"text" * 200, "d.jpg": NESTED, "empty/": b""}),
    encrypted(packed({"a.jpg": b"secret"})), packed([link("a.jpg", "/etc/passwd"), ("b.jpg", b"b")]),
)  # fmt: skip


SMALL = ENTRIES.filter(lambda entry: entry.zeros < 2000 and entry.said_size is None and entry.method in (0, 8))


@given(mutated(st.sampled_from(ARCHIVES)))
def test_an_archive_with_something_wrong_in_it(content: bytes) -> None:
    unpacked_or_refused(content)


@given(st.lists(ENTRIES, max_size=4))
@example([Entry(b"", b"no name", 0, 0, 0, stat.S_IFREG, None, False, 1)])
def test_an_archive_that_somebody_has_put_together_by_hand(entries: list[Entry]) -> None:
    unpacked_or_refused(archive_of(entries))


@given(mutated(st.lists(SMALL, min_size=1, max_size=3).map(archive_of)))
def test_one_of_those_with_something_wrong_in_it(content: bytes) -> None:
    unpacked_or_refused(content)


@given(st.sampled_from([b"", b"PK", b"PK\x03\x04", b"PK\x05\x06"]), st.binary(max_size=300))
def test_any_bytes_at_all(magic: bytes, rest: bytes) -> None:
    unpacked_or_refused(magic + rest)
