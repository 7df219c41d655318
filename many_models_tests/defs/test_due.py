"""What is due, where two runs ask at once; the rest is tested by who asks, see ``test_launch``."""

from pathlib import Path

import dagster as dg
import pytest

from many_models.adapters.lake.tables import Lake
from many_models.core.use_case import AnyUseCase
from many_models.defs import due
from many_models.defs.launch import Launcher
from many_models.defs.raw_data import AVAILABLE_BEFORE, SOURCE_DIGEST, source_digest
from many_models_tests.defs.conftest import Platform, Shop


def test_of_each_window_the_last_extraction_from_this_source_counts(
    home: Path, shop: Shop, instance: dg.DagsterInstance
) -> None:
    asset, use_case = dg.AssetKey(["sales", "raw_data"]), shop.use_case()

    def extract(window: str, before: str, source: str) -> None:
        metadata = {AVAILABLE_BEFORE: before, SOURCE_DIGEST: source}
        made = dg.AssetMaterialization(asset, partition=window, metadata=metadata)
        instance.report_runless_asset_event(made)

    here = source_digest(use_case)
    extract("2024-03-01", "2024-03-10", here)
    extract("2024-01-01", "2024-02-01", "of another source")  # which replaced what was there
    extract("2024-01-01", "2024-01-20", here)
    extract("2024-02-01", "2024-02-20", here)
    extract("2024-01-01", "2024-02-01", here)
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition="2024-01-01"))
    found = due.ingested_windows(use_case, instance)
    assert {window: str(one.reached.date()) for window, one in found.items()} == {
        "2024-01-01": "2024-02-01",
        "2024-02-01": "2024-02-20",
    }


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
