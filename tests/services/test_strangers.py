"""What strangers send to the shop's forms: nothing large is read, and nobody holds up the health checks."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.services.conftest import free_port

SIGN_IN = "/admin/login/"
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n"
    "Content-Type: multipart/form-data; boundary=x\r\n{more}\r\n"
)
FORM = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="photo"\r\n\r\n'


def status_of(connection: socket.socket) -> int:
    return int(connection.makefile("rb").readline().split()[1])


def written_by(pid: int) -> int:
    """Bytes that a process has written to files and sockets."""
    return int(Path(f"/proc/{pid}/io").read_text().split("wchar:")[1].split()[0])


def test_a_stranger_holds_no_health_check_and_fills_no_disk(make_site, record_property):
    port = free_port()
    site = make_site(HEALTH_PORT=str(port))
    server = site.serve(threads=4)
    address = ("127.0.0.1", int(server.base.rpartition(":")[2]))

    before = sum(map(written_by, site.running()))
    for path in (SIGN_IN, "/admin/catalog/product/add/", "/admin/catalog/product/import/", "/basket"):
        # The answer comes before the body.
        with closing(socket.create_connection(address, timeout=60)) as connection:
            connection.sendall(HEAD.format(path=path, size=300_000_000, more="").encode() + FORM + b"\0" * 100_000)
            assert status_of(connection) in (403, 413), path
    assert sum(map(written_by, site.running())) - before < 1_000_000

    with ExitStack() as unfinished:
        for _ in range(24):
            connection = unfinished.enter_context(closing(socket.create_connection(address, timeout=60)))
            connection.sendall(HEAD.format(path=SIGN_IN, size=1000, more="").encode() + FORM)
        # Every thread waits for the end of a form.
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(f"{server.base}/healthz", timeout=2)  # noqa: S310
        for path, status in (("/healthz", "alive"), ("/readyz", "ready")):
            began = time.perf_counter()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
                assert json.load(answer)["status"] == status
            took_ms = 1e3 * (time.perf_counter() - began)
            record_property("note", f"{path} beside 24 unfinished forms: {took_ms:.0f} ms")
