"""What becomes of a chart: a picture for pages that run no script of ours, a spec for the others.

The JavaScript that draws specs comes with vl-convert, at the version that makes the pictures: it is
served by us, so that pages need no other host.
"""

from __future__ import annotations

import base64
import json
from functools import cache

import vl_convert

from many_models.adapters.charts.theme import CONFIG, Chart

PICTURE_WIDTH = 640
VEGA_LITE = "6.4"


def to_spec(chart: Chart) -> str:
    """The chart as Vega-Lite JSON."""
    spec = chart.to_dict(validate=False) | {"config": CONFIG}  # tests draw every chart
    return json.dumps(spec, separators=(",", ":"))


def to_png(chart: Chart) -> bytes:
    """The chart as a PNG picture."""
    picture: bytes = vl_convert.vegalite_to_png(to_spec(chart), vl_version=VEGA_LITE, scale=1.25)
    return picture


def to_markdown(chart: Chart, name: str) -> str:
    """The picture inside Markdown, as Dagster's pages show it."""
    return f"![{name}](data:image/png;base64,{base64.b64encode(to_png(chart)).decode()})"


@cache
def javascript() -> str:
    """Vega, Vega-Lite and Vega-Embed, which set ``window.vegaEmbed``; a second's work, once."""
    script: str = vl_convert.javascript_bundle(  # type: ignore[call-arg]  # its stub asks for a snippet
        vl_version=VEGA_LITE
    )
    return script
