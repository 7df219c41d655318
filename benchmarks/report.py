"""Measuring and printing: what every benchmark here has in common.

Rounds are interleaved, so that a machine whose speed drifts drifts for all rivals; medians are
quoted and the spread is shown. A time is an anecdote, a ratio is a result.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import psutil

VERSIONS = ("pyspark", "mlflow", "pandas", "pyarrow", "scikit-learn", "lightgbm", "deltalake")
SAMPLE_SECONDS = 1.0  # looking through all processes takes time from what is measured


@dataclass(frozen=True)
class Case:
    """One rival's medians: ``n`` items in ``seconds``; processor and memory of all processes."""

    name: str
    n: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    rate: float
    seconds_min: float
    seconds_max: float


@dataclass(frozen=True)
class _Round:
    seconds: float
    cpu_seconds: float
    peak_mb: float


def parse_arguments(description: str, **defaults: int) -> argparse.Namespace:
    """Sizes as flags with defaults, and ``--json PATH``."""
    parser = argparse.ArgumentParser(description=description)
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args()


def measure(rivals: Mapping[str, Callable[[], int]], rounds: int) -> list[Case]:
    """Run the rivals in turn, ``rounds`` times; each returns the number of items that it did."""
    found: dict[str, list[_Round]] = {name: [] for name in rivals}
    counts: dict[str, int] = {}
    for _ in range(rounds):
        for name, run in rivals.items():
            counts[name], figures = _measure_once(run)
            found[name].append(figures)
    return [_summarise(name, counts[name], figures) for name, figures in found.items()]


def print_report(
    name: str, cases: list[Case], ratios: Mapping[str, float], path: Path | None
) -> None:
    """Print a table, and write the figures as JSON where ``path`` says so."""
    sizes = f"{'n':>10}{'seconds':>10}{'min-max':>16}"
    print(f"{'case':42}{sizes}{'cpu s':>9}{'peak MB':>9}{'a second':>12}")
    for case in cases:
        spread = f"{case.seconds_min:.2f}-{case.seconds_max:.2f}"
        print(
            f"{case.name:42}{case.n:>10,}{case.seconds:>10.2f}{spread:>16}"
            f"{case.cpu_seconds:>9.1f}{case.peak_mb:>9.0f}{case.rate:>12,.1f}"
        )
    for text, ratio in ratios.items():
        print(f"{text}: {ratio:,.2f}".removesuffix(".00"))
    write_report(name, [asdict(case) for case in cases], path, ratios)


def write_report(
    name: str,
    cases: Sequence[Mapping[str, object]],
    path: Path | None,
    ratios: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Write figures as JSON, with what they were measured on, where ``path`` says so."""
    if path is not None:
        report = {
            "name": name,
            "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
            "versions": {package: version(package) for package in VERSIONS},
            "cases": list(cases),
            "ratios": dict(ratios),
        }
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _measure_once(run: Callable[[], int]) -> tuple[int, _Round]:
    finished, peak = threading.Event(), [0.0]
    sampler = threading.Thread(target=_sample_memory, args=(finished, peak), daemon=True)
    cpu, clock = _cpu_seconds(), time.perf_counter()
    sampler.start()
    count = run()
    seconds = time.perf_counter() - clock
    finished.set()
    sampler.join()
    return count, _Round(seconds, _cpu_seconds() - cpu, peak[0])


def _family() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def _cpu_seconds() -> float:
    """Processor seconds of this process and its living descendants."""
    total = 0.0
    for process in _family():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _sample_memory(finished: threading.Event, peak: list[float]) -> None:
    while not finished.wait(SAMPLE_SECONDS):
        total = 0
        for process in _family():
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak[0] = max(peak[0], total / 1e6)


def _summarise(name: str, count: int, rounds: list[_Round]) -> Case:
    seconds = [figures.seconds for figures in rounds]
    median = statistics.median(seconds)
    return Case(
        name=name,
        n=count,
        seconds=median,
        cpu_seconds=statistics.median(figures.cpu_seconds for figures in rounds),
        peak_mb=max(figures.peak_mb for figures in rounds),
        rate=count / median,
        seconds_min=min(seconds),
        seconds_max=max(seconds),
    )
