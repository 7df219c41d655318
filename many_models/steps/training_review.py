"""Reviewing a training run: the groups that their models serve worst, as an operator sees them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.plots import BacktestExample, plot_backtests
from many_models.adapters.spark.shard_work import TrainedShard
from many_models.core.forecast.closeup import CloseUp
from many_models.core.forecast.use_case import UseCase
from many_models.core.ledger import CLOSEUP
from many_models.core.shapes import shape_of
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
        examples = [_example(use_case, row, found[row["group_key"]]) for row in there]
        shown[partition] = plot_backtests(examples, use_case.target)
    return shown


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


def _example(use_case: UseCase, row: Row, closeup: CloseUp) -> BacktestExample:
    to_time, horizon = use_case.frequency.to_time, use_case.horizon
    ahead = np.arange(1, horizon + 1)
    metric = use_case.metric
    score = f"{metric} {row['score']:.3g}, baseline {row['baseline_score']:.3g}"
    return BacktestExample(
        title=f"{row['group_key']}: {row['candidate']}, {score}",
        history_times=to_time(closeup.origin + 1 - np.arange(len(closeup.history), 0, -1)),
        history=np.array(closeup.history, dtype=np.float64),
        backtest=[
            (to_time(origin + ahead), np.array(forecast, dtype=np.float64))
            for origin, forecast in zip(closeup.fold_origins, closeup.backtest, strict=True)
        ],
        times=to_time(closeup.origin + ahead[: len(closeup.prediction)]),
        prediction=np.array(closeup.prediction, dtype=np.float64),
        lower=np.array(closeup.lower, dtype=np.float64),
        upper=np.array(closeup.upper, dtype=np.float64),
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
