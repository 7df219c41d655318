"""Reviewing a training run: the groups that their models serve worst, as an operator sees them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.charts.groups_of_skill import BIN, draw_skill
from many_models.adapters.charts.output import to_markdown
from many_models.adapters.charts.series import Forecast, Line, Series, draw_series
from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.spark.shard_work import TrainedShard
from many_models.core.forecast.closeup import CloseUp
from many_models.core.forecast.use_case import UseCase
from many_models.core.ledger import CLOSEUP
from many_models.core.shapes import shape_of
from many_models.core.skill import skill
from many_models.core.use_case import AnyUseCase
from many_models.core.worst_groups import find_worst

SHOWN = 6
"""Groups of all partitions of a run together, so that Dagster's event log stays light."""

Row = dict[str, Any]


def choose_worst(use_case: AnyUseCase, ledger: pa.Table) -> dict[str, list[Row]]:
    """Ledger rows of the worst groups by partition, the worst first; at most ``SHOWN`` in all.

    Only groups that were trained, by their score beside the baseline's. Where there are too many,
    each partition's worst goes before any partition's second.
    """
    trained = ledger.filter(pc.equal(ledger["status"], "trained"))
    columns = [trained[name].to_pylist() for name in ("partition", "score", "baseline_score")]
    of_partitions: dict[str, dict[int, tuple[float, float]]] = defaultdict(dict)
    for number, (partition, *scores) in enumerate(zip(*columns, strict=True)):
        of_partitions[partition][number] = (scores[0], scores[1])
    better = use_case.higher_is_better
    worst = [find_worst(scores, higher_is_better=better) for scores in of_partitions.values()]
    chosen: list[int] = []
    for place in zip_longest(*worst):
        among = {n: of_partitions[columns[0][n]][n] for n in place if n is not None}
        chosen += find_worst(among, higher_is_better=better, most=SHOWN - len(chosen))
    found: dict[str, list[Row]] = defaultdict(list)
    for row in trained.take(pa.array(chosen, pa.int64())).to_pylist():
        found[row["partition"]].append(row)
    return dict(found)


def show_worst(
    use_case: AnyUseCase,
    worst: Mapping[str, Sequence[Row]],
    trained: Sequence[TrainedShard],
    ledgers: Sequence[pa.Table],
) -> dict[str, str]:
    """Markdown by partition on its ``worst`` groups: plots of what was forecast, or their metrics.

    ``ledgers`` are the ledger rows of the shards ``trained``.
    """
    if not isinstance(use_case, UseCase):
        return {partition: _tabulate(use_case, rows) for partition, rows in worst.items()}
    wanted = {row["group_key"] for rows in worst.values() for row in rows}
    found = _read_close_ups(wanted, trained, ledgers) if wanted else {}
    shown = {}
    for partition, rows in worst.items():
        there = [row for row in rows if row["group_key"] in found]
        drawn = [_example(use_case, row, found[row["group_key"]]) for row in there]
        chart = draw_series(drawn, use_case.target) if drawn else None
        shown[partition] = to_markdown(chart, "worst groups") if chart else "Nothing was forecast."
    return shown


def show_skill(use_case: AnyUseCase, ledger: pa.Table) -> str:
    """Markdown of how many models take away how much of the baseline's error."""
    score, baseline = (
        ledger[name].cast(pa.float64()).fill_null(np.nan).to_numpy()
        for name in ("score", "baseline_score")
    )
    found = skill(score, baseline, higher_is_better=use_case.higher_is_better)
    found = found[np.isfinite(found)]
    if not len(found):
        return "No model was trained."
    places = np.clip(np.floor((found + 1) / BIN), 0, round(2 / BIN) - 1).astype(int)
    starts, counts = np.unique(places, return_counts=True)
    begins = [round(-1 + BIN * place, 2) for place in starts.tolist()]
    return to_markdown(draw_skill(zip(begins, counts.tolist(), strict=True)), "skill")


def _read_close_ups(
    wanted: set[str], trained: Sequence[TrainedShard], ledgers: Sequence[pa.Table]
) -> Mapping[str, CloseUp]:
    keys = pa.array(sorted(wanted), pa.string())
    found: dict[str, CloseUp] = {}
    for shard, ledger in zip(trained, ledgers, strict=True):
        if not pc.any(pc.is_in(ledger["group_key"], value_set=keys)).as_py():
            continue
        rows = read_parquet(shard.path, ["group_key", CLOSEUP])
        kept = rows.filter(pc.is_in(rows["group_key"], value_set=keys)).to_pylist()
        found |= {row["group_key"]: CloseUp(**row[CLOSEUP]) for row in kept if row[CLOSEUP]}
    return found


def _example(use_case: UseCase, row: Row, closeup: CloseUp) -> Series:
    to_time, horizon = use_case.frequency.to_time, use_case.horizon
    ahead = np.arange(1, horizon + 1)
    metric = use_case.metric
    score = f"{metric} {row['score']:.3g}, baseline {row['baseline_score']:.3g}"
    past = to_time(closeup.origin + 1 - np.arange(len(closeup.history), 0, -1))
    times = to_time(closeup.origin + ahead[: len(closeup.prediction)])
    final = (closeup.prediction, closeup.lower, closeup.upper)
    return Series(
        f"{row['group_key']}: {row['candidate']}, {score}",
        Line(past, np.array(closeup.history, dtype=np.float64)),
        Forecast(times, *(np.array(values, dtype=np.float64) for values in final)),
        backtest=[
            Line(to_time(origin + ahead), np.array(forecast, dtype=np.float64))
            for origin, forecast in zip(closeup.fold_origins, closeup.backtest, strict=True)
        ],
    )


def _tabulate(use_case: AnyUseCase, worst: Sequence[Row]) -> str:
    figures = ("score", "baseline_score", *shape_of(use_case).figures(use_case))
    names = ["group_key", *shape_of(use_case).parameters, *dict.fromkeys(figures)]
    lines = [names, ["---"] * len(names)]
    lines += [[_shown(row[name]) for name in names] for row in worst]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")
