from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.forecast.folds import backtest_schema, backtest_table
from many_models.core.forecast.training import train_shard
from many_models.core.ledger import BACKTEST
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks

USE_CASE = make_use_case(validation={"folds": 2})


def test_every_period_of_every_fold_is_a_row_beside_what_happened() -> None:
    sold = noisy_weeks(60)
    series = {
        ("s", "long"): make_series(USE_CASE, "2024-01-01", sold),
        ("s", "short"): make_series(USE_CASE, "2024-02-28", [1.0, 2.0]),
    }
    through = np.datetime64("2024-02-29")
    found = train_shard(
        make_shard(USE_CASE, series), USE_CASE, partition="s", trained_through=through
    )
    run = pa.array(["run"] * 2), pa.array([None] * 2, pa.timestamp("us"))
    keys = pa.array(["store=s,item=long", "store=s,item=short"])
    ledger = found.append_column("run_id", run[0]).append_column("trained_at", run[1])
    ledger = ledger.set_column(ledger.schema.get_field_index("group_key"), "group_key", keys)
    trained = pc.equal(ledger["status"], "trained")

    rows = backtest_table(ledger.filter(trained), ledger[BACKTEST].filter(trained), USE_CASE)

    assert rows.schema == backtest_schema(USE_CASE)
    assert rows["group_key"].to_pylist() == ["store=s,item=long"] * 14
    assert rows["periods_ahead"].to_pylist() == [1, 2, 3, 4, 5, 6, 7] * 2
    origins = [str(origin)[:10] for origin in rows["origin"].to_pylist()]
    assert origins == ["2024-02-22"] * 7 + ["2024-02-15"] * 7
    assert str(rows["time"].to_pylist()[0])[:10] == "2024-02-23"
    np.testing.assert_allclose(rows["actual"].to_numpy()[:7], sold[-7:])
    mae = np.abs(rows["prediction"].to_numpy() - rows["actual"].to_numpy()).mean()
    np.testing.assert_allclose(mae, ledger["mae"].to_pylist()[0])


def test_a_shard_without_models_has_no_rows() -> None:
    series = {("s", "short"): make_series(USE_CASE, "2024-02-28", [1.0, 2.0])}
    found = train_shard(
        make_shard(USE_CASE, series),
        USE_CASE,
        partition="s",
        trained_through=np.datetime64("2024-02-29"),
    )
    assert found[BACKTEST].null_count == 1
