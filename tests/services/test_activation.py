"""A version goes live and is taken back while shoppers ask without pause."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from embeddings.backends import BUNDLED
from tests.services.conftest import Server, Site
from tests.services.test_serving import indexed


class Shoppers:
    """Four clients that ask for similar products without pause, and keep every answer."""

    def __init__(self, server: Server, products: list[int]) -> None:
        self._server, self._products = server, products
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(4)]
        self.answers: list[dict[str, Any]] = []
        self.errors: list[object] = []

    def __enter__(self) -> Shoppers:
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
                self.answers.append(self._server.similar(product))
            except OSError as error:
                self.errors.append(error.read() if hasattr(error, "read") else error)

    def all_hear_of(self, label: str) -> bool:
        """Whether the last answers, a few of each client, are all by this version."""
        last = self.answers[-20:]
        return len(last) == 20 and {answer["encoder"] for answer in last} == {label}


@pytest.fixture
def second_model(tmp_path: Path) -> Path:
    """The bundled model with the signs of some of its weights turned: another model, with other answers."""
    content = bytearray(BUNDLED.read_bytes())
    for position in range(300_001, 340_001, 2):
        content[position] ^= 0x80
    path = tmp_path / "second.tflite"
    path.write_bytes(bytes(content))
    return path


def test_no_answer_is_failed_empty_or_mixed_while_versions_come_and_go(make_site, draw_photos, second_model):
    site: Site = make_site()
    site.manage("import_catalog", str(draw_photos(40)))
    server = site.serve()
    site.wait_until(lambda: indexed(site, 40))
    products = [product for (product,) in site.query("SELECT id FROM catalog_product ORDER BY id")]
    settled = {"all-v1": {product: server.similar(product) for product in products}}
    site.manage("add_encoder", str(second_model))
    with Shoppers(server, products) as shoppers:
        site.manage("activate_encoder", "all-v2", "--allow-worse")
        site.wait_until(lambda: shoppers.all_hear_of("all-v2"))
        settled["all-v2"] = {product: server.similar(product) for product in products}
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
