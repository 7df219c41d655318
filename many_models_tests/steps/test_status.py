from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.registration import CHAMPION, POOLED_TAG
from many_models.steps.results import Results, open_results, timed
from many_models.steps.retraining import write_requests
from many_models.steps.status import Status, read_status
from many_models_tests.fakes import make_use_case
from many_models_tests.fakes_models import constant_record
from many_models_tests.fakes_retraining import make_request
from many_models_tests.stored_results import put_rows

pytestmark = pytest.mark.mlflow

JANUARY, MAY = datetime(2024, 1, 31), datetime(2024, 5, 31)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Results:
    url = f"sqlite:///{tmp_path}/results.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    return open_results(url, make_use_case(name="grocery"))


def _put(
    results: Results, table: str, run_id: str, day: int, rows: list[dict[str, object]]
) -> None:
    moment = pa.array([datetime(2024, 1, day)] * len(rows), pa.timestamp("us"))
    content = pa.Table.from_pylist([{**row, "run_id": run_id} for row in rows])
    content = content.append_column("trained_at", moment)
    results.replace(table, content, {"run_id": run_id})


def _ledger(partition: str, *statuses: str) -> list[dict[str, object]]:
    return [{"partition": partition, "status": status} for status in statuses]


def _verdicts(partition: str, *accepted: bool) -> list[dict[str, object]]:
    pooled: dict[str, object] = {"partition": partition, "group_key": None, "accepted": True}
    keys = [f"group={number}" for number in range(len(accepted))]
    return [
        *(
            {"partition": partition, "group_key": k, "accepted": a}
            for k, a in zip(keys, accepted, strict=True)
        ),
        pooled,
    ]


def _predict(results: Results, origin: datetime, *sources: str) -> None:
    moments = pa.array([origin] * len(sources), pa.timestamp("us"))
    rows = pa.table({"origin": moments, "source": list(sources)})
    results.replace("predictions", rows, {"origin": str(origin)})


def test_before_anything_was_run_all_is_zero(results: Results, production: MlflowRegistry) -> None:
    assert read_status(results, production) == Status(
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, None, 0, 0, 0, {}
    )


def test_status_counts_the_last_run_of_each_partition_and_the_last_origin(
    results: Results, production: MlflowRegistry
) -> None:
    _put(results, "ledger", "one", 1, _ledger("s1", "trained", "failed"))
    _put(results, "ledger", "two", 2, _ledger("s1", "trained", "trained", "skipped"))
    _put(results, "ledger", "three", 1, _ledger("s2", "trained", "failed"))
    _put(results, "verdicts", "one", 1, _verdicts("s1", True))
    _put(results, "verdicts", "two", 2, _verdicts("s1", True, False))
    _put(results, "verdicts", "three", 1, _verdicts("s2", True))
    records = [constant_record("a"), constant_record("b"), constant_record("c", use_case="other")]
    list(production.register(records, alias=CHAMPION))
    list(production.register([constant_record("d")]))
    pooled = constant_record("e")
    pooled = replace(pooled, tags={**pooled.tags, POOLED_TAG: "true"})
    list(production.register([pooled], alias=CHAMPION))
    _predict(results, JANUARY, "model", "model", "model")
    _predict(results, MAY, "model", "model", "baseline", "pooled")

    found = read_status(results, production)

    assert found == Status(
        groups=5,
        trained=3,
        skipped=1,
        failed=1,
        promoted=2,
        champions=2,
        pooled_models=1,
        predictions=4,
        pooled_predictions=1,
        baseline_predictions=1,
        last_origin=MAY,
        drifted=0,
        shifted=0,
        stale=0,
        seconds={},
    )


def test_models_that_were_not_judged_yet_do_not_count_as_promoted(
    results: Results, production: MlflowRegistry
) -> None:
    _put(results, "ledger", "one", 1, _ledger("s1", "trained"))
    _put(results, "verdicts", "one", 1, _verdicts("s1", True))
    assert read_status(results, production).promoted == 1
    _put(results, "ledger", "two", 2, _ledger("s1", "trained"))
    assert read_status(results, production).promoted == 0


def test_champions_that_have_drifted_are_counted(
    results: Results, production: MlflowRegistry
) -> None:
    rows = pa.table(
        {
            "partition": ["s1", "s1", "s2"],
            "judged": [9, 0, 9],
            "promised": [1.0, 1.0, 1.0],
            "excess": [4.0, 0.0, 2.0],
            "drifted": [True, False, True],
            "shifted": [False, False, True],
            "stale": [False, False, False],
        }
    )
    results.replace("drift", rows, {"partition": ["s1", "s2"]})
    found = read_status(results, production)
    assert (found.drifted, found.shifted, found.stale) == (2, 1, 0)


def test_seconds_are_of_each_stages_last_run(results: Results, production: MlflowRegistry) -> None:
    for run_id, stage in (("one", "training"), ("one", "scoring"), ("two", "training")):
        with timed(results, stage, run_id):
            pass
    stages = results.store.query('SELECT * FROM "grocery_stages" ORDER BY started_at')
    slow = stages.set_column(
        stages.schema.get_field_index("seconds"), "seconds", pa.array([3.04, 2.0, 1.26])
    )
    results.replace("stages", slow, {"run_id": ["one", "two"]})
    assert read_status(results, production).seconds == {"training": 1.3, "scoring": 2.0}


def test_partitions_under_way_are_those_whose_request_has_no_end_yet(
    results: Results, production: MlflowRegistry
) -> None:
    requests = [make_request("s1"), make_request("s2"), make_request("s3", outcome="trained")]
    write_requests(results, requests, {"r1"})
    assert read_status(results, production).being_retrained == 2


def test_what_is_to_be_ordered_is_counted_at_the_last_origin(
    results: Results, production: MlflowRegistry
) -> None:
    rules = {"lead_time": 3, "service_level": 0.95}
    stocked = open_results(results.store.url, make_use_case(name="stocked", inventory=rules))
    schema = stocked.declaration.table("inventory").schema

    def put(origin: datetime, *quantities: float | None) -> None:
        rows = [
            {"store": "s1", "item": str(n), "order_up_to": None if q is None else 9.0,
             "order_quantity": q}
            for n, q in enumerate(quantities)
        ]  # fmt: skip
        put_rows(stocked, "inventory", schema, rows, origin)

    put(JANUARY, 1.0, 1.0, 1.0)
    put(MAY, 0.0, None, 2.5)
    found = read_status(stocked, production)
    assert (found.with_safety_stock, found.to_be_ordered) == (2, 1)
    assert read_status(results, production).with_safety_stock is None
