"""A home folder, a shop's database, and stand-ins for Spark and the registries."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.asset_check_state import AssetCheckState

from many_models import __version__, settings
from many_models.adapters.registry import tables
from many_models.adapters.registry.writer import WriterChoice
from many_models.core.config_version import config_version
from many_models.core.errors import PartitionsError
from many_models.core.forecast.scoring import prediction_schema, scoring_schema
from many_models.core.forecast.use_case import UseCase
from many_models.core.result_tables.fact_schemas import drift_schema, ledger_schema
from many_models.core.sharding import Shard
from many_models.core.use_case import AnyUseCase
from many_models.defs.resources import (
    ChampionsResource,
    RegistryResource,
    SparkResource,
    build_resources,
)
from many_models.steps.accuracy_review import Judged
from many_models.steps.drift_review import PartitionDrift, summarise
from many_models.steps.forecast_review import Coverage
from many_models.steps.group import Conservation, GroupedPartition
from many_models.steps.judge import PartitionVerdict
from many_models.steps.ledger import Run
from many_models.steps.measure_accuracy import OriginAccuracy
from many_models.steps.promote import PromotedPartition
from many_models.steps.results import Results
from many_models.steps.score import ScoredOrigin
from many_models.steps.train import TrainedPartitions
from many_models_tests.fakes import make_use_case

OPEN_REGISTRY = RegistryResource.open


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@dataclass(frozen=True)
class Shop:
    """A source database with a table ``sales``: one row for each store, item and day."""

    path: Path

    def fill(self, stores: Sequence[str], start: str, days: int, items: Sequence[str]) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS sales (store TEXT, item TEXT, date TEXT, sold REAL)"
            )
            connection.executemany(
                "INSERT INTO sales VALUES (?, ?, ?, ?)",
                [
                    (store, item, str(date.fromisoformat(start) + timedelta(day)), 5 + day % 7)
                    for store in stores
                    for item in items
                    for day in range(days)
                ],
            )

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement)

    def use_case(self, **fields: Any) -> UseCase:
        source = {"url": f"sqlite:///{self.path}", "table": "sales", "window": "monthly"}
        source |= {"start": "2024-01-01", "end": "2024-03-31"} | fields.pop("source", {})
        return make_use_case(source={k: v for k, v in source.items() if v is not None}, **fields)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Stores a, b and c sell tea in the first quarter of 2024."""
    made = Shop(tmp_path / "shop.db")
    made.fill(["a", "b", "c"], "2024-01-01", 91, ["tea"])
    return made


@dataclass
class Platform:
    """What Spark and the registries would have done; one group in each partition."""

    failing: set[str] = field(default_factory=set)
    breaking: dict[str, str] = field(default_factory=dict)
    trained: list[list[str]] = field(default_factory=list)
    promoted: list[str] = field(default_factory=list)
    scored: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    drifting: set[str] = field(default_factory=set)
    drift_measured: list[list[str]] = field(default_factory=list)

    def group_partitions(self, _: UseCase, keys: Sequence[str], *__: object, **___: object) -> Any:
        return {key: GroupedPartition(groups=1, rows=10, shards=1) for key in keys}

    def compare_with_raw(self, _: UseCase, keys: Sequence[str], *__: object, **___: object) -> Any:
        return {key: Conservation(10, 10, 1.0, 1.0, 0) for key in keys}

    def train_partitions(
        self, use_case: UseCase, keys: Sequence[str], run: Run, *, results: Results, **_: object
    ) -> TrainedPartitions:
        self.trained.append(list(keys))
        broken = {key: text for key, text in self.breaking.items() if key in keys}
        keys = [key for key in keys if key not in broken]
        rows = [
            {
                "partition": key,
                "group_key": key,
                "status": "trained",
                "candidate": "ridge",
                "score": 0.5,
                "core_seconds": 90.0,
                "run_id": run.run_id,
                "trained_at": run.started.replace(tzinfo=None),
                "trained_through": datetime(2024, 3, 31),
                "code_version": __version__,
                "config_version": config_version(use_case),
            }
            for key in keys
        ]
        ledger = pa.Table.from_pylist(rows, schema=ledger_schema(use_case))
        results.replace("ledger", ledger, {"run_id": run.run_id, "partition": list(keys)})
        done = TrainedPartitions(ledger, {keys[0]: "these are bad"})
        if broken:
            raise PartitionsError(broken, done)
        return done

    def read_shards(self, _: UseCase, __: object, keys: Sequence[str]) -> list[Shard]:
        return [Shard(key, 0, 1, 10, "2024-03-31", "") for key in keys]

    def judge_partitions(self, _: UseCase, keys: Sequence[str], *__: object, **___: object) -> Any:
        good = {key: key not in self.failing for key in keys}
        return {key: PartitionVerdict("", 1, int(ok), float(ok), ok) for key, ok in good.items()}

    def promote_partitions(self, _: UseCase, keys: Sequence[str], **__: object) -> Any:
        self.promoted += [key for key in keys if key not in self.failing]
        return {key: PromotedPartition(int(key not in self.failing), 0, 0, 1) for key in keys}

    def find_unqualified(self, _: UseCase, keys: Sequence[str], *__: object, **___: object) -> Any:
        return {key: [] for key in keys}

    def score_origin(self, use_case: UseCase, origin: Any, _: str, **rest: Any) -> ScoredOrigin:
        self.scored.append(str(origin.date()))
        for table, schema in (
            ("predictions", prediction_schema(use_case)),
            ("scoring", scoring_schema(use_case)),
        ):
            rest["results"].replace(table, schema.empty_table(), {"origin": str(origin)})
        return ScoredOrigin(groups=3, by_model=3, by_pooled=0, by_baseline=0, unserved=0, rows=21)

    def measure_origin(self, _: UseCase, origin: Any, *__: object) -> OriginAccuracy:
        self.measured.append(str(origin.date()))
        return OriginAccuracy(predictions=21, judged=3, error=0.5)

    def measure_drift(
        self, use_case: UseCase, keys: Sequence[str], run: str, *, results: Results, **_: object
    ) -> dict[str, PartitionDrift]:
        self.drift_measured.append(list(keys))
        rows = [drift_row(key, run_id=run, drifted=key in self.drifting) for key in keys]
        table = pa.Table.from_pylist(rows, schema=drift_schema(use_case))
        results.replace("drift", table, {"partition": list(keys)})
        return summarise(use_case, table, keys)


def drift_row(partition: str, *, drifted: bool = False, **fields: object) -> dict[str, object]:
    """A champion of one group, which has been judged by four weeks of actuals."""
    off = {"error": 5.0, "excess": 84.0, "drifted_since": datetime(2024, 3, 1)} if drifted else {}
    return {
        **dict.fromkeys(["partition", "group_key", "model_name"], partition),
        **{"model_version": 1, "candidate": "ridge", "judged": 28, "promised": 2.0, "error": 2.0},
        **{"trained_through": datetime(2024, 2, 1), "data_through": datetime(2024, 3, 31)},
        **{"excess": 0.0, "age_days": 59.0, "shifted": False, "stale": False, "drifted": drifted},
        **{**off, **fields},
    }


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Everything after the ingestion is faked; the result store stays real."""
    made = Platform()
    defs = "many_models.defs"
    for place, function in {
        "many_models.steps.group.group_partitions": made.group_partitions,
        "many_models.steps.group.compare_with_raw": made.compare_with_raw,
        f"{defs}.trained_models.train_partitions": made.train_partitions,
        f"{defs}.trained_models.read_shards": made.read_shards,
        f"{defs}.trained_models.judge_partitions": made.judge_partitions,
        f"{defs}.promoted_models.promote_partitions": made.promote_partitions,
        f"{defs}.promoted_models.publish_router": lambda *_: True,
        f"{defs}.promoted_models.find_unqualified": made.find_unqualified,
        f"{defs}.predictions.score_origin": made.score_origin,
        f"{defs}.forecast_accuracy.measure_origin": made.measure_origin,
        f"{defs}.forecast_accuracy.count_judged": lambda *_: Judged(3, 3, 0.99, ()),
        f"{defs}.model_drift.measure_drift": made.measure_drift,
        f"{defs}.model_drift.show_recent": lambda *_: None,
        f"{defs}.predictions.count_coverage": lambda *_: Coverage(3, 3, 3, 3, 0, 21, 7),
    }.items():
        monkeypatch.setattr(place, function)
    monkeypatch.setattr(SparkResource, "open", lambda _: None)
    registry = SimpleNamespace(writer=WriterChoice("client", "there is no registry"))
    monkeypatch.setattr(RegistryResource, "open", lambda *_: registry)
    monkeypatch.setattr(ChampionsResource, "open", lambda *_: None)
    return made


@pytest.fixture
def registries(
    home: Path, platform: Platform, empty_registry_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registries that are real, and empty; what trains and promotes is faked."""
    for name in ("training", "production"):
        folder = home / "registry" / name
        folder.mkdir(parents=True)
        (folder / "mlflow.db").write_bytes(empty_registry_database.read_bytes())
    monkeypatch.setattr(RegistryResource, "open", OPEN_REGISTRY)


@pytest.fixture(params=["bulk", "client"])
def registry_writer(
    request: pytest.FixtureRequest, registries: None, monkeypatch: pytest.MonkeyPatch
) -> str:
    """What the registries' writer must be called: they are of a known schema, or of another."""
    if request.param == "bulk":
        return "bulk: the registry is a database of a known schema"
    monkeypatch.setattr(tables, "TESTED_REVISIONS", frozenset({"feedc0ffee00"}))
    return (
        "client: its schema is at revision dc11669786a5, "
        "and bulk writing was tested with feedc0ffee00"
    )


def materialize(
    asset: dg.AssetsDefinition, instance: dg.DagsterInstance, partition: str
) -> dict[str, object]:
    """Materialize one partition with the resources of every day; returns the metadata."""
    name = asset.key.path[0]
    instance.add_dynamic_partitions(f"{name}_groups", [partition])
    result = dg.materialize(
        [asset],
        partition_key=partition,
        instance=instance,
        resources={n: r for n, r in build_resources().items() if n in asset.required_resource_keys},
    )
    (event,) = result.asset_materializations_for_node(asset.op.name)
    return {label: value.value for label, value in event.metadata.items()}


Statuses = Callable[[AnyUseCase, str, str], dict[str, str]]


@pytest.fixture
def statuses(instance: dg.DagsterInstance) -> Statuses:
    """Function that gives the status of a check on each partition, as Dagster's pages read it."""
    return lambda use_case, asset, check: read_statuses(instance, use_case, asset, check)


def read_statuses(
    instance: dg.DagsterInstance, use_case: AnyUseCase, asset: str, check: str
) -> dict[str, str]:
    definition = dg.DynamicPartitionsDefinition(name=f"{use_case.name}_groups")
    key = dg.AssetCheckKey(dg.AssetKey([use_case.name, asset]), check)
    with partition_loading_context(dynamic_partitions_store=instance):
        loading = AssetCheckState.gen(LoadingContextForTest(instance), (key, definition))
        state = asyncio.run(loading)
        assert state is not None
        return {
            partition: status.name
            for status, subset in state.subsets.items()
            for partition in subset.subset_value.get_partition_keys()
        }


def environment_of(home: Path) -> dict[str, str]:
    """Variables of a process that works in ``home`` and nowhere else."""
    kept = {name: value for name, value in os.environ.items() if "MANY_MODELS" not in name}
    return kept | {settings.HOME: str(home), "DAGSTER_HOME": str(home / "dagster")}
