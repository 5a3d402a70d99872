"""Model files that are damaged, gone or of other dimensions, and indexes of another model: it is said, and nothing is harmed."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embeddings.backends import BUNDLED
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.parts.layout import CURRENT, LAYOUTS, Layout
from tests.services.conftest import ForkedSite, Server, Site, free_port
from tests.services.test_activation import search
from tests.services.test_serving import indexed
from tests.services.test_train_endpoint import ask

MISMATCH = "urn:problem-type:lookalike:encoder-mismatch"
UNAVAILABLE = "urn:problem-type:lookalike:encoder-unavailable"
# The index of the photos, and the length of its vectors: the bundled encoder's, and colour and pattern behind it.
PHOTOS = "all-v1-g1"
SHAPE_DIM = LiteRTEncoder(BUNDLED).dim
DIM = Layout(SHAPE_DIM, LAYOUTS[CURRENT]).dim


def cut(model: Path) -> None:
    model.write_bytes(model.read_bytes()[: len(model.read_bytes()) // 2])


def zeroed(model: Path) -> None:
    model.write_bytes(bytes(len(model.read_bytes())))


def ready(server: Server, check: str) -> tuple[str, str]:
    """What /readyz says of one dependency."""
    body = ask(server, "GET", "/readyz")[1]["checks"][check]
    return body["status"], body["message"]


@pytest.fixture
def activated(make_site: Any, draw_photos: Callable[..., Path], second_model: Path) -> tuple[Site, Path]:
    """A site of ten products whose active version is a second model, and that model's file."""
    site: Site = make_site()
    site.manage("import_catalog", str(draw_photos(10)))
    site.manage("add_encoder", str(second_model))
    site.manage("activate_encoder", "all-v2", "--allow-worse")
    (model,) = (site.folder / "encoders").glob("*/model.tflite")
    return site, model


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (cut, "is not a LiteRT model that runs here"),
        (zeroed, "is not a LiteRT model that runs here"),
        (Path.unlink, "there is no file"),
    ],
)
def test_a_model_file_that_is_damaged_is_said_and_all_is_well_once_it_is_back(activated, draw_photos, damage, expected):
    site, model = activated
    kept = model.with_name("kept")
    shutil.copy(model, kept)
    damage(model)
    server = site.serve(until="alive")
    photo = next((site.folder / "media" / "products").rglob("*.jpg"))
    product = site.query("SELECT MIN(id) FROM catalog_product")[0][0]
    # What needs no encoder goes on.
    assert len(server.similar(product)["results"]) == 5
    status, problem = search(server, photo)
    assert (status, problem["type"]) == (503, UNAVAILABLE)
    assert expected in problem["detail"]
    state, message = ready(server, "encoder")
    assert (state, expected in message, str(model) in message) == ("down", True, True)
    # The rest waits, and fails no photo.
    site.manage("import_catalog", str(draw_photos(2, "more")))
    site.wait_until(lambda: expected in site.log())
    assert site.query("SELECT state, count(*) FROM embeddings_imageembedding WHERE version_id = 2 GROUP BY state") == [
        ("indexed", 10),
        ("pending", 2),
    ]
    failed = site.manage("reindex", check=False)
    assert (failed.returncode, expected in failed.stderr, str(model) in failed.stderr) == (1, True, True)
    assert "Traceback" not in failed.stderr + site.log()
    assert len(server.similar(product)["results"]) == 5
    kept.replace(model)
    site.stop()
    server = site.serve()
    # The version that is out of use has the two of them noted.
    site.wait_until(lambda: site.states() == {"indexed": 22, "pending": 2})
    status, answer = search(server, photo)
    assert (status, len(answer["results"])) == (200, 12)
    site.stop()
    assert "all-v2: 0 missing, 0 stale, 0 orphaned" in site.manage("reindex", "--verify").stdout


def test_a_version_that_was_recorded_with_other_dimensions_than_its_model_has(activated):
    site, model = activated
    site.query("UPDATE embeddings_encoderversion SET dim = 128 WHERE number = 2")
    server = site.serve(until="alive")
    expected = f"all-v2 has vectors of 128 dimensions, but '{model.parent.name}/model.tflite' gives {SHAPE_DIM}"
    status, problem = search(server, next((site.folder / "media" / "products").rglob("*.jpg")))
    assert (status, problem["type"]) == (503, MISMATCH)
    assert expected.lower() in problem["detail"].lower()
    assert ready(server, "encoder") == (
        "down",
        expected,
    )
    site.stop()
    assert "0 failed" not in site.manage("reindex", "--rebuild").stdout
    server = site.serve()
    product = site.query("SELECT MIN(id) FROM catalog_product")[0][0]
    answer = server.similar(product)
    assert (answer["encoder"], len(answer["results"])) == ("all-v3", 5)


def test_a_default_encoder_that_is_not_there_stops_commands_and_no_shop_that_runs(make_site, draw_photos, tmp_path):
    site = make_site()
    site.manage("import_catalog", str(draw_photos(6)))
    site.environment["DEFAULT_ENCODER"] = str(tmp_path / "nowhere.tflite")
    failed = site.manage("reindex", check=False)
    assert failed.returncode == 1
    assert f"there is no file {tmp_path / 'nowhere.tflite'}" in failed.stderr
    assert "Set DEFAULT_ENCODER to bundled or bundled-fast, or to the path of a LiteRT file." in failed.stderr
    server = site.serve()
    assert len(server.similar(site.query("SELECT MIN(id) FROM catalog_product")[0][0])["results"]) == 5


ANOTHER_INDEX = """
import sys
from embeddings.vector_index.edge import EdgeVectorIndex
from embeddings.vector_index.base import IndexCollection
index = EdgeVectorIndex(sys.argv[1])
index.drop(sys.argv[2])
index.ensure(IndexCollection(sys.argv[2], 8))
index.close()
"""


def refused_and_mended(site: Site, draw_photos: Callable[..., Path]) -> None:
    """The site's index is of eight dimensions: whoever meets it says so, and a reindex builds the right one."""
    expected = f"the index {PHOTOS} stands with 8 dimensions compared by cosine, but {DIM} by cosine are wanted"
    server = site.serve(until="alive")
    product = site.query("SELECT MIN(id) FROM catalog_product")[0][0]
    status, problem = ask(server, "GET", f"/api/products/{product}/similar")
    assert (status, problem["type"]) == (503, MISMATCH)
    assert expected[1:] in problem["detail"]
    status, problem = search(server, next((site.folder / "media" / "products").rglob("*.jpg")))
    assert (status, problem["type"]) == (503, MISMATCH)
    state, message = ready(server, "index")
    assert (state, expected in message) == ("down", True)
    site.manage("import_catalog", str(draw_photos(2, "more")))
    site.wait_until(lambda: expected in site.log())
    assert site.states().get("failed", 0) == 0
    assert "Traceback" not in site.log()
    site.stop()
    site.manage("reindex")
    server = site.serve()
    site.wait_until(lambda: indexed(site, 12))
    assert len(server.get(f"/api/products/{product}/similar?limit=20")["results"]) == 11
    site.stop()
    assert "0 missing, 0 stale, 0 orphaned" in site.manage("reindex", "--verify").stdout


def test_an_embedded_index_of_other_dimensions_is_said_and_a_reindex_builds_the_right_one(make_site, draw_photos):
    site = make_site()
    site.manage("import_catalog", str(draw_photos(10)))
    shards = {path.name for path in (site.folder / "index").iterdir() if path.is_dir()}
    assert shards == {PHOTOS, f"{PHOTOS}-text"}
    site.run("-c", ANOTHER_INDEX, str(site.folder / "index"), PHOTOS)
    refused_and_mended(site, draw_photos)


def test_a_qdrant_collection_of_other_dimensions_is_said_and_a_reindex_builds_the_right_one(make_site, draw_photos):
    port = free_port()
    site = make_site(QDRANT_URL=f"http://127.0.0.1:{port}", QDRANT_API_KEY="key")
    address = f"http://127.0.0.1:{port}/collections/{PHOTOS}"

    def call(method: str, body: dict[str, Any] | None = None) -> None:
        content = None if body is None else json.dumps(body).encode()
        headers = {"api-key": "key", "Content-Type": "application/json"}
        request = urllib.request.Request(address, content, headers, method=method)
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    def collections() -> bool:
        try:
            call("GET")
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            return False
        return True

    standin = ForkedSite(site.folder)
    standin.start("-m", "tests.deploy.qdrant_standin", "127.0.0.1", str(port), "key", str(site.folder / "qdrant"))
    try:
        standin.wait_until(collections)
        site.manage("import_catalog", str(draw_photos(10)))
        call("DELETE")
        call("PUT", {"vectors": {"size": 8, "distance": "Cosine"}})
        refused_and_mended(site, draw_photos)
    finally:
        standin.stop()
