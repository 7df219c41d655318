"""How every chart looks: colours, fonts, sizes; and how values get into one.

Colours tell apart in print and for those who see red and green alike. Grey is what happened, blue
what our models say of it, orange what asks for a second look.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import altair as alt
import numpy as np
from numpy.typing import NDArray

Chart: TypeAlias = "alt.Chart | alt.LayerChart | alt.FacetChart | alt.VConcatChart"
Row: TypeAlias = Mapping[str, object]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

INK, GREY, BLUE, ORANGE, TEAL = "#1f2933", "#7b8794", "#2f6db5", "#c8741f", "#2a8c82"
LIGHT_GREY, RULE = "#b8bec6", "#e4e7eb"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
SERIES_COLOURS = [BLUE, TEAL, ORANGE, "#8a63b5", "#b04a5a", "#5d7f2b", "#3b9cc2", GREY]

CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "white",
    "view": {"stroke": None},
    "axis": {
        "labelColor": GREY,
        "titleColor": GREY,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "gridColor": RULE,
        "domainColor": LIGHT_GREY,
        "tickColor": LIGHT_GREY,
    },
    "axisX": {"grid": False},
    "axisY": {"domain": False, "ticks": False},
    "legend": {
        "labelColor": INK,
        "labelFontSize": 11,
        "title": None,
        "orient": "top",
        "symbolSize": 80,
    },
    "title": {"color": INK, "fontSize": 12, "fontWeight": "bold", "anchor": "start", "limit": 640},
    "range": {"category": SERIES_COLOURS},
}


def inline(rows: Iterable[Row]) -> alt.InlineData:
    """Rows as the data of a chart: times as text, what is not finite as null.

    They go in as JSON text, since Altair would copy and check every value several times.
    """
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return alt.InlineData(values=text, format=alt.JsonDataFormat(type="json"))


def iso(times: NDArray[np.datetime64]) -> list[str]:
    """Times as Vega reads them, without a zone: it shows them as they are written."""
    texts: list[str] = np.datetime_as_string(times.astype("datetime64[s]")).tolist()
    return texts


def palette(names: Sequence[str], colours: Mapping[str, str]) -> alt.Scale:
    """Fixed colours for some of ``names``; the others take turns."""
    others = [colour for colour in SERIES_COLOURS if colour not in colours.values()]
    spare = (others[number % len(others)] for number in range(len(names)))
    return alt.Scale(domain=list(names), range=[colours.get(n) or next(spare) for n in names])


def printable(text: str) -> str:
    """Text that a picture can hold: XML, which pictures are made by, has no control characters."""
    return _CONTROL.sub("\ufffd", text)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value
