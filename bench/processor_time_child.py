"""Answers the requests of bench/processor_time.py with the code of one checkout, and says how much processor time each took."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
import threading
import time
from typing import Any

from django.core.wsgi import get_wsgi_application

WARMING_UP = 20
application = get_wsgi_application()
# Django's settings come first.
from embeddings.backends import get_vector_index  # noqa: E402
from embeddings.selectors import live_collection  # noqa: E402
from recommender.selectors import beside_each  # noqa: E402


def main() -> None:
    """Read requests by kind, answer those of all kinds in turns, print seconds of the process and of its thread by kind."""
    asked: dict[str, list[tuple[str, str]]] = json.load(sys.stdin)
    tag = _answered(*asked["not modified"][0])["ETag"]
    # The embedded engine's points, which a thread learns once they are queried.
    for each in threading.enumerate():
        if each.name == "points":
            each.join()
    _find_neighbours(asked)
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in asked}
    for number, requests in enumerate(zip(*asked.values(), strict=True)):
        for kind, (address, body) in zip(asked, requests, strict=True):
            # Those of other kinds may come again: a parameter that says nothing, so that no answer is kept.
            is_once = kind.startswith(("similar", "not modified"))
            own = address if is_once else f"{address}{'&' if '?' in address else '?'}_={number}"
            if kind == "similar, prices change":
                get_vector_index().set_payload(live_collection("all").index.name, [number + 1], {"price": 1.0 + number})
            headers = {"HTTP_IF_NONE_MATCH": tag} if kind == "not modified" else {}
            process, thread = time.process_time(), time.thread_time()
            _answered(own, body, headers)
            spent = time.process_time() - process, time.thread_time() - thread
            if number >= WARMING_UP:
                times[kind].append(spent)
    json.dump(times, sys.stdout)


def _find_neighbours(asked: dict[str, list[tuple[str, str]]]) -> None:
    """Have the neighbours of the products known, as a server that rests finds those of all."""
    if importlib.util.find_spec("recommender.neighbours") is None:
        # A release that keeps none.
        return
    from recommender.neighbours import neighbours_of_each

    similar = [address for kind, requests in asked.items() if "similar" in kind for address, _ in requests]
    ids = {int(address.split("/")[3]) for address in similar} | {
        product for _, body in asked["batch"] for product in json.loads(body)["products"]
    }
    live = live_collection("all")
    for each in ids:
        neighbours_of_each(live, beside_each(live, [each]), None)


def _answered(address: str, body: str, further: dict[str, str] | None = None) -> dict[str, str]:
    """Have a request answered; returns the headers of the answer."""
    path, _, query = address.partition("?")
    sent = body.encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json" if body else "",
        "CONTENT_LENGTH": str(len(sent)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(sent),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        **(further or {}),
    }
    headers: dict[str, str] = {}

    def start(status: str, given: list[tuple[str, str]], *_: object) -> None:
        headers.update(given)
        if not status.startswith(("200", "304")):
            raise SystemExit(f"{address}: {status}")

    answer: Any = application(environ, start)  # type: ignore[arg-type]
    b"".join(answer)
    answer.close()
    return headers


if __name__ == "__main__":
    main()
