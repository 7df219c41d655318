"""What the page of trained models says of a run, and what its checks judge."""

import dagster as dg
import pyarrow as pa
import pytest

from many_models.defs.trained_models import build_trained_models, judge_ledger
from many_models_tests.defs.conftest import materialize
from many_models_tests.fakes import make_use_case

LEDGER = pa.table({"partition": ["a", "a", "a", "b"], "group_key": ["1", "2", "3", "4"]})


def test_a_ledger_with_one_row_for_each_group_is_complete() -> None:
    result = judge_ledger(LEDGER, "a", groups=3)
    assert (result.passed, result.metadata) == (True, {"rows": 3, "keys": 3, "groups": 3})


def test_a_missing_group_is_found() -> None:
    result = judge_ledger(LEDGER, "a", groups=4)
    assert (result.passed, result.description) == (False, "3 rows and 3 keys for 4 groups")


def test_a_group_that_is_there_twice_is_found() -> None:
    result = judge_ledger(pa.concat_tables([LEDGER, LEDGER]), "b", groups=2)
    assert (result.passed, result.description) == (False, "2 rows and 1 keys for 2 groups")


@pytest.mark.mlflow
def test_its_page_says_how_the_models_were_registered(
    registry_writer: str, instance: dg.DagsterInstance
) -> None:
    asset = build_trained_models(make_use_case(), dg.AssetKey("grouped_datasets"))
    metadata = materialize(asset, instance, "a")
    assert metadata["registry_writer"] == registry_writer
    assert metadata["core_minutes_of_all_partitions"] == 1.5
    assert metadata["worst_groups"] == "these are bad"
