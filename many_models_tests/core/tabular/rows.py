"""Small tables of flights, for tests of regression and classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from many_models.core.tabular.use_case import TabularUseCase
from many_models_tests.fakes import Columns, make_shard

START = datetime(2024, 1, 1, 6)


def make_flights(problem: str = "classification", **fields: Any) -> TabularUseCase:
    """Late flights (or minutes of delay) of a route, by hour and carrier."""
    return TabularUseCase.model_validate(
        {
            "problem": problem,
            "name": "flights",
            "source": {"url": "sqlite:///f.db", "table": "flights", "start": "2024-01-01"},
            "keys": ["origin_airport", "dest"],
            "partitioning": {"by": "origin_airport"},
            "time": {"column": "departs"},
            "row_id": "flight",
            "target": "late" if problem == "classification" else "delay",
            "features": {"numeric": ["hour", "wind"], "categorical": ["carrier"]},
            "candidates": ["majority_class", "logistic"]
            if problem == "classification"
            else ["mean", "ridge"],
            **fields,
        }
    )


def make_route(count: int = 200, seed: int = 0, **columns: Sequence[Any]) -> Columns:
    """Flights, one every six hours: late when the wind is strong, above all with carrier B."""
    draw = np.random.default_rng(seed)
    wind, hour = draw.normal(10, 4, count), np.arange(count) % 4 * 6.0
    carrier = draw.choice(["A", "B"], count)
    delay = 3 * (wind - 10) + 12 * (carrier == "B") + draw.normal(0, 2, count)
    return {
        "departs": [START + timedelta(hours=6 * n) for n in range(count)],
        "flight": [f"F{n}" for n in range(count)],
        "hour": hour.tolist(),
        "wind": wind.tolist(),
        "carrier": carrier.tolist(),
        "late": ["late" if late else "on time" for late in delay > 10],
        "delay": delay.tolist(),
        **columns,
    }


def shard_of(use_case: TabularUseCase, routes: Mapping[Any, Columns]) -> pa.Table:
    """Rows of these routes as they lie in the lake, with the columns of the use case alone."""
    wanted = {
        key: {name: values for name, values in route.items() if name in use_case.columns}
        for key, route in routes.items()
    }
    return make_shard(use_case, wanted)


def last_day(route: Columns) -> np.datetime64:
    return np.datetime64(route["departs"][-1])
