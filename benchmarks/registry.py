"""Registering thousands of models and finding them again: in bulk, by MLflow's client, log_model.

Each model has 5 metrics, 4 parameters and all tags. The slow rivals register fewer models, and
rates are compared; every rival must leave as many rows a model in every table before any time is.
In the end writers are killed (``--kills``) and meet each other, and the registries are checked.
``--models 100000 --rounds 1 --kills 0`` shows the time and memory of more.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from registry_crashes import kill_writers, two_writers
from registry_rivals import (
    Registries,
    load_all,
    load_model,
    load_with_mlflow,
    log_models,
    make_records,
    register,
    require_same_work,
)
from report import Case, measure, parse_arguments, print_report

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models_tests.conftest import running_postgres

DATABASES = ("SQLite", "PostgreSQL")
WARM = 20
LOOKS = 500

Run = Callable[[MlflowRegistry, int], int]


@dataclass
class Writing:
    """Rivals that write into a new registry each time; ``last`` holds what they wrote last."""

    registries: Registries
    last: dict[str, tuple[MlflowRegistry, int]] = field(default_factory=dict)

    def rival(
        self, name: str, kind: str, run: Run, models: int, *, bulk: bool = True
    ) -> Callable[[], int]:
        def run_anew() -> int:
            self.last[name] = self.registries.of(kind, bulk=bulk), models
            return run(self.last[name][0], models)

        return run_anew

    def measure(self, sizes: argparse.Namespace) -> list[Case]:
        rivals = {}
        for kind in DATABASES:
            name = f"bulk, {kind}"
            rivals[name] = self.rival(name, kind, register, sizes.models)
        for kind in DATABASES:
            name = f"client, {kind}"
            rivals[name] = self.rival(name, kind, register, sizes.client, bulk=False)
        name = "log_model, SQLite"
        rivals[name] = self.rival(name, "SQLite", log_models, sizes.log_model)
        register(self.registries.of("SQLite"), WARM)
        log_models(self.registries.of("SQLite"), 1)
        cases = measure(rivals, sizes.rounds)
        require_same_work(self.last)
        return cases


def measure_reading(writing: Writing, rounds: int) -> list[Case]:
    by_client, logged = writing.last["client, SQLite"]
    rivals: dict[str, Callable[[], int]] = {
        f"find and load all, {kind}": partial(load_all, *writing.last[f"bulk, {kind}"])
        for kind in DATABASES
    }
    rivals["find and load by alias, MLflow"] = lambda: load_with_mlflow(by_client, logged)
    return measure(rivals, rounds)


def measure_calls(registry: MlflowRegistry, kind: str, models: int) -> dict[str, float]:
    """Milliseconds from a key to its champion, unpickled: median and 99th percentile."""
    names = [record.name for record in make_records(models)]
    found = []
    for name in random.Random(7).choices(names, k=WARM + LOOKS):
        begun = time.perf_counter()
        load_model(registry.champion(name))
        found.append((time.perf_counter() - begun) * 1e3)
    percentiles = statistics.quantiles(found[WARM:], n=100)
    text = f"one champion by key, {kind}, milliseconds"
    return {f"{text}, p50": percentiles[49], f"{text}, p99": percentiles[98]}


def compare(cases: list[Case]) -> dict[str, float]:
    rate = {case.name: case.rate for case in cases}
    rivals = {
        "client, SQLite": "bulk, SQLite",
        "client, PostgreSQL": "bulk, PostgreSQL",
        "log_model, SQLite": "bulk, SQLite",
        "find and load by alias, MLflow": "find and load all, SQLite",
    }
    return {f"{ours} against {slow}": rate[ours] / rate[slow] for slow, ours in rivals.items()}


def main() -> None:
    warnings.simplefilter("ignore")
    sizes = parse_arguments(
        __doc__ or "", models=10_000, client=100, log_model=20, rounds=3, kills=50
    )
    with tempfile.TemporaryDirectory() as folder, running_postgres(fsync=True) as server:
        writing = Writing(Registries(Path(folder), server))
        cases = writing.measure(sizes)
        cases += measure_reading(writing, sizes.rounds)
        figures = compare(cases)
        for kind in DATABASES:
            registry, models = writing.last[f"bulk, {kind}"]
            figures |= measure_calls(registry, kind, models)
        for kind in DATABASES:
            versions = two_writers(writing.registries, kind)
            figures[f"versions of two writers at once, {kind}, none missing or double"] = versions
            killed = kill_writers(writing.registries, kind, sizes.kills // len(DATABASES))
            figures[f"writers killed without a fault, {kind}"] = killed
    print_report("registry", cases, figures, sizes.json)


if __name__ == "__main__":
    main()
