"""Champion against challenger on the same rows: those that neither has learnt from.

They are the rows held out from the challenger's candidates that came after the champion was
trained. On them the champion predicts as it stands, and the challenger's candidate as it learnt
from the rows that were not held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from many_models.core.arrays import Ints
from many_models.core.keys import group_key
from many_models.core.scoring import Champion
from many_models.core.tabular.contest import Contest
from many_models.core.tabular.dataset import Rows, read_rows
from many_models.core.tabular.model import encode_classes
from many_models.core.tabular.scoring import load_champion
from many_models.core.tabular.use_case import TabularUseCase

FRESH_ROWS_MIN = 30
"""Fewer rows tell nothing: an accuracy measured on them is off by some nine points."""

_SCHEMA = pa.schema(
    [
        ("group_key", pa.string()),
        ("challenger", pa.float64()),
        ("champion", pa.float64()),
        ("basis", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Rival:
    """A trained model that wants to replace a champion."""

    group_key: str
    candidate: str
    trained_through: np.datetime64


@dataclass(frozen=True, slots=True)
class Duel:
    """The use case's metric of both on the same rows; null where ``basis`` says why there is none.

    Otherwise ``basis`` says on which rows.
    """

    group_key: str
    challenger: float | None
    champion: float | None
    basis: str


def compare_shard(
    table: pa.Table,
    rivals: Mapping[str, Rival],
    champions: Mapping[str, Champion],
    use_case: TabularUseCase,
) -> pa.Table:
    """A row (the fields of ``Duel``) for each group of a shard that has a rival.

    Both mappings are looked up by composite key; all rivals have champions.
    """
    rows = read_rows(table, use_case)
    keys = [group_key(use_case.keys, key) for key in rows.keys]
    with threadpool_limits(1):  # groups share the cores already, and sums keep their order
        duels = [
            _compare(rows, group, rivals[key], champions[key], use_case)
            for group, key in enumerate(keys)
            if key in rivals
        ]
    return duel_table(duels)


def duel_table(duels: Iterable[Duel]) -> pa.Table:
    """Duels as a table, a row for each."""
    return pa.Table.from_pylist([asdict(duel) for duel in duels], schema=_SCHEMA)


def _compare(
    rows: Rows, group: int, rival: Rival, champion: Champion, use_case: TabularUseCase
) -> Duel:
    try:
        return _measure(rows, group, rival, champion, use_case)
    except Exception as error:  # of this champion alone; the others are compared nonetheless
        text = " ".join(str(error).split())
        return Duel(rival.group_key, None, None, f"the champion cannot be measured: {text}")


def _measure(
    rows: Rows, group: int, rival: Rival, champion: Champion, use_case: TabularUseCase
) -> Duel:
    model = load_champion(champion, rows.keys[group], use_case)
    through = use_case.frequency.to_period(np.array([rival.trained_through]))
    labelled = rows.labelled(group, int(through[0]))
    classes, target = encode_classes(rows.target[labelled], use_case)
    features, times = rows.features.iloc[labelled], rows.times[labelled]
    contest = Contest(use_case, features, target, classes, times)
    held = contest.hold_out()
    fresh: Ints = np.flatnonzero(held & (rows.days[labelled] > model.origin))
    if len(fresh) < FRESH_ROWS_MIN:
        text = f"the champion has not seen {len(fresh)} of the {held.sum()} rows held out"
        return Duel(rival.group_key, None, None, f"{text}, and {FRESH_ROWS_MIN} are needed")
    metric = use_case.metric
    figures = (
        contest.measure_candidate(rival.candidate, np.flatnonzero(~held), fresh)[metric],
        contest.measure_model(model, fresh)[metric],
    )
    if not np.isfinite(figures).all():
        text = f"{metric} is undefined on the {len(fresh)} rows that the champion has not seen"
        return Duel(rival.group_key, None, None, text)
    text = f"the {metric} on {len(fresh)} rows that neither has learnt from"
    return Duel(rival.group_key, *figures, text)
