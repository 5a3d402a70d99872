"""A port of its own for health checks: its threads serve nothing else, so that visitors cannot hold them."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.db import connections
from django.http import HttpRequest

from lookalike import health

_VIEWS = {"/healthz": health.healthz, "/readyz": health.readyz}


class _Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self) -> None:
        """Answer a health check."""
        view = _VIEWS.get(self.path)
        if view is None:
            self.send_error(404)
            return
        request = HttpRequest()
        request.method = "GET"
        try:
            response = view(request)
        finally:
            # This thread ends with the check.
            connections.close_all()
        self.send_response(response.status_code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)

    def log_message(self, *_: object) -> None:
        """Health checks are not logged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Each process of a server answers; the system chooses one.
    allow_reuse_port = True


def start(address: str, port: int) -> None:
    """Answer health checks on a port, in threads of this process.

    Args:
        address: the interface to listen on.
        port: the port; other processes of this server may listen on it, too.

    Raises:
        OSError: the port cannot be opened.
    """
    server = _Server((address, port), _Handler)
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
