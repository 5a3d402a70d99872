"""Three hundred uploads that are no photo and no training set: each is rejected with a reason, and the server keeps working."""

from __future__ import annotations

import io
import json
import struct
import urllib.error
import urllib.request
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.services.conftest import STAND_IN, Server, Site
from tests.zips import encrypted, link, packed, renamed, said_size

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here to read memory from")

SEARCH, TRAIN = "/api/collections/all/search", "/api/collections/all/train"
Upload = tuple[str, str, bytes]


def test_three_hundred_bad_uploads_are_refused_in_words_and_take_no_memory(make_site, draw_photos):
    site = make_site(**STAND_IN)
    site.manage("import_catalog", str(draw_photos(6)))
    server = site.serve()
    uploads = list(bad_uploads(np.random.default_rng(3)))
    assert len(uploads) == 300
    random = np.random.default_rng(4)
    random.shuffle(uploads)
    refusals: Counter[int] = Counter()
    settled_mb = 0.0
    for number, (address, name, content) in enumerate(uploads):
        status, problem = refused(server, address, name, content)
        assert 400 <= status < 500, (name, status, problem)
        assert problem["detail"], name
        refusals[status] += 1
        if number == 100:
            settled_mb = resident_mb(site)
    assert resident_mb(site) < 1.05 * settled_mb
    assert refusals.keys() <= {400, 413, 422}
    assert len(server.similar(site.query("SELECT MIN(id) FROM catalog_product")[0][0])["results"]) == 5
    assert site.query("SELECT COUNT(*) FROM jobs_job") == [(0,)]
    uploads_left = site.folder / "uploads"
    assert not uploads_left.exists() or list(uploads_left.iterdir()) == []


def bad_uploads(random: np.random.Generator) -> Iterator[Upload]:
    """Where each is sent, what it is, and its bytes."""
    good = {kind: saved(random, kind) for kind in ("JPEG", "PNG", "WEBP")}
    for kind, content in good.items():
        for cut in random.integers(1, int(len(content) * 0.9), 30):
            yield SEARCH, f"truncated {kind} at {cut}", content[:cut]
    for number in range(20):
        yield SEARCH, f"PNG bomb {number}", png_that_claims(20_000 + number, 20_000)
        yield SEARCH, f"noise {number}", random.bytes(2000 + number)
        yield SEARCH, f"PDF {number}", b"%PDF-1.7\n" + random.bytes(500)
        yield (
            SEARCH,
            f"SVG {number}",
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(%d)</script></svg>' % number,
        )
        yield SEARCH, f"web page {number}", b"<!doctype html><img src=x onerror=alert(%d)>" % number
        yield SEARCH, f"script that is a GIF, too {number}", b"GIF89a=%d/*" % number + random.bytes(300) + b"*/"
        yield SEARCH, f"zip with a photo in it {number}", packed({"photo.jpg": good["JPEG"]})
    photos = {f"{folder}/{number}.jpg": good["JPEG"] for folder in ("mugs", "hats") for number in range(3)}
    archive = packed(photos)
    for number in range(7):
        deep = "../" * (number + 1)
        yield TRAIN, f"zip slip {number}", packed({**photos, f"{deep}etc/cron.d/{number}": b"* * * * * root true"})
        yield TRAIN, f"absolute path {number}", packed({**photos, f"/srv/{number}.jpg": good["JPEG"]})
        yield TRAIN, f"link {number}", packed([*photos.items(), link(f"mugs/link{number}.jpg", "/etc/passwd")])
        yield TRAIN, f"cut off {number}", archive[: -30 - number]
        yield TRAIN, f"encrypted {number}", encrypted(packed({**photos, f"mugs/x{number}.jpg": good["JPEG"]}))
        yield TRAIN, f"said size {number}", said_size(archive, 10**6 + number)
        yield TRAIN, f"bomb {number}", packed({f"mugs/{number}.jpg": bytes(60_000_000)})
        yield TRAIN, f"photo, no zip {number}", good["JPEG"] + archive[:number]
        hidden = renamed(packed({**photos, "mugs/aaaaaa.jpg": b"x"}), b"mugs/aaaaaa.jpg", b"mugs/../../ab.x")
        yield TRAIN, f"hidden name {number}", hidden
        yield TRAIN, f"nothing in it {number}", packed({f"notes{number}.txt": b"no photo"})


def saved(random: np.random.Generator, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A few hundred bytes that unpack to more than a gigabyte."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))

    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def refused(server: Server, address: str, name: str, content: bytes) -> tuple[int, dict[str, str]]:
    """Send it as the one file of a form; the answer's status, and its problem detail."""
    field = "photo" if address == SEARCH else "archive"
    head = f'--edge\r\nContent-Disposition: form-data; name="{field}"; filename="x"\r\n\r\n'.encode()
    request = urllib.request.Request(  # noqa: S310
        server.base + address,
        data=head + content + b"\r\n--edge--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=edge"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, {"detail": f"{name} was taken"}
    except urllib.error.HTTPError as error:
        with error:
            assert error.headers["Content-Type"] == "application/problem+json", name
            problem: dict[str, str] = json.load(error)
            return error.code, problem


def resident_mb(site: Site) -> float:
    """Of all the server's processes."""
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in site.running()]
    return sum(int(status.partition("VmRSS:")[2].split()[0]) / 1e3 for status in statuses)
