"""What the ledger's rows promise of the models that they are about: errors to be expected."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Floats
from many_models.core.drift import Promise
from many_models.core.forecast.use_case import UseCase
from many_models.core.use_case import AnyUseCase


def promise_columns(use_case: AnyUseCase) -> tuple[str, ...]:
    """Columns of the ledger that ``read_promise`` takes."""
    if isinstance(use_case, UseCase):
        return ("mae", "rmse", "folds")
    error = ("mae", "rmse") if use_case.target_is_number else ("accuracy",)
    return (*error, "holdout_rows")


def read_promise(ledger: pa.Table, use_case: AnyUseCase) -> Promise:
    """Promises of the ledger's rows, of the winner in the backtest or on the rows held out.

    A fold has a horizon of actuals. Of classes the error is the share that was wrong, and
    its spread is Laplace's: no model promises to be always right.
    """
    values = {name: _floats(ledger, name) for name in promise_columns(use_case)}
    if isinstance(use_case, UseCase):
        judged = values["folds"] * use_case.horizon
    else:
        judged = values["holdout_rows"]
    if "accuracy" in values:
        error = 1 - values["accuracy"]
        likely = (error * judged + 1) / (judged + 2)  # Laplace
        return Promise(error, np.sqrt(likely * (1 - likely)), judged, is_share=True)
    squares = values["rmse"] ** 2 - values["mae"] ** 2
    return Promise(values["mae"], np.sqrt(np.maximum(squares, 0.0)), judged)


def _floats(ledger: pa.Table, name: str) -> Floats:
    values: Floats = ledger[name].cast(pa.float64()).fill_null(np.nan).to_numpy()
    return values
