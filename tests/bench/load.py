"""Eight clients at once, as cheap as Python can be: raw HTTP over loopback, a new connection for each request."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

CLIENTS = 8
SECONDS = 6.0
ROUNDS = 3
HEADERS = {"Connection": "close"}
Request = tuple[str, str, str | None, dict[str, str]]
"""Method, path, body, headers."""


def per_second(
    base: str, requests: Callable[[int], Iterator[Request]], before: Callable[[], None] = lambda: None
) -> list[float]:
    """Answers a second, in three rounds; `requests(n)` are those of client n, who sends one after the other.

    `before` happens ahead of each request, and its time counts.
    """
    sources = [requests(n) for n in range(CLIENTS)]
    return [_round(base, sources, before) for _ in range(ROUNDS)]


def _round(base: str, sources: list[Iterator[Request]], before: Callable[[], None]) -> float:
    counts, failures = [0] * CLIENTS, list[object]()
    together = threading.Barrier(CLIENTS + 1)
    host = urlsplit(base).netloc

    def client(n: int) -> None:
        together.wait()
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            before()
            try:
                status = _send(host, next(sources[n]))
            except (OSError, http.client.HTTPException) as error:
                failures.append(error)
                return
            counts[n] += 1
            if status >= 400:
                failures.append(status)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    together.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    assert not failures, failures[:5]
    return sum(counts) / (time.perf_counter() - start)


def _send(host: str, request: Request) -> int:
    method, path, body, headers = request
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request(method, path, body, headers | HEADERS)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
