from __future__ import annotations

import pyarrow as pa
import pytest

from many_models.core.promise import promise_columns, read_promise
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case


def test_a_forecast_promises_the_error_of_its_backtest() -> None:
    use_case = make_use_case()
    ledger = pa.table({"mae": [3.0, None], "rmse": [5.0, None], "folds": [3, None]})
    found = read_promise(ledger.select(list(promise_columns(use_case))), use_case)
    assert (found.error[0], found.spread[0], found.judged[0]) == (3.0, 4.0, 21.0)
    assert found.error[1] != found.error[1]  # NaN


def test_a_regression_promises_the_error_on_the_rows_held_out() -> None:
    ledger = pa.table({"mae": [3.0], "rmse": [5.0], "holdout_rows": [40]})
    found = read_promise(ledger, make_flights("regression"))
    assert (found.error[0], found.spread[0], found.judged[0]) == (3.0, 4.0, 40.0)


def test_a_classification_promises_the_share_that_is_wrong() -> None:
    ledger = pa.table({"accuracy": [0.9, 1.0], "holdout_rows": [98, 98]})
    found = read_promise(ledger, make_flights())
    assert found.error == pytest.approx([0.1, 0.0])
    assert found.spread == pytest.approx([0.311, 0.0995], abs=1e-3)
