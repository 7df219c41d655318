"""Metrics of a service, as Prometheus reads them."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_PREFIX = "many_models_"


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric with one value."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    value: float


@dataclass
class RequestCounts:
    """What one process counts of its requests, in one thread."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BUCKETS) + 1))
    seconds: float = 0.0

    def count(self, path: str, status: int, seconds: float) -> None:
        """One request to ``path`` that was answered."""
        self.statuses[path, status] += 1
        if path == "/invocations":
            self.buckets[bisect_left(_BUCKETS, seconds)] += 1
            self.seconds += seconds


def write_metrics(counts: RequestCounts, figures: Iterable[Figure]) -> str:
    """All metrics of this process, which is one of several: its id is a label."""
    lines: list[str] = []
    _declare(lines, "requests_total", "counter", "Requests by path and status.")
    for (path, status), value in sorted(counts.statuses.items()):
        lines.append(_line("requests_total", {"path": path, "status": str(status)}, value))
    _declare(lines, "rows_total", "counter", "Rows answered, by what made the prediction.")
    for source, value in sorted(counts.rows.items()):
        lines.append(_line("rows_total", {"source": source}, value))
    name = "invocation_seconds"
    _declare(lines, name, "histogram", "Seconds from request to answer.")
    total = 0
    for bound, value in zip((*_BUCKETS, "+Inf"), counts.buckets, strict=True):
        total += value
        lines.append(_line(f"{name}_bucket", {"le": str(bound)}, total))
    lines.append(_line(f"{name}_sum", {}, counts.seconds))
    lines.append(_line(f"{name}_count", {}, total))
    for figure in figures:
        _declare(lines, figure.name, figure.kind, figure.help)
        lines.append(_line(figure.name, {}, float(figure.value)))
    return "\n".join(lines) + "\n"


def _declare(lines: list[str], name: str, kind: str, text: str) -> None:
    lines.append(f"# HELP {_PREFIX}{name} {text}")
    lines.append(f"# TYPE {_PREFIX}{name} {kind}")


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{k}="{v}"' for k, v in {**labels, "worker": str(os.getpid())}.items())
    return f"{_PREFIX}{name}{{{shown}}} {value}"
