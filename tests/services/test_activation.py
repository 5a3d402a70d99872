"""A version goes live and is taken back while shoppers ask without pause."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from embeddings.backends import BUNDLED
from tests.services.conftest import Server, Site
from tests.services.test_serving import a_product, indexed
from tests.services.test_train_endpoint import ask

# A score by the shape alone is the cosine of two stored vectors.
SHAPE = "shape:1"


class Shoppers:
    """Four clients that ask for similar products without pause, and keep every answer."""

    def __init__(self, server: Server, products: list[int]) -> None:
        self._server, self._products = server, products
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(4)]
        self.answers: list[dict[str, Any]] = []
        self.errors: list[object] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, start: int) -> None:
        while not self._stop.is_set():
            product = self._products[(start + len(self.answers)) % len(self._products)]
            try:
                self.answers.append(self._server.similar(product, SHAPE))
            except OSError as error:
                self.errors.append(error.read() if hasattr(error, "read") else error)

    def all_hear_of(self, label: str) -> bool:
        """Whether the last answers, a few of each client, are all by this version."""
        last = self.answers[-20:]
        return len(last) == 20 and {answer["encoder"] for answer in last} == {label}


def test_no_answer_is_failed_empty_or_mixed_while_versions_come_and_go(make_site, draw_photos, second_model):
    site: Site = make_site()
    site.manage("import_catalog", str(draw_photos(40)))
    server = site.serve()
    site.wait_until(lambda: indexed(site, 40))
    products = [product for (product,) in site.query("SELECT id FROM catalog_product ORDER BY id")]
    settled = {"all-v1": {product: server.similar(product, SHAPE) for product in products}}
    site.manage("add_encoder", str(second_model))
    with Shoppers(server, products) as shoppers:
        site.manage("activate_encoder", "all-v2", "--allow-worse")
        site.wait_until(lambda: shoppers.all_hear_of("all-v2"))
        settled["all-v2"] = {product: server.similar(product, SHAPE) for product in products}
        site.manage("rollback_encoder")
        site.wait_until(lambda: shoppers.all_hear_of("all-v1"))
        site.manage("activate_encoder", "all-v2", "--allow-worse")
        site.wait_until(lambda: shoppers.all_hear_of("all-v2"))
    assert shoppers.errors == []
    assert {answer["encoder"] for answer in shoppers.answers} == {"all-v1", "all-v2"}
    wrong = [answer for answer in shoppers.answers if answer != settled[answer["encoder"]][answer["product"]]]
    assert wrong == []
    assert settled["all-v1"] != settled["all-v2"]
    assert all(len(answer["results"]) == 5 and not answer["fallback"] for answer in shoppers.answers)


def test_a_model_file_that_was_exchanged_is_an_error_and_never_a_wrong_answer(make_site, draw_photos, second_model):
    site: Site = make_site()
    site.manage("import_catalog", str(draw_photos(10)))
    site.manage("add_encoder", str(second_model))
    site.manage("activate_encoder", "all-v2", "--allow-worse")
    (stored,) = (site.folder / "encoders").glob("*/model.tflite")
    stored.write_bytes(BUNDLED.read_bytes())
    site.manage("import_catalog", str(draw_photos(2, "more")))
    assert site.query("SELECT count(*) FROM embeddings_imageembedding WHERE state = 'pending' AND version_id = 2") == [
        (2,)
    ]
    done = site.manage("reindex", check=False)
    assert done.returncode == 1
    assert "all-v2 was made by model" in done.stderr


ACTIVATE = """
from embeddings.models import EncoderVersion
from embeddings.submissions import submit_activation
print(submit_activation(EncoderVersion.objects.get(number=2), allow_worse=True).pk)
"""


def test_a_job_activates_beside_the_server_that_runs_it(make_site, draw_photos, second_model):
    site: Site = make_site()
    site.manage("import_catalog", str(draw_photos(40)))
    server = site.serve()
    site.wait_until(lambda: indexed(site, 40))
    products = [product for (product,) in site.query("SELECT id FROM catalog_product ORDER BY id")]
    site.manage("add_encoder", str(second_model))
    with Shoppers(server, products) as shoppers:
        job = f"/api/jobs/{site.manage('shell', '--verbosity', '0', '-c', ACTIVATE).stdout.strip()}"
        site.wait_until(lambda: server.get(job)["state"] not in ("queued", "running"))
        site.wait_until(lambda: shoppers.all_hear_of("all-v2"))
    body = server.get(job)
    assert (body["kind"], body["state"], body["error"]) == ("activate", "succeeded", None)
    assert (body["result"]["encoder"], body["result"]["points"], body["result"]["failed"]) == ("all-v2", 40, 0)
    assert body["result"]["comparison"]["candidate"]["queries"] == 40
    assert shoppers.errors == []
    # Every score is the cosine of what the version that the answer names made of the two photos.
    assert {answer["encoder"] for answer in shoppers.answers} == {"all-v1", "all-v2"}
    vectors = {label: stored_vectors(site, number) for number, label in ((1, "all-v1"), (2, "all-v2"))}
    assert wrong_scores(shoppers.answers, vectors) == []
    assert wrong_scores(shoppers.answers, {"all-v1": vectors["all-v2"], "all-v2": vectors["all-v1"]})
    # What the child left to index the server has indexed.
    site.wait_until(lambda: indexed(site, 80))


def test_a_server_that_nobody_asks_takes_over_the_new_index_and_what_is_left_to_do(
    make_site, draw_photos, second_model
):
    site: Site = make_site()
    site.manage("import_catalog", str(draw_photos(10)))
    server = site.serve()
    site.wait_until(lambda: indexed(site, 10))
    site.manage("add_encoder", str(second_model))
    site.manage("activate_encoder", "all-v2", "--allow-worse")
    assert indexed(site, 20)
    # For the version that is out of use they are noted only.
    site.manage("import_catalog", str(draw_photos(2, "more")))
    site.wait_until(lambda: site.states() == {"indexed": 22, "pending": 2})
    switch = site.manage("rollback_encoder")
    assert "a running server holds the index" in switch.stderr
    site.wait_until(lambda: indexed(site, 24))
    answer = server.similar(a_product(site, "more"))
    assert (answer["encoder"], len(answer["results"]), answer["fallback"]) == ("all-v1", 5, False)


def test_a_server_answers_by_no_exchanged_model_and_goes_on_with_what_needs_none(make_site, draw_photos, second_model):
    site: Site = make_site()
    photos = draw_photos(10)
    site.manage("import_catalog", str(photos))
    site.manage("add_encoder", str(second_model))
    site.manage("activate_encoder", "all-v2", "--allow-worse")
    (stored,) = (site.folder / "encoders").glob("*/model.tflite")
    stored.write_bytes(BUNDLED.read_bytes())
    server = site.serve(until="alive")
    status, problem = search(server, next(photos.rglob("*.jpg")))
    assert (status, problem["type"]) == (503, "urn:problem-type:lookalike:encoder-mismatch")
    assert "all-v2 was made by model" in problem["detail"]
    status, body = ask(server, "GET", "/readyz")
    assert (status, body["checks"]["encoder"]["status"]) == (503, "down")
    assert "all-v2 was made by model" in body["checks"]["encoder"]["message"]
    answer = server.similar(site.query("SELECT MAX(id) FROM catalog_product")[0][0])
    assert (answer["encoder"], len(answer["results"]), answer["fallback"]) == ("all-v2", 5, False)


def stored_vectors(site: Site, number: int) -> dict[int, NDArray[np.float32]]:
    """What a version made of each product's photo, unit length, by product."""
    rows = site.query(
        "SELECT image.product_id, row.vector FROM embeddings_imageembedding row JOIN catalog_productimage image"  # noqa: S608
        f" ON image.id = row.image_id JOIN embeddings_encoderversion v ON v.id = row.version_id WHERE v.number = {number}"
    )
    found = {product: np.frombuffer(vector, "<f2").astype(np.float32) for product, vector in rows}
    return {product: vector / np.linalg.norm(vector) for product, vector in found.items()}


def wrong_scores(
    answers: list[dict[str, Any]], vectors: dict[str, dict[int, NDArray[np.float32]]]
) -> list[dict[str, Any]]:
    """The answers that hold a score which the vectors of the version that they name do not give."""
    wrong = []
    for answer in answers:
        known = vectors[answer["encoder"]]
        expected = [known[answer["product"]] @ known[each["product"]["id"]] for each in answer["results"]]
        if not np.allclose(expected, [each["score"] for each in answer["results"]], atol=1e-3):
            wrong.append(answer)
    return wrong


def search(server: Server, photo: Path) -> tuple[int, Any]:
    """Status and JSON of a search by this photo."""
    head = b'--edge\r\nContent-Disposition: form-data; name="photo"; filename="photo.jpg"\r\n\r\n'
    form = head + photo.read_bytes() + b"\r\n--edge--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=edge"}
    return ask(server, "POST", "/api/collections/all/search", form, **kind)
