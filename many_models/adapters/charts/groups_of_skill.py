"""How skilful models are: groups by skill, candidates by wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import altair as alt

from many_models.adapters.charts.theme import (
    BLUE,
    INK,
    ORANGE,
    Chart,
    Row,
    inline,
)

BIN = 0.05


def draw_skill(
    bins: Iterable[tuple[float, int]], *, width: int | str = 640, height: int = 170
) -> Chart:
    """Groups by skill: ``bins`` are the start of each step of 0.05, and how many groups.

    The first and the last hold all that lies beyond.
    """
    rows = [
        {"start": start, "end": round(start + BIN, 2), "groups": groups, "side": _side(start)}
        for start, groups in bins
    ]
    frame = alt.Chart(inline(rows))
    bars = frame.mark_rect(stroke="white", strokeWidth=1).encode(
        alt.X(
            "start:Q",
            title="error taken away from the baseline (skill)",
            axis=alt.Axis(format="+.0%", grid=False, tickMinStep=0.1),
        ),
        alt.X2("end:Q"),
        alt.Y("groups:Q", title="groups", axis=alt.Axis(tickMinStep=1, format=",d")),
        alt.Y2(datum=0),
        alt.Color(
            "side:N",
            scale=alt.Scale(domain=["better", "worse"], range=[BLUE, ORANGE]),
            legend=alt.Legend(title=None),
        ),
        tooltip=[
            alt.Tooltip("start:Q", title="skill from", format="+.0%"),
            alt.Tooltip("end:Q", title="to", format="+.0%"),
            alt.Tooltip("groups:Q", format=",d"),
        ],
    )
    rule = alt.Chart(inline([{"at": 0}])).mark_rule(color=INK, strokeWidth=1)
    return alt.layer(bars, rule.encode(alt.X("at:Q"))).properties(width=width, height=height)


def _side(start: float) -> str:
    return "better" if start >= 0 else "worse"


def draw_wins(rows: Sequence[Row], *, width: int | str = 640) -> Chart:
    """Which candidates win where: ``rows`` have ``partition``, ``candidate`` and ``groups``."""
    bars = alt.Chart(inline(rows)).mark_bar()
    drawn: alt.Chart = bars.encode(
        alt.X("groups:Q", title="groups won", axis=alt.Axis(tickMinStep=1, format=",d")),
        alt.Y("partition:N", title=None, sort=alt.EncodingSortField("groups", "sum", "descending")),
        alt.Color("candidate:N"),
        tooltip=["partition:N", "candidate:N", alt.Tooltip("groups:Q", format=",d")],
    ).properties(width=width, height=17 * len({row["partition"] for row in rows}))
    return drawn


def draw_effects(rows: Sequence[Row], *, width: int | str = 640) -> Chart:
    """What a model goes by: ``rows`` have ``feature``, ``member``, ``share``; the largest first."""
    bars = alt.Chart(inline(rows)).mark_bar(cornerRadiusEnd=1)
    drawn: alt.Chart = bars.encode(
        alt.X("share:Q", title="share of what the model goes by", axis=alt.Axis(format=".1~%")),
        alt.Y("feature:N", title=None, sort=alt.EncodingSortField("share", "sum", "descending")),
        alt.Color("member:N"),
        tooltip=[
            "feature:N",
            "member:N",
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("value:Q", format=".4~g"),
        ],
    ).properties(width=width, height=18 * len({row["feature"] for row in rows}))
    return drawn


def draw_probabilities(
    rows: Sequence[Row], time: str, *, width: int | str = 640, height: int = 150
) -> Chart:
    """Predicted classes of single rows: ``time``, ``prediction`` and its ``probability``."""
    points = alt.Chart(inline(rows)).mark_point(filled=True, size=55, opacity=0.8)
    drawn: alt.Chart = points.encode(
        alt.X("time:T", title=time, axis=alt.Axis(labelOverlap=True, tickCount=8)),
        alt.Y(
            "probability:Q",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format=".0%"),
            title="probability",
        ),
        alt.Color("prediction:N"),
        tooltip=[
            alt.Tooltip("time:T", format="%Y-%m-%d %H:%M"),
            "prediction:N",
            alt.Tooltip("probability:Q", format=".1%"),
        ],
    ).properties(width=width, height=height)
    return drawn
