"""Safety stock and reorder point of every group of a shard at one origin, as rows of a table.

An order is placed at the end of the origin's period. Under *periodic review*, the order-up-to level
covers the protection interval: until what can be ordered at the next review is there, lead time and
review period pass (Silver, Pyke and Thomas, 2017, section 6.10). Under *continuous review*, the
reorder point covers the lead time alone (section 6.7). Both are quantiles of demand over several
periods: see ``lead_time_demand``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Floats, Ints
from many_models.core.failure import Problem
from many_models.core.forecast.dataset import Dataset
from many_models.core.forecast.group_score import GroupScore
from many_models.core.forecast.inventory_rules import (
    SERVICE_LEVELS,
    InventoryRules,
    is_service_level,
)
from many_models.core.forecast.lead_time_demand import forecast_sums
from many_models.core.forecast.use_case import UseCase

NUMBERS = (
    "demand_over_lead_time",
    "demand_over_protection",
    "error_over_protection",
    "safety_stock",
    "reorder_point",
    "order_up_to",
)
STOCK = ("on_hand", "on_order", "order_quantity")


def inventory_schema(use_case: UseCase) -> pa.Schema | None:
    """Columns of table ``inventory``: one row a group and origin; quantities in the target's unit.

    None where the use case has no inventory.
    """
    return None if use_case.inventory is None else _schema(use_case)


def _schema(use_case: UseCase) -> pa.Schema:
    number, text = pa.float64(), pa.string()
    return pa.schema(
        [
            ("partition", text),
            ("group_key", text),
            *((name, text) for name in use_case.keys),
            ("origin", pa.timestamp("us")),
            ("lead_time", pa.int64()),
            ("review_period", pa.int64()),
            ("service_level", number),
            *((name, number) for name in (*NUMBERS, *STOCK)),
            ("source", text),
            ("candidate", text),
            ("reason", text),
            ("error", text),
        ]
    )


def make_inventory(
    dataset: Dataset,
    ledger: pa.Table,
    served: Sequence[GroupScore],
    use_case: UseCase,
    origin: int,
) -> pa.Table:
    """One row for each group, in the order of the dataset and of the scoring ``ledger``."""
    rules = use_case.inventory
    if rules is None:
        raise ValueError(f"use case {use_case.name!r} has no inventory")
    terms = _Terms.of(dataset, rules, use_case)
    levels = _find_levels(terms, served, use_case, rules.review_period)
    problems = _find_problems(ledger, terms, levels)
    known = np.array([problem is None for problem in problems], dtype=bool)
    columns = {name: np.where(known, values, np.nan) for name, values in levels.items()}
    columns |= _stock(dataset, rules, use_case, origin, columns["order_up_to"])
    computed = {
        "lead_time": pa.array(terms.lead_time, mask=terms.lead_time < 0),
        "review_period": pa.array(np.full(len(known), rules.review_period)),
        "service_level": pa.array(terms.service_level, from_pandas=True),
        **{name: pa.array(values, from_pandas=True) for name, values in columns.items()},
        "reason": pa.array([p.reason if p else None for p in problems], pa.string()),
        "error": pa.array([p.error if p else None for p in problems], pa.string()),
    }
    schema = _schema(use_case)
    arrays = [computed[name] if name in computed else ledger[name] for name in schema.names]
    return pa.table(arrays, schema=schema)


@dataclass(frozen=True)
class _Terms:
    """Lead time (G), below zero where it cannot be read, and service level (G), NaN where not."""

    lead_time: Ints
    service_level: Floats
    problems: dict[int, Problem]

    @classmethod
    def of(cls, dataset: Dataset, rules: InventoryRules, use_case: UseCase) -> _Terms:
        groups, most = len(dataset.keys), use_case.horizon - rules.review_period
        problems: dict[int, Problem] = {}
        periods = f"whole periods from 0 to {most}, since forecasts reach {use_case.horizon} ahead"

        def read(setting: float | str, field: str, allowed: str) -> Floats:
            if not isinstance(setting, str):
                return np.full(groups, float(setting))
            place = use_case.features.static.index(setting)
            texts = [statics[place] for statics in dataset.statics]
            numbers = np.array([_number(text) for text in texts], dtype=np.float64)
            fits = [_FITS[field](number, most) for number in numbers.tolist()]
            for group in np.flatnonzero(~np.array(fits, dtype=bool)).tolist():
                text = f"{setting} is {texts[group]!r}; it must be {allowed}"
                problems.setdefault(group, Problem(f"bad_{field}", text))
            return np.where(fits, numbers, np.nan)

        lead_time = read(rules.lead_time, "lead_time", periods)
        service_level = read(rules.service_level, "service_level", SERVICE_LEVELS)
        readable = np.where(np.isnan(lead_time), -1, lead_time).astype(np.int64)
        return cls(readable, service_level, problems)


_FITS: dict[str, Callable[[float, int], bool]] = {
    "lead_time": lambda number, most: number.is_integer() and 0 <= number <= most,
    "service_level": lambda number, _: is_service_level(number),
}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _find_levels(
    terms: _Terms, served: Sequence[GroupScore], use_case: UseCase, review_period: int
) -> dict[str, Floats]:
    """The ``NUMBERS`` of all groups, NaN where they are not known."""
    residuals = _residuals_of(served, use_case.horizon)
    forecast = _forecasts_of(served, use_case.horizon)
    forecast[list(terms.problems)] = np.nan
    lead = np.maximum(terms.lead_time, 0)
    service = np.where(np.isnan(terms.service_level), 0.95, terms.service_level)
    over_lead = forecast_sums(forecast, residuals, lead, service)
    over_both = forecast_sums(forecast, residuals, lead + review_period, service)
    order_up_to = np.fmax(over_both.bound, over_lead.bound)
    found = (
        over_lead.demand,
        over_both.demand,
        over_both.deviation,
        order_up_to - over_both.demand,
        over_lead.bound,
        order_up_to,
    )
    return dict(zip(NUMBERS, found, strict=True))


def _find_problems(
    ledger: pa.Table, terms: _Terms, levels: dict[str, Floats]
) -> list[Problem | None]:
    """Why a group has no levels, None where it has."""
    known = ~np.isnan(levels["order_up_to"]) & ~np.isnan(levels["reorder_point"])
    served = ledger.select(["source", "reason", "error"]).to_pylist()
    problems: list[Problem | None] = []
    for group, row in enumerate(served):
        if row["source"] == "none":
            problems.append(Problem(row["reason"], row["error"]))
        elif group in terms.problems:
            problems.append(terms.problems[group])
        else:
            problems.append(None if known[group] else _NO_ERRORS[row["source"]])
    return problems


_YOUNG = Problem(
    "no_errors_known", "it is too young for a backtest, and has no peers that have one"
)
_NO_ERRORS = {
    "model": Problem(
        "no_errors_known",
        "its model does not tell how large its errors are: it was trained before the use case had "
        "an inventory; train it again",
    ),
    "pooled": _YOUNG,
    "baseline": _YOUNG,
}


def _stock(
    dataset: Dataset, rules: InventoryRules, use_case: UseCase, origin: int, order_up_to: Floats
) -> dict[str, Floats]:
    """Stock on hand and on order at the origin, and what to order; NaN where it is not known."""
    unknown = np.full(len(dataset.keys), np.nan)
    on_hand, on_order = (
        unknown if name is None else _last_known(dataset, name, use_case, origin)
        for name in (rules.on_hand, rules.on_order)
    )
    position = on_hand + (0.0 if rules.on_order is None else on_order)
    return dict(zip(STOCK, (on_hand, on_order, np.maximum(order_up_to - position, 0)), strict=True))


def _last_known(dataset: Dataset, name: str, use_case: UseCase, origin: int) -> Floats:
    """Last value (G) of a past-only column at or before the origin, or a static column's value."""
    features = use_case.features
    if name in features.static:
        place = features.static.index(name)
        return np.array([_number(statics[place]) for statics in dataset.statics], dtype=np.float64)
    values = dataset.past[:, features.past.index(name)]
    if not len(values):
        return np.full(len(dataset.keys), np.nan)
    there = ~np.isnan(values) & (dataset.periods <= origin)
    last = np.maximum.reduceat(np.where(there, np.arange(len(values)), -1), dataset.offsets[:-1])
    return np.where(last >= 0, values[np.maximum(last, 0)], np.nan)


def _residuals_of(served: Sequence[GroupScore], horizon: int) -> Floats:
    """Residuals (G, F, H) of each group's forecast, NaN where there are none.

    A champion may have been judged on another number of folds than the use case has now.
    """
    told = [score.residuals for score in served]
    folds = max([1, *(len(found) for found in told if found is not None)])
    residuals = np.full((len(served), folds, horizon), np.nan)
    for group, found in enumerate(told):
        if found is not None:
            residuals[group, : len(found)] = found
    return residuals


def _forecasts_of(served: Sequence[GroupScore], horizon: int) -> Floats:
    """Forecasts (G, H), NaN where there is none."""
    nothing = np.full(horizon, np.nan)
    rows = [nothing if score.forecast is None else score.forecast[0] for score in served]
    return np.array(rows, dtype=np.float64).reshape(-1, horizon)
