"""Charts of the pages: rows of the steps become the charts that ``adapters.charts`` defines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from many_models.adapters.charts.groups_of_skill import (
    draw_effects,
    draw_probabilities,
    draw_skill,
    draw_wins,
)
from many_models.adapters.charts.output import to_spec
from many_models.adapters.charts.series import Forecast, Line, Series, draw_series
from many_models.adapters.charts.theme import Chart
from many_models.adapters.charts.treemap import Tile, draw_treemap
from many_models.adapters.charts.trends import draw_accuracy, draw_sources, draw_totals
from many_models.core.results_links import Links
from many_models.core.use_case import AnyUseCase
from many_models.steps.pages.group_history import Grid
from many_models.steps.pages.reader import Row

FILL = "container"
"""A chart as wide as the page lets it be."""

_NO_LINE = Line(np.array([], "datetime64[us]"), np.array([], np.float64))


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart with what it shows in words, for those who cannot see it."""

    spec: str
    label: str

    @classmethod
    def of(cls, chart: Chart, label: str) -> Drawing:
        return cls(to_spec(chart).replace("<", "\\u003c"), label)


def skill(bins: Sequence[tuple[float, int]]) -> Drawing | None:
    if not bins:
        return None
    groups = sum(count for _, count in bins)
    better = sum(count for start, count in bins if start >= 0)
    label = (
        f"Histogram of skill: {better:,} of {groups:,} models are at least as good as the baseline"
    )
    return Drawing.of(draw_skill(bins, width=FILL), label)


def sources(rows: Sequence[Row]) -> Drawing | None:
    if not rows:
        return None
    label = (
        f"Groups by what has served them, at {len({r['origin'] for r in rows})} forecast origins"
    )
    return Drawing.of(draw_sources(rows, width=FILL), label)


def totals(use_case: AnyUseCase, rows: Sequence[Row]) -> Drawing | None:
    if not rows:
        return None
    label = f"Sum of {use_case.target} over all groups: forecast, and what happened"
    return Drawing.of(draw_totals(rows, f"sum of {use_case.target}", width=FILL), label)


def accuracy(use_case: AnyUseCase, rows: Sequence[Row]) -> Drawing | None:
    if not rows:
        return None
    what = "error, in % of the actuals" if use_case.target_is_number else "share that was right"
    label = f"By day that was predicted: {what}"
    return Drawing.of(draw_accuracy(rows, what, percent=True, width=FILL), label)


def treemap(rows: Sequence[Row], links: Links) -> Drawing | None:
    if not rows:
        return None
    tiles = [
        Tile(row["name"], row["groups"], row["trained"], row["skill"], links.partition(row["name"]))
        for row in rows
    ]
    label = (
        f"Map of {len(tiles)} partitions: size by groups, colour by median skill; a table follows"
    )
    return Drawing.of(draw_treemap(tiles), label)


def wins(rows: Sequence[Row]) -> Drawing | None:
    if not rows:
        return None
    return Drawing.of(draw_wins(rows, width=FILL), "Groups that each candidate wins, by partition")


def effects(rows: Sequence[Row]) -> Drawing | None:
    if not rows:
        return None
    first = ", ".join(str(row["feature"]) for row in rows[:3])
    return Drawing.of(draw_effects(rows, width=FILL), f"Features that matter most: {first}")


def forecast(
    use_case: AnyUseCase,
    history: Grid | None,
    predictions: Sequence[Row],
    judged: Sequence[Row],
    backtest: Sequence[Row],
) -> Drawing | None:
    """History, what was forecast of it in backtest and in earnest, and the last forecast."""
    if history is None and not predictions:
        return None
    actual = Line(history.times, history.values) if history else _NO_LINE
    last = predictions[0]["origin"] if predictions else None
    series = Series(
        "",
        actual,
        _forecast(predictions) if predictions else None,
        backtest=_by_origin(backtest, None),
        earlier=_by_origin(judged, last),
    )
    label = f"{use_case.target} of this group: {len(actual.times)} periods of history"
    if predictions:
        label += f" and a forecast of {len(predictions)} periods with its interval"
    return Drawing.of(draw_series([series], use_case.target, width=FILL, height=280), label)


def rows_ahead(use_case: AnyUseCase, predictions: Sequence[Row]) -> Drawing | None:
    """Predictions of independent rows: classes with their probability, or numbers."""
    if not predictions:
        return None
    label = f"{len(predictions)} predictions by time"
    if "probability" in predictions[0]:
        return Drawing.of(draw_probabilities(predictions, use_case.time.column, width=FILL), label)
    ahead = Series("", _NO_LINE, _forecast(predictions))
    return Drawing.of(draw_series([ahead], use_case.target, width=FILL, height=200), label)


def _forecast(rows: Sequence[Row]) -> Forecast:
    times, values = _columns(rows)
    bounds = (
        np.array([np.nan if r.get(n) is None else r[n] for r in rows]) for n in ("lower", "upper")
    )
    return Forecast(times, values, *bounds)


def _by_origin(rows: Sequence[Row], without: object) -> list[Line]:
    """A line for each origin but one."""
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["origin"]].append(row)
    return [Line(*_columns(some)) for origin, some in sorted(found.items()) if origin != without]


def _columns(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    times = np.array([row["time"] for row in rows], "datetime64[us]")
    values = [np.nan if row["prediction"] is None else row["prediction"] for row in rows]
    return times, np.array(values, np.float64)
