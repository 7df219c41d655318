"""A partition of groups that share a weekly shape and a response to promotion, at any level."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Ints
from many_models.core.forecast.dataset import Dataset, read_dataset
from many_models.core.forecast.panel import Panel, build_panel, first_observed
from many_models.core.forecast.pooled.contender import PooledFits, fit_folds
from many_models.core.forecast.pooled.sampling import sample_rows
from many_models.core.forecast.use_case import UseCase
from many_models_tests.fakes import Columns, make_series, make_shard, make_use_case

DAYS, HORIZON = 120, 7
START, END = "2024-01-01", np.datetime64("2024-04-29")
CANDIDATES = ["seasonal_naive", "mean", "pooled"]


def use_case_of(*candidates: str) -> UseCase:
    """The partition's use case, with other candidates."""
    return make_use_case(
        candidates=list(candidates),
        features={"known": [{"name": "promo", "fill": "zero"}], "static": ["region"]},
        validation={"min_observations": 40, "levels": [0.8]},
        prediction_floor=0,
    )


USE_CASE = use_case_of(*CANDIDATES)
ORIGIN = int(USE_CASE.frequency.to_period(np.array([END]))[0])

Groups = Mapping[Any, Columns]


def series(level: float, seed: int, *, days: int = DAYS, region: str = "north") -> Columns:
    """``days`` through the end, and a horizon of planned promotions after it."""
    chance = np.random.default_rng(seed)
    number = np.arange(DAYS + HORIZON)
    promo = (chance.random(DAYS + HORIZON) < 0.15).astype(float)
    noise = chance.lognormal(0, 0.3, DAYS + HORIZON)
    values = level * (1 + 0.5 * np.sin(2 * np.pi * number / 7)) * (1 + promo) * noise
    targets = [*values[DAYS - days : DAYS].tolist(), *[None] * HORIZON]
    start = str(END - np.timedelta64(days - 1, "D"))
    return make_series(
        USE_CASE,
        start,
        targets,
        promo=promo[DAYS - days :].tolist(),
        region=[region] * len(targets),
    )


GROUPS: Groups = {
    (f"s{n // 6}", f"i{n % 6}"): series(10.0 ** (n % 4), n, region="north" if n % 2 else "south")
    for n in range(24)
}


def rows_of(groups: Groups, use_case: UseCase = USE_CASE, total: int | None = None) -> pa.Table:
    """Sampled rows of one shard with these groups, of a partition with ``total``."""
    shard = make_shard(use_case, groups)
    return sample_rows(
        shard, use_case, trained_through=END, groups=len(groups) if total is None else total
    )


@cache
def fits() -> PooledFits:
    """Fits on ``GROUPS``."""
    found = fit_folds(rows_of(GROUPS), USE_CASE, ORIGIN)
    assert found is not None
    return found


def panel_of(
    groups: Groups, *, origin: int = ORIGIN, ahead: int = HORIZON, use_case: UseCase = USE_CASE
) -> tuple[Dataset, Ints, Panel]:
    """Dataset, numbers of its groups, and their panel."""
    dataset = read_dataset(make_shard(use_case, groups), use_case)
    every = np.arange(len(dataset.keys))
    assert (first_observed(dataset, origin) <= origin + 1).all()
    return dataset, every, build_panel(dataset, every, use_case, origin=origin, ahead=ahead)
