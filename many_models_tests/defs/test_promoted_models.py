"""Promotion: refused without a verdict, and what its check says."""

from datetime import datetime
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from many_models.core.errors import RegistryError
from many_models.core.forecast.use_case import UseCase
from many_models.core.result_tables.fact_schemas import ledger_schema, verdict_schema
from many_models.defs.promoted_models import build_promoted_models, judge_champions
from many_models.defs.resources import RegistryResource
from many_models.steps.results import Results, open_results
from many_models_tests.defs.conftest import Platform, materialize
from many_models_tests.fakes import make_use_case


@pytest.fixture
def use_case() -> UseCase:
    return make_use_case()


@pytest.fixture
def results(home: Path, use_case: UseCase, monkeypatch: pytest.MonkeyPatch) -> Results:
    """Results of a training run "new" in partitions a and b, which come before any registry."""
    monkeypatch.setattr(RegistryResource, "open", lambda *_: None)
    home.mkdir()
    made = open_results(f"sqlite:///{home}/results.db", use_case)
    write(made, "ledger", "new", "a", "b")
    return made


def write(results: Results, table: str, run_id: str, *partitions: str) -> None:
    schema = (ledger_schema if table == "ledger" else verdict_schema)(results.use_case)
    rows = [
        {
            "run_id": run_id,
            "trained_at": datetime(2024, 1, 1),
            "partition": partition,
            "group_key": partition,
            "status": "trained",
            "model_name": partition,
            "model_version": 1,
            "accepted": True,
        }
        for partition in partitions
    ]
    where = {"run_id": run_id, "partition": list(partitions)}
    results.replace(table, pa.Table.from_pylist(rows, schema=schema), where)


def promote(use_case: UseCase, instance: dg.DagsterInstance, partition: str) -> None:
    asset = build_promoted_models(use_case, dg.AssetKey("trained_models"))
    materialize(asset, instance, partition)


def test_a_partition_without_any_verdict_is_refused(
    use_case: UseCase, results: Results, instance: dg.DagsterInstance
) -> None:
    with pytest.raises(RegistryError, match=r"'a' has no verdict.*materialize trained_models"):
        promote(use_case, instance, "a")


def test_a_verdict_on_an_older_training_run_does_not_count(
    use_case: UseCase, results: Results, instance: dg.DagsterInstance
) -> None:
    write(results, "verdicts", "old", "a")
    with pytest.raises(RegistryError, match="'a' has no verdict on its last training run"):
        promote(use_case, instance, "a")


def test_a_verdict_on_another_partition_does_not_count(
    use_case: UseCase, results: Results, instance: dg.DagsterInstance
) -> None:
    write(results, "verdicts", "new", "a")
    with pytest.raises(RegistryError, match="'b' has no verdict"):
        promote(use_case, instance, "b")


def test_champions_that_all_have_a_passing_verdict_pass() -> None:
    assert judge_champions([]).passed


def test_champions_without_a_passing_verdict_are_named() -> None:
    result = judge_champions([f"sales.{number}" for number in range(7)])
    assert not result.passed
    assert result.description == (
        "7 champions have no passing verdict, such as sales.0, sales.1, sales.2, sales.3, sales.4"
    )


@pytest.mark.mlflow
def test_its_page_says_how_the_models_were_registered(
    use_case: UseCase, registry_writer: str, instance: dg.DagsterInstance
) -> None:
    asset = build_promoted_models(use_case, dg.AssetKey("trained_models"))
    assert materialize(asset, instance, "a")["registry_writer"] == registry_writer


def test_promotions_hold_though_the_router_cannot_be_published(
    platform: Platform,
    use_case: UseCase,
    home: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RegistryError("no room on the disk")

    home.mkdir(exist_ok=True)
    monkeypatch.setattr("many_models.defs.promoted_models.publish_router", fail)
    promote(use_case, instance, "a")
    event = instance.get_latest_materialization_event(dg.AssetKey(["sales", "promoted_models"]))
    assert event is not None
    assert event.asset_materialization is not None
    told = event.asset_materialization.metadata["router"].value
    assert told == "left as it was until the next promotion: no room on the disk"
    assert platform.promoted == ["a"]
