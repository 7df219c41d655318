"""The questions of ``many-models new``: one for each field of ``Choices`` that no flag gave.

Here belong their words, and reading an answer. Which answers are right is in ``steps.choices``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import click

from many_models.adapters.sources.probe import SourceProbe
from many_models.core.errors import ManyModelsError, UseCaseError
from many_models.core.frequency import FREQUENCY_CODES
from many_models.steps.proposal.choices import Choices, check_choice
from many_models.steps.proposal.guesses import guess, options

NONE = "none"
LISTS = ("keys", "known", "past", "static", "numeric", "categorical")
QUESTIONS = {
    "name": ("--name", "Name of the use case"),
    "time": ("--time", "Time column"),
    "keys": ("--key", "Key columns: each combination of values gets a model (a, b)"),
    "target": ("--target", "Target: the column to predict"),
    "frequency": ("--frequency", "Frequency: h, D, W-MON to W-SUN, MS"),
    "gaps": ("--gaps", "A period without a row is: zero, or missing (not measured)"),
    "horizon": ("--horizon", "Horizon: periods to predict"),
    "known": ("--known", "Features whose future is known (a, b or none)"),
    "past": ("--past", "Features known only afterwards (a, b or none)"),
    "static": ("--static", "Features that never change within a group (a, b or none)"),
    "row_id": ("--row-id", "Row id: the column that tells rows of one group and time apart"),
    "numeric": ("--numeric", "Features that are numbers (a, b or none)"),
    "categorical": ("--categorical", "Features that are categories (a, b or none)"),
    "partitioning": (
        "--partition-by or --hash",
        "Partition by: a key column, or a number of hash buckets",
    ),
}


def choose(
    given: Mapping[str, Any], probe: SourceProbe, asking: bool, named: Callable[[str], object]
) -> Choices:
    """Every field: as a flag gave it, as somebody answers, or as guessed.

    ``named`` is told the name as soon as it is known.

    Raises:
        UseCaseError: a flag is wrong, or nobody is asked and no guess is safe.
    """
    choices = Choices(**given)
    for field, value in given.items():
        if field == "problem":
            continue
        check_choice(field, value, choices, probe)
    for field in choices.fields:
        value = given.get(field)
        if value is None:
            value = guess(field, choices, probe)
            if asking:
                value = _ask(field, value, choices, probe)
            elif value is None:
                raise UseCaseError(_no_guess(field, choices, probe))
        check_choice(field, value, choices, probe)
        choices = replace(choices, **{field: value})
        if field == "name":
            named(str(value))
    return choices


def _ask(field: str, default: object, choices: Choices, probe: SourceProbe) -> object:
    def parse(text: str) -> object:
        value = _parse(field, text)
        try:
            check_choice(field, value, choices, probe)
        except ManyModelsError as error:
            raise click.BadParameter(str(error)) from error
        return value

    shown = (", ".join(default) or NONE) if isinstance(default, tuple) else default
    return click.prompt(
        QUESTIONS[field][1], default=None if shown is None else str(shown), value_proc=parse
    )


def _parse(field: str, text: str) -> object:
    text = text.strip()
    if field in LISTS:
        return () if text == NONE else tuple(filter(None, map(str.strip, text.split(","))))
    whole = re.fullmatch(r"-?\d+", text) is not None
    return int(text) if whole and field in ("horizon", "partitioning") else text


def _no_guess(field: str, choices: Choices, probe: SourceProbe) -> str:
    flag = QUESTIONS[field][0]
    table = f"table {probe.table.name!r}"
    if field == "frequency":
        return f"{table} has one time only: give {flag}, one of {', '.join(FREQUENCY_CODES)}"
    found = options(field, choices, probe)
    if not found and field == "time":
        return (
            f"{table} has no column of times such as 2017-01-31 or 2017-01-31 12:00:00. Make a "
            "view that has one"
        )
    hint = f", one of: {', '.join(found)}" if found else ""
    what = {
        "keys": "which columns are its keys",
        "time": "which of its times counts",
        "row_id": "what tells rows of one group and time apart",
    }
    return f"{table} does not show {what.get(field, f'its {field}')}: give {flag}{hint}"
