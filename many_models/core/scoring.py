"""The scoring ledger: one row per group and origin, which says what served it, and why.

Here is what all shapes of problems have in common; predicting is ``forecast.scoring``'s and
``tabular.scoring``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from many_models.core.failure import Problem
from many_models.core.keys import group_key
from many_models.core.use_case import AnyUseCase


@dataclass(frozen=True, slots=True)
class Champion:
    """A group's model in production: its payload, or why that could not be read."""

    name: str
    version: int
    payload: bytes | None
    error: str | None = None


class ShardScores(NamedTuple):
    """What scoring a shard gives: ``predictions``, and a row of the ``ledger`` for each group.

    ``inventory`` has a row for each group, too; None where the use case asks for none.
    """

    predictions: pa.Table
    ledger: pa.Table
    inventory: pa.Table | None = None


class Served(Protocol):
    """How one group was served: by what, and why not by its own model."""

    @property
    def source(self) -> str: ...

    @property
    def candidate(self) -> str | None: ...

    @property
    def problem(self) -> Problem | None: ...

    @property
    def champion(self) -> Champion | None: ...


def make_prediction_schema(
    use_case: AnyUseCase, predicted: Sequence[tuple[str, pa.DataType]]
) -> pa.Schema:
    """Columns of the predictions table: which group and time, what was ``predicted``, by what."""
    return pa.schema(
        [
            *_of_group(use_case),
            ("time", pa.timestamp("us")),
            ("periods_ahead", pa.int64()),
            *predicted,
            ("source", pa.string()),
            *_OF_MODEL,
        ]
    )


def make_scoring_schema(
    use_case: AnyUseCase, counts: Sequence[tuple[str, pa.DataType]] = ()
) -> pa.Schema:
    """Columns of the scoring ledger: which group and origin, ``counts``, by what and why."""
    return pa.schema(
        [
            *_of_group(use_case),
            *counts,
            ("source", pa.string()),
            ("reason", pa.string()),
            ("error", pa.string()),
            *_OF_MODEL,
        ]
    )


def make_scoring_row(
    use_case: AnyUseCase,
    key: tuple[str, ...],
    served: Served,
    *,
    partition: str,
    origin: np.datetime64,
) -> dict[str, object]:
    """One group's row of the scoring ledger, but for the ``counts``."""
    return {
        "partition": partition,
        "group_key": group_key(use_case.keys, key),
        **dict(zip(use_case.keys, key, strict=True)),
        "origin": origin,
        "source": served.source,
        "reason": served.problem.reason if served.problem else None,
        "error": served.problem.error if served.problem else None,
        "candidate": served.candidate,
        "model_name": served.champion.name if served.champion else None,
        "model_version": served.champion.version if served.champion else None,
    }


def _of_group(use_case: AnyUseCase) -> list[tuple[str, pa.DataType]]:
    keys = [(name, pa.string()) for name in use_case.keys]
    named = [("partition", pa.string()), ("group_key", pa.string()), *keys]
    return [*named, ("origin", pa.timestamp("us"))]


_OF_MODEL = [
    ("candidate", pa.string()),
    ("model_name", pa.string()),
    ("model_version", pa.int64()),
]
