"""Exceptions of one group or candidate, as the problem that its row in the ledger tells."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass

TRACEBACK_LENGTH = 2_000  # its end, which says where and what


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a group cannot be used: a stable reason for queries, a sentence for people.

    ``traceback`` is the text of one, where an exception was the cause.
    """

    reason: str
    error: str
    traceback: str | None = None


def describe_error(reason: str, error: Exception) -> Problem:
    """What one exception says, with its traceback."""
    trace = "".join(traceback.format_exception(error)).rstrip()
    return Problem(reason, f"{type(error).__name__}: {error}", _shorten(trace))


def describe_failures(problems: Mapping[str, Problem]) -> Problem | None:
    """What went wrong with candidates, by their names; None where nothing did."""
    if not problems:
        return None
    text = "; ".join(f"{name}: {problem.error}" for name, problem in problems.items())
    traces = "\n".join(f"{name}: {problem.traceback}" for name, problem in problems.items())
    return Problem("candidate_failed", text, _shorten(traces))


def _shorten(text: str) -> str:
    return text if len(text) <= TRACEBACK_LENGTH else f"... {text[-TRACEBACK_LENGTH:]}"
