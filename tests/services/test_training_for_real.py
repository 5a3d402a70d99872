"""Training sets sent to a real server without a broker, and trained on by TensorFlow in a process of the server's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drawings import drawing, drawings, write
from tests.services.conftest import ForkedSite, Server, Site
from tests.services.test_train_endpoint import ask
from tests.zips import packed

pytestmark = pytest.mark.tensorflow

GOOD = drawings(14)


class Shop:
    """A site that sells what is drawn, and its server."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.server: Server = site.serve()

    def send(self, files: Any, **parameters: object) -> tuple[int, Any]:
        """Send an archive to be trained on."""
        query = "&".join(f"{name}={value}" for name, value in {"dim": 32, "epochs": 40, **parameters}.items())
        path = f"/api/collections/all/train?{query}"
        content = files if isinstance(files, bytes) else packed(files)
        return ask(self.server, "POST", path, content, **{"Content-Type": "application/zip"})

    def trained(self, files: Any, **parameters: object) -> dict[str, Any]:
        """The job, when it has ended."""
        status, job = self.send(files, **parameters)
        assert status == 202, job
        address = f"/api/jobs/{job['id']}"
        self.site.wait_until(lambda: self.server.get(address)["state"] not in ("queued", "running"))
        self.site.wait_until(lambda: not self.left("uploads"))
        body: dict[str, Any] = self.server.get(address)
        assert str(self.site.folder) not in json.dumps(body)
        return body

    def left(self, folder: str) -> list[str]:
        """What lies in one of the site's folders."""
        place = self.site.folder / folder
        return sorted(path.name for path in place.iterdir()) if place.exists() else []

    def versions(self) -> dict[str, str]:
        """Files of each encoder version by its label, and which is active."""
        rows = self.site.query("SELECT id, number, files FROM embeddings_encoderversion")
        ((active,),) = self.site.query("SELECT active_version_id FROM embeddings_collection WHERE slug = 'all'")
        return {f"all-v{number}": "active" if key == active else files for key, number, files in rows}

    def answering(self) -> str:
        """The encoder that the API names."""
        product = self.server.get("/api/products")["results"][0]["id"]
        return str(self.server.similar(product)["encoder"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One for all tests, since it takes seconds to start."""
    folder: Path = tmp_path_factory.mktemp("site")
    site = ForkedSite(folder)
    try:
        site.manage("migrate", "--verbosity", "0")
        site.manage("import_catalog", str(write(folder / "catalogue", GOOD)))
        yield Shop(site)
    finally:
        site.stop()


def test_a_version_is_made_and_serves_nothing_yet(shop: Shop) -> None:
    before = shop.answering()
    job = shop.trained(GOOD)
    assert (job["state"], job["error"], job["progress"]) == ("succeeded", None, 1)
    result = job["result"]
    assert (result["dim"], result["activated"], result["data"]["count"]) == (32, False, 42)
    assert result["figures"]["fine-tuned"]["recall_at_1"] > 0.9
    files = shop.versions()[result["encoder"]]
    assert {"model.tflite", "saved_model", "manifest.json"} <= set(shop.left(f"encoders/{files}"))
    assert shop.answering() == before


def test_unreadable_photos_are_skipped_and_reported(shop: Shop) -> None:
    files = drawings(10, first=20)
    files |= {"balls/note.jpg": b"x" * 300, "combs/torn.jpg": files["combs/021.jpg"][:500], "crates/zero.png": b""}
    job = shop.trained(files, epochs=3)
    assert job["state"] == "succeeded", job
    assert job["result"]["data"]["count"] == 30
    (problem,) = [each for each in job["result"]["problems"] if "unreadable" in each]
    assert problem.startswith("3 unreadable photos are left out; the first: balls/note.jpg: ")


def test_a_version_that_is_to_be_activated_answers(shop: Shop) -> None:
    job = shop.trained(GOOD, activate="true", seed=1)
    assert job["state"] == "succeeded", job
    assert job["result"]["activated"], job["result"]
    shop.site.wait_until(lambda: shop.answering() == job["result"]["encoder"])


def test_a_training_that_fails_says_why_and_leaves_nothing_behind(shop: Shop) -> None:
    encoders, versions = shop.left("encoders"), shop.versions()
    job = shop.trained({**GOOD, "metadata.csv": b"name,colour\nballs/000.jpg,red\n"})
    assert job["state"] == "failed"
    assert job["error"] == "metadata.csv has the columns name, colour: it needs file, and product_id or category"
    assert [path for path in shop.left("encoders") if path != "backbones"] == [
        path for path in encoders if path != "backbones"
    ]
    assert shop.versions() == versions
    assert [name for name in shop.left("training/all") if name.startswith("photos-")] == []


@pytest.mark.parametrize(
    ("files", "status"),
    [
        (b"", 400),
        (packed({}), 400),
        (packed({**GOOD, "../../encoders/x.jpg": b"x"}), 400),
        (packed({**GOOD, "balls/bomb.jpg": bytes(30 * 1024 * 1024)}), 400),
        (packed({f"balls/{seed}.jpg": drawing("balls", seed) for seed in range(4)}), 422),
    ],
    ids=["nothing", "empty", "traversal", "bomb", "one class"],
)
def test_an_archive_that_is_refused_is_answered_by_a_problem_and_leaves_nothing(
    shop: Shop, files: bytes, status: int
) -> None:
    encoders, jobs = shop.left("encoders"), shop.site.query("SELECT COUNT(*) FROM jobs_job")
    answered, problem = shop.send(files)
    assert (answered, problem["status"]) == (status, status)
    assert problem["detail"]
    assert shop.left("uploads") == []
    assert shop.left("encoders") == encoders
    assert shop.site.query("SELECT COUNT(*) FROM jobs_job") == jobs
