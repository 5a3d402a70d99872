"""Disks that are full, read-only or away: each door says so, nothing is left half done, and it works once there is room."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.services.conftest import PATIENCE_S, STAND_IN, Server, Site
from tests.zips import packed

MB = 1024**2
NO_ROOM = "there is no room left on the disk: free some"
FULL, READ_ONLY = "urn:problem-type:lookalike:storage-full", "urn:problem-type:lookalike:storage-unavailable"
TABLE = b"sku,title\n" + b"".join(b"m%d,Mug\n" % number for number in range(3))


class Disk:
    """A small file system of its own, mounted at this folder."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ballast = folder / "ballast"
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here, so no disk can be full: {done.stderr.strip()}")

    def fill(self, *, but: int = 0) -> None:
        """Leave room for so many bytes."""
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self._folder).free - but)

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink()

    def remount(self, mode: str) -> None:
        """Read-only ("ro") or for writing ("rw")."""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self._folder)], check=True)

    def unmount(self) -> None:
        """Take it away, with whatever still has files open on it."""
        subprocess.run(["umount", "--lazy", str(self._folder)], check=True)

    def files(self) -> list[str]:
        """All files but the ballast."""
        return sorted(path.name for path in self._folder.rglob("*") if path.is_file() and path != self._ballast)


@pytest.fixture
def mount() -> Iterator[Callable[[Path, int], Disk]]:
    """Mounts a small disk at a folder."""
    disks: list[Disk] = []

    def mounted(folder: Path, size: int = 4 * MB) -> Disk:
        disks.append(Disk(folder, size))
        return disks[-1]

    yield mounted
    for disk in disks:
        disk.unmount()


def noise(seed: int, side: int = 200) -> bytes:
    """A photo that hardly shrinks: 120 kB."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., str]:
    """Writes so many photos into the folder that import_catalog is given."""

    def write(count: int, first: int = 0) -> str:
        folder = tmp_path / "photos" / "noise"
        folder.mkdir(parents=True, exist_ok=True)
        for seed in range(first, first + count):
            (folder / f"n{seed:03}.png").write_bytes(noise(seed))
        return str(folder.parent)

    return write


def count(site: Site, table: str) -> int:
    return int(site.query(f"SELECT COUNT(*) FROM {table}")[0][0])  # noqa: S608


def used(site: Site, disk) -> list[str]:
    """The files on the disk, without those that wait to be swept."""
    waiting = {name.rpartition("/")[2] for (name,) in site.query("SELECT name FROM catalog_unusedfile")}
    return [name for name in disk.files() if name.rpartition("/")[2] not in waiting]


def verified(site: Site) -> str:
    """What a comparison of index and database finds, once nobody else holds the index."""
    site.stop()
    return site.manage("reindex", "--verify").stdout


def errors(site: Site) -> list[str]:
    """The errors in the logs of the site's processes."""
    return [line for line in site.log().splitlines() if " ERROR " in line]


def form(field: str, *files: bytes, **fields: str) -> tuple[bytes, dict[str, str]]:
    """A form with files, and its headers."""
    parts = [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for number, content in enumerate(files):
        head = f'--edge\r\nContent-Disposition: form-data; name="{field}"; filename="{number}.png"\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + b"--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}


def send(server: Server, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any], str]:
    """Status, JSON and Retry-After of the answer, problems too."""
    request = urllib.request.Request(server.base + path, body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            return answer.status, json.load(answer), ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers.get("Retry-After", "")


class TestAnImport:
    def test_stops_where_the_disk_is_full_and_goes_on_once_there_is_room(self, make_site, mount, photos):
        site = make_site()
        disk = mount(site.folder / "media")
        site.manage("import_catalog", photos(5))
        disk.fill(but=MB)
        stopped = site.manage("import_catalog", photos(20), check=False)
        assert stopped.returncode == 1
        assert "Traceback" not in stopped.stderr
        assert f"cannot be written to {site.folder / 'media'}: {NO_ROOM}" in stopped.stderr
        assert "Import the same source again to continue" in stopped.stderr
        # A photo that finds no room is no bad photo.
        assert "0 rejected, 0 skipped" in stopped.stdout
        there = count(site, "catalog_productimage")
        assert 5 <= there < 20
        assert count(site, "catalog_product") == len(used(site, disk)) == there
        disk.free()
        site.manage("import_catalog", photos(20))
        assert count(site, "catalog_product") == len(disk.files()) == 20
        assert site.states() == {"indexed": 20}
        assert "0 missing, 0 stale, 0 orphaned" in verified(site)

    def test_says_that_the_disk_is_read_only(self, make_site, mount, photos):
        site = make_site()
        disk = mount(site.folder / "media")
        disk.remount("ro")
        stopped = site.manage("import_catalog", photos(3), check=False)
        assert (stopped.returncode, "Traceback" in stopped.stderr) == (1, False)
        assert "Nothing was imported: the file products/" in stopped.stderr
        assert "it is mounted read-only: have it mounted for writing" in stopped.stderr
        assert count(site, "catalog_product") == 0
        disk.remount("rw")
        site.manage("import_catalog", photos(3))
        assert count(site, "catalog_product") == len(disk.files()) == 3

    def test_says_that_its_table_of_rejected_rows_finds_no_room(self, make_site, mount, tmp_path):
        site = make_site()
        disk = mount(tmp_path / "reports")
        disk.fill()
        table = tmp_path / "table.csv"
        table.write_bytes(b"sku,title\n" + b"".join(b"m%d,\n" % number for number in range(3000)))
        stopped = site.manage(
            "import_catalog", str(table), "--report", str(tmp_path / "reports" / "bad.csv"), check=False
        )
        assert (stopped.returncode, "Traceback" in stopped.stderr) == (1, False)
        assert f"the table of rejected rows bad.csv cannot be written to {tmp_path / 'reports'}: {NO_ROOM}" in (
            stopped.stderr
        )

    def test_that_is_a_job_fails_with_the_reason_and_can_be_sent_again(self, make_site, mount):
        site = make_site()
        disk = mount(site.folder / "media")
        server = site.serve()
        archive = packed({f"noise/{number}.png": noise(number) for number in range(10)})
        disk.fill(but=MB // 2)
        failed = self.ended(site, server, archive)
        assert failed["state"] == "failed"
        assert f"cannot be written to media: {NO_ROOM}" in failed["error"]
        assert str(site.folder) not in failed["error"]
        assert count(site, "catalog_product") == len(used(site, disk))
        disk.free()
        assert self.ended(site, server, archive)["state"] == "succeeded"
        assert count(site, "catalog_product") == len(disk.files()) == 10

    def ended(self, site: Site, server: Server, archive: bytes) -> dict[str, Any]:
        """The job, once it has ended."""
        _, job, _ = send(server, "/api/imports", archive, **{"Content-Type": "application/zip"})
        address = f"/api/jobs/{job['id']}"
        site.wait_until(lambda: server.get(address)["state"] not in ("queued", "running"))
        ended: dict[str, Any] = server.get(address)
        return ended


class TestAnUpload:
    def test_that_finds_no_room_is_a_problem_and_goes_through_once_there_is_some(self, make_site, mount):
        site = make_site(**STAND_IN)
        disk = mount(site.folder / "uploads")
        server = site.serve()
        disk.fill()
        archive = packed({f"{label}/{number}.png": noise(number) for label in "ab" for number in range(2)})
        for path, body, headers in (
            ("/api/imports", TABLE, {"Content-Type": "text/csv"}),
            ("/api/imports", *form("file", TABLE)),
            ("/api/collections/all/train", archive, {"Content-Type": "application/zip"}),
            ("/api/collections/all/train", *form("archive", archive)),
        ):
            before = len(errors(site))
            status, problem, retry_after = send(server, path, body, **headers)
            assert (status, problem["type"], retry_after) == (507, FULL, "60"), problem
            assert str(site.folder) not in json.dumps(problem)
            (logged,) = errors(site)[before:]
            assert f"what was sent cannot be written to {site.folder / 'uploads'}: {NO_ROOM}" in logged
        assert (disk.files(), count(site, "jobs_job")) == ([], 0)
        disk.free()
        disk.remount("ro")
        status, problem, retry_after = send(server, "/api/imports", TABLE, **{"Content-Type": "text/csv"})
        assert (status, problem["type"], retry_after) == (503, READ_ONLY, "60")
        disk.remount("rw")
        status, job, _ = send(server, "/api/imports", TABLE, **{"Content-Type": "text/csv"})
        assert status == 202, job
        site.wait_until(lambda: count(site, "catalog_product") == 3)

    def test_of_a_photo_to_search_by_that_cannot_be_spooled_is_a_problem(self, make_site, mount, photos, tmp_path):
        disk = mount(tmp_path / "spool", 16 * MB)
        site = make_site(TMPDIR=str(tmp_path / "spool"))
        site.manage("import_catalog", photos(6))
        server = site.serve()
        body, headers = form("photo", noise(0, side=1000))
        disk.fill(but=MB)
        status, problem, retry_after = send(server, "/api/collections/all/search", body, **headers)
        assert (status, problem["type"], retry_after) == (507, FULL, "60"), problem
        (logged,) = errors(site)
        assert f"what was sent cannot be written to the folder for temporary files (TMPDIR): {NO_ROOM}" in logged
        disk.free()
        status, answer, _ = send(server, "/api/collections/all/search", body, **headers)
        assert (status, len(answer["results"])) == (200, 6)


class TestTheProductsForm:
    def test_says_what_found_no_room_and_saves_nothing_of_it(self, make_site, mount, tmp_path):
        spool = mount(tmp_path / "spool", 16 * MB)
        site = make_site(TMPDIR=str(tmp_path / "spool"))
        disk = mount(site.folder / "media")
        admin = Admin(site, site.serve())
        disk.fill(but=200_000)
        # The first of them finds room.
        page = admin.add_product(noise(1), noise(2))
        assert f"cannot be written to {site.folder / 'media'}: {NO_ROOM}" in page
        assert 'value="Mug that was typed"' in page
        assert len(errors(site)) == 1
        assert (count(site, "catalog_product"), count(site, "catalog_productimage"), used(site, disk)) == (0, 0, [])
        disk.free()
        spool.fill(but=MB)
        page = admin.add_product(noise(1, side=1000))
        assert f"what was sent cannot be written to the folder for temporary files (TMPDIR): {NO_ROOM}" in page
        assert (count(site, "catalog_product"), used(site, disk)) == (0, [])
        spool.free()
        assert "2 photos were added" in admin.add_product(noise(1), noise(2))
        assert (count(site, "catalog_product"), len(disk.files())) == (1, 2)
        site.wait_until(lambda: site.states() == {"indexed": 2})

    def test_of_imports_says_so_too(self, make_site, mount, tmp_path):
        spool = mount(tmp_path / "spool", 16 * MB)
        site = make_site(TMPDIR=str(tmp_path / "spool"))
        disk = mount(site.folder / "uploads")
        admin = Admin(site, site.serve())
        disk.fill()
        page = admin.post("/admin/catalog/product/import/", "file", TABLE)
        assert f"what was sent cannot be written to {site.folder / 'uploads'}: {NO_ROOM}" in page
        spool.fill(but=MB)
        page = admin.post("/admin/catalog/product/import/", "file", TABLE + b"m,\n" * MB)
        assert f"what was sent cannot be written to the folder for temporary files (TMPDIR): {NO_ROOM}" in page
        assert "This field is required" not in page
        assert len(errors(site)) == 2
        assert (count(site, "catalog_importdraft"), disk.files()) == (0, [])
        spool.free()
        disk.free()
        admin.post("/admin/catalog/product/import/", "file", TABLE)
        assert count(site, "catalog_importdraft") == 1


class Admin:
    """Somebody who has signed in to the back office."""

    def __init__(self, site: Site, server: Server) -> None:
        site.manage(
            "createsuperuser", "--noinput", "--username", "boss", "--email", "boss@shop.example",
            DJANGO_SUPERUSER_PASSWORD="s3cret-enough",
        )  # fmt: skip
        self._server = server
        self._cookies = CookieJar()
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))
        self._browser.open(f"{server.base}/admin/login/").close()
        self.post("/admin/login/?next=/admin/logout-not-wanted", "none", username="boss", password="s3cret-enough")

    def post(self, path: str, field: str, *files: bytes, **fields: str) -> str:
        """Send a form; the page that comes back."""
        token = next(str(cookie.value) for cookie in self._cookies if cookie.name == "csrftoken")
        body, headers = form(field, *files, **fields, csrfmiddlewaretoken=token)
        request = urllib.request.Request(self._server.base + path, body, headers)  # noqa: S310
        try:
            with self._browser.open(request, timeout=PATIENCE_S) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.code}: {error.read().decode()[:2000]}"

    def add_product(self, *files: bytes) -> str:
        """Send the form of a new product with these photos."""
        return self.post(
            "/admin/catalog/product/add/", "new_photos", *files,
            title="Mug that was typed", sku="M1", currency="EUR", available="on", active="on", tags="[]", attributes="{}",
        )  # fmt: skip


class TestTheMediaFolder:
    def test_that_is_away_fails_no_photo_and_one_that_lacks_a_file_fails_that_one(self, make_site, mount, photos):
        site = make_site()
        media = site.folder / "media"
        mount(media)
        # Nobody indexes them yet.
        site.manage("import_catalog", photos(6), QDRANT_URL="http://127.0.0.1:1")
        assert site.states() == {"pending": 6}
        aside = site.folder / "aside"
        aside.mkdir()
        subprocess.run(["mount", "--bind", str(media), str(aside)], check=True)
        try:
            subprocess.run(["umount", str(media)], check=True)
            failed = site.manage("reindex", "--only-missing", check=False)
            assert (failed.returncode, "Traceback" in failed.stderr) == (1, False)
            assert f"there is no photo at all in {media}: mount its disk" in failed.stderr
            assert site.query("SELECT state, attempts FROM embeddings_imageembedding") == [("pending", 0)] * 6
            site.serve()
            site.wait_until(lambda: "there is no photo at all" in site.log())
            assert site.query("SELECT state, attempts FROM embeddings_imageembedding") == [("pending", 0)] * 6
            next(aside.rglob("*.png")).unlink()
            subprocess.run(["mount", "--bind", str(aside), str(media)], check=True)
            site.wait_until(lambda: site.states() == {"indexed": 5, "failed": 1})
            assert site.log().count("there is no photo at all") == 1
            ((reason,),) = site.query("SELECT error FROM embeddings_imageembedding WHERE state = 'failed'")
            assert "is missing from the media storage: import or upload the photo again" in reason
        finally:
            subprocess.run(["umount", "--lazy", str(aside)], check=True)

    def test_without_room_shows_thumbnails_that_it_does_not_keep(self, make_site, mount, photos):
        site = make_site()
        disk = mount(site.folder / "media")
        site.manage("import_catalog", photos(1))
        server = site.serve()
        address = server.get("/api/products")["results"][0]["thumbnails"]["320"]
        disk.fill()
        for kept in (0, 1):
            with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:  # noqa: S310
                assert (answer.status, answer.headers["Content-Type"]) == (200, "image/webp")
                assert Image.open(io.BytesIO(answer.read())).size == (200, 200)
            assert len([name for name in disk.files() if name.endswith(".webp")]) == kept
            if not kept:
                disk.free()


class TestTheEmbeddedIndex:
    def test_without_room_answers_and_leaves_the_rest_in_the_outbox(self, make_site, mount, photos):
        site = make_site()
        disk = mount(site.folder / "index", 300 * MB)
        site.manage("import_catalog", photos(8))
        server = site.serve()
        product = site.query("SELECT MIN(id) FROM catalog_product")[0][0]
        settled = server.similar(product)
        disk.fill(but=8 * MB)
        site.manage("import_catalog", photos(4, first=8))
        site.wait_until(lambda: "has no room: 8 MB are free on its disk" in site.log())
        site.wait_until(lambda: site.states() == {"indexed": 8, "embedded": 4})
        assert server.similar(product) == settled
        # A server that starts again cannot open the index: it answers with the fallback, or says so where none is wanted.
        site.stop()
        server = site.serve(until="alive")
        fallback = server.similar(product)
        assert (fallback["fallback"], len(fallback["results"])) == (True, 5)
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.get(f"/api/products/{product}/similar?fallback=false")
        with refused.value as answer:
            assert (answer.code, json.load(answer)["type"]) == (507, FULL)
        failed = site.manage("reindex", check=False)
        assert (failed.returncode, "Traceback" in failed.stderr) == (1, False)
        assert "has no room" in failed.stderr
        disk.free()
        site.wait_until(lambda: site.states() == {"indexed": 12})
        assert len(server.get(f"/api/products/{product}/similar?limit=20")["results"]) == 11
        assert "0 missing, 0 stale, 0 orphaned" in verified(site)


class TestTheDatabase:
    def test_of_sqlite_without_room_is_a_problem_and_loses_nothing(self, make_site, mount, tmp_path):
        disk = mount(tmp_path / "database")
        file = tmp_path / "database" / "shop.sqlite3"
        site = make_site(DATABASE_URL=f"sqlite:///{file}")
        table = tmp_path / "table.csv"
        table.write_bytes(TABLE)
        site.manage("import_catalog", str(table))
        server = site.serve()
        disk.fill()
        events = json.dumps({"events": [{"type": "add_to_cart", "product": 1, "quantity": 1}] * 100}).encode()
        status = 202
        # What is in the log of the database already has room there.
        while status == 202:
            status, answer, retry_after = send(server, "/api/events", events, **{"Content-Type": "application/json"})
        assert (status, answer["type"], retry_after) == (507, FULL, "60"), answer
        table.write_bytes(b"sku,title\n" + b"".join(b"p%d,Plate\n" % number for number in range(20_000)))
        stopped = site.manage("import_catalog", str(table), check=False)
        assert (stopped.returncode, "Traceback" in stopped.stderr) == (1, False)
        assert "the database cannot be written: there is no room left on its disk: free some" in stopped.stderr
        assert server.get("/api/products")["count"] >= 3
        disk.free()
        status, answer, _ = send(server, "/api/events", events, **{"Content-Type": "application/json"})
        assert (status, answer) == (202, {"accepted": 100, "dropped": 0, "unknown": []})
        table.write_bytes(b"sku,title\n" + b"".join(b"p%d,Plate\n" % number for number in range(300)))
        site.manage("import_catalog", str(table))
        assert site.manage("shell", "--verbosity", "0", "-c", INTEGRITY).stdout.strip() == "[('ok',)]"


INTEGRITY = """
from django.db import connection
print(connection.cursor().execute("PRAGMA integrity_check").fetchall())
"""


class TestATraining:
    @pytest.mark.tensorflow
    def test_without_room_fails_with_the_reason(self, make_site, mount):
        site = make_site()
        disk = mount(site.folder / "training")
        server = site.serve()
        disk.fill(but=300_000)
        archive = packed({f"{label}/{number}.png": noise(number) for label in "ab" for number in range(4)})
        _, job, _ = send(server, "/api/collections/all/train?epochs=1", archive, **{"Content-Type": "application/zip"})
        address = f"/api/jobs/{job['id']}"
        site.wait_until(lambda: server.get(address)["state"] not in ("queued", "running"))
        ended = server.get(address)
        assert ended["state"] == "failed"
        assert NO_ROOM in ended["error"]
        assert str(site.folder) not in ended["error"]
