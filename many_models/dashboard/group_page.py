"""The page of one group. Where the lake is away it says so, and shows what the store has."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
from fastapi.responses import HTMLResponse

from many_models.core.errors import LakeError, UseCaseError
from many_models.core.forecast.use_case import UseCase
from many_models.core.keys import parse_group_key
from many_models.dashboard import drawings
from many_models.dashboard.rendering import Pages
from many_models.dashboard.site import Site
from many_models.steps.pages.group import (
    Group,
    read_backtest,
    read_group,
    read_judged,
    read_predictions,
)
from many_models.steps.pages.group_history import Grid, on_grid, read_rows, recent_rows
from many_models.steps.pages.inventory import read_stock
from many_models.steps.pages.reader import Reader, Row

ROWS_SHOWN = 60


def group_page(site: Site, pages: Pages, name: str, key: str) -> HTMLResponse:
    """All about the group of a composite key.

    Raises:
        UseCaseError: the key is not one of this use case's, or nobody has met it.
    """
    with site.reading(name) as reader:
        return _show(site, pages, reader, key)


def _show(site: Site, pages: Pages, reader: Reader, key: str) -> HTMLResponse:
    name = reader.use_case.name
    values = parse_group_key(key, reader.use_case.keys)
    group = read_group(reader, key)
    if group is None:
        raise UseCaseError(
            f"no run of {name} has met the group {key!r}; the page Groups finds those there are"
        )
    away, rows = "", None
    try:
        rows = read_rows(reader.use_case, site.histories(reader.use_case), key, group.partition)
    except LakeError as error:
        away = str(error)
    predictions = read_predictions(reader, key)
    return pages.of(
        reader.use_case,
        "group.html",
        "groups",
        group=group,
        values=dict(zip(reader.use_case.keys, values, strict=True)),
        drawing=_draw(reader, group, rows, predictions),
        away=away,
        predictions=predictions[:ROWS_SHOWN],
        candidates=_candidates(reader, group),
        effects=drawings.effects(group.effects),
        recent=_recent(reader, rows),
        stock=read_stock(reader, key),
    )


def _draw(
    reader: Reader, group: Group, rows: pa.Table | None, predictions: list[Row]
) -> drawings.Drawing | None:
    use_case = reader.use_case
    if not isinstance(use_case, UseCase):
        return drawings.rows_ahead(use_case, predictions)
    through = group.last.get("trained_through")
    history: Grid | None = on_grid(use_case, rows, through) if rows is not None else None
    judged, backtest = read_judged(reader, group.key), read_backtest(reader, group.key)
    return drawings.forecast(use_case, history, predictions, judged, backtest)


def _candidates(reader: Reader, group: Group) -> list[tuple[str, float]]:
    """Candidates with their backtest's score, the best first."""
    scores: dict[str, float] = json.loads(group.last.get("candidate_scores") or "{}")
    better = reader.use_case.higher_is_better
    return sorted(scores.items(), key=lambda item: (-item[1] if better else item[1], item[0]))


def _recent(reader: Reader, rows: pa.Table | None) -> dict[str, int] | None:
    """Of classes, how many of the last rows were of each."""
    if rows is None or reader.use_case.target_is_number:
        return None
    found = recent_rows(reader.use_case, rows)[reader.use_case.target].to_numpy(
        zero_copy_only=False
    )
    names, counts = np.unique(found.astype(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))
