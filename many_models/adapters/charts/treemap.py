"""A map of partitions: as large as they have groups, as blue as their models are good.

The layout is squarify's; Vega-Lite draws rectangles, each with a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import squarify

from many_models.adapters.charts.theme import BLUE, INK, ORANGE, RULE, Chart, inline

WIDTH, HEIGHT = 1_060, 420
_LABEL_WIDTH = 7.0  # of a letter, in the units of the layout


@dataclass(frozen=True, slots=True)
class Tile:
    """A partition: how many groups, its median skill or None, and the page that it leads to."""

    name: str
    groups: int
    trained: int
    skill: float | None
    link: str


def draw_treemap(tiles: Sequence[Tile]) -> Chart:
    """The map of ``tiles``, the largest first; those without a trained model are grey."""
    sizes = squarify.normalize_sizes([max(tile.groups, 1) for tile in tiles], WIDTH, HEIGHT)
    places = squarify.squarify(sizes, 0, 0, WIDTH, HEIGHT)
    rows = [_row(tile, place) for tile, place in zip(tiles, places, strict=True)]
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, WIDTH], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[HEIGHT, 0], nice=False))
    base = alt.Chart(inline(rows))
    untrained = base.transform_filter("datum.skill === null").mark_rect(
        stroke="white", strokeWidth=2
    )
    colour = alt.Color(
        "skill:Q",
        scale=alt.Scale(
            domain=[-0.4, 0, 0.4], range=[ORANGE, "#f4f5f7", BLUE], clamp=True, interpolate="rgb"
        ),
        legend=alt.Legend(
            title="median skill", format="+.0%", orient="top", gradientLength=180, titleFontSize=11
        ),
    )
    tooltip = [
        alt.Tooltip("name:N", title="partition"),
        alt.Tooltip("groups:Q", format=",d"),
        alt.Tooltip("trained:Q", format=",d"),
        alt.Tooltip("skill:Q", title="median skill", format="+.0%"),
    ]
    drawn = (
        base.transform_filter("datum.skill !== null")
        .mark_rect(stroke="white", strokeWidth=2, cursor="pointer")
        .encode(
            x,
            y,
            alt.X2("x2:Q"),
            alt.Y2("y2:Q"),
            colour,
            href="link:N",
            tooltip=tooltip,
        )
    )
    grey = untrained.encode(
        x, y, alt.X2("x2:Q"), alt.Y2("y2:Q"), color=alt.value(RULE), href="link:N", tooltip=tooltip
    )
    words = base.mark_text(align="left", baseline="top", dx=6, dy=6, fontSize=11).encode(
        x,
        y,
        alt.Text("label:N"),
        href="link:N",
        color=alt.condition("abs(datum.skill) > 0.25", alt.value("white"), alt.value(INK)),
    )
    return alt.layer(drawn, grey, words).properties(width="container", height=HEIGHT)


def _row(tile: Tile, place: dict[str, float]) -> dict[str, object]:
    letters = int((place["dx"] - 10) / _LABEL_WIDTH)
    fits = letters >= 3 and place["dy"] >= 20
    cut = tile.name if len(tile.name) <= letters else f"{tile.name[: max(letters - 1, 0)]}…"
    return {
        "name": tile.name,
        "label": cut if fits else "",
        "groups": tile.groups,
        "trained": tile.trained,
        "skill": tile.skill,
        "link": tile.link,
        "x": place["x"],
        "y": place["y"],
        "x2": place["x"] + place["dx"],
        "y2": place["y"] + place["dy"],
    }
