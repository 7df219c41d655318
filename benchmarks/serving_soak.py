"""A minute of a service at overload, with what may happen in one: nothing may be answered wrongly.

After a quarter of the time thousands of champions are replaced, from its middle on the registry is
away for a sixth of it, after three quarters a worker is killed.
"""

from __future__ import annotations

import json
import random
import signal
import statistics
import threading
import time
from ctypes import Array, c_double
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.sharedctypes import RawArray
from pathlib import Path

import psutil
from serving_fleet import Fleet
from serving_load import Answer, Load, Service, in_processes
from serving_rivals import Running, many_models

WORKERS = 2
WAITING = 4  # requests that a worker lets in at once: fewer than come
CLIENTS = 2
CONNECTIONS = 16  # of each client
REFRESH_SECONDS = 2.0
FRESH_WITHIN_SECONDS = 2 * REFRESH_SECONDS  # a look takes time at overload, too
ASKED = 2_000  # groups, half of them with a model to be replaced
GROWTH_MAX = 1.15
ALLOWED = {"ok", "503", "lost"}


@dataclass
class Events:
    """What happens to ``running`` meanwhile, and what was seen of it; times are monotonic.

    ``promoted_at`` has the time at which each group's second version was champion, else 0.
    """

    fleet: Fleet
    running: Running
    seconds: float
    promoted: int
    promoted_at: Array[c_double]
    healths: list[str] = field(default_factory=list)
    resident: list[tuple[float, float]] = field(default_factory=list)
    promotion_seconds: float = 0.0
    killed: bool = False

    def happen(self) -> None:
        """Promotion, outage and kill, one after the other; returns at their end."""
        begun = time.monotonic()
        self._wait(begun, 0.25)
        started = time.monotonic()
        for number in self.fleet.register(range(self.promoted), 2):
            self.promoted_at[number] = time.monotonic()
        self.promotion_seconds = time.monotonic() - started
        self._wait(begun, 0.5)
        database = Path(self.fleet.registry.uri.removeprefix("sqlite:///"))
        database.rename(database.with_suffix(".away"))
        time.sleep(self.seconds / 6)
        database.with_suffix(".away").rename(database)
        self._wait(begun, 0.75)
        self._workers()[0].send_signal(signal.SIGKILL)
        self.killed = True

    def watch(self, over: threading.Event) -> None:
        """Health and memory, every second."""
        begun = time.monotonic()
        while not over.wait(1.0):
            self.healths.append(str(json.loads(self.running.get("/health"))["status"]))
            size = sum(worker.memory_info().rss for worker in self._workers())
            self.resident.append(((time.monotonic() - begun) / self.seconds, size / 1e6))

    def memory(self, start: float, end: float) -> float:
        """Median megabytes of the workers in a part of the time, as shares of it."""
        return statistics.median(size for share, size in self.resident if start <= share <= end)

    def _workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.running.process.pid).children()
        return sorted(children, key=lambda c: c.memory_info().rss, reverse=True)[:WORKERS]

    def _wait(self, begun: float, share: float) -> None:
        time.sleep(max(0.0, begun + share * self.seconds - time.monotonic()))


def soak(fleet: Fleet, seconds: int, promoted: int, cache_mb: int) -> dict[str, float]:
    """Run it; SystemExit where an answer was wrong or stale, or memory grew."""
    chosen = random.Random(2)
    replaced = chosen.sample(range(promoted), min(ASKED // 2, promoted))
    kept = chosen.sample(range(promoted, fleet.count), min(ASKED // 2, fleet.count - promoted))
    options = {"workers": WORKERS, "max_waiting": WAITING, "refresh": REFRESH_SECONDS}
    with many_models(fleet, cache_mb=cache_mb, **options) as running:
        service = Service(running.port, fleet)
        events = Events(fleet, running, seconds, promoted, RawArray(c_double, fleet.count))
        over = threading.Event()
        watching = threading.Thread(target=events.watch, args=(over,), daemon=True)
        happening = threading.Thread(target=events.happen, daemon=True)
        judge = partial(_judge, service, events.promoted_at)

        def ask(client: int) -> Load:
            groups = replaced + kept
            return service.ask_for(
                seconds, groups, connections=CONNECTIONS, seed=client, check=judge
            )

        watching.start()
        happening.start()
        load = in_processes(CLIENTS, ask)
        happening.join()
        over.set()
        watching.join()
        after = service.ask_each(replaced, check=judge)
    return _report(load, after, events, len(replaced))


def _judge(
    service: Service, promoted_at: Array[c_double], number: int, answer: Answer, started: float
) -> tuple[str, float]:
    """Whether the number is right, and for how long the model had been replaced by then."""
    told, _ = service.is_right(number, answer, started)
    replaced = promoted_at[number]
    outlived = started - replaced if replaced and answer["model_version"] == 1 else 0.0
    return told, max(0.0, outlived)


def _report(load: Load, after: Load, events: Events, replaced: int) -> dict[str, float]:
    print(
        f"soak: {events.seconds:g} s, {CLIENTS * CONNECTIONS} connections, requests "
        f"{dict(load.outcomes)}; {events.promoted:,} models promoted in "
        f"{events.promotion_seconds:.1f} s; health {sorted(set(events.healths))}"
    )
    early, late = events.memory(0.1, 0.25), events.memory(0.9, 1.1)
    faults = {
        f"answers {dict(load.outcomes)}": load.outcomes.keys() <= ALLOWED,
        f"after it {dict(after.outcomes)}, stale {after.worst:.1f} s": (
            after.outcomes == {"ok": replaced} and not after.worst
        ),
        f"a replaced model answered {load.worst:.1f} s later": load.worst <= FRESH_WITHIN_SECONDS,
        f"no overload: {load.outcomes}": load.outcomes["503"] > 0,
        f"lost {load.outcomes['lost']}": load.outcomes["lost"] <= CLIENTS * CONNECTIONS,
        "the outage was not told": {"ok", "stale"} <= set(events.healths),
        "no worker was killed": events.killed,
        f"memory {early:.0f} -> {late:.0f} MB": late <= GROWTH_MAX * early,
    }
    if wrong := [text for text, holds in faults.items() if not holds]:
        raise SystemExit(f"the soak failed: {'; '.join(wrong)}")
    return {
        "soak, right answers a second": load.outcomes["ok"] / events.seconds,
        "soak, share of requests turned away": load.outcomes["503"] / load.outcomes.total(),
        "soak, longest that a replaced model still answered, s": load.worst,
        "soak, memory of the workers at its end over its start": late / early,
    }
