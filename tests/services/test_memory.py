"""What a reindex takes in memory grows with the texts alone, and what a web process takes not with what visitors send."""

import contextlib
import io
import re
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tests.services.conftest import ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here to read memory from")

# Rows past the services: what is measured is the reindex, and drawing so many photos would take minutes.
FILL = """
import django; django.setup()
from datetime import datetime, timezone
import numpy as np
from catalog.models import Product, ProductImage
from embeddings.models import Collection, ImageEmbedding, IndexedText
version = Collection.objects.get(slug="all").active_version
first, last = {first}, {last}
random = np.random.default_rng(first)
numbers = range(first, last)
products = Product.objects.bulk_create([Product(sku=f"S{{n}}", title=f"Product {{n}}", slug="p") for n in numbers], 500)
images = ProductImage.objects.bulk_create(
    [ProductImage(product=p, file="products/one.jpg", sha256=f"{{p.pk:064}}", width=8, height=8) for p in products], 500
)
vectors = random.normal(size=(len(images), version.dim)).astype("<f2")
parts = random.normal(size=(len(images), version.layout.parts_dim)).astype("<f2")
ImageEmbedding.objects.bulk_create(
    [
        ImageEmbedding(
            version=version, image_id=i.pk, state="embedded", content_hash=i.sha256, vector=v.tobytes(),
            parts=p.tobytes(),
            changed_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
        )
        for i, v, p in zip(images, vectors, parts)
    ],
    500,
)
# As old as the photos: what changed within a build is written once more.
IndexedText.objects.bulk_create(
    [
        IndexedText(version=version, product_id=p.pk, changed_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
        for p in products
    ],
    500,
)
"""


def peak_kb(site) -> int:
    """The most memory that a reindex had of its own: pages of mapped files are not counted, the system takes those back."""
    process, peak = site.start("manage.py", "reindex"), 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text())
            peak = max(peak, int(found[1])) if found else peak
        time.sleep(0.01)
    assert process.returncode == 0, site.log()
    return peak


# The embedded engine keeps sparse vectors in memory, 4 kB a row: see docs/how-to/search.md. A vector of float32 takes as much.
MOST_KB = 6
# Both more than the build holds before the engine gives memory back (POINTS_HELD), and enough vectors for a graph.
FEW, MANY = 6_000, 12_000


@pytest.mark.timeout(900)
def test_a_reindex_of_many_rows_takes_more_than_one_of_few_for_their_texts_alone(make_site):
    site = make_site(forked=False, DJANGO_SETTINGS_MODULE="lookalike.settings", PYTHONPATH=str(ROOT))
    site.run("-c", FILL.format(first=0, last=FEW))
    few = peak_kb(site)
    assert site.states() == {"indexed": FEW}
    site.run("-c", FILL.format(first=FEW, last=MANY))
    many = peak_kb(site)
    assert site.states() == {"indexed": MANY}
    assert many - few < MOST_KB * (MANY - FEW), f"{few} kB for {FEW} rows, {many} kB for {MANY}"


def form(photo: bytes) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="photo"\r\n\r\n'
    return head + photo + b"\r\n--x--\r\n"


def memory_kb(site, name: str) -> int:
    """What the largest process has of this in /proc/<pid>/status."""
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in site.running()]
    return max(int(kilobytes) for text in texts for kilobytes in re.findall(rf"{name}:\s+(\d+) kB", text))


def test_eight_photos_at_the_limit_at_once_take_less_than_400_mb(make_site, draw_photos, record_property):
    site = make_site(forked=False)
    site.manage("import_catalog", str(draw_photos(2)))
    server = site.serve(threads=8)
    drawn = io.BytesIO()
    Image.new("RGBA", (2700, 2700), (200, 20, 20, 90)).save(drawn, "WEBP", lossless=True, quality=0, method=0)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    def search(content: bytes) -> int:
        request = urllib.request.Request(f"{server.base}/api/collections/all/search", form(content), headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
                return answer.status
        except urllib.error.HTTPError as error:
            assert int(error.headers["Retry-After"]) > 0
            return error.code

    small = next((site.folder / "media" / "products").rglob("*.jpg")).read_bytes()
    with ThreadPoolExecutor(8) as visitors:
        # Each thread has an interpreter of the model by then.
        assert set(visitors.map(search, [small] * 16)) == {200}
        before = memory_kb(site, "VmRSS")
        for pid in site.running():
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        statuses = list(visitors.map(search, [drawn.getvalue()] * 8))

    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    # Decoding one takes 128 MiB, and eight at once took a gigabyte.
    peak_kb = memory_kb(site, "VmHWM")
    record_property("note", f"eight photos at the limit: {peak_kb / 1024:.0f} MB, {before / 1024:.0f} MB before")
    assert peak_kb - before < 400 * 1024
