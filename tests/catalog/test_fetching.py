"""Photos given as links: what is downloaded, what never is, and how servers are treated."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from catalog import fetching, outgoing
from catalog.fetching import Fetcher, PageUnreachable, PhotoUnreachable, fetch_page
from catalog.outgoing import LinkNotAllowed, is_public
from pictures.photos import ImageRejected, PhotoRejectionReason
from tests.catalog.photo_server import PhotoServer, photo_server
from tests.factories import jpeg

PHOTO = jpeg("red")


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with photo_server() as server:
        yield server


@pytest.fixture(autouse=True)
def limits(settings: Any, server: PhotoServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Allow the test's server, and shorten all timeouts."""
    settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    settings.FETCH_PORTS = (80, 443, server.port)
    settings.FETCH_TIMEOUT_S = 0.5
    settings.FETCH_DEADLINE_S = 5
    monkeypatch.setattr(outgoing, "INITIAL_BACKOFF_S", 0.01)
    return settings


@pytest.fixture
def fetcher(limits: Any) -> Iterator[Fetcher]:
    fetcher = Fetcher()
    yield fetcher
    fetcher.close()


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Resolve names to these addresses, one response after the other. Returns the requested names."""
    left, asked = list(answers), []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(outgoing, "resolve", resolve)
    return asked


# What is downloaded


def test_a_photo_is_fetched_and_checked(server: PhotoServer, fetcher: Fetcher) -> None:
    fetched = fetcher.fetch(server.serve("/1.jpg", PHOTO, ETag='"a"', Last_Modified="Tue, 01 Jan 2030 00:00:00 GMT"))
    assert fetched.photo is not None
    assert fetched.photo.content == PHOTO
    assert (fetched.cache_entry.etag, fetched.cache_entry.sha256) == ('"a"', fetched.photo.sha256)


def test_requests_have_host_and_user_agent_headers(
    server: PhotoServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, ["127.0.0.1"])
    server.serve("/1.jpg", PHOTO)
    fetcher.fetch(server.url("/1.jpg", "photos.shop.test"))
    assert server.headers["host"] == f"photos.shop.test:{server.port}"
    assert "Lookalike" in server.headers["user-agent"]


def test_the_content_decides_and_not_the_type_that_is_said(server: PhotoServer, fetcher: Fetcher) -> None:
    assert fetcher.fetch(server.serve("/1", PHOTO, Content_Type="application/octet-stream")).photo is not None
    with pytest.raises(ImageRejected, match="web page"):
        fetcher.fetch(server.serve("/2", b"<html>Not found</html>", Content_Type="image/jpeg"))


def test_an_unchanged_photo_is_not_sent_again(server: PhotoServer, fetcher: Fetcher) -> None:
    link = server.serve("/1.jpg", PHOTO, ETag='"a"', Last_Modified="Tue, 01 Jan 2030 00:00:00 GMT")
    cached = fetcher.fetch(link).cache_entry
    server.serve("/1.jpg", status=304)
    again = fetcher.fetch(link, cached)
    assert (again.photo, again.cache_entry) == (None, cached)
    assert server.headers["if-none-match"] == '"a"'
    assert server.headers["if-modified-since"] == "Tue, 01 Jan 2030 00:00:00 GMT"


def test_cache_validators_of_one_url_are_not_sent_to_another(server: PhotoServer, fetcher: Fetcher) -> None:
    server.serve("/old.jpg", PHOTO, ETag='"a"')
    server.serve("/new.jpg", jpeg("blue"), ETag='"a"')
    link = server.serve("/1.jpg", status=302, Location="/old.jpg")
    cached = fetcher.fetch(link).cache_entry
    server.serve("/1.jpg", status=302, Location="/new.jpg")
    assert fetcher.fetch(link, cached).photo is not None
    assert "if-none-match" not in server.headers


@pytest.mark.parametrize(
    ("shared", "file"),
    [
        ("drive.google.com/file/d/1aB_-9/view?usp=sharing", "/uc?export=download&id=1aB_-9"),
        ("drive.google.com/file/u/0/d/1aB/view?resourcekey=0-k", "/uc?export=download&id=1aB&resourcekey=0-k"),
        ("drive.google.com/open?id=1aB", "/uc?export=download&id=1aB"),
        ("www.dropbox.com/s/aB/mug%20blue.jpg?dl=0", "/s/aB/mug%20blue.jpg?dl=1"),
        ("www.dropbox.com/scl/fi/aB/mug.jpg?rlkey=k&st=t&dl=0", "/scl/fi/aB/mug.jpg?rlkey=k&st=t&dl=1"),
        ("www.dropbox.com/s/aB/mug.jpg?raw=1", "/s/aB/mug.jpg?raw=1"),
        ("photos.shop.test/file/d/1aB/view", "/file/d/1aB/view"),
    ],
)
def test_a_link_that_shares_a_file_fetches_the_file(
    server: PhotoServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, shared: str, file: str
) -> None:
    names(monkeypatch, ["127.0.0.1"])
    server.serve(file, PHOTO)
    host, _, path = shared.partition("/")

    assert fetcher.fetch(server.url(f"/{path}", host)).photo is not None


# What never is downloaded


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1", "0.1.2.3",
        "255.255.255.255", "198.18.0.1", "192.0.2.1", "192.88.99.1", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1",
        "2001:db8::1", "2001::1", "3fff::1", "100::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "::127.0.0.1", "fd00:ec2::254",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_never_asked(
    limits: Any, server: PhotoServer, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits.FETCH_ALLOW_NETWORKS = ()
    names(monkeypatch, [address])
    server.serve("/1.jpg", PHOTO)
    with pytest.raises(LinkNotAllowed, match="private or special network"):
        Fetcher().fetch(server.url("/1.jpg", "photos.shop.test"))
    assert not server.seen


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e", "::ffff:8.8.8.8"])
def test_a_public_address_may_be_asked(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    limits: Any, server: PhotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits.FETCH_ALLOW_NETWORKS = ()
    names(monkeypatch, ["93.184.215.14", "10.0.0.1"])
    with pytest.raises(LinkNotAllowed):
        Fetcher().fetch(server.url("/1.jpg", "photos.shop.test"))


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("ftp://shop.test/1.jpg", "has the scheme 'ftp'"),
        ("file:///etc/passwd", "has the scheme 'file'"),
        ("http:///1.jpg", "has no host name"),
        ("http://user:secret@shop.test/1.jpg", "a user name"),
        ("http://shop.test:22/1.jpg", "port 22"),
        ("http://2130706433/1.jpg", "a number instead"),
        ("http://0x7f000001/1.jpg", "a number instead"),
        ("http://0177.0.0.1/1.jpg", "Invalid IPv4 address"),
        ("http://127.1/1.jpg", "a number instead"),
        ("http://127.0.0.0x1/1.jpg", "a number instead"),
        ("http://127.0.0.1./1.jpg", "a number instead"),
        ("http://[::1/1.jpg", "not a URL"),
        ("http://shop.test/" + "x" * 3000, "longer than"),
    ],
)
def test_a_link_that_is_odd_is_refused(fetcher: Fetcher, link: str, message: str) -> None:
    with pytest.raises(LinkNotAllowed, match=message):
        fetcher.fetch(link)


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1/1.jpg", "http://[::ffff:127.0.0.1]/1.jpg", "http://localhost/1.jpg"]
)
def test_the_server_itself_is_refused_by_default(limits: Any, link: str) -> None:
    limits.FETCH_ALLOW_NETWORKS = ()
    with pytest.raises(LinkNotAllowed, match="private or special network"):
        Fetcher().fetch(link)


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "//10.0.0.1/1.jpg", "http://0x7f.1/1.jpg"],
)
def test_a_redirect_goes_through_the_same_gate(server: PhotoServer, fetcher: Fetcher, target: str) -> None:
    with pytest.raises(LinkNotAllowed):
        fetcher.fetch(server.serve("/1.jpg", status=302, Location=target))


def test_three_redirects_are_followed_and_no_fourth(server: PhotoServer, fetcher: Fetcher) -> None:
    for number in range(4):
        server.serve(f"/{number}", status=301, Location=f"/{number + 1}")
    server.serve("/4", PHOTO)
    assert fetcher.fetch(server.url("/1")).photo is not None
    with pytest.raises(LinkNotAllowed, match="more than 3 times"):
        fetcher.fetch(server.url("/0"))


def test_a_name_that_changes_after_it_was_looked_up_changes_nothing(
    limits: Any, server: PhotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = names(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    server.serve("/1.jpg", PHOTO)
    fetcher = Fetcher()
    assert fetcher.fetch(server.url("/1.jpg", "photos.shop.test")).photo is not None
    assert asked == ["photos.shop.test"]
    fetcher.close()


def test_a_name_that_turns_private_between_two_connections_is_refused(
    server: PhotoServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    server.serve("/1.jpg", status=302, Location="/2.jpg", Connection="close")
    with pytest.raises(LinkNotAllowed, match=r"10\.0\.0\.1"):
        fetcher.fetch(server.url("/1.jpg", "photos.shop.test"))


def test_a_proxy_of_the_environment_is_not_used(
    server: PhotoServer, monkeypatch: pytest.MonkeyPatch, limits: Any
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    fetcher = Fetcher()
    assert fetcher.fetch(server.serve("/1.jpg", PHOTO)).photo is not None
    fetcher.close()


def test_a_secure_server_is_greeted_by_its_name_at_the_address_that_was_looked_up(
    limits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, ["127.0.0.1"])
    monkeypatch.setattr(outgoing, "MAX_ATTEMPTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        limits.FETCH_PORTS = (port,)
        hello: list[bytes] = []

        def greet() -> None:
            connection, _ = listening.accept()
            with connection:
                hello.append(connection.recv(4096))

        thread = threading.Thread(target=greet)
        thread.start()
        fetcher = Fetcher()
        with pytest.raises(PhotoUnreachable):
            fetcher.fetch(f"https://photos.shop.test:{port}/1.jpg")
        thread.join()
        fetcher.close()
    assert b"photos.shop.test" in hello[0]


# Failures


@pytest.mark.parametrize("says_so", [True, False])
def test_a_huge_body_is_not_read_to_its_end(server: PhotoServer, fetcher: Fetcher, limits: Any, says_so: bool) -> None:
    limits.PHOTO_MAX_BYTES = 100_000
    written: list[int] = []

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header(*(("Content-Length", str(10**12)) if says_so else ("Connection", "close")))
        request.end_headers()
        written.extend(request.wfile.write(b"x" * 65536) for _ in range(2000))

    server.answers["/1.jpg"] = endless
    with pytest.raises(ImageRejected, match="larger than 100,000 bytes") as refused:
        fetcher.fetch(server.url("/1.jpg"))
    assert refused.value.reason is PhotoRejectionReason.TOO_LARGE
    assert len(written) < 2000


def test_a_photo_that_is_cut_off_on_the_way_is_asked_for_again(server: PhotoServer, fetcher: Fetcher) -> None:
    def cut_off(request: BaseHTTPRequestHandler) -> None:
        server.serve("/1.jpg", PHOTO)
        request.send_response(200)
        request.send_header("Content-Length", str(len(PHOTO)))
        request.end_headers()
        request.wfile.write(PHOTO[:100])
        request.close_connection = True

    server.answers["/1.jpg"] = cut_off
    assert fetcher.fetch(server.url("/1.jpg")).photo is not None
    assert len(server.seen) == 2


def test_a_photo_that_is_stored_cut_off_is_refused(server: PhotoServer, fetcher: Fetcher) -> None:
    with pytest.raises(ImageRejected) as refused:
        fetcher.fetch(server.serve("/1.jpg", PHOTO[:-200]))
    assert refused.value.reason is PhotoRejectionReason.TRUNCATED


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_in_trouble_is_asked_three_times(server: PhotoServer, fetcher: Fetcher, status: int) -> None:
    with pytest.raises(PhotoUnreachable, match=rf"responds with {status} \(3 attempts\): import again later"):
        fetcher.fetch(server.serve("/1.jpg", status=status))
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 410, 304, 204])
def test_a_server_that_says_no_is_asked_once(server: PhotoServer, fetcher: Fetcher, status: int) -> None:
    with pytest.raises(PhotoUnreachable, match=f"responds with {status}"):
        fetcher.fetch(server.serve("/1.jpg", status=status))
    assert len(server.seen) == 1


def test_of_a_server_that_refuses_programs_the_name_to_allow_is_said(server: PhotoServer, fetcher: Fetcher) -> None:
    with pytest.raises(PhotoUnreachable, match="responds with 403: allow the user agent “Lookalike"):
        fetcher.fetch(server.serve("/1.jpg", status=403))
    assert server.headers["user-agent"] == outgoing.USER_AGENT


def test_a_server_says_how_long_to_wait(server: PhotoServer, fetcher: Fetcher) -> None:
    def busy(request: BaseHTTPRequestHandler) -> None:
        server.serve("/1.jpg", PHOTO)
        request.send_response(503)
        request.send_header("Retry-After", "1")
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.answers["/1.jpg"] = busy
    started = time.monotonic()
    assert fetcher.fetch(server.url("/1.jpg")).photo is not None
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("of", ["headers", "body"])
def test_a_server_that_sends_byte_by_byte_is_left_at_the_deadline(server: PhotoServer, limits: Any, of: str) -> None:
    limits.FETCH_DEADLINE_S = 1
    ended = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"\r\n" if of == "body" else b"X-Long: "))
        request.close_connection = True
        while not ended.wait(0.05):
            request.wfile.write(b"x")

    server.answers["/1.jpg"] = drip
    fetcher = Fetcher()
    started = time.monotonic()
    with pytest.raises(PhotoUnreachable):
        fetcher.fetch(server.url("/1.jpg"))
    assert time.monotonic() - started < 3
    ended.set()
    fetcher.close()


def test_a_server_that_says_nothing_is_left_after_the_timeout(
    server: PhotoServer, limits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "MAX_ATTEMPTS", 1)
    ended = threading.Event()

    def say_nothing(request: BaseHTTPRequestHandler) -> None:
        ended.wait(10)

    server.answers["/1.jpg"] = say_nothing
    fetcher = Fetcher()
    started = time.monotonic()
    with pytest.raises(PhotoUnreachable, match="no response from"):
        fetcher.fetch(server.url("/1.jpg"))
    assert time.monotonic() - started < 3
    ended.set()
    fetcher.close()


def test_an_unknown_host_name_is_reported(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(outgoing, "resolve", unknown)
    with pytest.raises(PhotoUnreachable, match=r"the name photos\.shop\.test cannot be resolved"):
        fetcher.fetch("http://photos.shop.test/1.jpg")


def test_a_server_that_keeps_failing_is_left_alone(server: PhotoServer, fetcher: Fetcher) -> None:
    link = server.serve("/1.jpg", status=500)
    for _ in range(4):
        with pytest.raises(PhotoUnreachable, match="responds with 500"):
            fetcher.fetch(link)
    server.seen.clear()
    with pytest.raises(PhotoUnreachable, match="failed 12 times in a row and gets no more requests"):
        fetcher.fetch(link)
    assert not server.seen


@dataclass
class Limited:
    """A server that answers `count` requests in `per_s` seconds, and others with a status. `refused`: when it did so."""

    server: PhotoServer
    count: int
    per_s: float
    status: int = 429
    headers: dict[str, str] = field(default_factory=dict)
    refused: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, path: str) -> str:
        self.server.answers[path] = self._answer
        return self.server.url(path)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        with self.lock:
            now = time.monotonic()
            recent = [at for at in self.answered if now - at < self.per_s]
            is_answered = len(recent) < self.count
            (self.answered if is_answered else self.refused).append(now)
        request.send_response(200 if is_answered else self.status)
        for name, value in {} if is_answered else self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(PHOTO) if is_answered else 0))
        request.end_headers()
        request.wfile.write(PHOTO if is_answered else b"")


@pytest.mark.parametrize("status", [429, 503])
def test_all_photos_of_a_server_that_limits_requests_arrive(
    server: PhotoServer, limits: Any, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.1)
    limited = Limited(server, count=4, per_s=0.4, status=status)
    links = [limited.serve(f"/{number}.jpg") for number in range(16)]
    fetcher = Fetcher(patience_s=30)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(fetcher.fetch, links))
    fetcher.close()

    assert all(result.photo is not None for result in results)
    assert limited.refused, "the server has not limited anything"


def test_nobody_asks_a_server_that_limits_requests_before_the_time_that_it_says(
    server: PhotoServer, limits: Any
) -> None:
    limited = Limited(server, count=2, per_s=0.9, headers={"Retry-After": "1"})
    links = [limited.serve(f"/{number}.jpg") for number in range(4)]
    fetcher = Fetcher(patience_s=30)

    with ThreadPoolExecutor(4) as pool:
        assert all(result.photo is not None for result in pool.map(fetcher.fetch, links))
    fetcher.close()

    assert min(limited.answered[2:]) - max(limited.refused) >= 0.95


def test_a_server_that_refuses_all_requests_is_given_up(
    server: PhotoServer, limits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.05)
    limited = Limited(server, count=0, per_s=1)
    fetcher = Fetcher(patience_s=0.5)
    started = time.monotonic()

    with pytest.raises(PhotoUnreachable, match=r"responds with 429 \(\d+ attempts\): import again later"):
        fetcher.fetch(limited.serve("/1.jpg"))

    assert time.monotonic() - started < 3
    asked = len(server.seen)
    with pytest.raises(PhotoUnreachable, match="gets no more requests"):
        fetcher.fetch(limited.serve("/2.jpg"))
    assert len(server.seen) == asked
    fetcher.close()


def test_a_server_that_says_to_come_back_in_an_hour_is_not_waited_for(server: PhotoServer, limits: Any) -> None:
    limited = Limited(server, count=0, per_s=1, headers={"Retry-After": "3600"})
    fetcher = Fetcher(patience_s=30)

    with pytest.raises(PhotoUnreachable, match="responds with 429"):
        fetcher.fetch(limited.serve("/1.jpg"))
    fetcher.close()


def test_no_more_than_a_few_photos_are_asked_of_one_server_at_a_time(server: PhotoServer, limits: Any) -> None:
    limits.FETCH_PER_HOST = 2
    at_once, most, lock = 0, 0, threading.Lock()

    def count(request: BaseHTTPRequestHandler) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        with lock:
            at_once -= 1
        request.send_response(404)
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.answers["/1.jpg"] = count
    fetcher = Fetcher()

    def ask() -> None:
        with pytest.raises(PhotoUnreachable):
            fetcher.fetch(server.url("/1.jpg"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fetcher.close()
    assert most == 2


def test_a_link_may_have_letters_that_addresses_do_not_have(server: PhotoServer, fetcher: Fetcher) -> None:
    server.serve("/caf%C3%A9%20rouge.jpg?v=1", PHOTO)
    assert fetcher.fetch(server.url("/café rouge.jpg?v=1#top")).photo is not None


def test_a_fetcher_that_is_closed_waits_for_nothing(
    server: PhotoServer, limits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "INITIAL_BACKOFF_S", 60)
    limits.FETCH_DEADLINE_S = 600
    fetcher = Fetcher()
    threading.Timer(0.2, fetcher.close).start()
    started = time.monotonic()
    with pytest.raises(PhotoUnreachable):
        fetcher.fetch(server.serve("/1.jpg", status=500))
    assert time.monotonic() - started < 5


# A web page


def test_a_page_comes_with_its_status_and_headers_and_from_where_redirects_led(
    limits: Any, server: PhotoServer
) -> None:
    server.serve("/new", b"<p>Here</p>", status=404, Content_Security_Policy="default-src 'self'")
    page = fetch_page(server.serve("/old", status=301, Location="/new"))
    assert (page.url, page.status, page.text) == (server.url("/new"), 404, "<p>Here</p>")
    assert page.header("content-security-policy") == ["default-src 'self'"]


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "192.168.1.1"])
def test_a_page_of_a_private_network_is_not_asked_for(
    limits: Any, server: PhotoServer, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, [address])
    with pytest.raises(LinkNotAllowed, match="private or special network"):
        fetch_page(server.url("/", "shop.test"))
    assert server.seen == []


def test_nor_is_one_that_a_redirect_leads_to(limits: Any, server: PhotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    server.serve("/", status=302, Location=f"http://intranet.test:{server.port}/")
    with pytest.raises(LinkNotAllowed, match="private or special network"):
        fetch_page(server.url("/", "shop.test"))


def test_a_page_that_does_not_answer_is_unreachable(limits: Any, server: PhotoServer) -> None:
    with pytest.raises(PageUnreachable, match=r"no response from 127\.0\.0\.1"):
        fetch_page(server.url("/nothing-here"))


def test_of_a_large_page_the_beginning_is_read(
    limits: Any, server: PhotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PAGE_MAX_BYTES", 100)
    assert len(fetch_page(server.serve("/", b"x" * 100_000)).text) == 100
