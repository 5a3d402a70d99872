"""The page that manage.py export_edge writes, in Chromium: LiteRT.js runs the model, and nothing else is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from playwright.sync_api import Page, expect

from embeddings.indexing import process_outbox
from embeddings.selectors import clear_live_collection_cache

LITERT_JS = Path(settings.BASE_DIR) / "node_modules" / "@litertjs"
TOLERANCE = 0.0005
# Log lines of LiteRT.js, which finds no WebGPU here and runs the model on the CPU.
NO_GPU = "litert_wasm_internal.js|No available adapters|WebGPU"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, origins: set[str]) -> Iterator[str]:
    """Where tmp_path is served, as by `python -m http.server`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        origins.add(address)
        yield address
        server.shutdown()
        thread.join()


@pytest.mark.skipif(
    not LITERT_JS.is_dir(), reason="LiteRT.js is not installed (`make test` runs npm ci where there is npm)"
)
@pytest.mark.django_db
@pytest.mark.complaints(NO_GPU)
def test_the_page_answers_as_the_api_does_by_shape(
    page: Page, served: str, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CELERY_BROKER_URL", "")
    clear_live_collection_cache()
    photos = real_data / "cases" / "answers" / "images"
    call_command("import_catalog", str(photos.parent / "chart.csv"), images=photos, stdout=StringIO())
    process_outbox()
    call_command("export_edge", out=tmp_path / "edge", web=LITERT_JS, photos=True, stdout=StringIO())

    page.goto(f"{served}/edge/page/")
    expect(page.get_by_role("status")).to_contain_text("Choose a photo", timeout=60_000)
    expect(page.get_by_text("colour and pattern count in similar.py, not here")).to_be_visible()
    for name in ("mug0.jpg", "top2.jpg"):
        page.get_by_label("Photo").set_input_files(photos / name)
        expect(page.get_by_role("status")).to_contain_text("similar products", timeout=60_000)
        found = page.get_by_role("listitem").evaluate_all(
            "all => all.map(({dataset}) => [dataset.sku, +dataset.score])"
        )

        sent = SimpleUploadedFile(name, (photos / name).read_bytes())
        answer = Client().post("/api/collections/all/search", {"photo": sent, "weights": "shape:1"})
        expected = [(each["product"]["sku"], each["score"]) for each in json.loads(answer.content)["results"]]
        # Kernels for int8 differ in the last digits of a score; so may the order of what is equally near.
        by_sku = dict(expected)
        assert dict(found) == pytest.approx(by_sku, abs=TOLERANCE)
        scores = [by_sku[sku] for sku, _ in found]
        assert all(before > after - TOLERANCE for before, after in pairwise(scores))
        page.reload()
        expect(page.get_by_role("status")).to_contain_text("Choose a photo", timeout=60_000)

    page.get_by_label("Photo").set_input_files({"name": "text.jpg", "mimeType": "image/jpeg", "buffer": b"no photo"})
    expect(page.get_by_role("status")).to_contain_text("This photo cannot be used")
