"""Serving a hundred thousand models from a bounded memory, and what else there is to serve them.

A walk over all champions in random order (every answer checked to the last bit, the cache's bytes
and the process's memory read meanwhile), latencies of models that are in memory and that are not,
throughput beside two rivals, and a minute of overload with a promotion, an outage of the registry
and a killed worker (``serving_soak.py``). One row a request.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from report import Case, measure, parse_arguments, print_report
from serving_fleet import Fleet, make_fleet
from serving_load import Load, Service, percentile
from serving_rivals import Running, load_each, many_models, whole_set
from serving_soak import soak

WARM = 500  # models that are asked for again and again
COLD = 5_000
PAUSE = 0.004  # between requests of a connection at moderate load
CONNECTIONS = 8
RIVAL_SECONDS = 8
NAMES = ("many-models serve", "mlflow models serve, all in one", "FastAPI, load_model a request")


class Watch:
    """Reads a service's memory every half second: the cache's, and that of its processes."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._done = threading.Event()
        self.cache_bytes: list[float] = []
        self.resident: list[int] = []

    def look(self) -> None:
        text = self._running.get("/metrics")
        line = next(x for x in text.splitlines() if x.startswith("many_models_cache_bytes{"))
        self.cache_bytes.append(float(line.rsplit(" ", 1)[1]))
        self.resident.append(psutil.Process(self._running.process.pid).memory_info().rss)

    @contextmanager
    def looking(self) -> Iterator[None]:
        def follow() -> None:
            while not self._done.wait(0.5):
                self.look()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        yield
        self._done.set()
        thread.join()
        self.look()


def require_right(load: Load, requests: int) -> None:
    """Stop unless so many requests were made and each was answered as it should be."""
    if load.outcomes != {"ok": requests}:
        raise SystemExit(f"of {requests} requests {dict(load.outcomes)}")


def walk(fleet: Fleet, cache_mb: int) -> dict[str, float]:
    """Latencies of cold and warm models, then a random walk over all, watching the memory."""
    order = random.Random(1).sample(range(fleet.count), fleet.count)
    cold, warm = order[: min(COLD, fleet.count // 2)], order[-WARM:]
    with many_models(fleet, cache_mb=cache_mb) as running:
        service, watch = Service(running.port, fleet), Watch(running)
        first = service.ask_each(cold, connections=2, pause=PAUSE)
        require_right(first, len(cold))
        require_right(service.ask_each(warm), WARM)
        again = service.ask_each(warm * 10, connections=2, pause=PAUSE)
        require_right(again, 10 * WARM)
        with watch.looking():
            require_right(service.ask_each(order, connections=CONNECTIONS), fleet.count)
    print(f"walk: {fleet.count:,} models, each asked for once in random order, every answer right")
    bound = cache_mb * (1 << 20)
    if max(watch.cache_bytes) > bound:
        raise SystemExit(f"the cache held {max(watch.cache_bytes):,.0f} bytes of {bound:,}")
    return {
        "cold model, p50, ms": percentile(first.seconds, 0.5),
        "cold model, p99, ms": percentile(first.seconds, 0.99),
        "warm model, p50, ms": percentile(again.seconds, 0.5),
        "warm model, p99, ms": percentile(again.seconds, 0.99),
        "walk, most bytes of the cache, share of its bound": max(watch.cache_bytes) / bound,
        "walk, most memory of the process, MB": max(watch.resident) / 1e6,
    }


def race(fleet: Fleet, sizes: argparse.Namespace, folder: Path) -> list[Case]:
    """Requests of ``--models_rival`` groups at random, by each of the rivals in turn."""
    numbers = range(min(sizes.models_rival, fleet.count))

    def rival(running: Running) -> Callable[[], int]:
        service = Service(running.port, fleet)

        def run() -> int:
            load = service.ask_for(RIVAL_SECONDS, numbers, connections=CONNECTIONS)
            require_right(load, load.answered)
            return load.answered

        require_right(service.ask_each(numbers[:20]), 20)
        return run

    with (
        many_models(fleet, cache_mb=sizes.cache_mb) as ours,
        whole_set(fleet, len(numbers), folder) as whole,
        load_each(fleet) as each,
    ):
        rivals = zip(NAMES, map(rival, (ours, whole, each)), strict=True)
        return measure(dict(rivals), sizes.rounds)


def main() -> None:
    sizes = parse_arguments(
        __doc__ or "",
        models=100_000,
        models_rival=10_000,
        cache_mb=256,
        rounds=3,
        soak_seconds=60,
        promoted=10_000,
    )
    with tempfile.TemporaryDirectory() as folder:
        fleet = make_fleet(Path(folder), sizes.models)
        print(f"{fleet.count:,} champions, {fleet.registry.uri}", flush=True)
        figures = walk(fleet, sizes.cache_mb)
        cases = race(fleet, sizes, Path(folder))
        if sizes.soak_seconds:
            figures |= soak(fleet, sizes.soak_seconds, sizes.promoted, sizes.cache_mb)
    ours, *others = cases
    ratios = {f"requests a second over {c.name}": ours.rate / c.rate for c in others}
    print_report("serving", cases, ratios | figures, sizes.json)


if __name__ == "__main__":
    main()
