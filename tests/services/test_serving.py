"""A web server with the embedded index, and commands that run beside it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.services.conftest import Server, Site


def indexed(site: Site, count: int) -> bool:
    return site.states() == {"indexed": count}


def a_product(site: Site, name: str) -> int:
    number: int = site.query(f"SELECT id FROM catalog_product WHERE sku LIKE '%{name}%' ORDER BY id LIMIT 1")[0][0]  # noqa: S608
    return number


@pytest.mark.parametrize("command", ["import_catalog", "demo"])
def test_a_command_beside_a_server_leaves_its_photos_to_it(make_site, draw_photos, command):
    site = make_site()
    server = site.serve()
    if command == "demo":
        done = site.manage("demo", "--count", "3")
        photos, product = 6, "DEMO"
    else:
        done = site.manage("import_catalog", str(draw_photos(20)))
        photos, product = 20, "photos"
    assert "running server" in done.stdout + done.stderr or "server is running" in done.stdout
    site.wait_until(lambda: indexed(site, photos))
    answer = server.similar(a_product(site, product))
    assert answer["results"]
    assert not answer["fallback"]


def test_a_server_indexes_what_earlier_commands_left(make_site, draw_photos):
    site = make_site()
    site.manage("import_catalog", str(draw_photos(10)))
    site.query("UPDATE embeddings_imageembedding SET state = 'pending', vector = NULL")
    server = site.serve()
    site.wait_until(lambda: indexed(site, 10))
    assert not server.similar(a_product(site, "photos"))["fallback"]


def test_answers_go_on_while_a_new_index_is_built_and_switched_to(make_site, draw_photos):
    site = make_site()
    site.manage("import_catalog", str(draw_photos(40)))
    server = site.serve()
    products = [product for (product,) in site.query("SELECT id FROM catalog_product ORDER BY id")]
    asked, stop = Asked(server, products), threading.Event()
    clients = [threading.Thread(target=asked.without_pause, args=(stop, number)) for number in range(4)]
    for client in clients:
        client.start()
    try:
        for generation in (2, 3):
            before = asked.answered
            site.manage("reindex")
            assert site.query("SELECT index_generation FROM embeddings_encoderversion") == [(generation,)]
            site.wait_until(lambda before=before: asked.answered > before + 100)
        # Whoever holds a former generation open keeps its files on the disk.
        site.wait_until(lambda: generations_held(site) == {"all-v1-g3"})
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert asked.wrong == []
    assert indexed(site, 40)


def test_a_server_that_nobody_asks_keeps_the_index_to_itself_after_a_reindex(make_site, draw_photos):
    site = make_site()
    site.manage("import_catalog", str(draw_photos(10)))
    server = site.serve()
    site.manage("reindex")
    # The new generation is the server's, whether it has opened it already or not.
    assert "0 missing, 0 stale, 0 orphaned" in site.manage("reindex", "--verify").stdout
    assert site.query("SELECT missing FROM embeddings_verificationrequest") == [(0,)]
    assert server.similar(a_product(site, "photos"))["results"]


def test_an_index_is_verified_beside_the_server_that_holds_it(make_site, draw_photos):
    site = make_site()
    site.manage("import_catalog", str(draw_photos(10)))
    server = site.serve()
    # Past the services, so that the index does not hear of it.
    site.query("UPDATE catalog_product SET available = FALSE WHERE id IN (SELECT MIN(id) FROM catalog_product)")
    assert "all-v1: 0 missing, 1 stale, 0 orphaned; repaired" in site.manage("reindex", "--verify").stdout
    assert "all-v1: 0 missing, 0 stale, 0 orphaned\n" in site.manage("reindex", "--verify").stdout
    assert server.similar(a_product(site, "photos"))["results"]


class Asked:
    """Clients' questions, and what was wrong with the answers."""

    def __init__(self, server: Server, products: list[int]) -> None:
        self._server, self._products = server, products
        self.answered = 0
        self.wrong: list[Any] = []

    def without_pause(self, stop: threading.Event, start: int) -> None:
        while not stop.is_set():
            product = self._products[(start + self.answered) % len(self._products)]
            try:
                answer = self._server.similar(product)
            except OSError as error:
                self.wrong.append(error.read() if hasattr(error, "read") else error)
            else:
                if answer["fallback"] or len(answer["results"]) != 5:
                    self.wrong.append(answer)
            self.answered += 1


def generations_held(site: Site) -> set[str]:
    """The generations whose files, of photos or of texts, the started processes have mapped or open, deleted ones too."""
    held, inside = set(), f"{site.folder}/index/"
    for process in site.running():
        lines = Path(f"/proc/{process}/maps").read_text().splitlines()
        held |= {line.partition(inside)[2].partition("/")[0].removesuffix("-text") for line in lines if inside in line}
    return held
