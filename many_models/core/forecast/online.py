"""Online forecasts: a row is a time of one group, with the features that are known of it.

A champion forecasts from the last period that it has seen, out of what it carries. Where no known
features enter, its forecast is the same for every request: then that is all that is kept of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.arrays import Floats, Ints
from many_models.core.errors import RequestError
from many_models.core.failure import Problem
from many_models.core.forecast.candidates.port import Outlook
from many_models.core.forecast.model import ForecastModel
from many_models.core.forecast.scoring import load_champion, score_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.frequency import Frequency
from many_models.core.lake_schema import raw_columns
from many_models.core.online import (
    BYTES_A_PAYLOAD_BYTE,
    OUT_OF_REACH,
    Answer,
    Columns,
    GroupHistory,
    Key,
    OnlineShape,
    as_iso,
    find_groups,
    labels,
    moments,
    numbers,
)
from many_models.core.scoring import Champion

# Bytes of the Python objects around the arrays, about: of a forecast, and of a model. Measured: a
# ridge whose pickle has 3,258 bytes takes 39,700 in all, and counts with 40,300.
_OBJECTS = 2_000
_MODEL_OBJECTS = 9_000


@dataclass(frozen=True)
class Wanted:
    """Rows (N) of a request: ``periods`` (N) and the known features ``known`` (N, K).

    ``statics`` are the static features that were given, by name, N of each.
    """

    periods: Ints
    known: Floats
    statics: Mapping[str, Sequence[str | None]]


def read_wanted(columns: Columns, use_case: UseCase) -> Wanted:
    """Rows with the keys, the time column and the known features (null: as the use case fills).

    Static features may be there as well; those of a group that the lake knows are the lake's.

    Raises:
        RequestError: a column is missing, a time is off the grid or occurs twice in a group, or a
            known feature is not a number.
    """
    times = moments(columns, use_case.time.column)
    periods = use_case.frequency.to_period(times)
    if (off := use_case.frequency.to_time(periods) != times).any():
        raise RequestError(
            f"{use_case.time.column} {times[off][0]} is not on the grid of frequency "
            f"{use_case.time.frequency!r}"
        )
    for key, rows in find_groups(columns, use_case).items():
        if len(rows) > 1 and len(set(periods[rows].tolist())) < len(rows):
            raise RequestError(
                f"a {use_case.time.column} of {key} occurs twice; give one row for each time"
            )
    known = [numbers(columns, name) for name in use_case.features.known_names]
    statics = {name: labels(columns, name) for name in use_case.features.static if name in columns}
    return Wanted(periods, np.column_stack([*known, np.empty((len(times), 0))]), statics)


@dataclass(frozen=True, slots=True)
class Forecaster:
    """A model with what its forecasts have in common, whatever the known features (H, K) are."""

    model: ForecastModel
    outlook: Outlook
    halfwidths: Floats
    floor: float | None

    @classmethod
    def of(cls, model: ForecastModel, use_case: UseCase) -> Forecaster:
        halfwidths = model.halfwidths_at(use_case.validation.all_levels)
        return cls(model, model.outlook(), halfwidths, use_case.prediction_floor)

    def forecast(self, future: Floats) -> Floats:
        return self.model.forecast(future, self.halfwidths, self.floor, self.outlook)


@dataclass(frozen=True, slots=True)
class ReadyForecast:
    """One group's champion: ``made`` is its forecast (1 + 2 L, H), or what makes it of a future."""

    champion: Champion
    candidate: str
    use_case: UseCase
    origin: int
    size: int
    made: Floats | Forecaster

    def answer(self, wanted: Wanted, rows: Ints) -> Answer | Problem:
        """Forecasts of these rows, or that a time lies outside of the horizon."""
        ahead = wanted.periods[rows] - self.origin
        if problem := _out_of_reach(ahead, self.origin, self.use_case):
            return problem
        found = self.made
        if isinstance(found, Forecaster):
            future = np.full((self.use_case.horizon, wanted.known.shape[1]), np.nan)
            future[ahead - 1] = wanted.known[rows]
            found = found.forecast(future)
        return Answer(
            source="model",
            candidate=self.candidate,
            champion=self.champion,
            problem=None,
            origin=_time(self.origin, self.use_case.frequency),
            columns=_named(found[:, ahead - 1], self.use_case),
        )

    def describe(self) -> dict[str, object]:
        """The times that it forecasts, and the features that it is told."""
        first, last = _reach(self.origin, self.use_case)
        return {
            "candidate": self.candidate,
            "origin": as_iso(_time(self.origin, self.use_case.frequency)),
            "from": as_iso(first),
            "to": as_iso(last),
            "frequency": self.use_case.time.frequency,
            "columns": [
                *self.use_case.keys,
                self.use_case.time.column,
                *self.use_case.features.known_names,
            ],
        }


def make_ready(champion: Champion, key: Key, use_case: UseCase) -> ReadyForecast:
    """What answers for ``champion``, the model of the group ``key``.

    Raises:
        ValueError: it is no model of this group as the use case has it now.
    """
    model = load_champion(champion, key, use_case)
    forecaster = Forecaster.of(model, use_case)
    made: Floats | Forecaster = forecaster
    size = _MODEL_OBJECTS + len(champion.payload or b"") * BYTES_A_PAYLOAD_BYTE
    size += forecaster.outlook.x.nbytes
    if not model.spec.known:
        made = forecaster.forecast(np.empty((use_case.horizon, 0)))
        size = _OBJECTS + made.nbytes
    return ReadyForecast(
        champion=Champion(champion.name, champion.version, None),
        candidate=model.candidate,
        use_case=use_case,
        origin=model.origin,
        size=size,
        made=made,
    )


def score_history(
    history: GroupHistory,
    wanted: Wanted,
    rows: Ints,
    key: Key,
    champions: Mapping[str, Champion],
    use_case: UseCase,
    partition: str,
) -> Answer | Problem:
    """What batch scoring says after the last time that was ingested, by ``score_shard`` itself."""
    origin = int(use_case.frequency.to_period(np.array([history.data_through]))[0])
    ahead = wanted.periods[rows] - origin
    if problem := _out_of_reach(ahead, origin, use_case):
        return problem
    table = _with_wanted(history.rows, wanted, rows, key, use_case)
    predictions, ledger, _ = score_shard(
        table, champions, use_case, partition=partition, origin=history.data_through
    )
    row: dict[str, Any] = ledger.to_pylist()[0]
    problem = Problem(row["reason"], row["error"]) if row["reason"] else None
    if row["source"] == "none":
        return problem or Problem("no_model", "nothing can forecast this group")
    names = ("prediction", *use_case.validation.bound_columns)
    found = np.stack([predictions[name].fill_null(math.nan).to_numpy() for name in names])
    named = row["model_name"] and Champion(row["model_name"], row["model_version"], None)
    return Answer(
        source=row["source"],
        candidate=row["candidate"],
        champion=named or None,
        problem=problem,
        origin=_time(origin, use_case.frequency),
        columns=_named(found[:, ahead - 1], use_case),
    )


def _with_wanted(
    history: pa.Table, wanted: Wanted, rows: Ints, key: Key, use_case: UseCase
) -> pa.Table:
    """The group's rows with those of the request in place of what was planned for their times."""
    schema = raw_columns(use_case)
    periods = wanted.periods[rows]
    order = np.argsort(periods)
    asked: dict[str, Any] = {
        name: [value] * len(rows) for name, value in zip(use_case.keys, key, strict=True)
    }
    asked[use_case.time.column] = use_case.frequency.to_time(periods[order])
    for place, name in enumerate(use_case.features.known_names):
        asked[name] = pa.array(wanted.known[rows][order, place], from_pandas=True)
    statics: dict[str, Any] = {n: [v[row] for row in rows] for n, v in wanted.statics.items()}
    if len(history):
        statics = {n: [history[n][-1].as_py()] * len(rows) for n in use_case.features.static}
    asked = dict.fromkeys(schema.names, pa.nulls(len(rows))) | statics | asked
    table = history.select(schema.names).cast(schema)
    times = table[use_case.time.column]
    same = pc.is_in(times, pa.array(asked[use_case.time.column], times.type))
    added = pa.table([pa.array(asked[f.name], f.type) for f in schema], schema=schema)
    both = pa.concat_tables([table.filter(pc.invert(same)), added])
    return both.sort_by(use_case.time.column)


def _named(found: Floats, use_case: UseCase) -> dict[str, Floats]:
    return dict(zip(("prediction", *use_case.validation.bound_columns), found, strict=True))


def _out_of_reach(ahead: Ints, origin: int, use_case: UseCase) -> Problem | None:
    outside = (ahead < 1) | (ahead > use_case.horizon)
    if not outside.any():
        return None
    first, last = _reach(origin, use_case)
    time = _time(int(ahead[outside][0]) + origin, use_case.frequency)
    return Problem(
        OUT_OF_REACH,
        f"{as_iso(time)} cannot be forecast: times go from {as_iso(first)} to {as_iso(last)}",
    )


def _reach(origin: int, use_case: UseCase) -> tuple[np.datetime64, np.datetime64]:
    first, last = use_case.frequency.to_time(np.array([1, use_case.horizon]) + origin)
    return first, last


def _time(period: int, frequency: Frequency) -> np.datetime64:
    moment: np.datetime64 = frequency.to_time(np.array([period]))[0]
    return moment


def online_shape(use_case: UseCase) -> OnlineShape:
    """How forecasts are answered."""
    return OnlineShape(
        read_wanted,
        make_ready,
        score_history,
        row_columns=(use_case.time.column,),
        predicted=("prediction", *use_case.validation.bound_columns),
    )
