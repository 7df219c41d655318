"""Plots for the pages that an operator looks at, as Markdown with the picture inside."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

TITLE_LENGTH_MAX = 100
BLUE, ORANGE, GREY = "#2f6db5", "#d9822b", "#b8bec6"


@dataclass(frozen=True)
class ForecastExample:
    """One group's recent history and its forecast with interval; times are ``datetime64``."""

    title: str
    history_times: NDArray[np.datetime64]
    history: NDArray[np.float64]
    times: NDArray[np.datetime64]
    prediction: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


@dataclass(frozen=True)
class BacktestExample:
    """One group: its history, what was forecast of it in each fold, and what its model forecasts.

    Each of ``backtest`` has the times of a fold's horizon and the forecasts of them; ``times`` and
    what belongs to them are empty where the model has no forecast.
    """

    title: str
    history_times: NDArray[np.datetime64]
    history: NDArray[np.float64]
    backtest: Sequence[tuple[NDArray[np.datetime64], NDArray[np.float64]]]
    times: NDArray[np.datetime64]
    prediction: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


@dataclass(frozen=True)
class AccuracyExample:
    """What one group's models have predicted beside what happened, from ``since`` on badly."""

    title: str
    times: NDArray[np.datetime64]
    actual: NDArray[np.float64]
    prediction: NDArray[np.float64]
    since: datetime | None


def plot_scores(ledger: pa.Table, metric: str) -> str:
    """Histogram of the winners' scores beside the baseline's, from the ledger's rows."""
    frame = ledger.select(["score", "baseline_score"]).to_pandas().dropna()
    if frame.empty:
        return "No model was trained."
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    edges = np.linspace(0, np.quantile(frame.to_numpy(), 0.99) + 1e-9, 40).tolist()
    axes.hist(frame["baseline_score"].clip(upper=edges[-1]), edges, color=GREY, label="baseline")
    axes.hist(
        frame["score"].clip(upper=edges[-1]), edges, color=BLUE, alpha=0.75, label="chosen model"
    )
    axes.set(xlabel=f"{metric} on unseen data", ylabel="groups")
    _finish(axes)
    return _as_markdown(figure, "scores")


def plot_forecasts(examples: Sequence[ForecastExample], target: str) -> str:
    """Small multiples of forecasts after their history."""
    if not examples:
        return "Nothing was forecast."
    figure = Figure(figsize=(8, 2.1 * len(examples)), layout="constrained")
    rows = figure.subplots(len(examples), 1, squeeze=False)[:, 0]
    for axes, example in zip(rows, examples, strict=True):
        axes.plot(example.history_times, example.history, color=GREY, linewidth=1, label=target)
        axes.plot(example.times, example.prediction, color=BLUE, linewidth=1.5, label="forecast")
        axes.fill_between(example.times, example.lower, example.upper, color=BLUE, alpha=0.18)
        axes.set_title(_shorten(example.title), fontsize=9, loc="left", parse_math=False)
        _finish(axes)
    return _as_markdown(figure, "forecasts")


def plot_backtests(examples: Sequence[BacktestExample], target: str) -> str:
    """Small multiples of history with the backtest's forecasts over it and the model's after it."""
    if not examples:
        return "Nothing was forecast."
    figure = Figure(figsize=(8, 2.3 * len(examples)), layout="constrained")
    rows = figure.subplots(len(examples), 1, squeeze=False)[:, 0]
    for axes, example in zip(rows, examples, strict=True):
        axes.plot(example.history_times, example.history, color=GREY, linewidth=1, label=target)
        for number, (times, forecast) in enumerate(example.backtest):
            label = "" if number else "backtest"
            axes.plot(times, forecast, color=ORANGE, linewidth=1.2, label=label)
            axes.axvline(times[0], color=GREY, linewidth=0.6, linestyle=":")
        axes.plot(example.times, example.prediction, color=BLUE, linewidth=1.5, label="forecast")
        axes.fill_between(example.times, example.lower, example.upper, color=BLUE, alpha=0.18)
        axes.set_title(_shorten(example.title), fontsize=9, loc="left", parse_math=False)
        _finish(axes)
    return _as_markdown(figure, "worst groups")


def plot_accuracy(example: AccuracyExample, target: str) -> str:
    """Predictions over actuals of one group, with the time from which they are too far off."""
    figure = Figure(figsize=(8, 2.3), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(example.times)
    axes.plot(example.times[order], example.actual[order], color=GREY, linewidth=1, label=target)
    predicted = example.prediction[order]
    axes.plot(example.times[order], predicted, color=BLUE, linewidth=1.5, label="predicted")
    if example.since is not None:
        since = np.datetime64(example.since, "us")
        heights = axes.get_ylim()
        axes.plot([since, since], heights, color=ORANGE, linestyle=":", label="drifted since")
    axes.set_title(_shorten(example.title), fontsize=9, loc="left", parse_math=False)
    _finish(axes)
    return _as_markdown(figure, "worst group")


def _shorten(title: str) -> str:
    return title if len(title) <= TITLE_LENGTH_MAX else f"{title[:TITLE_LENGTH_MAX]} ..."


def _finish(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.legend(frameon=False, fontsize=8)


def _as_markdown(figure: Figure, name: str) -> str:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A key may hold what no font has, such as an emoji; a box stands in for it.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=80)
    return f"![{name}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
