"""Every chart becomes a picture and a spec, whatever the keys hold."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from many_models.adapters.charts.groups_of_skill import (
    draw_effects,
    draw_probabilities,
    draw_skill,
    draw_wins,
)
from many_models.adapters.charts.output import javascript, to_markdown, to_png, to_spec
from many_models.adapters.charts.series import Forecast, Line, Series, draw_series
from many_models.adapters.charts.theme import Chart
from many_models.adapters.charts.treemap import Tile, draw_treemap
from many_models.adapters.charts.trends import draw_accuracy, draw_sources, draw_totals

DAYS = np.arange("2024-01-01", "2024-01-15", dtype="datetime64[D]")
ONES = np.ones(7)
WEIRD = ["$x^$", "\\frac{", "🍎 ü", "x" * 300, " ", "</script><b>", "a.b[0]", "'\"", "\0\f"]


def size(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(b"\x89PNG")
    return int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")


def rows_of(spec: str) -> list[dict[str, Any]]:
    """All data in a spec, wherever it stands."""
    found: list[dict[str, Any]] = []

    def collect(part: dict[str, Any]) -> dict[str, Any]:
        texts = [part.get("values"), *part.get("datasets", {}).values()]
        for text in texts:
            found.extend(json.loads(text) if isinstance(text, str) else [])
        return part

    json.loads(spec, object_hook=collect)
    return found


def make_series(title: str = "store=1", *, ahead: int = 7) -> Series:
    values = np.where(np.arange(7) == 3, np.nan, 5.0)
    after = np.ones(ahead)
    return Series(
        title,
        Line(DAYS[:7], values),
        Forecast(DAYS[7 : 7 + ahead], after, after * np.nan, after + 1),
        backtest=[Line(DAYS[3:7], values[3:7]), Line(DAYS[:4], values[:4])],
        earlier=[Line(DAYS[:7], values)],
        since=datetime(2024, 1, 5),
    )


@pytest.mark.parametrize("text", WEIRD)
def test_any_key_can_be_a_title_a_partition_or_a_feature(text: str) -> None:
    drawn: list[Chart] = [
        draw_series([make_series(text)], "sold"),
        draw_treemap([Tile(text, 3, 1, 0.1, "/x"), Tile("other", 1, 0, None, "/y")]),
        draw_wins([{"partition": text, "candidate": text, "groups": 3}]),
        draw_effects([{"feature": text, "member": text, "share": 0.2, "value": 1.5}]),
    ]
    for chart in drawn:
        assert min(size(to_png(chart))) > 20


@pytest.mark.parametrize("ahead", [7, 0])
def test_several_groups_stand_below_each_other(ahead: int) -> None:
    series = make_series(ahead=ahead)
    one, two, three = (size(to_png(draw_series([series] * n, "sold")))[1] for n in (1, 2, 3))
    assert three - two > 100
    assert two - one > 100


def test_values_come_in_any_order_of_time() -> None:
    order = np.argsort(-np.arange(7))
    forward = Series("", Line(DAYS[:7], np.arange(7.0)), Forecast(DAYS[7:], ONES, ONES, ONES * 2))
    backward = Series(
        "",
        Line(DAYS[:7][order], np.arange(7.0)[order]),
        Forecast(DAYS[7:][order], ONES, ONES, ONES * 2),
    )
    assert to_spec(draw_series([forward], "x")) == to_spec(draw_series([backward], "x"))


def test_what_is_no_number_is_left_out_of_a_spec() -> None:
    text = to_spec(draw_series([make_series()], "sold"))
    assert "NaN" not in text
    rows = rows_of(text)
    assert [row["series"] for row in rows if "value" in row and row["value"] is None] == [
        "actual",
        "earlier forecasts",
        "backtest",
        "backtest",
    ]
    assert {row["lower"] for row in rows if "lower" in row} == {None}


def test_small_charts_of_a_whole_use_case_become_pictures() -> None:
    origin = datetime(2024, 1, 7)
    sources = [{"origin": origin, "source": name, "groups": 3} for name in ("model", "none")]
    times = [{"time": origin, "what": "actual", "value": 3.0, "source": "model"}]
    classes = [{"time": origin, "prediction": "late", "probability": 0.7}]
    for chart in (
        draw_skill([(-1.0, 2), (0.0, 4), (0.95, 1)]),
        draw_sources(sources),
        draw_totals(times, "sold"),
        draw_accuracy(times, "share right", percent=True),
        draw_probabilities(classes, "departs"),
    ):
        assert min(size(to_png(chart))) > 20


def test_tiles_fill_the_map_by_their_sizes() -> None:
    tiles = [Tile(f"p{n}", 10 - n, 1, None, f"/{n}") for n in range(10)]
    rows = rows_of(to_spec(draw_treemap(tiles)))
    areas = [(row["x2"] - row["x"]) * (row["y2"] - row["y"]) for row in rows]
    assert areas == pytest.approx([areas[0] * tile.groups / 10 for tile in tiles])
    assert [row["link"] for row in rows] == [tile.link for tile in tiles]


def test_a_picture_stands_inside_markdown() -> None:
    found = re.fullmatch(
        r"!\[skill\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)",
        to_markdown(draw_skill([(0.1, 3)]), "skill"),
    )
    assert found is not None
    assert base64.b64decode(found[1]).startswith(b"\x89PNG")


def test_the_script_that_draws_charts_comes_without_another_host() -> None:
    script = javascript()
    assert "vegaEmbed" in script
    assert "import(" not in script
    assert not re.search(r"""from\s+["']https?:""", script)
