"""Clients that send requests to a server, each the next one as soon as the response arrives, in a process of their own.

This process is `python -m bench.traffic`: it reads its parameters as a line of JSON, sends requests until its standard input is
closed, and prints the result.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

CONNECTIONS = 8
TIMEOUT_S = 60


@dataclass(frozen=True)
class Kind:
    """Requests of one kind: their weight relative to other kinds, and the URLs, of which each request uses a random one.

    photos: files, of which each request sends one. bodies: JSON texts, likewise. Without any, the request is a GET.
    conditional: whether an address is asked with the ETag of its first answer, which is not timed; the answer has to be 304.
    once: whether each address, or where there are bodies, each body, is sent once at most, so that the server has no answer kept;
        it is a failure if none is left.
    """

    share: float
    addresses: Sequence[str]
    photos: Sequence[str] = ()
    bodies: Sequence[str] = ()
    conditional: bool = False
    once: bool = False


@dataclass
class Answers:
    """The result: seconds of each response, by kind; failures; and the total time."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    elapsed_s: float = 0.0

    def percentile_ms(self, kind: str, percent: float) -> float:
        """A percentile of the response times, in milliseconds."""
        return 1e3 * float(np.percentile(self.seconds[kind], percent))

    @property
    def rate(self) -> float:
        """Responses per second, of all kinds."""
        return sum(map(len, self.seconds.values())) / self.elapsed_s


def asked(base: str, kinds: Mapping[str, Kind], seconds: float, connections: int = CONNECTIONS) -> Answers:
    """Send requests for this many seconds, and return the result."""
    with asking(base, kinds, connections) as answers:
        time.sleep(seconds)
    return answers


@contextmanager
def asking(base: str, kinds: Mapping[str, Kind], connections: int = CONNECTIONS) -> Iterator[Answers]:
    """Send requests while the block runs. The yielded result is filled in at the end of the block."""
    orders = {
        "base": base,
        "connections": connections,
        "kinds": {name: asdict(kind) for name, kind in kinds.items()},
    }
    answers = Answers()
    with subprocess.Popen(
        [sys.executable, "-m", "bench.traffic"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as clients:
        assert clients.stdin is not None and clients.stdout is not None
        try:
            clients.stdin.write(json.dumps(orders) + "\n")
            clients.stdin.flush()
            clients.stdout.readline()  # wait until the clients have started
            yield answers
        finally:
            clients.stdin.close()
            said = clients.stdout.read()
    if clients.returncode:
        raise SystemExit("the clients failed")
    answers.__dict__.update(json.loads(said))


class _Clients:
    def __init__(self, orders: Mapping[str, Any]) -> None:
        self._host = urlsplit(orders["base"]).netloc
        self._kinds = {name: Kind(**kind) for name, kind in orders["kinds"].items()}
        self._bodies = {
            photo: _form(Path(photo)) for kind in self._kinds.values() for photo in kind.photos
        }  # read the photos before the measurement
        self._once = {
            name: iter(random.sample(each := kind.bodies or kind.addresses, len(each)))
            for name, kind in self._kinds.items()
            if kind.once
        }
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._answers = Answers()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(orders["connections"])]

    def run(self) -> Answers:
        """Send requests until standard input is closed."""
        started = time.monotonic()
        for thread in self._threads:
            thread.start()
        print("begun", flush=True)
        sys.stdin.read()
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._answers.elapsed_s = time.monotonic() - started
        return self._answers

    def _ask(self, number: int) -> None:
        draw = random.Random(f"{time.time_ns()} {number}")
        names, shares = list(self._kinds), [kind.share for kind in self._kinds.values()]
        # However short the time is, each kind is asked for once where there are as many connections.
        first = names[number % len(names)]
        seconds: dict[str, list[float]] = defaultdict(list)
        failures: list[str] = []
        tags: dict[str, str] = {}
        connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT_S)
        while first or not self._stop.is_set():
            (name,) = [first] if first else draw.choices(names, shares)
            first = ""
            kind = self._kinds[name]
            address, text = draw.choice(kind.addresses), draw.choice(kind.bodies or [""])
            if kind.once:
                if (unsent := next(self._once[name], None)) is None:
                    failures.append(f"{name}: all were sent; ask for fewer seconds, or with more points")
                    break
                address, text = (address, unsent) if kind.bodies else (unsent, "")
            body, headers = self._request(kind, text, draw)
            tag = tags.get(address) if kind.conditional else None
            if tag is not None:
                headers = {**headers, "If-None-Match": tag}
            started = time.perf_counter()
            try:
                connection.request("GET" if body is None else "POST", address, body, headers)
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException) as error:
                failures.append(f"{name}: {address}: {error!r}")
                connection.close()
                continue
            if kind.conditional and tag is None:
                tags[address] = answer.getheader("ETag", "")
                continue
            seconds[name].append(time.perf_counter() - started)
            if answer.status != (200 if tag is None else 304):
                failures.append(f"{name}: {address}: {answer.status} {said[:200]!r}")
        connection.close()
        with self._lock:
            self._answers.failures += failures
            for name, own in seconds.items():
                self._answers.seconds.setdefault(name, []).extend(own)

    def _request(self, kind: Kind, text: str, draw: random.Random) -> tuple[bytes | None, dict[str, str]]:
        """The body and headers of a request. text: its body, of those of its kind; "" without any."""
        if kind.photos:
            return self._bodies[draw.choice(kind.photos)]
        if text:
            return text.encode(), {"Content-Type": "application/json"}
        return None, {}


def _form(photo: Path) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a form with this photo."""
    request = httpx.Request("POST", "http://any/", files={"photo": (photo.name, photo.read_bytes(), "image/jpeg")})
    return request.read(), {"Content-Type": request.headers["Content-Type"]}


if __name__ == "__main__":
    print(json.dumps(asdict(_Clients(json.loads(sys.stdin.readline())).run())))
