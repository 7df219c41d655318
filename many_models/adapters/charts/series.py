"""A group over time: what happened, what was forecast of it, what is forecast, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

import altair as alt
import numpy as np
from numpy.typing import NDArray

from many_models.adapters.charts.theme import (
    BLUE,
    GREY,
    INK,
    LIGHT_GREY,
    ORANGE,
    TEAL,
    Chart,
    Row,
    inline,
    iso,
    palette,
    printable,
)

TITLE_LENGTH_MAX = 100
ACTUAL, FORECAST, BACKTEST, EARLIER = "actual", "forecast", "backtest", "earlier forecasts"
_COLOURS = {ACTUAL: GREY, FORECAST: BLUE, BACKTEST: ORANGE, EARLIER: TEAL}

Times = NDArray[np.datetime64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """Values at times, in any order; NaN where there is none."""

    times: Times
    values: Values


@dataclass(frozen=True, slots=True)
class Forecast:
    """Predictions with their interval; ``lower`` and ``upper`` are NaN where nothing is known."""

    times: Times
    prediction: Values
    lower: Values
    upper: Values


@dataclass(frozen=True, slots=True)
class Series:
    """One group: each part is left out of the picture where there is none.

    ``backtest`` has a line for each fold, ``earlier`` one for each past origin; ``since`` is the
    time from which predictions are too far off.
    """

    title: str
    actual: Line
    forecast: Forecast | None = None
    backtest: Sequence[Line] = ()
    earlier: Sequence[Line] = field(default=())
    since: datetime | None = None


def draw_series(
    groups: Sequence[Series], target: str, *, width: int | str = 640, height: int = 150
) -> Chart:
    """Groups one below the other, each with a scale of its own, of the ``target``'s unit."""
    drawn = [_draw(group, target, width, height) for group in groups]
    if len(drawn) == 1:
        return drawn[0]
    below: alt.VConcatChart = alt.VConcatChart(vconcat=drawn).resolve_scale(color="shared")
    return below


def _draw(
    group: Series, target: str, width: int | str, height: int
) -> alt.LayerChart | alt.FacetChart:
    rows = list(_rows(group))
    there = {str(row["series"]) for row in rows}
    names = [name for name in _COLOURS if name in there]
    x = alt.X("time:T", title=None, axis=alt.Axis(labelOverlap=True, tickCount=8))
    y = alt.Y("value:Q", title=target, scale=alt.Scale(zero=False, nice=True))
    colour = alt.Color("series:N", scale=palette(names, _COLOURS), title=None)
    frame = alt.Chart(inline(rows))
    layers: list[alt.Chart] = []
    if group.forecast is not None and np.isfinite(group.forecast.lower).any():
        band = frame.transform_filter(alt.datum.series == FORECAST)
        layers.append(
            band.mark_area(color=BLUE, opacity=0.16).encode(x, alt.Y("lower:Q"), alt.Y2("upper:Q"))
        )
    layers.append(
        frame.mark_line(
            interpolate="linear", strokeWidth=1.6, invalid="break-paths-show-domains"
        ).encode(x, y, colour, detail="line:N", order="time:T")
    )
    points = frame.mark_point(filled=True, size=60, opacity=0)
    layers.append(points.encode(x, y, colour, tooltip=_tooltip(target)))
    if group.backtest:
        starts = inline({"time": iso(line.times)[0]} for line in group.backtest if len(line.times))
        rule = alt.Chart(starts).mark_rule(color=LIGHT_GREY, strokeDash=[2, 3])
        layers.append(rule.encode(alt.X("time:T")))
    if group.since is not None:
        since = alt.Chart(inline([{"time": group.since, "text": "drifted since"}]))
        layers.append(since.mark_rule(color=ORANGE, strokeDash=[4, 3]).encode(alt.X("time:T")))
        words = since.mark_text(align="left", dx=4, baseline="top", color=INK, fontSize=11)
        layers.append(words.encode(alt.X("time:T"), alt.Text("text:N"), y=alt.value(2)))
    chart = alt.layer(*layers).properties(width=width, height=height)
    return (
        chart.properties(title=_shorten(printable(group.title))) if group.title.strip() else chart
    )


def _tooltip(target: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("time:T", title="time", format="%Y-%m-%d %H:%M"),
        alt.Tooltip("series:N", title="what"),
        alt.Tooltip("value:Q", title=target, format=",.4~g"),
        alt.Tooltip("lower:Q", title="lower", format=",.4~g"),
        alt.Tooltip("upper:Q", title="upper", format=",.4~g"),
    ]


def _rows(group: Series) -> chain[Row]:
    parts = [_line(ACTUAL, ACTUAL, group.actual)]
    parts += [_line(EARLIER, f"{EARLIER} {n}", line) for n, line in enumerate(group.earlier)]
    parts += [_line(BACKTEST, f"{BACKTEST} {n}", line) for n, line in enumerate(group.backtest)]
    if group.forecast is not None:
        forecast = group.forecast
        rows = _line(FORECAST, FORECAST, Line(forecast.times, forecast.prediction))
        bounds = zip(forecast.lower.tolist(), forecast.upper.tolist(), strict=True)
        order = np.argsort(forecast.times, kind="stable")
        found = list(bounds)
        parts.append(
            [
                {**row, "lower": found[place][0], "upper": found[place][1]}
                for row, place in zip(rows, order.tolist(), strict=True)
            ]
        )
    return chain.from_iterable(parts)


def _line(series: str, name: str, line: Line) -> list[Row]:
    order = np.argsort(line.times, kind="stable")
    times, values = iso(line.times[order]), line.values[order].astype(float).tolist()
    return [
        {"time": time, "value": value, "series": series, "line": name}
        for time, value in zip(times, values, strict=True)
    ]


def _shorten(title: str) -> str:
    return title if len(title) <= TITLE_LENGTH_MAX else f"{title[:TITLE_LENGTH_MAX]} ..."
