"""Does safety stock hold what it says? Achieved service and stock, on demand of known truth.

Models are trained on all but the last days of simulated warehouses, with and without the spells
that make one day's error resemble the next one's. What they say the stock must be is held against
many futures that might have followed, given what was: the achieved cycle service level is the share
of groups and futures in which it lasts, and ``stock`` is what is then left, over what is left where
each group's truth is known. Beside them: how many groups are served five points below the target.
Rivals have the same forecasts, in the same run:

- ``sum of quantiles``: each day's upper bound, added up;
- ``independent days``: what they are above the forecast, squared, added up, and the root of it;
- ``own errors, normal``: that of the group's errors over as many days in the backtest;
- ``own errors, empirical``: their quantile;
- ``many models``: what table ``inventory`` has; see ``core.forecast.lead_time_demand``. Below it,
  the same for groups that have no model of their own, with the forecasts of what stands in.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from report import parse_arguments, write_report
from scipy import stats

from many_models.core.arrays import Floats
from many_models.core.forecast.model import load_model
from many_models.core.forecast.pooled.contender import fit_folds
from many_models.core.forecast.pooled.model import make_pooled_model
from many_models.core.forecast.pooled.sampling import sample_rows
from many_models.core.forecast.pooled.stand_in import POOLED_KEY
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.lake_schema import raw_columns
from many_models.core.payload import dump_payload
from many_models.core.scoring import Champion, ShardScores
from many_models.core.simulation.warehouses import SimulatedWarehouses
from many_models.core.use_case_file import parse_use_case

USE_CASE = """
name: benchmark
source: {{url: none, table: demand, start: 2024-01-01}}
keys: [warehouse, product]
partitioning: {{by: warehouse}}
time: {{column: date, frequency: D}}
target: demand
horizon: 28
gaps: zero
prediction_floor: 0
candidates: [seasonal_naive, mean, sba, ridge]
validation: {{metric: rmsse, folds: {folds}, step: 14, interval: 0.9, levels: [0.8, 0.96]}}
inventory: {{lead_time: 1, service_level: 0.95}}
"""
UPPER = {0.9: "upper_80", 0.95: "upper", 0.98: "upper_96"}  # of intervals that leave half above
PROTECTION = (4, 8, 15)  # days
SPELLS = {"independent days": 0.0, "spells": 0.25}
TRUTH = "truth known"


@dataclass(frozen=True)
class World:
    """Warehouses with their models, at the last day that these have seen."""

    use_case: UseCase
    simulation: SimulatedWarehouses
    rows: pa.Table
    champions: Mapping[str, Champion]

    @classmethod
    def make(cls, sizes: argparse.Namespace, spell: float, seed: int) -> World:
        use_case = parse_use_case(USE_CASE.format(folds=sizes.folds), name="benchmark")
        simulation = SimulatedWarehouses(
            sizes.warehouses, sizes.products, sizes.days, seed=seed, spell=spell
        )
        schema = raw_columns(use_case)
        rows = simulation.table().select(schema.names).cast(schema)
        through = np.datetime64(simulation.end) - 1
        trained = train_shard(rows, use_case, partition="", trained_through=through)
        champions = {
            row["group_key"]: Champion("", 1, row["payload"])
            for row in trained.select(["group_key", "payload"]).to_pylist()
            if row["payload"] is not None
        }
        return cls(use_case, simulation, rows, champions)

    def score(
        self, protection: int, level: float, champions: Mapping[str, Champion]
    ) -> ShardScores:
        rules = {"lead_time": protection - 1, "service_level": level}
        settings = self.use_case.model_dump(mode="json", by_alias=True) | {"inventory": rules}
        return score_shard(
            self.rows,
            champions,
            UseCase.model_validate(settings),
            partition="",
            origin=np.datetime64(self.simulation.end) - 1,
        )

    @cached_property
    def stand_ins(self) -> dict[str, dict[str, Champion]]:
        """Champions of a partition in which no group has one."""
        use_case, through = self.use_case, np.datetime64(self.simulation.end) - 1
        groups = self.simulation.groups
        sampled = sample_rows(self.rows, use_case, trained_through=through, groups=groups)
        origin = int(use_case.frequency.to_period(np.array([through]))[0])
        fits = fit_folds(sampled, use_case, origin)
        if fits is None:
            raise ValueError("too few rows for a pooled model; give more products or days")
        payload, _ = dump_payload(make_pooled_model(sampled, fits, use_case, ""))
        return {"pooled model": {POOLED_KEY: Champion("", 1, payload)}, "baseline": {}}

    @cached_property
    def residuals(self) -> Floats:
        """Forecast minus actual (G, F, H) in each champion's backtest."""
        models = [load_model(c.payload) for c in self.champions.values() if c.payload is not None]
        return np.stack([m.residuals for m in models if m.residuals is not None])

    def futures(self, draws: int) -> Floats:
        """Demand (draws, G, H) of days to come."""
        last = (np.datetime64(self.simulation.end) - 1).item()
        return np.stack(list(self.simulation.futures(last, self.use_case.horizon, draws)))


def set_levels(world: World, protection: int, level: float) -> dict[str, Floats]:
    """Order-up-to level (G) of each rival."""
    scores = world.score(protection, level, world.champions)
    names = ("prediction", UPPER[level])
    horizon = world.use_case.horizon
    forecast, upper = (scores.predictions[n].to_numpy().reshape(-1, horizon) for n in names)
    over = np.s_[:, :protection]
    demand = forecast[over].sum(axis=1)
    factor = stats.norm.ppf(level)
    sums = np.cumsum(np.pad(-world.residuals, [(0, 0), (0, 0), (1, 0)]), axis=2)
    errors = (sums[:, :, protection:] - sums[:, :, :-protection]).reshape(len(demand), -1)
    deviation = np.sqrt((errors**2).mean(axis=1))
    of_days = np.sqrt(((upper - forecast)[over] ** 2).sum(axis=1))  # already times the factor
    return {
        "sum of quantiles": upper[over].sum(axis=1),
        "independent days": demand + of_days,
        "own errors, normal": demand + factor * deviation,
        "own errors, empirical": demand + np.quantile(errors, level, axis=1, method="higher"),
        "many models": _order_up_to(scores),
        **{
            f"  with the {name}": _order_up_to(world.score(protection, level, champions))
            for name, champions in world.stand_ins.items()
        },
    }


def _order_up_to(scores: ShardScores) -> Floats:
    inventory = scores.inventory
    if inventory is None or inventory["reason"].null_count < len(inventory):
        raise ValueError("some group has no safety stock: the rivals would not do the same work")
    found: Floats = inventory["order_up_to"].to_numpy()
    return found


@dataclass(frozen=True)
class Attained:
    """Achieved service (G) and stock left (G) of each rival, and of knowing the truth."""

    service: dict[str, Floats]
    stock: dict[str, Floats]


def attain(world: World, futures: Floats, protection: int, level: float) -> Attained:
    demand = futures[:, :, :protection].sum(axis=2)
    levels = set_levels(world, protection, level)
    levels[TRUTH] = np.quantile(demand, level, axis=0, method="higher")
    return Attained(
        {name: (demand <= found).mean(axis=0) for name, found in levels.items()},
        {name: np.maximum(found - demand, 0).mean(axis=0) for name, found in levels.items()},
    )


def main() -> None:
    sizes = parse_arguments(
        __doc__ or "", warehouses=5, products=50, days=500, folds=4, draws=300, seeds=2
    )
    cases: list[dict[str, object]] = []
    for kind, spell in SPELLS.items():
        worlds = [World.make(sizes, spell, seed) for seed in range(sizes.seeds)]
        futures = [world.futures(sizes.draws) for world in worlds]
        for protection in PROTECTION:
            print(f"\n{kind}, protection interval {protection} days, {len(worlds)} seeds of "
                  f"{worlds[0].simulation.groups} groups")  # fmt: skip
            heads = [f"{level:>10.0%}{'5 below':>9}{'stock':>8}" for level in UPPER]
            print(f"{'':24}" + "".join(heads))
            lines: dict[str, str] = {}
            for level in UPPER:
                found = [
                    attain(world, future, protection, level)
                    for world, future in zip(worlds, futures, strict=True)
                ]
                least = np.concatenate([one.stock[TRUTH] for one in found]).sum()
                for name in found[0].service:
                    service = np.concatenate([one.service[name] for one in found])
                    stock = np.concatenate([one.stock[name] for one in found]).sum() / least
                    short = (service < level - 0.05).mean()
                    lines[name] = lines.get(name, f"{name:24}")
                    lines[name] += f"{service.mean():>10.1%}{short:>9.0%}{stock:>8.2f}"
                    cases.append(
                        {
                            "name": f"{name}, {kind}",
                            "n": len(service),
                            "protection": protection,
                            "target": level,
                            "service": float(service.mean()),
                            "groups_5_points_below": float(short),
                            "stock_to_truth": float(stock),
                        }
                    )
            print("\n".join(lines.values()))
    write_report("inventory", cases, sizes.json)


if __name__ == "__main__":
    main()
