"""What a reindex takes in memory does not grow with the catalogue."""

import contextlib
import re
import time
from pathlib import Path

import pytest

from tests.services.conftest import ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here to read memory from")

# Rows past the services: what is measured is the reindex, and drawing so many photos would take minutes.
FILL = """
import django; django.setup()
from datetime import datetime, timezone
import numpy as np
from catalog.models import Product, ProductImage
from embeddings.models import Collection, ImageEmbedding
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


def test_a_reindex_of_20000_rows_peaks_where_one_of_5000_does(make_site):
    site = make_site(forked=False, DJANGO_SETTINGS_MODULE="lookalike.settings", PYTHONPATH=str(ROOT))
    site.run("-c", FILL.format(first=0, last=5_000))
    few = peak_kb(site)
    assert site.states() == {"indexed": 5_000}
    site.run("-c", FILL.format(first=5_000, last=20_000))
    many = peak_kb(site)
    assert site.states() == {"indexed": 20_000}
    assert many < 1.15 * few, f"{few} kB for 5,000 rows, {many} kB for 20,000"
