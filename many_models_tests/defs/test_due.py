"""What is due, where two runs ask at once; the rest is tested by who asks, see ``test_launch``."""

from pathlib import Path

import dagster as dg
import pytest

from many_models.adapters.lake.tables import Lake
from many_models.core.use_case import AnyUseCase
from many_models.defs import due
from many_models.defs.launch import Launcher
from many_models_tests.defs.conftest import Platform, Shop


def test_a_partition_that_another_run_is_adding_is_not_forgotten(
    home: Path,
    shop: Shop,
    instance: dg.DagsterInstance,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Launcher(shop.use_case(), instance).ingest()

    def find(use_case: AnyUseCase, lake: Lake) -> list[str]:
        instance.add_dynamic_partitions("sales_groups", ["z"])  # once its rows are in the lake
        return ["a", "b", "c"]

    monkeypatch.setattr(due, "find_partitions", find)
    found = due.sync_partitions(shop.use_case(), instance, Lake(f"{home}/lake"))
    assert found == ["a", "b", "c", "z"]
