"""What each candidate adds on the demos' data: how many groups beat the baseline, and by how much.

Candidates join one after the other. Grocery sales: each group is trained on all but the last four
weeks, which its model then forecasts. Flights: each route is judged on its last fifth, which had no
say in the choice of its model. Skill is 1 - error / error of the baseline: mean absolute errors,
and shares of flights put into the wrong class. ``--groups`` and ``--routes`` draw that many of
those with rows enough; 0 takes all.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from report import parse_arguments, write_report

import many_models
from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.demos import load_demo
from many_models.core.arrays import Floats
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import BASELINE, UseCase
from many_models.core.lake_schema import raw_columns
from many_models.core.scoring import Champion
from many_models.core.tabular.training import train_shard as train_rows
from many_models.core.tabular.use_case import TabularUseCase
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import parse_use_case

LEVELS = ("mean", "median")
SMOOTHING = ("theta", "optimized_theta", "ces", "ets")
GROCERY: dict[str, tuple[str, ...]] = {
    "mean, median": LEVELS,
    "+ ridge": (*LEVELS, "ridge"),
    "+ gradient_boosting": (*LEVELS, "ridge", "gradient_boosting"),
    "+ theta, ces, ets": (*LEVELS, "ridge", "gradient_boosting", *SMOOTHING),
}
FLIGHTS = {
    "logistic": "logistic",
    "+ shallow_trees": {
        "name": "shallow_trees",
        "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
        "with": {"max_leaf_nodes": 4, "max_iter": 60, "learning_rate": 0.05},
        "encoding": "ordinal",
    },
    "+ gradient_boosting": "gradient_boosting",
}
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SEED = 0


@dataclass(frozen=True)
class Step:
    """The skill of each group with some candidates, and what it took to train one."""

    name: str
    skills: Floats
    core_seconds: float

    @property
    def figures(self) -> dict[str, Any]:
        found = self.skills[np.isfinite(self.skills)]
        return {
            "name": self.name,
            "n": len(found),
            "beat_baseline": float(np.mean(found > 0)),
            "skill": {f"{q:g}": float(np.quantile(found, q)) for q in QUANTILES},
            "core_seconds": self.core_seconds,
        }


def extract(use_case: AnyUseCase) -> pa.Table:
    """All rows of the use case's source."""
    assert use_case.source.query and use_case.source.end
    start = datetime.combine(use_case.source.start, datetime.min.time())
    end = datetime.combine(use_case.source.end, datetime.min.time()) + timedelta(days=1)
    source, schema = SourceDatabase(use_case.source.url), raw_columns(use_case)
    return source.stream(use_case.source.query, start=start, end=end, schema=schema).read_all()


def draw(rows: pa.Table, use_case: AnyUseCase, count: int, least: int) -> pa.Table:
    """The rows of ``count`` groups of those with ``least`` targets, sorted by key and time."""
    keys = list(use_case.keys)
    counts = rows.group_by(keys).aggregate([(use_case.target, "count")])
    counts = counts.sort_by([(key, "ascending") for key in keys])
    enough = counts.filter(pc.field(f"{use_case.target}_count") >= least).select(keys)
    if count:
        drawn = np.random.default_rng(SEED).permutation(len(enough))[:count]
        enough = enough.take(np.sort(drawn))
    order = [(name, "ascending") for name in (*keys, use_case.time.column)]
    return rows.join(enough, keys, join_type="inner").sort_by(order)


@dataclass(frozen=True)
class Grocery:
    """Sales of some groups, the four weeks after ``through`` included."""

    use_case: UseCase
    rows: pa.Table
    through: np.datetime64

    def step(self, name: str, candidates: Sequence[str] | None, ensembles: bool) -> Step:
        """``candidates`` beside the baseline; None is auto."""
        settings = self.use_case.model_dump(mode="json", by_alias=True)
        settings["candidates"] = "auto" if candidates is None else [BASELINE, *candidates]
        use_case = UseCase.model_validate({**settings, "ensembles": ensembles})
        past = self.rows.filter(pc.field(use_case.time.column) <= self._moment(self.through))
        started = time.process_time()
        trained = train_shard(past, use_case, partition="", trained_through=self.through)
        seconds = (time.process_time() - started) / len(trained)
        models = {
            row["group_key"]: Champion("", 1, row["payload"])
            for row in trained.select(["group_key", "payload"]).to_pylist()
            if row["payload"] is not None
        }
        by_model, by_baseline = self._errors(past, models), self._errors(past, {})
        by_baseline = by_baseline.where(by_baseline > 0)
        keys = sorted(models)
        skills = 1 - by_model[keys] / by_baseline[keys]
        return Step(name, np.asarray(skills, dtype=np.float64), seconds)

    def _errors(self, past: pa.Table, models: dict[str, Champion]) -> pd.Series[float]:
        """Mean absolute error of each group's forecast; a day without a row is one of no sales."""
        keys = list(self.use_case.keys)
        found = score_shard(past, models, self.use_case, partition="", origin=self.through)[0]
        forecasts = found.to_pandas()
        actuals = self.rows.rename_columns(
            ["time" if n == self.use_case.time.column else n for n in self.rows.column_names]
        ).to_pandas()
        both = forecasts.merge(actuals, on=[*keys, "time"], how="left")
        error = (both["prediction"] - both[self.use_case.target].fillna(0.0)).abs()
        return pd.Series(error.groupby(both["group_key"]).mean())

    def _moment(self, day: np.datetime64) -> pa.Scalar[Any]:
        return pa.scalar(day.astype("datetime64[us]").item(), pa.timestamp("us"))


def measure_grocery(folder: Path, groups: int) -> list[Step]:
    text = (folder / "grocery.yaml").read_text(encoding="utf-8")
    use_case = parse_use_case(text, name="grocery")
    assert isinstance(use_case, UseCase) and use_case.source.end
    rows = extract(use_case)
    through = np.datetime64(use_case.source.end) - use_case.horizon
    rows = draw(rows, use_case, groups, use_case.validation.min_observations + use_case.horizon)
    grocery = Grocery(use_case, rows, through)
    steps = [grocery.step(name, names, ensembles=False) for name, names in GROCERY.items()]
    everything = GROCERY[next(reversed(GROCERY))]
    steps.append(grocery.step("+ ensembles", everything, ensembles=True))
    return [*steps, grocery.step("auto", None, ensembles=True)]


def measure_flights(folder: Path, routes: int) -> list[Step]:
    text = (folder / "flights.yaml").read_text(encoding="utf-8")
    packaged = parse_use_case(text, name="flights")
    assert isinstance(packaged, TabularUseCase) and packaged.source.end
    rows = draw(extract(packaged), packaged, routes, packaged.validation.min_rows)
    through = np.datetime64(packaged.source.end)
    settings, steps = packaged.model_dump(mode="json", by_alias=True), []
    candidates: list[Any] = [packaged.baseline]
    for title, added in FLIGHTS.items():
        candidates.append(added)
        use_case = TabularUseCase.model_validate({**settings, "candidates": candidates})
        started = time.process_time()
        ledger = train_rows(rows, use_case, partition="", trained_through=through).to_pandas()
        seconds = (time.process_time() - started) / len(ledger)
        wrong, by_baseline = 1 - ledger["score"], 1 - ledger["baseline_score"]
        skills = (1 - wrong / by_baseline.where(by_baseline > 0)).to_numpy(np.float64)
        steps.append(Step(title, skills, seconds))
    return steps


def show(title: str, steps: Sequence[Step]) -> None:
    names = "".join(f"{f'p{100 * q:.0f}':>8}" for q in QUANTILES)
    print(f"{title:32}{'groups':>8}{'beat it':>9}  skill{names}{'core s':>9}")
    for step in steps:
        found = step.figures
        skills = "".join(f"{skill:>+8.1%}" for skill in found["skill"].values())
        share = f"{found['n']:>8,}{found['beat_baseline']:>9.1%}"
        print(f"{step.name:32}{share}       {skills}{step.core_seconds:>9.3f}", flush=True)


def main() -> None:
    warnings.simplefilter("ignore")
    sizes = parse_arguments(__doc__ or "", groups=120, routes=60)
    packaged = Path(many_models.__file__).parent / "use_cases"
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        for name in ("grocery", "flights"):
            load_demo(name, folder / "demo" / f"{name}.db")
        for name in ("grocery", "flights"):
            text = (packaged / f"{name}.yaml").read_text(encoding="utf-8")
            text = text.replace("${MANY_MODELS_HOME}", home)
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        grocery = measure_grocery(folder, sizes.groups)
        show("grocery, over seasonal_naive", grocery)
        flights = measure_flights(folder, sizes.routes)
        show("flights, over majority_class", flights)
    cases = [
        {"demo": demo, **step.figures}
        for demo, steps in (("grocery", grocery), ("flights", flights))
        for step in steps
    ]
    write_report("accuracy_demos", cases, sizes.json)


if __name__ == "__main__":
    main()
