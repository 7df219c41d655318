"""Online scoring of rows of many groups: what a request holds, and what answers its rows.

Here is what all shapes of problems have in common; ``forecast.online`` and ``tabular.online`` say
which columns a row needs and how a champion, or what stands in for it, predicts it: with the same
functions as batch scoring, so that the same rows get the same numbers.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from many_models.core.arrays import Floats, Ints
from many_models.core.errors import RequestError
from many_models.core.failure import Problem
from many_models.core.scoring import Champion
from many_models.core.use_case import AnyUseCase

Columns = Mapping[str, Sequence[Any]]
"""Rows of a request by column; all have the same length, null is None."""

Key = tuple[str, ...]

OUT_OF_REACH = "time_out_of_reach"
"""Reason for which rows are refused that no model can ever forecast."""

BYTES_A_PAYLOAD_BYTE = 8
"""What a model takes in memory, by the size of its pickle: trees are text there, and compressed.

Measured on the 675 models of the grocery demo (ridge, LightGBM, a pooled LightGBM): 7.4.
"""


@dataclass(frozen=True)
class Answer:
    """Predictions of some rows of one group: ``columns`` by name, an array (n,) each.

    ``problem`` says why it was not the group's own model; ``origin`` is the last time of which the
    prediction knows the target.
    """

    source: Literal["model", "pooled", "baseline"]
    candidate: str | None
    champion: Champion | None
    problem: Problem | None
    origin: np.datetime64
    columns: Mapping[str, NDArray[Any]]


@dataclass
class Scored:
    """A request's answer: one record a row, in their order.

    ``unserved`` are groups that nobody served, by composite key; ``sources`` counts rows.
    """

    records: list[dict[str, Any]]
    unserved: dict[str, Problem] = field(default_factory=dict)
    sources: Counter[str] = field(default_factory=Counter)

    @property
    def refusal(self) -> Problem | None:
        """Why nobody served any row, told of the first group; None where some row was served."""
        if self.sources.keys() != {"none"}:
            return None
        (key, problem), *rest = self.unserved.items()
        more = f" (and {len(rest)} more groups)" if rest else ""
        return Problem(problem.reason, f"{key}: {problem.error}{more}")


class ReadyModel(Protocol):
    """A group's champion, unpickled and checked; many threads may ask it at once."""

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, about."""
        ...

    def answer(self, wanted: Any, rows: Ints) -> Answer | Problem:
        """Predictions of these ``rows`` of a request, or why there are none."""
        ...

    def describe(self) -> dict[str, object]:
        """What a client needs to know to ask it."""
        ...


@dataclass(frozen=True)
class GroupHistory:
    """What the lake holds of one group: ``rows`` in the order of time, none for an unknown group.

    ``data_through`` is the last time with a target anywhere in the raw data.
    """

    rows: pa.Table
    data_through: np.datetime64


@dataclass(frozen=True)
class OnlineShape:
    """How one shape of problem answers; each function takes a use case of that shape.

    ``read_wanted`` checks a request's rows once, for all groups. ``make_ready`` turns a champion
    into what answers. ``score_history`` answers from the group's rows in the lake, as batch scoring
    would: by the champions given (of the group by its composite key, of the partition by
    ``POOLED_KEY``), else by the baseline. ``row_columns`` tell one row of a group from another;
    ``predicted`` are the columns of an answer.
    """

    read_wanted: ReadWanted
    make_ready: MakeReady
    score_history: ScoreHistory
    row_columns: tuple[str, ...]
    predicted: tuple[str, ...]


class ReadWanted(Protocol):
    def __call__(self, columns: Columns, use_case: Any) -> Any: ...


class MakeReady(Protocol):
    def __call__(self, champion: Champion, key: Key, use_case: Any) -> ReadyModel: ...


class ScoreHistory(Protocol):
    def __call__(
        self,
        history: GroupHistory,
        wanted: Any,
        rows: Ints,
        key: Key,
        champions: Mapping[str, Champion],
        use_case: Any,
        partition: str,
    ) -> Answer | Problem: ...


def count_rows(columns: Columns) -> int:
    """Rows of a request; its columns have one length."""
    return len(next(iter(columns.values()), ()))


def find_groups(columns: Columns, use_case: AnyUseCase) -> dict[Key, list[int]]:
    """Rows of each group, in the order in which the groups first occur.

    Raises:
        RequestError: a key column is missing, or a key is neither text nor a whole number.
    """
    groups: dict[Key, list[int]] = {}
    texts = [_key_texts(columns, name) for name in use_case.keys]
    for row, key in enumerate(zip(*texts, strict=True)):
        groups.setdefault(key, []).append(row)
    return groups


def as_iso(moment: np.datetime64) -> str:
    """A time as text, to the second."""
    return str(moment.astype("datetime64[s]"))


def column(columns: Columns, name: str) -> Sequence[Any]:
    """One column of a request.

    Raises:
        RequestError: it is missing.
    """
    if name not in columns:
        raise RequestError(f"column {name!r} is missing; the rows have {sorted(columns)}")
    return columns[name]


def numbers(columns: Columns, name: str) -> Floats:
    """One column as float64, NaN for null.

    Raises:
        RequestError: it is missing, or holds what is no finite number.
    """
    values = [np.nan if value is None else value for value in column(columns, name)]
    try:
        found = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise RequestError(f"column {name!r} must hold numbers: {error}") from error
    if found.ndim != 1:
        raise RequestError(f"column {name!r} must hold numbers, not lists")
    if np.isinf(found).any():
        raise RequestError(f"column {name!r} is infinite; give a number, or null for none")
    return found


def labels(columns: Columns, name: str) -> list[str | None]:
    """One column of texts or whole numbers, as text; null is None.

    Raises:
        RequestError: it is missing, or holds something else.
    """
    found: list[str | None] = []
    for value in column(columns, name):
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            raise RequestError(
                f"column {name!r} holds {shortened(value)}; write text or a whole number, or null"
            )
        found.append(None if value is None else _as_text(value, name))
    return found


def moments(columns: Columns, name: str) -> NDArray[np.datetime64]:
    """One column of times, to the microsecond.

    Raises:
        RequestError: it is missing, or holds what is no ISO 8601 text, or has a time zone.
    """
    found = []
    for row, value in enumerate(column(columns, name)):
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise RequestError(
                f"{name} of row {row} is {shortened(value)}; write a time such as 2024-12-31 or "
                "2024-12-31T18:00:00"
            ) from None
        if moment.tzinfo is not None:
            raise RequestError(
                f"{name} of row {row} has a time zone, {moment.tzinfo}; leave it away"
            )
        found.append(moment)
    return np.array(found, dtype="datetime64[us]")


def _key_texts(columns: Columns, name: str) -> list[str]:
    texts = []
    for row, value in enumerate(column(columns, name)):
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise RequestError(
                f"key column {name!r} of row {row} is {shortened(value)}; a key is text or a whole "
                "number"
            )
        texts.append(_as_text(value, name))
    return texts


def _as_text(value: str | int, name: str) -> str:
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, a lone surrogate
        raise RequestError(f"column {name!r} holds {shortened(value)}, which is no text") from None
    return text


def shortened(value: object) -> str:
    """What a message shows of what a client sent."""
    return reprlib.repr(value)
