from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from many_models.core.result_tables.fact_schemas import verdict_schema
from many_models.steps.results import Results
from many_models.steps.verdict_review import tell_worst_verdicts
from many_models_tests.fakes import make_use_case
from many_models_tests.stored_results import make_results

USE_CASE = make_use_case()


@pytest.fixture
def judged(tmp_path: Path) -> Results:
    """One model of store 1 qualifies, two do not, and the pooled one does not either."""
    rows: list[dict[str, Any]] = [
        {"group_key": "good", "score": 0.5, "qualified": True, "reason": ""},
        {"group_key": "bad", "score": 1.1, "qualified": False, "reason": "not 2% below 1"},
        {"group_key": "worst", "score": 3.0, "qualified": False, "reason": "above max_score 2"},
        {"group_key": None, "score": 9.0, "qualified": False, "reason": "the pooled one"},
    ]
    given = [
        {
            "run_id": "run",
            "trained_at": datetime(2024, 3, 1),
            "partition": "1",
            "model_name": f"sales.{row['group_key']}",
            "model_version": 2,
            "candidate": "ridge",
            "baseline_score": 1.0,
            **row,
        }
        for row in rows
    ]
    results = make_results(tmp_path, USE_CASE)
    table = pa.Table.from_pylist(given, schema=verdict_schema(USE_CASE))
    results.replace("verdicts", table, {"partition": "1", "run_id": "run"})
    return results


def test_models_that_are_kept_out_are_told_the_worst_first(judged: Results) -> None:
    found = tell_worst_verdicts(USE_CASE, ["1"], "sqlite:///mlflow.db", judged)
    assert [(r["group_key"], r["score"], r["why not"], r["model"]) for r in found["1"]] == [
        ("worst", 3.0, "above max_score 2", "sales.worst v2"),
        ("bad", 1.1, "not 2% below 1", "sales.bad v2"),
    ]


def test_at_a_server_each_model_is_a_link(judged: Results) -> None:
    found = tell_worst_verdicts(USE_CASE, ["1"], "http://host:5000", judged)
    link = "[sales.worst v2](http://host:5000/#/models/sales.worst/versions/2)"
    assert found["1"][0]["model"] == link


def test_before_the_first_verdict_there_is_nothing_to_tell(tmp_path: Path) -> None:
    results = make_results(tmp_path, USE_CASE)
    assert tell_worst_verdicts(USE_CASE, ["1"], "", results) == {}
