"""Runs the commands of docker-compose.yml unchanged: web services, workers, beat, PostgreSQL, Redis and nginx."""

from __future__ import annotations

import gzip
import json
import urllib.request
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.deploy.conftest import ALL
from tests.deploy.natively import Deployment
from tests.drawings import drawings
from tests.zips import packed


class Shop:
    """The shop as seen by a browser, through the proxy."""

    def __init__(self, deployment: Deployment) -> None:
        self.base = f"http://127.0.0.1:{deployment.ports['proxy']}"

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, HTTPResponse | HTTPError, bytes]:
        """Status, response and body, also of an error."""
        request = urllib.request.Request(self.base + path, body, {"Host": "shop.example", **headers})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return response.status, response, response.read()
        except HTTPError as error:
            with error:
                return error.code, error, error.read()

    def get(self, path: str) -> Any:
        """The JSON of a response."""
        status, _, body = self.ask(path)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture(scope="module")
def shop(deployment: Deployment, photos: Callable[..., Path]) -> Shop:
    """A shop of twelve products, imported as an operator does it and indexed by the worker."""
    deployment.manage("import_catalog", str(photos(12, "things")))
    found = Shop(deployment)
    deployment.wait_until(lambda: waiting(deployment) == 0)
    return found


def waiting(deployment: Deployment) -> int:
    """The number of photos that are not in the live index."""
    ((count,),) = deployment.query(
        "SELECT COUNT(*) FROM embeddings_imageembedding AS row JOIN embeddings_collection AS collection"
        " ON collection.active_version_id = row.version_id WHERE row.state <> 'indexed'"
    )
    return int(count)


def test_similar_products_are_found_in_the_index_that_the_worker_filled(shop):
    product = shop.get("/api/products")["results"][0]["id"]
    answer = shop.get(f"/api/products/{product}/similar?limit=5")
    assert (len(answer["results"]), answer["fallback"]) == (5, False)


def test_every_address_in_an_answer_leads_somewhere(shop):
    product = shop.get("/api/products")["results"][0]["id"]
    answer = shop.get(f"/api/products/{product}/similar?limit=1")
    card = answer["results"][0]["product"]
    for address in (
        card["url"],
        card["image"],
        *card["thumbnails"].values(),
        shop.get("/api/products?page_size=1")["next"],
    ):
        # What a client would ask the host of the address.
        assert address.startswith("http://shop.example/")
        assert shop.ask(address.removeprefix("http://shop.example"))[0] == 200, address
    assert card["title"] in shop.ask(card["url"].removeprefix("http://shop.example"))[2].decode()


def test_the_storefront_and_the_admin_are_the_catalogues(shop):
    status, _, page = shop.ask("/")
    assert (status, b"things" in page) == (200, True)
    status, _, page = shop.ask("/admin/login/")
    assert (status, b"csrfmiddlewaretoken" in page) == (200, True)
    assert shop.ask("/widget/v1/similar.js")[1].headers["Content-Type"].startswith("text/javascript")


def test_the_admins_pages_open_for_those_who_may(deployment, shop):
    make = (
        "from accounts.models import User; from django.test import Client;"
        "user = User.objects.create_superuser('boss'); client = Client(); client.force_login(user);"
        "print(client.cookies['sessionid'].value)"
    )
    session = deployment.run("catalog", "python", "manage.py", "shell", "--verbosity", "0", "-c", make).stdout.strip()
    product = shop.get("/api/products")["results"][0]["id"]
    for path in ("/admin/", "/admin/catalog/product/", f"/admin/catalog/product/{product}/change/"):
        assert shop.ask(path, Cookie=f"sessionid={session}")[0] == 200, deployment.log("catalog")[-3000:]


def test_answers_of_the_api_are_compressed_and_pages_with_forms_are_not(shop):
    product = shop.get("/api/products")["results"][0]["id"]
    plain = shop.ask(f"/api/products/{product}/similar?limit=5")[2]

    status, answer, body = shop.ask(f"/api/products/{product}/similar?limit=5", **{"Accept-Encoding": "gzip"})

    assert (status, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert gzip.decompress(body) == plain
    assert len(body) < len(plain) / 2
    # The proxy makes the tag a weak one, by which the answer is known all the same.
    tag = answer.headers["ETag"]
    assert shop.ask(f"/api/products/{product}/similar?limit=5", **{"If-None-Match": tag})[0] == 304
    assert "Content-Encoding" not in shop.ask("/admin/login/", **{"Accept-Encoding": "gzip"})[1].headers


def test_static_files_photos_and_thumbnails_come_from_the_disk(deployment, shop):
    _, _, page = shop.ask("/admin/login/")
    stylesheet = next(
        part for part in page.decode().split('"') if part.startswith("/static/") and part.endswith(".css")
    )
    status, answer, _ = shop.ask(stylesheet, **{"Accept-Encoding": "gzip"})
    assert (status, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert "immutable" in answer.headers["Cache-Control"]
    photo = next((deployment.folder / "var" / "media" / "products").rglob("*.jpg"))
    name = photo.relative_to(deployment.folder / "var" / "media")
    status, answer, body = shop.ask(f"/media/{name}")
    assert (status, body, answer.headers["Content-Type"]) == (200, photo.read_bytes(), "image/jpeg")
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Content-Security-Policy"]) == (
        "nosniff", "default-src 'none'; frame-ancestors 'none'",
    )  # fmt: skip
    assert shop.ask(f"/thumbs/320/{name}.webp")[0] == 200
    # Now it is on the disk, and is not created again.
    status, answer, _ = shop.ask(f"/thumbs/320/{name}.webp")
    assert (status, answer.headers["Content-Type"], answer.headers["Accept-Ranges"]) == (200, "image/webp", "bytes")


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/media/products/.unfinished", "/media/../secrets/secret_key"])
def test_what_is_nobodys_business_is_not_served(shop, path):
    assert shop.ask(path)[0] in (400, 404)


def test_a_request_has_one_id_in_the_answer_and_in_the_services_log(deployment, shop):
    status, answer, _ = shop.ask("/api/products/999999", **{"X-Request-ID": "from-the-balancer"})
    assert (status, answer.headers["X-Request-ID"]) == (404, "from-the-balancer")
    assert shop.ask("/api/products")[1].headers["X-Request-ID"]


def test_the_processes_of_a_service_add_up_their_metrics(deployment, shop):
    for _ in range(20):
        shop.get("/api/products")
    with urllib.request.urlopen(f"http://localhost:{deployment.ports['recommender']}/metrics", timeout=60) as response:
        metrics = response.read().decode()
    (counted,) = [
        line
        for line in metrics.splitlines()
        if line.startswith("lookalike_requests_total") and '"products"' in line and "200" in line
    ]
    assert float(counted.split()[-1]) >= 20
    assert 'lookalike_images{state="indexed"}' in metrics


def test_the_workers_export_their_metrics(deployment, shop):
    for name in ("worker", "jobs", "trainer"):
        with urllib.request.urlopen(f"http://127.0.0.1:{deployment.ports[name]}/metrics", timeout=60) as response:
            metrics = response.read().decode()
        assert 'lookalike_photos_processed_total{result="embedded"}' in metrics
        assert 'lookalike_jobs_total{kind="train",result="failed"}' in metrics
        assert 'lookalike_images{state="indexed"} 12.0' in metrics


def test_a_name_that_is_not_the_shops_is_refused(shop):
    assert shop.ask("/", Host="elsewhere.example")[0] == 400


def test_clock_and_workers_are_at_work(deployment, shop):
    deployment.wait_until(lambda: "embeddings.tasks.reconcile" in deployment.log("worker"))
    deployment.wait_until(lambda: "jobs.tasks.run_waiting_trainings" in deployment.log("trainer"))


@pytest.mark.tensorflow
def test_a_training_set_sent_to_the_api_becomes_an_encoder(deployment, shop):
    path = "/api/collections/all/train?dim=32&epochs=3"
    status, _, body = shop.ask(path, packed(drawings(14)), **{"Content-Type": "application/zip"})
    assert status == 202, body
    job = f"/api/jobs/{json.loads(body)['id']}"
    deployment.wait_until(lambda: shop.get(job)["state"] not in ("queued", "running"))
    ended = shop.get(job)
    assert (ended["state"], ended["error"]) == ("succeeded", None)
    assert ended["result"]["encoder"] in deployment.manage(
        "activate_encoder", ended["result"]["encoder"], "--allow-worse"
    )
    deployment.wait_until(lambda: shop.get("/api/products/1/similar")["encoder"] == ended["result"]["encoder"])


def test_a_service_that_is_stopped_ends_in_time_and_comes_back(deployment, shop):
    everything = [name for name in ALL if name not in ("redis", "qdrant")]
    statuses = deployment.end(*everything)
    assert statuses == dict.fromkeys(everything, 0)
    deployment.start(*everything)
    assert shop.get("/api/products")["count"] == 12
