"""What visitors notice while a Qdrant server is away, and how soon answers come once it is back.

Usage: python -m bench.outages [--away 5 20 60 150] [--requests 2000] [--products 60] [--protocols rest grpc]
A demo shop whose web process has two addresses of an index (tests/contracts/qdrant_wire.py, which compares all points), each
through a proxy that can be closed or stopped. One client asks for similar products under a filter, so that each answer needs the
index. Rows: both addresses away for so many seconds; then one of the two dead, hung, or answering INTERNAL for a second. "First
answer" counts from when the addresses listen again.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.demo_shop import UNLIMITED, demo_shop
from bench.tables import publish
from tests.services.conftest import free_port

HOSTS = ("127.0.0.1", "127.0.0.2")
# Between two requests of the client, so that a short outage is no more than some hundreds.
PAUSE_S = 0.02
# Until both addresses are found back.
SETTLED_S = 3
LONGEST_S = 30
LIMIT = 8


@dataclass
class Answered:
    """What a client noticed.

    Attributes:
        seconds: of each answer.
        failed: answers with another status than 200.
        fallbacks: answers by the fallback.
    """

    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    fallbacks: int = 0

    def row(self) -> dict[str, Any]:
        """Of a table."""
        p50, p99, longest = 1e3 * np.percentile(self.seconds, [50, 99, 100])
        return {
            "requests": len(self.seconds),
            "failed": self.failed,
            "by fallback": self.fallbacks,
            "p50 ms": float(p50),
            "p99 ms": float(p99),
            "longest ms": float(longest),
        }


class Client:
    """Asks for similar products, one after the other, with a new address each time: no answer is kept."""

    def __init__(self, base: str, products: int) -> None:
        """Ask a shop of so many products at this address."""
        self._connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=LONGEST_S)
        self._products, self._number = products, 0

    def ask(self, answered: Answered) -> bool:
        """Ask once; whether the index answered."""
        self._number += 1
        product = 1 + self._number % self._products
        address = f"/api/products/{product}/similar?limit={LIMIT}&max_price=1000000&_={self._number}"
        started = time.perf_counter()
        self._connection.request("GET", address)
        answer = self._connection.getresponse()
        said = answer.read()
        answered.seconds.append(time.perf_counter() - started)
        by_fallback = answer.status == http.HTTPStatus.OK and json.loads(said)["fallback"]
        answered.failed += answer.status != http.HTTPStatus.OK
        answered.fallbacks += by_fallback
        return answer.status == http.HTTPStatus.OK and not by_fallback

    def rest(self) -> None:
        """Ask nothing until both addresses are found back. A server closes connections that rest."""
        self._connection.close()
        time.sleep(SETTLED_S)


class Proxies:
    """Addresses of a server that can be away or hang. All of them run in one thread."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._listening: dict[tuple[str, int], asyncio.Server] = {}
        self._targets: dict[tuple[str, int], int] = {}
        self._open: dict[tuple[str, int], set[asyncio.StreamWriter]] = {}
        self._flowing = {host: asyncio.Event() for host in HOSTS}
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def add(self, host: str, port: int, target: int) -> None:
        """Forward what comes to an address to a port of the first host."""
        self._targets[host, port] = target
        self._open[host, port] = set()

    def restore(self, *hosts: str) -> None:
        """Have these listen and forward."""
        self._run(self._restore(hosts))

    def cut(self, *hosts: str) -> None:
        """Have these refuse connections, and end those that are open."""
        self._run(self._cut(hosts))

    def hang(self, host: str) -> None:
        """Have one take connections and requests, and say nothing."""
        self._loop.call_soon_threadsafe(self._flowing[host].clear)

    def close(self) -> None:
        """End the thread."""
        self.cut(*HOSTS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _restore(self, hosts: Sequence[str]) -> None:
        for host, port in self._targets:
            if host in hosts:
                self._flowing[host].set()
                if (host, port) not in self._listening:
                    self._listening[host, port] = await asyncio.start_server(self._forwarding(host, port), host, port)

    async def _cut(self, hosts: Sequence[str]) -> None:
        for address in [each for each in self._listening if each[0] in hosts]:
            self._listening.pop(address).close()
            for writer in self._open[address]:
                writer.transport.abort()
            self._open[address].clear()

    def _forwarding(self, host: str, port: int) -> Callable[..., Coroutine[Any, Any, None]]:
        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            their_reader, their_writer = await asyncio.open_connection(HOSTS[0], self._targets[host, port])
            pair = {writer, their_writer}
            self._open[host, port] |= pair
            with suppress(OSError):
                await asyncio.gather(self._pipe(host, reader, their_writer), self._pipe(host, their_reader, writer))
            self._open[host, port] -= pair

        return forward

    async def _pipe(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while content := await reader.read(1 << 16):
            await self._flowing[host].wait()
            writer.write(content)
            await writer.drain()
        writer.close()


class Nodes:
    """Two nodes that hold the same points, in a process of their own."""

    def __init__(self) -> None:
        """Start them."""
        command = [sys.executable, "-m", "tests.contracts.qdrant_wire"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._said = self._process.stdin
        self.ports: list[dict[str, int]] = json.loads(self._process.stdout.readline())

    def trouble(self, seconds: float) -> None:
        """Have the second node answer INTERNAL for so long."""
        self._said.write(f"{seconds}\n")
        self._said.flush()

    def stop(self) -> None:
        """End them."""
        self._process.terminate()
        self._process.wait(20)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--away", type=float, nargs="*", default=[5, 20, 60, 150], help="seconds")
    parser.add_argument("--requests", type=int, default=2000, help="while one address of two is in trouble")
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--protocols", nargs="+", choices=["rest", "grpc"], default=["rest", "grpc"])
    options = parser.parse_args(arguments)
    rows = []
    for protocol in options.protocols:
        with _shop(protocol, options.products) as (base, proxies, nodes):
            client = Client(base, options.products)
            for case, measured in _cases(client, proxies, nodes, options):
                rows.append({"case": case, "by": protocol, **measured})
    publish("outages", rows, {"products": options.products})


@contextmanager
def _shop(protocol: str, products: int) -> Iterator[tuple[str, Proxies, Nodes]]:
    """The URL of a shop whose index is behind proxies."""
    with ExitStack() as stack:
        nodes, proxies = Nodes(), Proxies()
        stack.callback(nodes.stop)
        stack.callback(proxies.close)
        rest, grpc = free_port(), free_port()
        for host, ports in zip(HOSTS, nodes.ports, strict=True):
            proxies.add(host, rest, ports["rest"])
            proxies.add(host, grpc, ports["grpc"])
        proxies.restore(*HOSTS)
        settings = {
            "QDRANT_URL": ",".join(f"http://{host}:{rest}" for host in HOSTS),
            **UNLIMITED,
            "LOG_LEVEL": "ERROR",
        }
        if protocol == "grpc":
            settings["QDRANT_GRPC_PORT"] = str(grpc)
        base, _ = stack.enter_context(demo_shop(products=products, debug=False, settings=settings))
        yield base, proxies, nodes


def _cases(
    client: Client, proxies: Proxies, nodes: Nodes, options: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Any]]]:
    for _ in range(options.products):
        client.ask(Answered())
    yield "all is well", _asked(client, options.requests).row()
    for seconds in options.away:
        proxies.cut(*HOSTS)
        answered, gone = Answered(), time.perf_counter()
        while time.perf_counter() - gone < seconds:
            client.ask(answered)
            time.sleep(PAUSE_S)
        proxies.restore(*HOSTS)
        yield f"away {seconds:g} s", {**answered.row(), "first answer, s": _until_found_back(client)}
        client.rest()
    for trouble, begin in (
        ("dead", lambda: proxies.cut(HOSTS[1])),
        ("hung", lambda: proxies.hang(HOSTS[1])),
        ("INTERNAL for 1 s", lambda: nodes.trouble(1)),
    ):
        begin()
        yield f"one of two {trouble}", _asked(client, options.requests).row()
        proxies.restore(*HOSTS)
        client.rest()
        yield f"after that ({trouble})", _asked(client, options.requests // 4).row()


def _asked(client: Client, requests: int) -> Answered:
    answered = Answered()
    for _ in range(requests):
        client.ask(answered)
    return answered


def _until_found_back(client: Client) -> float:
    back = time.perf_counter()
    while not client.ask(Answered()):
        time.sleep(PAUSE_S)
    return time.perf_counter() - back


if __name__ == "__main__":
    main()
