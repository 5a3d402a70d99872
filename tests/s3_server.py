"""A server that speaks S3 over HTTP, in this process, with faults that a test chooses."""

from __future__ import annotations

import logging
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3.session
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

ACCESS_KEY, SECRET_KEY, REGION = "the-key", "the-secret", "us-east-1"

# Takes environ and start_response, answers or returns None to let the store answer.
Fault = Callable[[dict[str, Any], Any], Iterable[bytes] | None]


class S3Server:
    """The server. `stop` and `start` take it away and bring it back at the same address."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._store = DomainDispatcherApplication(create_backend_app)
        self._fault: Fault | None = None
        self._server: BaseWSGIServer | None = None
        self._port = 0
        # Methods and paths of all requests.
        self.requests: list[tuple[str, str]] = []
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen."""
        self._server = make_server("127.0.0.1", self._port, self._answer, threaded=True)
        self._port = self._server.port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="s3", daemon=True).start()

    def stop(self) -> None:
        """Refuse connections; what is stored stays."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Answer by this function as long as the block lasts."""
        self._fault = fault
        try:
            yield
        finally:
            self._fault = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections as long as the block lasts."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def client(self) -> Any:
        """A client of the store."""
        return client_of(self.url)

    def make_bucket(self) -> str:
        """An empty bucket of a test's own."""
        name = f"shop-{uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def account(self, bucket: str) -> dict[str, Any]:
        """The options of a store in a bucket."""
        return {
            "bucket_name": bucket,
            "endpoint_url": self.url,
            "region_name": REGION,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
        }

    def environment(self, bucket: str, prefix: str = "lookalike") -> dict[str, str]:
        """The variables of a site that uses a bucket."""
        return {
            "STORAGE_URL": f"s3://{bucket}/{prefix}",
            "STORAGE_ENDPOINT_URL": self.url,
            "STORAGE_REGION": REGION,
            "STORAGE_ACCESS_KEY_ID": ACCESS_KEY,
            "STORAGE_SECRET_ACCESS_KEY": SECRET_KEY,
        }

    def keys(self, bucket: str) -> list[str]:
        """The names of all objects."""
        found = self.client().list_objects_v2(Bucket=bucket).get("Contents", ())
        return sorted(each["Key"] for each in found)

    @contextmanager
    def checking_keys(self) -> Iterator[None]:
        """Refuse keys that nobody has been given, as long as the block lasts."""
        self._check_after(0)
        try:
            yield
        finally:
            self._check_after(float("inf"))

    def _check_after(self, requests: float) -> None:
        body = str(requests).encode()
        address = f"{self.url}/moto-api/reset-auth"
        with urllib.request.urlopen(urllib.request.Request(address, body, {"Content-Type": "text/plain"})):  # noqa: S310
            pass

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if self._fault is not None:
            answer = self._fault(environ, start_response)
            if answer is not None:
                return answer
        return self._store(environ, start_response)


def client_of(url: str) -> Any:
    """A client of the server at an address."""
    return boto3.session.Session(ACCESS_KEY, SECRET_KEY).client("s3", endpoint_url=url, region_name=REGION)


def refusing(status: str, code: str, *methods: str) -> Fault:
    """A fault that answers requests with these methods by an error."""

    def fault(environ: dict[str, Any], start_response: Any) -> Iterable[bytes] | None:
        if environ["REQUEST_METHOD"] not in methods:
            return None
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    return fault
