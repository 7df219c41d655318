"""The rollback job, in this process, on a real registry."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.results.store import ResultStore
from many_models.core.errors import RegistryError, UseCaseError
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources
from many_models.defs.rollback import find_rollback_id
from many_models_tests.fakes import make_use_case
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow


@pytest.fixture
def production(home: Path, empty_registry_database: Path) -> MlflowRegistry:
    """Two champions of store s1, each of which replaced one."""
    folder = home / "registry" / "production"
    folder.mkdir(parents=True)
    (folder / "mlflow.db").write_bytes(empty_registry_database.read_bytes())
    registry = MlflowRegistry(f"sqlite:///{folder}/mlflow.db", str(folder / "artifacts"), "sales")
    for run_id in ("r1", "r2"):
        tags = {"use_case": "sales", "partition": "s1", "promoted_by": run_id}
        tags |= {"promoted_at": f"2026-01-01 {run_id}"}
        records = [
            constant_record(f"sales.s1.{item}", 1.0, partition_key=f"store=s1,item={item}", **tags)
            for item in ("tea", "rye")
        ]
        list(registry.register(records, alias="champion"))
    return registry


def roll_back(instance: dg.DagsterInstance, **config: Any) -> dg.ExecuteInProcessResult:
    definitions = dg.Definitions.merge(
        build_many_models_defs(make_use_case()),
        dg.Definitions(resources=build_resources(), executor=dg.in_process_executor),
    )
    return definitions.resolve_job_def("sales_rollback").execute_in_process(
        {"ops": {"sales_roll_back": {"config": config}}}, instance=instance
    )


def versions(production: MlflowRegistry) -> dict[str, int]:
    return {c.name: c.version for c in production.champions("sales")}


def test_a_run_of_the_job_rolls_back_and_tells_it(
    production: MlflowRegistry, instance: dg.DagsterInstance, home: Path
) -> None:
    result = roll_back(instance, partition="s1", reason="bad prices")

    assert versions(production) == {"sales.s1.rye": 1, "sales.s1.tea": 1}
    (marked, _) = production.rolled_back("sales")
    assert marked.tags["rollback_id"] == result.run_id
    assert marked.tags["rolled_back_by"] == f"run {result.run_id}"
    (output,) = result.filter_events(lambda event: event.is_successful_output)
    metadata = output.step_output_data.metadata
    assert metadata["rolled_back"].value == 2
    assert "| sales.s1.tea | 2 | 1 |" in str(metadata["changes"].value)
    asset = dg.AssetKey(["sales", "promoted_models"])
    (observed,) = instance.fetch_observations(asset, limit=5).records
    assert observed.asset_observation is not None
    assert observed.asset_observation.partition == "s1"
    store = ResultStore(f"sqlite:///{home}/results.db")
    assert store.query('SELECT count(*) AS n FROM "sales_rollbacks"').to_pylist() == [{"n": 2}]


def test_each_run_of_the_job_goes_one_further(
    production: MlflowRegistry, instance: dg.DagsterInstance
) -> None:
    for left in (1, None):
        roll_back(instance, key="store=s1,item=tea", reason="bad prices")
        assert versions(production).get("sales.s1.tea") == left
    assert versions(production)["sales.s1.rye"] == 2


def test_a_run_that_is_tried_again_is_the_same_rollback() -> None:
    first = dg.DagsterRun("sales_rollback", run_id="first")
    again = dg.DagsterRun(
        "sales_rollback", run_id="again", root_run_id="first", parent_run_id="first"
    )
    assert find_rollback_id(first) == find_rollback_id(again) == "first"


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"reason": "bad"}, UseCaseError, "a key, a partition or a run"),
        ({"partition": "s1", "run": "r2", "reason": "bad"}, UseCaseError, "only one"),
        ({"partition": "s1", "reason": " "}, UseCaseError, "needs a reason"),
        ({"run": "r9", "reason": "bad"}, RegistryError, "the champions are of runs r2"),
    ],
)
def test_what_cannot_be_rolled_back_fails_with_its_reason(
    production: MlflowRegistry,
    instance: dg.DagsterInstance,
    config: dict[str, str],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        roll_back(instance, **config)
    assert versions(production) == {"sales.s1.rye": 2, "sales.s1.tea": 2}
