"""The command that tells the plan: on tables of a few rows, without Spark and registries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from many_models.adapters.lake.tables import Lake
from many_models.cli import main
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import load_use_case
from many_models.defs.instance import open_instance
from many_models.defs.partitions import utc_now
from many_models.steps.results import Results, open_results
from many_models.steps.retraining import read_requests, write_requests
from many_models_tests.fakes import make_use_case
from many_models_tests.fakes_retraining import DAY, make_request
from many_models_tests.retraining_tables import put_shards


@pytest.fixture
def file(home: Path, tmp_path: Path) -> Path:
    """Stores a and b were never trained; a's last run has failed an hour ago, c's has helped."""
    content = make_use_case().model_dump(mode="json", exclude_unset=True)
    (tmp_path / "sales.yaml").write_text(yaml.safe_dump(content))
    use_case: AnyUseCase = load_use_case(tmp_path / "sales.yaml")
    put_shards(Lake(f"{home}/lake"), use_case, {"a": [1], "b": [2]})
    with open_instance(home) as instance:
        instance.add_dynamic_partitions("sales_groups", ["a", "b"])
    now = utc_now()
    failed = make_request("a", outcome="failed", reason="new_groups", requested_at=now - DAY / 24)
    helped = make_request("c", request_id="r2", outcome="trained", requested_at=now - 2 * DAY)
    write_requests(_results(home), [failed, helped], {"r1", "r2"})
    return tmp_path / "sales.yaml"


def _results(home: Path) -> Results:
    return open_results(f"sqlite:///{home}/results.db", make_use_case())


def test_the_plan_is_shown_with_its_reasons_and_nothing_is_requested(
    file: Path, home: Path
) -> None:
    before = read_requests(_results(home), utc_now())
    done = CliRunner().invoke(main, ["retraining", str(file), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["due"] == [
        {
            "partition": "b",
            "reason": "new_groups",
            "value": 2,
            "estimated_core_seconds": 2.0,
            "attempt": 1,
            "detail": "the partition was never trained; its 2 groups have no model",
        }
    ]
    (deferral,) = found["deferred"]
    assert (deferral["partition"], deferral["hurdle"]) == ("a", "cool_down")
    assert [(r["partition"], r["outcome"]) for r in found["requests"]] == [
        ("a", "failed"),
        ("c", "trained"),
    ]
    assert read_requests(_results(home), utc_now()) == before
    lines = CliRunner().invoke(main, ["retraining", str(file), "--limit", "1"]).stdout.splitlines()
    assert [line for line in lines if line.endswith((": 1", ": 2"))] == [
        "Due now: 1",
        "Deferred: 1",
        "Requests: 2",
    ]
    assert "... and 1 more; --limit 0 shows all" in lines
