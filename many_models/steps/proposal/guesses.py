"""Guesses: what a table most probably means, field by field of ``Choices``.

A guess that could well be wrong is not made: the answer is then None. What follows once all fields
are said is in ``propose``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from many_models.adapters.sources.probe import SourceProbe
from many_models.adapters.sources.tables import ColumnSummary
from many_models.core.forecast.use_case import as_identifier
from many_models.core.frequency import WEEKDAYS, Frequency
from many_models.steps.proposal import column_kinds as kinds
from many_models.steps.proposal.choices import CARRIED, KEYS_MAX, Choices, said

HORIZONS = {"h": 24, "D": 28, "W": 8, "MS": 6, "QS": 4, "YS": 2}
PARTITIONS_MAX = 1_000
BUCKETS_MAX = 1_000
GROUPS_A_BUCKET = 500
ROWS_A_GROUP_MIN = 5
ROWS_A_MODEL_MIN = 50  # where rows are independent
DAYS_AHEAD = 7
TEXT_VALUES_MAX = 100
HOURLY_ROWS_A_DAY = 12


def guess(field: str, choices: Choices, probe: SourceProbe) -> object:
    """Best value for a field of ``Choices``, None where no value is safe.

    The fields before it in ``choices.fields`` must have been said.
    """
    return _GUESSES[field](choices, probe)


def options(field: str, choices: Choices, probe: SourceProbe) -> tuple[str, ...]:
    """Columns that could be meant where ``guess`` found none."""
    anything = {"number", "text", "other"}
    of_target = {*anything, "flag"} if choices.problem == "classification" else {"number"}
    wanted = {"time": {"time"}, "target": of_target}.get(field, anything)
    free = _free(choices, probe, carried=field in CARRIED)
    return tuple(c.name for c in free if kinds.kind_of(c) in wanted)


def count_periods(times: NDArray[np.datetime64], frequency: str) -> int:
    """Periods from the first to the last of sorted times, both counted."""
    if not len(times):
        return 0
    first, last = Frequency(frequency).to_period(times[[0, -1]]).tolist()
    return int(last - first) + 1


def _guess_time(choices: Choices, probe: SourceProbe) -> str | None:
    found = [c.name for c in _free(choices, probe) if kinds.kind_of(c) == "time"]
    return _only([name for name in found if not kinds.is_bookkeeping(name)] or found)


def _guess_keys(choices: Choices, probe: SourceProbe) -> tuple[str, ...] | None:
    """Columns whose values come back often, without those that the others determine."""
    rows, time = probe.table.rows, said(choices.time)
    free = _free(choices, probe, carried=True)
    names = [c.name for c in free if kinds.may_be_key(c, rows)]
    keys = sorted(names, key=lambda name: not kinds.is_identifier(name))[:KEYS_MAX]
    least = ROWS_A_GROUP_MIN if choices.problem == "forecast" else ROWS_A_MODEL_MIN
    if not keys:
        return None
    groups = probe.groups(keys, time)
    for name in reversed(tuple(keys)):
        fewer = [key for key in keys if key != name]
        if fewer and probe.groups(fewer, time) == groups:
            keys = fewer
    return tuple(keys) if rows >= least * groups else None


def _guess_target(choices: Choices, probe: SourceProbe) -> str | None:
    if choices.problem == "classification":
        free = _free(choices, probe)
        return _only([c.name for c in free if kinds.kind_of(c) == "flag" or c.distinct == 2])
    names = [c.name for c in _free(choices, probe) if kinds.may_be_measure(c) and c.distinct > 2]
    best = max(map(kinds.target_rank, names), default=0)
    return _only([name for name in names if kinds.target_rank(name) == best])


def _guess_frequency(choices: Choices, probe: SourceProbe) -> str | None:
    times = probe.times(said(choices.time))
    if len(times) < 2:
        return None
    gap = float(np.median(np.diff(times) / np.timedelta64(1, "D")))
    for code, days in (("YS", 360), ("QS", 85), ("MS", 27)):
        if gap >= days:
            return code
    if gap > 5:
        days = np.unique((times.astype("datetime64[D]").astype(np.int64) + 3) % 7).tolist()
        return f"W-{WEEKDAYS[days[0]]}" if len(days) == 1 else "W-MON"
    if gap > 0.5:
        return "D"
    # Several times a day: readings where each group has many a day, else single events.
    groups = probe.groups(said(choices.keys), said(choices.time))
    periods = count_periods(times, "D")
    return "h" if probe.table.rows >= HOURLY_ROWS_A_DAY * groups * periods else "D"


def _guess_gaps(choices: Choices, probe: SourceProbe) -> str:
    target = probe.column(said(choices.target))
    return "zero" if kinds.is_amount(target.name) and not kinds.below_zero(target) else "missing"


def _guess_horizon(choices: Choices, probe: SourceProbe) -> int:
    if choices.problem != "forecast":
        return DAYS_AHEAD
    code = said(choices.frequency)
    periods = count_periods(probe.times(said(choices.time)), code)
    return max(1, min(HORIZONS[Frequency(code).family], periods // 5))


def _guess_past(choices: Choices, probe: SourceProbe) -> tuple[str, ...]:
    free = _free(choices, probe)
    return tuple(c.name for c in free if kinds.may_be_measure(c) or kinds.kind_of(c) == "flag")


def _guess_static(choices: Choices, probe: SourceProbe) -> tuple[str, ...]:
    """Texts that the keys determine, such as a store's region."""
    keys, time = said(choices.keys), said(choices.time)
    groups = probe.groups(keys, time)
    free = _free(choices, probe, carried=True)
    few = [c for c in free if not c.nulls and 0 < c.distinct <= groups]
    named = [c.name for c in few if kinds.kind_of(c) == "text" or kinds.is_identifier(c.name)]
    return tuple(name for name in named if probe.groups([*keys, name], time) == groups)


def _guess_row_id(choices: Choices, probe: SourceProbe) -> str | None:
    """The column that tells rows of one group and time apart."""
    keys, time = said(choices.keys), said(choices.time)
    rows = probe.table.rows - probe.column(time).nulls
    free = [c for c in _free(choices, probe, carried=True) if not c.nulls]
    likely = sorted(free, key=lambda c: not kinds.is_identifier(c.name))
    usable = [c.name for c in likely if kinds.kind_of(c) in ("text", "other")] + [
        c.name for c in likely if kinds.kind_of(c) == "number" and kinds.is_identifier(c.name)
    ]
    unique = (name for name in usable if probe.groups([*keys, time, name], time) == rows)
    return next(unique, None)


def _guess_numeric(choices: Choices, probe: SourceProbe) -> tuple[str, ...]:
    free = _free(choices, probe)
    usable = [c for c in free if kinds.kind_of(c) in ("number", "flag") and c.distinct > 1]
    named = [c for c in usable if not kinds.is_identifier(c.name)]
    return tuple(c.name for c in named if _is_known_before(c, choices, probe))


def _guess_categorical(choices: Choices, probe: SourceProbe) -> tuple[str, ...]:
    free = _free(choices, probe)
    few = [c for c in free if not c.many and 1 < c.distinct <= TEXT_VALUES_MAX]
    texts = [c for c in few if kinds.kind_of(c) == "text"]
    return tuple(c.name for c in texts if _is_known_before(c, choices, probe))


def _is_known_before(column: ColumnSummary, choices: Choices, probe: SourceProbe) -> bool:
    """It is there in some of the rows whose target is yet to come, if there are such rows."""
    nulls = probe.column(said(choices.target)).nulls
    return column.nulls < nulls or not nulls


def _guess_partitioning(choices: Choices, probe: SourceProbe) -> str | int:
    keys = said(choices.keys)
    values = {name: probe.column(name).distinct for name in keys}
    by = min([name for name in keys if values[name] > 1] or keys, key=values.__getitem__)
    if values[by] <= PARTITIONS_MAX:
        return by
    groups = probe.groups(keys, said(choices.time))
    return min(math.ceil(groups / GROUPS_A_BUCKET), BUCKETS_MAX)


_GUESSES: dict[str, Callable[[Choices, SourceProbe], object]] = {
    "name": lambda _, probe: as_identifier(probe.table.name.rpartition(".")[2]),
    "time": _guess_time,
    "keys": _guess_keys,
    "target": _guess_target,
    "frequency": _guess_frequency,
    "gaps": _guess_gaps,
    "horizon": _guess_horizon,
    "known": lambda _, __: (),  # no table shows what is known beforehand
    "past": _guess_past,
    "static": _guess_static,
    "row_id": _guess_row_id,
    "numeric": _guess_numeric,
    "categorical": _guess_categorical,
    "partitioning": _guess_partitioning,
}


def _free(choices: Choices, probe: SourceProbe, *, carried: bool = False) -> list[ColumnSummary]:
    """Columns without a role that may be used, ``carried`` into results where so said."""
    taken = {name.lower() for name in choices.columns()}
    return [
        column
        for column in probe.table.columns
        if column.name.lower() not in taken
        and kinds.is_well_formed(column.name)
        and not kinds.is_reserved(column.name, carried=carried)
    ]


def _only(names: list[str]) -> str | None:
    return names[0] if len(names) == 1 else None
