"""Which archives are accepted, and how they are extracted."""

from __future__ import annotations

import io
import tracemalloc
import unicodedata
import warnings
import zipfile
from pathlib import Path
from random import Random

import pytest

from jobs.storage import StorageUnavailable
from product_files.containers.archives import ArchiveMember, ArchiveRejected, ArchiveRejectionReason, SafeArchive
from tests.zips import PHOTOS, encrypted, link, packed, renamed, said_method, said_offset, said_size

MIB = 1024 * 1024


def opened(content: bytes, **limits: int) -> SafeArchive:
    return SafeArchive(io.BytesIO(content), **limits)


def names(content: bytes) -> list[str]:
    return [member.name for member in opened(content).members]


def refused(content: bytes, **limits: int) -> ArchiveRejected:
    with pytest.raises(ArchiveRejected) as caught:
        opened(content, **limits).verify()
    return caught.value


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestAGoodArchive:
    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_is_unpacked_byte_by_byte(self, tmp_path, compression):
        extracted: list[int] = []
        archive = opened(packed(compression=compression))
        archive.verify()
        archive.extract_to(tmp_path / "out", extracted.append)
        assert files_in(tmp_path / "out") == PHOTOS
        assert sum(extracted) == len(PHOTOS)
        assert archive.members[0] == ArchiveMember("mugs/0.jpg", len(PHOTOS["mugs/0.jpg"]))
        assert archive.read("mugs/0.jpg") == PHOTOS["mugs/0.jpg"]

    def test_is_opened_by_its_path_too_and_closed_at_the_end(self, tmp_path):
        path = tmp_path / "photos.zip"
        path.write_bytes(packed())
        with SafeArchive(path) as archive:
            assert len(archive.members) == len(PHOTOS)
        with pytest.raises(ArchiveRejected):
            archive.read("mugs/0.jpg")

    def test_may_be_larger_than_four_gigabytes_as_far_as_its_format_goes(self):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive, archive.open("mugs/1.jpg", "w", force_zip64=True) as member:
            member.write(b"photo")
        assert opened(file.getvalue()).read("mugs/1.jpg") == b"photo"

    def test_says_nothing_of_folders_hidden_files_and_what_desktops_leave_behind(self):
        litter = {
            "mugs/": b"", "__MACOSX/mugs/._1.jpg": b"x", "mugs/.DS_Store": b"x", "mugs/Thumbs.db": b"x", ".git/1.jpg": b"x",
            "./mugs//1.jpg": b"x", "mugs\\": b"",
        }  # fmt: skip
        assert names(packed(litter)) == ["mugs/1.jpg"]

    def test_may_have_been_packed_on_windows(self):
        assert names(packed({"mugs\\blue\\1.jpg": b"x"})) == ["mugs/blue/1.jpg"]

    def test_may_have_been_packed_on_a_mac_which_does_not_say_that_names_are_utf8(self):
        decomposed = unicodedata.normalize("NFD", "café/1.jpg").encode()
        content = renamed(packed({"x" * len(decomposed): b"x"}), b"x" * len(decomposed), decomposed)
        assert names(content) == ["café/1.jpg"]

    def test_a_zip_in_a_zip_is_a_file_like_any_other(self):
        assert opened(packed({"mugs/1.zip": packed()})).read("mugs/1.zip") == packed()

    def test_a_table_may_shrink_a_lot(self):
        table = b"file,product_id\n" + b"mugs/1.jpg,MUG-1\n" * 50_000
        assert opened(packed({"metadata.csv": table, **PHOTOS})).read("metadata.csv") == table

    def test_a_member_larger_than_asked_for_is_not_read(self):
        with pytest.raises(ArchiveRejected, match="larger than 3 bytes") as caught:
            opened(packed()).read("mugs/0.jpg", max_bytes=3)
        assert caught.value.reason is ArchiveRejectionReason.TOO_LARGE


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", ArchiveRejectionReason.EMPTY),
            (packed({}), ArchiveRejectionReason.EMPTY),
            (packed({"mugs/": b"", ".hidden": b"x"}), ArchiveRejectionReason.EMPTY),
            (b"%PDF-1.7 ...", ArchiveRejectionReason.NOT_A_ZIP),
            (b"\x1f\x8b a tar.gz" * 100, ArchiveRejectionReason.NOT_A_ZIP),
            (packed()[:-40], ArchiveRejectionReason.DAMAGED),
            (packed()[: len(packed()) // 2], ArchiveRejectionReason.DAMAGED),
            (b"PK\x03\x04" + Random(1).randbytes(3000), ArchiveRejectionReason.DAMAGED),
            (encrypted(packed()), ArchiveRejectionReason.ENCRYPTED),
            (packed([*PHOTOS.items(), link("mugs/9.jpg", "/etc/passwd")]), ArchiveRejectionReason.SPECIAL_FILE),
            (said_method(packed(), 9), ArchiveRejectionReason.COMPRESSION),
            (packed(compression=zipfile.ZIP_BZIP2), ArchiveRejectionReason.COMPRESSION),
            (packed(compression=zipfile.ZIP_LZMA), ArchiveRejectionReason.COMPRESSION),
            (packed([("mugs/1.jpg", b"x"), ("Mugs/1.JPG", b"y")]), ArchiveRejectionReason.DUPLICATE),
            (
                packed([("café/1.jpg", b"x"), (unicodedata.normalize("NFD", "café/1.jpg"), b"y")]),
                ArchiveRejectionReason.DUPLICATE,
            ),
            (packed([("mugs/1.jpg", b"x"), ("mugs//1.jpg", b"y")]), ArchiveRejectionReason.DUPLICATE),
            (packed([("mugs", b"x"), ("mugs/1.jpg", b"y")]), ArchiveRejectionReason.DUPLICATE),
        ],
    )
    def test_for_what_it_is(self, content, reason):
        assert refused(content).reason is reason

    @pytest.mark.parametrize(
        "name",
        [
            "../1.jpg", "mugs/../../1.jpg", "/etc/1.jpg", "//server/1.jpg", "..\\1.jpg", "mugs\\..\\..\\1.jpg", "\\1.jpg",
            "C:\\1.jpg", "c:1.jpg", "mugs/..", "mugs/\n1.jpg", "mugs/\x1b[31m.jpg", "x" * 256, "/".join(["mugs"] * 300),
        ],
    )  # fmt: skip
    def test_for_a_path_that_leads_elsewhere(self, name, tmp_path):
        assert refused(packed({**PHOTOS, name: b"x"})).reason is ArchiveRejectionReason.UNSAFE_PATH

    def test_for_a_name_that_ends_early_for_some(self):
        content = renamed(packed({"mugs/1.jpg_.exe": b"x"}), b"mugs/1.jpg_.exe", b"mugs/1.jpg\x00.exe")
        assert refused(content).reason is ArchiveRejectionReason.UNSAFE_PATH

    def test_for_a_name_twice_in_the_directory(self):
        with warnings.catch_warnings(action="ignore"):
            content = packed([("mugs/1.jpg", b"x"), ("mugs/1.jpg", b"y")])
        assert refused(content).reason is ArchiveRejectionReason.DUPLICATE

    def test_for_a_device(self):
        entry, _ = link("mugs/zero", "")
        entry.external_attr = 0o020666 << 16
        assert refused(packed([(entry, b"")])).reason is ArchiveRejectionReason.SPECIAL_FILE

    def test_for_more_entries_than_allowed(self, settings):
        assert refused(packed(), max_files=5).reason is ArchiveRejectionReason.TOO_MANY_FILES
        settings.ARCHIVE_MAX_FILES = 5
        assert "5 entries" in str(refused(packed()))

    def test_for_a_directory_that_would_fill_the_memory_before_it_is_read(self):
        # Only a record with the size of the directory.
        end = b"PK\x05\x06" + bytes(8) + (2 * MIB).to_bytes(4, "little") + bytes(6)
        assert refused(b"PK" + bytes(3 * MIB) + end, max_files=10).reason is ArchiveRejectionReason.TOO_MANY_FILES

    def test_for_what_it_would_unpack_to(self):
        error = refused(packed(), max_unpacked_bytes=1000)
        assert error.reason is ArchiveRejectionReason.TOO_LARGE
        assert "1,000" in str(error)

    @pytest.mark.parametrize(
        "files", [{"mugs/1.jpg": bytes(2 * MIB)}, {f"mugs/{number}.jpg": bytes(MIB) for number in range(80)}]
    )
    def test_for_being_a_bomb(self, files):
        assert refused(packed(files)).reason is ArchiveRejectionReason.BOMB

    def test_for_entries_that_overlap(self):
        content = packed()
        second = content.index(b"PK\x03\x04", 4)
        assert refused(said_offset(content, 1, 0)).reason is ArchiveRejectionReason.BOMB
        assert refused(said_offset(content, 2, second + 5)).reason is ArchiveRejectionReason.BOMB

    def test_for_an_entry_behind_the_directory(self):
        content = packed()
        assert refused(said_offset(content, 5, len(content))).reason is ArchiveRejectionReason.DAMAGED

    @pytest.mark.parametrize("difference", [-200, -1, 1, 200])
    def test_for_a_size_that_is_not_true(self, difference, tmp_path):
        size = len(PHOTOS["mugs/0.jpg"])
        content = said_size(packed(), size + difference)
        assert refused(content).reason is ArchiveRejectionReason.WRONG_SIZE
        with pytest.raises(ArchiveRejected):
            opened(content).read("mugs/0.jpg")
        with pytest.raises(ArchiveRejected):
            opened(content).extract_to(tmp_path / "out")

    def test_for_a_bomb_that_says_it_is_small_without_unpacking_it(self):
        bomb = said_size(packed({"mugs/1.jpg": bytes(200 * MIB)}), 1000)
        tracemalloc.start()
        assert refused(bomb).reason is ArchiveRejectionReason.WRONG_SIZE
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * MIB

    def test_for_bytes_that_changed_on_the_way(self):
        content = bytearray(packed(compression=zipfile.ZIP_STORED))
        content[200] ^= 0xFF
        assert refused(bytes(content)).reason is ArchiveRejectionReason.DAMAGED

    def test_for_being_no_file(self, tmp_path):
        for path in (tmp_path, tmp_path / "nothing.zip"):
            with pytest.raises(ArchiveRejected) as caught:
                SafeArchive(path)
            assert caught.value.reason is ArchiveRejectionReason.UNREADABLE

    def test_with_a_message_that_shows_no_control_characters(self):
        assert str(refused(packed({"mugs/\x1b[31m.jpg": b"x"}))).isprintable()


def test_nothing_is_written_outside_the_folder_through_a_link_that_lies_in_it(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mugs").symlink_to(elsewhere)
    with pytest.raises(ArchiveRejected) as caught:
        opened(packed()).extract_to(folder)
    assert caught.value.reason is ArchiveRejectionReason.UNSAFE_PATH
    assert not list(elsewhere.iterdir())


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    opened(packed()).extract_to(tmp_path)
    with pytest.raises(StorageUnavailable, match="File exists"):
        opened(packed()).extract_to(tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_is_refused_or_changes_nothing(seed: int, tmp_path: Path) -> None:
    """With any bytes changed, the archive is rejected with a reason or its files are unchanged; there is no other error."""
    random = Random(seed)
    content = bytearray(packed())
    for _ in range(random.randint(1, 4)):
        content[random.randrange(len(content))] = random.randrange(256)
    try:
        archive = opened(bytes(content))
        archive.extract_to(tmp_path / "out")
    except ArchiveRejected:
        return
    assert set(files_in(tmp_path / "out").values()) <= set(PHOTOS.values())
