from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from many_models.adapters.lake.arrow_files import write_parquet
from many_models.adapters.spark.pooled_work import (
    FittingTask,
    PooledResult,
    SamplingTask,
    fit_task,
    read_bytes,
    read_fits,
    sample_task,
)
from many_models.core.forecast.pooled.model import load_pooled
from many_models.core.sharding import Shard
from many_models_tests.core.forecast.pooled.partitions import END, GROUPS, ORIGIN, USE_CASE, fits
from many_models_tests.fakes import make_shard


def _shards(folder: Path, count: int) -> list[Shard]:
    shards = []
    for number in range(count):
        groups = dict(list(GROUPS.items())[number::count])
        path = str(folder / f"shard-{number}.parquet")
        write_parquet(make_shard(USE_CASE, groups), path)
        shards.append(Shard("p", number, len(groups), 1, str(END), path))
    return shards


def _sample(shard: Shard, folder: Path) -> str:
    path = sample_task(SamplingTask(shard, len(GROUPS)), USE_CASE, str(folder))
    assert path is not None
    return path


def _fit(folder: Path, shards: int) -> PooledResult | None:
    found = _shards(folder, shards)
    samples = tuple(_sample(shard, folder) for shard in found)
    return fit_task(FittingTask("p", str(END), len(GROUPS), samples), USE_CASE, str(folder))


@pytest.mark.parametrize("shards", [1, 5])
def test_the_fits_are_those_of_all_groups_however_many_shards_there_are(
    tmp_path: Path, shards: int
) -> None:
    result = _fit(tmp_path, shards)
    assert result is not None
    assert (result.partition, result.groups) == ("p", len(GROUPS))
    assert pickle.dumps(read_fits(result.fits)) == pickle.dumps(fits())


def test_the_payload_is_the_model_that_has_seen_all(tmp_path: Path) -> None:
    result = _fit(tmp_path, 2)
    assert result is not None
    model = load_pooled(read_bytes(result.payload))
    assert (model.origin, model.partition, model.fit.rows) == (ORIGIN, "p", result.rows)
    assert model.coverage == result.coverage
    assert 0 < result.coverage <= 1


def test_a_partition_that_says_too_little_has_no_model(tmp_path: Path) -> None:
    (shard,) = _shards(tmp_path, 1)
    early = str(END - np.timedelta64(200, "D"))
    shard = Shard("p", 0, shard.groups, 1, early, shard.path)
    sample = _sample(shard, tmp_path)
    assert fit_task(FittingTask("p", early, 9, (sample,)), USE_CASE, str(tmp_path)) is None
