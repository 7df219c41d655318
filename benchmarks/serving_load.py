"""Clients of a scoring service: many connections in a few processes, every answer checked.

Plain sockets and prepared requests, so that asking takes little of the processor that answers; in a
closed loop, each connection asks again once it has its answer.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from threading import Lock

from serving_fleet import Fleet

TIMEOUT = 30.0
RETRY_SECONDS = 0.05  # after an answer that is none: sooner than it asks for, as bad clients do
Answer = dict[str, object]


@dataclass
class Load:
    """What became of requests: how many ended how, and the seconds that answers took.

    ``worst`` is the largest of the figures that a check has returned.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    worst: float = 0.0

    def add(self, other: Load) -> None:
        self.outcomes.update(other.outcomes)
        self.seconds += other.seconds
        self.worst = max(self.worst, other.worst)

    @property
    def answered(self) -> int:
        return len(self.seconds)


Check = Callable[[int, Answer, float], tuple[str, float]]
"""How an answer about a group to a request begun then (monotonic) is called, and a figure."""


def percentile(seconds: Sequence[float], share: float) -> float:
    """Milliseconds within which this share of requests was answered."""
    ordered = sorted(seconds)
    return 1e3 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@dataclass(frozen=True)
class Service:
    """The service at ``port``, and who knows what it should say."""

    port: int
    fleet: Fleet

    def ask_each(
        self,
        numbers: Iterable[int],
        *,
        connections: int = 1,
        pause: float = 0.0,
        check: Check | None = None,
    ) -> Load:
        """Ask for each group once, in their order, with pauses of so many seconds."""
        return self._run(iter(numbers), connections, pause, check or self.is_right)

    def ask_for(
        self,
        seconds: float,
        numbers: Sequence[int],
        *,
        connections: int = 1,
        seed: int = 0,
        check: Check | None = None,
    ) -> Load:
        """Ask for groups at random for some seconds."""
        choose, deadline = random.Random(seed).choice, time.monotonic() + seconds

        def chosen() -> Iterator[int]:
            while time.monotonic() < deadline:
                yield choose(numbers)

        return self._run(chosen(), connections, 0.0, check or self.is_right)

    def is_right(self, number: int, answer: Answer, started: float) -> tuple[str, float]:
        """``ok`` where the prediction is, to the last bit, that of the version that is named."""
        version = answer.get("model_version", 1)
        assert isinstance(version, int)
        right = answer["prediction"] == self.fleet.expected(number, version)
        return ("ok" if right else "wrong"), 0.0

    def _run(self, numbers: Iterator[int], connections: int, pause: float, check: Check) -> Load:
        total, taking = Load(), Lock()

        def take() -> int | None:
            with taking:
                return next(numbers, None)

        def work(_: int) -> Load:
            done, connection = Load(), _connect(self.port)
            while (number := take()) is not None:
                started = time.monotonic()
                try:
                    connection.sendall(_request(self.fleet.body(number)))
                    status, answer = _receive(connection)
                except OSError:
                    done.outcomes["lost"] += 1
                    connection.close()
                    connection = _connect(self.port)
                    continue
                if status == 200:
                    done.seconds.append(time.monotonic() - started)
                    told, figure = check(number, answer, started)
                    done.outcomes[told] += 1
                    done.worst = max(done.worst, figure)
                else:
                    done.outcomes[str(status)] += 1
                    time.sleep(RETRY_SECONDS)
                if pause:
                    time.sleep(pause)
            connection.close()
            return done

        with ThreadPoolExecutor(connections) as pool:
            for load in pool.map(work, range(connections)):
                total.add(load)
        return total


def in_processes(count: int, run: Callable[[int], Load]) -> Load:
    """What ``run`` does in several processes at once, given the number of each."""
    fork = multiprocessing.get_context("fork")
    ends = []
    for number in range(count):
        mine, theirs = fork.Pipe(duplex=False)
        fork.Process(target=_send, args=(theirs, run, number), daemon=True).start()
        theirs.close()
        ends.append(mine)
    total = Load()
    for end in ends:
        with closing(end):
            total.add(end.recv())
    return total


def _send(end: Connection, run: Callable[[int], Load], number: int) -> None:
    end.send(run(number))


def _request(body: bytes) -> bytes:
    return (
        b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def _connect(port: int) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), TIMEOUT)
        except ConnectionError:
            time.sleep(0.01)


def _receive(connection: socket.socket) -> tuple[int, Answer]:
    """Status and first prediction of an answer; a connection that ends is an OSError."""
    found = b""
    while (end := found.find(b"\r\n\r\n")) < 0:
        found += _more(connection)
    length = int(found[:end].lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(found) < end + 4 + length:
        found += _more(connection)
    status = int(found.split(b" ", 2)[1])
    return status, json.loads(found[end + 4 :])["predictions"][0] if status == 200 else {}


def _more(connection: socket.socket) -> bytes:
    found = connection.recv(1 << 16)
    if not found:
        raise ConnectionError("the service has closed the connection")
    return found
