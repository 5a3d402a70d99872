"""A web server on the loopback address, with responses that a test sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests import loopback

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class PhotoServer:
    """`answers` by path; `seen`: the requested paths; `headers`: those of the last request."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def serve(self, path: str, content: bytes = b"", status: int = 200, **headers: str) -> str:
        """Set the response for this path, and return its URL."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name.replace("_", "-"), value)
            if "Content_Length" not in headers:
                request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)

        self.answers[path] = answer
        return self.url(path)


@contextmanager
def photo_server() -> Iterator[PhotoServer]:
    """Run a server in threads until the block ends."""
    server = PhotoServer()

    class Handler(loopback.Handler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.seen.append(self.path)
            server.headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                server.answers[self.path](self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    with loopback.serving(Handler) as server.port:
        yield server
