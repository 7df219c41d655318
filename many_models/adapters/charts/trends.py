"""A whole use case over time: what served it, what was forecast and came, how accurate that was."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from many_models.adapters.charts.theme import (
    BLUE,
    GREY,
    LIGHT_GREY,
    ORANGE,
    TEAL,
    Chart,
    Row,
    inline,
    palette,
)

SOURCES = {"model": BLUE, "pooled": TEAL, "baseline": LIGHT_GREY, "none": ORANGE}
DAY = "%Y-%m-%d"


def draw_sources(rows: Sequence[Row], *, width: int | str = 640, height: int = 150) -> Chart:
    """What has served the groups: ``rows`` have ``origin``, ``source`` and ``groups``."""
    order = {name: place for place, name in enumerate(SOURCES)}
    ordered = [
        {**row, "day": str(row["origin"])[:10], "order": order.get(str(row["source"]), 9)}
        for row in rows
    ]
    days = len({row["day"] for row in ordered})
    bars = alt.Chart(inline(ordered)).mark_bar(size=max(4, min(48, 480 // max(days, 1))))
    drawn: alt.Chart = bars.encode(
        alt.X("day:O", title="forecast origin", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        alt.Y("groups:Q", title="groups served by", axis=alt.Axis(format=",d")),
        alt.Color("source:N", scale=alt.Scale(domain=list(SOURCES), range=list(SOURCES.values()))),
        alt.Order("order:Q"),
        tooltip=["day:O", "source:N", alt.Tooltip("groups:Q", format=",d")],
    ).properties(width=width, height=height)
    return drawn


def draw_totals(
    rows: Sequence[Row], target: str, *, width: int | str = 640, height: int = 190
) -> Chart:
    """All groups together: ``rows`` have ``time``, ``what`` (actual or forecast) and ``value``."""
    names = sorted({str(row["what"]) for row in rows})
    lines = alt.Chart(inline(rows)).encode(
        alt.X("time:T", title=None, axis=alt.Axis(labelOverlap=True)),
        alt.Y("value:Q", title=target, scale=alt.Scale(zero=False), axis=alt.Axis(format="~s")),
        alt.Color("what:N", scale=palette(names, {"actual": GREY, "forecast": BLUE})),
    )
    points = lines.mark_point(filled=True, size=50, opacity=0).encode(
        tooltip=[
            alt.Tooltip("time:T", format=DAY),
            "what:N",
            alt.Tooltip("value:Q", title=target, format=",.4~g"),
        ]
    )
    return alt.layer(lines.mark_line(strokeWidth=1.8), points).properties(
        width=width, height=height
    )


def draw_accuracy(
    rows: Sequence[Row],
    what: str,
    *,
    percent: bool = False,
    width: int | str = 640,
    height: int = 150,
) -> Chart:
    """How far off predictions were, by day: ``rows`` have ``time``, ``source`` and ``value``."""
    number = ".0%" if percent else ",.3~g"
    lines = alt.Chart(inline(rows)).encode(
        alt.X("time:T", title=None, axis=alt.Axis(labelOverlap=True)),
        alt.Y("value:Q", title=what, axis=alt.Axis(format=number)),
        alt.Color("source:N", scale=alt.Scale(domain=list(SOURCES)[:3], range=[BLUE, TEAL, GREY])),
    )
    points = lines.mark_point(filled=True, size=50, opacity=0).encode(
        tooltip=[
            alt.Tooltip("time:T", format=DAY),
            "source:N",
            alt.Tooltip("value:Q", title=what, format=number),
        ]
    )
    return alt.layer(lines.mark_line(strokeWidth=1.6), points).properties(
        width=width, height=height
    )
