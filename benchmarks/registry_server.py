"""Registering through an MLflow server: thousands of models a request, against MLflow's own calls.

One server with our app over SQLite. Each model has 5 metrics, 4 parameters and 13 tags; MLflow's
calls register fewer of them, and rates are compared. What was registered is found, and some of it
loaded, through the server as well.
"""

from __future__ import annotations

import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from report import measure, parse_arguments, print_report

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.model_artifact import load_payload
from many_models.core.registration import ModelRecord, ModelVersion
from many_models_tests.adapters.conftest import (
    RunningServer,
    pretend_installation,
    running_server,
)
from many_models_tests.fakes_models import constant_record

METRICS = ("mase", "rmse", "mae", "pinball", "coverage")
PARAMETERS = {"candidate": "ridge", "features": "price", "horizon": "28", "rows": "400"}
TAGS = ("data_version", "code_version", "trained_through", "dagster_run_id", "score", "candidate")
LOADED = 100


def make_records(models: int) -> Iterator[ModelRecord]:
    """Records of small models, a hundred a partition."""
    for number in range(models):
        keys = {"store_id": f"s{number // 100:04d}", "department": f"d{number % 100:02d}"}
        name = ".".join(["sales", *keys.values()])
        tags = dict.fromkeys(TAGS, "2026-01-01") | keys | {"partition_key": "|".join(keys.values())}
        record = constant_record(name, number, partition=keys["store_id"], **tags)
        metrics = dict.fromkeys(METRICS, number / 7)
        yield replace(record, metrics=metrics, params=PARAMETERS, key_tags=tuple(keys))


def register(server: RunningServer, models: int, *, bulk: bool) -> int:
    server.clear()
    registry = MlflowRegistry(server.url, None, "benchmark", allow_bulk=bulk)
    outcomes = list(registry.register(make_records(models), alias="champion", total=models))
    if registry.writer.name != ("server" if bulk else "client"):
        raise SystemExit(f"registered by the writer {registry.writer}")
    return sum(isinstance(outcome, ModelVersion) for outcome in outcomes)


def count_tags(server: RunningServer, models: int) -> float:
    with closing(sqlite3.connect(server.database)) as database:
        rows = database.execute("SELECT count(*) FROM model_version_tags").fetchone()[0]
    return float(rows) / models


def load_some(server: RunningServer) -> int:
    """Payloads through the server, one request each: for who shares no disk with it."""
    registry = MlflowRegistry(server.url, None, "benchmark")
    for version in registry.champions("grocery", ["s0000"])[:LOADED]:
        digest = version.tags["payload_sha256"]
        load_payload(version.location, digest, version.name, registry_uri=server.url)
    return LOADED


def find_all(server: RunningServer) -> int:
    return len(MlflowRegistry(server.url, None, "benchmark").champions("grocery"))


def run(server: RunningServer, models: int, client: int, rounds: int, json: Path | None) -> None:
    left: dict[str, float] = {}

    def rival(name: str, models: int, *, bulk: bool) -> Callable[[], int]:
        def run_anew() -> int:
            done = register(server, models, bulk=bulk)
            left[name] = count_tags(server, models)
            return done

        return run_anew

    register(server, 10, bulk=True)  # warms up
    cases = measure(
        {
            "client, through a server": rival("client", client, bulk=False),
            "bulk, through a server": rival("bulk", models, bulk=True),
        },
        rounds,
    )
    if len(set(left.values())) > 1:
        raise SystemExit(f"not the same tags a model: {left}")
    cases += measure(
        {
            "find all champions, through a server": lambda: find_all(server),
            "load payloads, through a server": lambda: load_some(server),
        },
        rounds,
    )
    rate = {case.name: case.rate for case in cases}
    ratio = rate["bulk, through a server"] / rate["client, through a server"]
    print_report("registry_server", cases, {"bulk against client, through a server": ratio}, json)


def main() -> None:
    warnings.simplefilter("ignore")
    sizes = parse_arguments(__doc__ or "", models=10_000, client=50, rounds=3)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        MlflowRegistry(f"sqlite:///{folder}/made.db", str(folder), "unused").champions("none")
        with (
            closing(sqlite3.connect(folder / "made.db")) as made,
            closing(sqlite3.connect(folder / "empty.db")) as empty,
        ):
            made.backup(empty)
        (folder / "installed").mkdir()
        installed = pretend_installation(folder / "installed")
        options = ["--app-name", "many-models", "--artifacts-destination", str(folder / "served")]
        with running_server(folder / "server", folder / "empty.db", installed, *options) as server:
            run(server, sizes.models, sizes.client, sizes.rounds, sizes.json)


if __name__ == "__main__":
    main()
