"""The runbooks of docs/how-to/operate.md, command by command, on a running deployment."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from embeddings.selectors import LIVE_COLLECTION_TTL_S
from tests.deploy.files import DEPLOY, ROOT, commands_of, compose
from tests.deploy.natively import Deployment, documented
from tests.deploy.test_stack import Shop, waiting
from tests.encoders import another_model

OPERATE = ROOT / "docs" / "how-to" / "operate.md"
# Commands that need a Docker engine, or that only start a service.
ONLY_WITH_DOCKER = (
    ["docker", "compose", "ps"],
    ["docker", "compose", "build"],
    ["docker", "compose", "up", "--detach"],
)


def runbook(heading: str) -> list[list[str]]:
    """The commands of a runbook, without those that need a Docker engine."""
    commands = [words for words in commands_of(OPERATE, heading) if "logs" not in words]
    return [words for words in commands if words not in ONLY_WITH_DOCKER]


@pytest.fixture(scope="module")
def shop(deployment: Deployment, photos: Callable[..., Path]) -> Shop:
    """A shop of nine products."""
    deployment.manage("import_catalog", str(photos(9, "things")))
    deployment.wait_until(lambda: waiting(deployment) == 0)
    return Shop(deployment)


def similar(shop: Shop) -> dict[int, list[int]]:
    """The similar products of each product, best first."""
    products = [each["id"] for each in shop.get("/api/products")["results"]]
    answers = [shop.get(f"/api/products/{product}/similar?limit=4") for product in products]
    assert not any(answer["fallback"] for answer in answers)
    return {answer["product"]: [each["product"]["id"] for each in answer["results"]] for answer in answers}


def test_every_service_that_a_runbook_names_is_there():
    words = OPERATE.read_text().split()
    named = {word for verb in ("exec", "run") for word in _after(words, verb)}
    assert named
    assert named <= compose()["services"].keys()


def _after(words: list[str], verb: str) -> list[str]:
    found = []
    for at, word in enumerate(words):
        if word == verb and words[at - 1] == "compose" and words[at - 2] == "docker":
            found.append(next(each.strip("`:.,") for each in words[at + 1 :] if not each.startswith("-")))
    return found


def test_looking_at_it(deployment, shop, tmp_path):
    ready, active = documented(deployment, runbook("## Look"), tmp_path)
    assert json.loads(ready)["status"] == "ready"
    assert "celery@worker" in active


def test_a_backup_brings_back_what_was_there(deployment, shop, photos, tmp_path):
    before = similar(shop)
    documented(deployment, runbook("## Back up"), tmp_path)
    # The disaster: unwanted products, lost photos, lost vectors.
    deployment.manage("import_catalog", str(photos(3, "others")))
    shutil.rmtree(deployment.folder / "var" / "media")
    deployment.end("qdrant")
    deployment.start("qdrant")
    said = documented(deployment, runbook("## Restore"), tmp_path)
    assert any("0 missing, 0 stale, 0 orphaned" in each for each in said)
    assert similar(shop) == before
    photo = next((deployment.folder / "var" / "media" / "products").rglob("*.jpg"))
    assert shop.ask(f"/media/{photo.relative_to(deployment.folder / 'var' / 'media')}")[0] == 200


def test_an_index_that_is_lost_is_made_from_the_database(deployment, shop, tmp_path):
    before = similar(shop)
    # An answer that was asked for before is kept, and goes on without an index.
    address = f"/api/products/{next(iter(before))}/similar?limit=2"
    strict = f"{address}&fallback=false"
    deployment.end("qdrant")
    assert problem(shop, strict) == (503, "Vector index unavailable")
    assert shop.get(address)["fallback"] is True
    deployment.start("qdrant")
    deployment.wait_until(lambda: problem(shop, strict) == (503, "The collection has no index yet"))
    assert shop.get(address)["fallback"] is True
    said = documented(deployment, runbook("## Qdrant is lost"), tmp_path)
    assert "0 missing, 0 stale, 0 orphaned" in said[-1]
    assert similar(shop) == before


def problem(shop: Shop, address: str) -> tuple[int, str]:
    status, _, body = shop.ask(address)
    return status, json.loads(body)["title"]


def test_a_broker_that_is_lost_loses_no_photo(deployment, shop, photos):
    deployment.end("redis")
    assert "the broker is unavailable" in deployment.manage("import_catalog", str(photos(2, "while-away")))
    shutil.rmtree(deployment.folder / "redis")
    (deployment.folder / "redis").mkdir()
    deployment.start("redis")
    deployment.manage("reindex", "--only-missing")
    assert waiting(deployment) == 0
    # Beat and workers have reconnected.
    deployment.wait_until(lambda: deployment.healthy("worker") and deployment.healthy("trainer"))


def test_an_upgrade(deployment, shop, tmp_path):
    said = documented(deployment, runbook("## Upgrade"), tmp_path)
    assert "No migrations to apply" in said[0]
    assert "0 missing, 0 stale, 0 orphaned" in said[-1]


def test_another_encoder_and_back(deployment, shop, tmp_path):
    (deployment.folder / "var" / "encoders" / "second.tflite").write_bytes(another_model())
    add, activate, verify, back = runbook("## Another encoder")
    documented(deployment, [add], tmp_path)
    documented(deployment, [[*activate, "--allow-worse"], verify], tmp_path)
    product = shop.get("/api/products")["results"][0]["id"]
    deployment.wait_until(lambda: shop.get(f"/api/products/{product}/similar")["encoder"] == "all-v2")
    documented(deployment, [back], tmp_path)
    deployment.wait_until(lambda: shop.get(f"/api/products/{product}/similar")["encoder"] == "all-v1")
    # Another process may still answer by the other version.
    time.sleep(LIVE_COLLECTION_TTL_S)


def test_what_the_guide_names_is_there():
    text = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
    for path in (
        "deploy/make-secrets",
        "deploy/compose/cluster.env",
        "deploy/kubernetes/overlays/small/namespace.yaml",
    ):
        assert path in text
        assert (ROOT / path).exists()
    assert (DEPLOY / "kubernetes" / "monitoring").is_dir()
