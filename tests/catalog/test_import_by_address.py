"""A catalogue is imported from its address: what is downloaded, what is refused, and that nothing secret or temporary stays."""

from __future__ import annotations

import base64
import gzip
import io
import ipaddress
import os
import signal
import tempfile
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry
from catalog import outgoing
from catalog.importers.feeds import FeedAddress
from catalog.models import Product, ProductImage
from jobs.models import Job
from tests.catalog.importing import counts, run
from tests.catalog.photo_server import PhotoServer, photo_server
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

TABLE = b"sku,title,price\nm1,Mug,5\nm2,Bowl,6\n"
FEED = (
    b'<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>m1</g:id><g:title>Mug</g:title></item>'
    b"<item><g:id>m2</g:id><g:title>Bowl</g:title></item></channel></rss>"
)
LINES = b'{"sku": "m1", "title": "Mug"}\n{"sku": "m2", "title": "Bowl"}\n'
SIGN_IN = b"<!DOCTYPE html>\n<html><head><title>Sign in &amp; go on</title></head><body><form></form></body></html>"
NIGHTLY = ("--source", "feed", "--deactivate-missing")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files; nothing is left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture(autouse=True)
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    with photo_server() as server:
        settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.FETCH_PORTS = (server.port,)
        settings.FEED_TIMEOUT_S = 5
        monkeypatch.setattr(outgoing, "INITIAL_BACKOFF_S", 0.01)
        yield server


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def refused(address: str, *options: str) -> str:
    """The error of an import that changes nothing."""
    before = list(Product.objects.order_by("sku").values("sku", "active", "updated_at"))
    with pytest.raises(CommandError) as caught:
        run(address, *options)
    assert caught.value.returncode == 1
    assert list(Product.objects.order_by("sku").values("sku", "active", "updated_at")) == before
    return str(caught.value)


def two_products(report: dict[str, Any]) -> bool:
    return counts(report) == (2, 0, 0, 0) and set(Product.objects.values_list("sku", flat=True)) == {"m1", "m2"}


# What is imported


@pytest.mark.parametrize(
    "content",
    [TABLE, FEED, LINES, zipped("feed.csv", TABLE), gzip.compress(FEED), gzip.compress(TABLE[:20]) + gzip.compress(TABLE[20:])],
    ids=["csv", "xml", "jsonl", "zip", "gz", "gz of two parts"],
)  # fmt: skip
def test_a_file_is_imported_from_its_address_whatever_it_is_called(server: PhotoServer, content: bytes) -> None:
    address = server.serve("/export?id=7", content, Content_Type="text/html")
    assert two_products(run(address))
    assert counts(run(address)) == (0, 0, 2, 0)


@pytest.mark.parametrize(
    ("shared", "file"),
    [
        ("docs.google.com/spreadsheets/d/1aB/edit?usp=sharing", "/spreadsheets/d/1aB/export?format=csv"),
        ("docs.google.com/spreadsheets/d/1aB/edit?gid=7#gid=7", "/spreadsheets/d/1aB/export?format=csv&gid=7"),
        (
            "docs.google.com/spreadsheets/d/e/2P-x/pubhtml?gid=7&single=true",
            "/spreadsheets/d/e/2P-x/pub?output=csv&gid=7",
        ),
        ("drive.google.com/file/d/1aB/view", "/uc?export=download&id=1aB"),
        ("www.dropbox.com/scl/fi/aB/products.csv?rlkey=k&dl=0", "/scl/fi/aB/products.csv?rlkey=k&dl=1"),
    ],
)
def test_a_link_that_shares_a_file_imports_the_file(
    server: PhotoServer, monkeypatch: pytest.MonkeyPatch, shared: str, file: str
) -> None:
    monkeypatch.setattr(outgoing, "resolve", lambda _host, _port: ["127.0.0.1"])
    server.serve(file, TABLE)
    host, _, path = shared.partition("/")

    assert two_products(run(server.url(f"/{path}", host)))


@pytest.mark.parametrize("content", [TABLE, FEED, LINES, zipped("feed.csv", TABLE)], ids=["csv", "xml", "jsonl", "zip"])
def test_so_is_a_file_of_this_machine_that_is_packed(tmp_path: Path, content: bytes, temporary: Path) -> None:
    path = tmp_path / "feed.gz"
    path.write_bytes(gzip.compress(content[:20]) + gzip.compress(content[20:]))
    assert two_products(run(path))
    assert counts(run(path)) == (0, 0, 2, 0)


def test_photos_are_beside_a_packed_table(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mug.jpg").write_bytes(jpeg("red"))
    (tmp_path / "bowl.jpg").write_bytes(jpeg("blue"))
    path = tmp_path / "products.csv.gz"
    path.write_bytes(gzip.compress(b"sku,title,image\nm1,Mug,mug.jpg\nm2,Bowl,bowl.jpg\n"))
    assert run(path)["photos_added"] == 2


def test_a_packed_file_is_bounded_as_a_feed_is_and_named_in_errors(tmp_path: Path, settings: Any) -> None:
    path = tmp_path / "products.csv.gz"
    path.write_bytes(gzip.compress(b"No,Name\nm1,Mug\n"))
    assert "No column is mapped to the field sku. Columns found: No, Name" in refused(str(path)).replace(
        "no col", "No col"
    )
    path.write_bytes(gzip.compress(b"sku,title\n" + b"x" * 2_000_000))
    settings.IMPORT_MAX_BYTES = 1_500_000
    assert refused(str(path)) == (
        f"{path} unpacks to more than 1,500,000 bytes: divide it, or raise the setting IMPORT_MAX_BYTES"
    )


def test_a_wrong_folder_of_photos_is_noticed_before_the_download(server: PhotoServer, tmp_path: Path) -> None:
    address = server.serve("/feed.csv", TABLE)
    assert "photoss is not a folder of photos" in refused(address, "--images", str(tmp_path / "photoss"))
    assert server.seen == []


@pytest.mark.parametrize(
    "content", [gzip.compress(TABLE), gzip.compress(gzip.compress(TABLE)), TABLE], ids=["once", "twice", "not"]
)
def test_what_the_server_packs_is_unpacked(server: PhotoServer, content: bytes) -> None:
    assert two_products(run(server.serve("/feed.csv.gz", content, Content_Encoding="gzip")))
    assert server.headers["accept-encoding"] == "gzip"


def test_a_large_file_that_packs_well_is_unpacked_whole(server: PhotoServer) -> None:
    rows = b"".join(b"m%d,Mug,%s\n" % (number, b"x" * 200_000) for number in range(20))
    report = run(server.serve("/feed.csv.gz", gzip.compress(b"sku,title,description\n" + rows)), "--dry-run")
    assert counts(report) == (20, 0, 0, 0)


def test_a_feed_that_has_moved_is_found(server: PhotoServer) -> None:
    server.serve("/new.csv", TABLE)
    assert two_products(run(server.serve("/old.csv", status=301, Location="/new.csv")))


def test_a_passing_fault_is_tried_again(server: PhotoServer) -> None:
    address = server.serve("/feed.csv", status=503)

    def answer(request: BaseHTTPRequestHandler) -> None:
        server.serve("/feed.csv", TABLE)
        request.send_response(503)
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.answers["/feed.csv"] = answer
    assert two_products(run(address))
    assert len(server.seen) == 2


def test_options_mean_what_they_mean_for_a_file(server: PhotoServer, tmp_path: Path) -> None:
    (tmp_path / "mug.jpg").write_bytes(jpeg("red"))
    address = server.serve("/feed.csv", b"No,Name,Picture\nm1,Mug,mug.jpg\n")
    options = ("--map", "sku=No", "--map", "title=Name", "--map", "image=Picture", "--images", str(tmp_path))
    dry = run(address, *options, "--dry-run")
    assert (counts(dry), Product.objects.exists()) == ((1, 0, 0, 0), False)
    assert run(address, *options)["photos_added"] == 1
    assert server.seen == ["/feed.csv", "/feed.csv"]


def test_relative_links_of_photos_are_beside_the_feed(server: PhotoServer) -> None:
    server.serve("/feeds/photos/1.jpg", jpeg("red"))
    server.serve("/media/2.jpg", jpeg("blue"))
    server.serve("/feeds/feed.csv", b"sku,title,image\nm1,Mug,photos/1.jpg|/media/2.jpg\n")
    assert run(server.serve("/feed", status=302, Location="/feeds/feed.csv"))["photos_added"] == 2
    assert ProductImage.objects.count() == 2


# What is refused, and changes nothing


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (204, "answers with the status 204 and no file"),
        (401, "asks for a user name and a password (401): write them into the address"),
        (403, "may not be opened by this server (403): allow the user agent “Lookalike"),
        (404, "is not there (404): copy the address of the feed"),
        (410, "is not there (410): copy the address of the feed"),
        (418, "answers with the status 418"),
        (429, "127.0.0.1 responds with 429 (3 attempts). Import it again later"),
        (500, "127.0.0.1 responds with 500 (3 attempts). Import it again later"),
    ],
)
def test_a_status_is_explained(server: PhotoServer, status: int, said: str) -> None:
    run(server.serve("/feed.csv", TABLE), *NIGHTLY)
    error = refused(server.serve("/feed.csv", TABLE if status == 500 else b"", status=status), *NIGHTLY)
    assert error.startswith(server.url("/feed.csv"))
    assert said in error


@pytest.mark.parametrize(
    ("content", "headers", "said"),
    [
        (SIGN_IN, {}, "answers with a web page (“Sign in & go on”) instead of a feed"),
        (b"<html><table><tr><td>User</td></tr><tr><td>Password</td></tr></table></html>", {}, "answers with a web page inst"),
        (
            b'<html><table><tr><td>sku<td>title<tr><td>m1<td>Mug</table><form><input name=p type="password"></form></html>',
            {},
            "answers with a web page inst",
        ),
        (b"", {}, "answers with an empty file"),
        (gzip.compress(b""), {}, "answers with an empty file"),
        (b'{"error": "unauthorized"}', {}, "No column"),
        (b"Not found", {}, "column"),
        (TABLE, {"Content_Length": "500"}, "broke off after 35 of 500 bytes (3 attempts)"),
        (gzip.compress(TABLE)[:-9], {}, "ends in the middle of its gzip (3 attempts)"),
        (b"\x1f\x8b\x07" + b"\xff" * 30, {}, "is damaged, its gzip cannot be unpacked"),
        (TABLE, {"Content_Encoding": "br"}, "is compressed as 'br'"),
        (b"7z\xbc\xaf\x27\x1c000", {}, "feed.csv is packed with 7-Zip"),
    ],
    ids=[
        "sign-in", "login table", "sign-in beside a table", "empty", "empty gz", "JSON error", "text", "cut", "cut gz",
        "damaged gz", "br", "7z",
    ],
)  # fmt: skip
def test_what_is_no_whole_feed_is_refused_and_withdraws_nothing(
    server: PhotoServer, content: bytes, headers: dict[str, str], said: str, temporary: Path
) -> None:
    run(server.serve("/feed.csv", TABLE), *NIGHTLY)

    def answer(request: BaseHTTPRequestHandler) -> None:
        PhotoServer.serve(server, "/other", content, **headers)
        server.answers["/other"](request)
        request.close_connection = True

    server.answers["/feed.csv"] = answer
    error = refused(server.url("/feed.csv"), *NIGHTLY)
    assert said.lower() in error.lower()
    assert server.url("/feed.csv") in error
    assert str(temporary) not in error


def test_a_feed_whose_end_nobody_announced_withdraws_nothing_where_it_is_cut(server: PhotoServer) -> None:
    run(server.serve("/feed.xml", FEED), *NIGHTLY)

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(FEED[: FEED.index(b"<item><g:id>m2")])
        request.close_connection = True

    server.answers["/feed.xml"] = answer
    report = run(server.url("/feed.xml"), *NIGHTLY)
    assert (report["withdrawn"], report["broken_off"]) == (0, True)
    assert Product.objects.filter(active=True).count() == 2


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"x", {"Content_Length": "5000"}),
        (b"x" * 2000, {}),
        (gzip.compress(b"x" * 2000), {}),
        (gzip.compress(b"x" * 2000), {"Content_Encoding": "gzip"}),
    ],
    ids=["announced", "plain", "gz", "packed by the server"],
)
def test_a_feed_is_bounded_as_uploads_are(
    server: PhotoServer, settings: Any, content: bytes, headers: dict[str, str]
) -> None:
    settings.IMPORT_MAX_BYTES = 1000
    assert "is larger than 1000 bytes: let the shop divide the feed" in refused(
        server.serve("/feed.csv", content, **headers)
    )
    assert len(server.seen) == 1


def test_a_server_that_wants_a_long_pause_is_not_waited_for(server: PhotoServer) -> None:
    error = refused(server.serve("/feed.csv", status=429, Retry_After="900"))
    assert "responds with 429 (1 attempt). Import it again later" in error


def test_a_slow_feed_ends_at_its_deadline(server: PhotoServer, settings: Any) -> None:
    settings.FEED_DEADLINE_S = 1

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b"x" * 100)
            request.wfile.flush()

    server.answers["/feed.csv"] = answer
    settings.IMPORT_MAX_BYTES = 2**40
    assert "did not arrive within 1 s: import it again later, or raise the setting FEED_DEADLINE_S" in refused(
        server.url("/feed.csv")
    )


def test_private_networks_are_refused(server: PhotoServer, settings: Any) -> None:
    settings.FETCH_ALLOW_NETWORKS = ()
    assert "an address of a private or special network" in refused(server.serve("/feed.csv", TABLE))
    assert server.seen == []


def test_so_they_are_behind_a_redirect(server: PhotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    address = server.serve("/feed.csv", status=302, Location=f"http://10.0.0.1:{server.port}/")
    assert "10.0.0.1, an address of a private or special network" in refused(address)


def test_ctrl_c_while_it_arrives_leaves_nothing_behind(server: PhotoServer, temporary: Path) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b"sku")
        request.wfile.flush()
        until = time.monotonic() + 5
        while not any(file.stat().st_size for file in temporary.glob("*/feed")) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    server.answers["/feed.csv"] = answer
    former = signal.getsignal(signal.SIGTERM)
    with pytest.raises(CommandError, match="Interrupted before the first row: nothing was imported") as stopped:
        run(server.url("/feed.csv"))
    assert stopped.value.returncode == 130
    assert signal.getsignal(signal.SIGTERM) is former


# User name and password


def with_password(server: PhotoServer, path: str) -> str:
    return server.url(path).replace("//", "//shop:s%40cr%2Fet@") + "?token=hidden"


def test_a_password_opens_the_feed_and_is_nowhere_afterwards(
    server: PhotoServer, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    server.serve("/feed.csv?token=hidden", TABLE)
    address = with_password(server, "/feed.csv")
    with caplog.at_level("DEBUG"):
        call_command("import_catalog", address)
        call_command("import_catalog", address, "--json")
        server.serve("/feed.csv?token=hidden", status=401)
        with pytest.raises(CommandError, match=r"refuses this user name and password \(401\)") as wrong:
            call_command("import_catalog", address)
    sent = server.headers["authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"shop:s@cr/et"
    out, err = capfd.readouterr()
    assert f"Imported {server.url('/feed.csv')}?...: 2 rows" in out
    for text in (out, err, caplog.text, str(wrong.value), repr([*Job.objects.values(), *AuditEntry.objects.values()])):
        for secret in ("cr%2Fet", "cr/et", "hidden", sent.removeprefix("Basic ")):
            assert secret not in text


def test_a_redirect_to_another_server_does_not_get_the_password(
    server: PhotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "resolve", lambda _host, _port: ["127.0.0.1"])
    server.serve("/feed.csv", TABLE)
    server.serve("/moved", status=302, Location="/feed.csv")
    server.serve("/away", status=302, Location=server.url("/feed.csv", "other.test"))
    own = server.url("/moved").replace("//", "//shop:secret@")
    assert two_products(run(own))
    assert "authorization" in server.headers
    run(own.replace("/moved", "/away"))
    assert "authorization" not in server.headers


@pytest.mark.parametrize(
    "address",
    ["https://shop:se/cret@shop.test/feed", "https://shop:se#cret@shop.test/", "https://shop:se@cret@shop.test/", "https://shop:80/cret@shop.test/"],
)  # fmt: skip
def test_a_password_with_signs_that_end_it_is_not_repeated(address: str, server: PhotoServer) -> None:
    error = refused(address)
    assert "by their codes (%40" in error
    assert "cret" not in error


def test_only_the_same_server_may_know_a_password(settings: Any) -> None:
    settings.FETCH_PORTS = (80,)
    source = FeedAddress.parse("http://shop:secret@shop.test/feed.csv")
    for url, may in (
        ("http://shop.test/x", True),
        ("https://shop.test/x", True),
        ("http://shop.test:8080/x", False),
        ("https://cdn.shop.test/x", False),
    ):
        assert source.may_know(httpx.URL(url)) is may, url
