"""What a person has said about a use case so far, and what may be said.

Here belong the rules for an answer or a flag, one at a time. The rules for the file as a whole are
``core.use_case``'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from many_models.adapters.sources.probe import SourceProbe
from many_models.adapters.sources.schema import unknown_column
from many_models.core.errors import UseCaseError
from many_models.core.forecast.use_case import UseCaseName, as_identifier
from many_models.core.frequency import FREQUENCY_CODES
from many_models.core.use_case import ProblemName
from many_models.steps.proposal.column_kinds import (
    is_reserved,
    is_well_formed,
    kind_of,
    reads_as_numbers,
)

T = TypeVar("T")
KEYS_MAX = 8
BUCKETS_MAX = 10_000
FIELDS = ("name", "time", "keys", "target", "frequency", "gaps", "horizon", "known", "past",
          "static", "partitioning")  # fmt: skip
ROW_FIELDS = ("name", "time", "target", "keys", "row_id", "numeric", "categorical", "horizon",
              "partitioning")  # fmt: skip
_WORDS = {"frequency": FREQUENCY_CODES, "gaps": ("zero", "missing")}
_NUMERIC = ("target", "known", "past", "numeric")
CARRIED = ("keys", "static", "row_id")
CLASSES_MAX = 100
_COLUMN_FIELDS = (
    *("time", "keys", "target", "known", "past", "static"),
    *("row_id", "numeric", "categorical"),
)


@dataclass(frozen=True)
class Choices:
    """What has been said about a use case; None where nothing was said.

    ``partitioning`` is a key column, or a number of hash buckets; ``horizon`` counts days where
    the ``problem`` is not a forecast.
    """

    problem: ProblemName = "forecast"
    name: str | None = None
    time: str | None = None
    keys: tuple[str, ...] | None = None
    target: str | None = None
    frequency: str | None = None
    gaps: str | None = None
    horizon: int | None = None
    known: tuple[str, ...] | None = None
    past: tuple[str, ...] | None = None
    static: tuple[str, ...] | None = None
    row_id: str | None = None
    numeric: tuple[str, ...] | None = None
    categorical: tuple[str, ...] | None = None
    partitioning: str | int | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """What there is to say in such a problem, in the order of asking."""
        return FIELDS if self.problem == "forecast" else ROW_FIELDS

    def columns(self, *, but: str = "") -> tuple[str, ...]:
        """Columns that have a role in any field except ``but``."""
        found = (getattr(self, field) for field in _COLUMN_FIELDS if field != but)
        return tuple(column for value in found for column in _as_tuple(value))


def said(value: T | None) -> T:
    """A field that must have been said before."""
    assert value is not None, "fields are said in the order of Choices"
    return value


def check_choice(field: str, value: object, choices: Choices, probe: SourceProbe) -> None:
    """Whether a field of ``Choices`` may have this value, next to what else has been said.

    Raises:
        UseCaseError: it may not; says why, and names the most similar column.
    """
    if field not in choices.fields:
        shown = {"row_id": "row-id", "keys": "key"}.get(field, field)
        raise UseCaseError(f"--{shown} means nothing in problem {choices.problem!r}; leave it out")
    if field == "name":
        _check_name(str(value))
    elif field in _WORDS and value not in _WORDS[field]:
        raise UseCaseError(f"{field} is one of {', '.join(_WORDS[field])}, not {value!r}")
    elif field == "horizon" and not (isinstance(value, int) and value >= 1):
        raise UseCaseError(f"the horizon is a number of periods, 1 or more, not {value!r}")
    elif field == "partitioning":
        _check_partitioning(value, choices)
    elif field in _COLUMN_FIELDS:
        names = _as_tuple(value)
        if field == "keys" and not 1 <= len(names) <= KEYS_MAX:
            raise UseCaseError(f"a use case has 1 to {KEYS_MAX} keys, not {len(names)}")
        for position, name in enumerate(names):
            _check_name_of_column(field, name, probe)
            others = (*choices.columns(but=field), *names[:position])
            if name.lower() in map(str.lower, others):
                raise UseCaseError(f"column {name!r} is used twice; each column has one role")
            _check_values(field, name, choices, probe)


def _as_tuple(value: object) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return () if value is None else (str(value),)


def _check_name(name: str) -> None:
    try:
        TypeAdapter(UseCaseName).validate_python(name)
    except ValidationError as error:
        raise UseCaseError(
            "the name of a use case has a-z, 0-9 and _, begins with a letter and has at most 40 "
            f"characters, such as {as_identifier(name)!r}, not {name!r}"
        ) from error


def _check_partitioning(value: object, choices: Choices) -> None:
    if isinstance(value, int):
        if not 1 <= value <= BUCKETS_MAX:
            raise UseCaseError(f"there are 1 to {BUCKETS_MAX:,} hash buckets, not {value}")
    elif choices.keys is not None and value not in choices.keys:
        keys = ", ".join(choices.keys)
        raise UseCaseError(
            f"partitions are the values of one of the keys ({keys}), not of {value!r}"
        )


def _check_name_of_column(field: str, name: str, probe: SourceProbe) -> None:
    table = f"table {probe.table.name!r}"
    if name not in probe.names:
        raise UseCaseError(unknown_column(name, probe.names, table))
    reserved = is_reserved(name, carried=field in CARRIED)
    if is_well_formed(name) and not reserved:
        return
    reason = "names have letters, digits and _ only, at most 63 of them"
    alias = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()[:50]
    if reserved or not is_well_formed(alias):
        alias = f"my_{alias}"
    raise UseCaseError(
        f"column {name!r} of {table} cannot be used as {field} under this name: "
        f"{'the platform has a column of this name' if reserved else reason}. Make a view, or "
        f"write a query, with an alias: SELECT {probe.quote(name)} AS {alias}"
    )


def _check_values(field: str, name: str, choices: Choices, probe: SourceProbe) -> None:
    column = probe.column(name)
    kind = kind_of(column)
    where = f"column {name!r} of table {probe.table.name!r}"
    found = f"values such as {column.minimum!r}" if column.minimum else "no value to go by"
    if field in ("time", "keys", "target") and kind == "empty":
        raise UseCaseError(f"{where} has no values, so it cannot be used as {field}")
    if field == "time" and kind != "time":
        raise UseCaseError(
            f"{where} does not hold times such as 2017-01-31 or 2017-01-31 12:00:00, but {found}. "
            "Make a view, or write a query, that converts them"
        )
    if field == "target" and choices.problem == "classification":
        if column.many or column.distinct > CLASSES_MAX:
            raise UseCaseError(
                f"{where} has more than {CLASSES_MAX} values, too many for classes. Give another "
                "--target, or --problem regression if it is a number"
            )
        return
    if field in _NUMERIC and kind in ("text", "time", "other") and not reads_as_numbers(column):
        numeric = [c.name for c in probe.table.columns if kind_of(c) in ("number", "flag")]
        raise UseCaseError(
            f"{where} holds no numbers, as {field} needs, but {found}. Columns with numbers: "
            f"{', '.join(numeric) or 'none'}"
        )
