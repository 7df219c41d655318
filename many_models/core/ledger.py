"""The ledger: one row per group per run, whatever happened to the group.

Here is what all shapes of problems have in common; the figures of their models are in
``forecast.ledger`` and ``tabular.ledger``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from many_models.core.cost import NO_COST, Cost
from many_models.core.explanation import EFFECTS, EFFECTS_TYPE
from many_models.core.failure import Problem
from many_models.core.keys import group_key
from many_models.core.use_case import AnyUseCase

Status = Literal["trained", "skipped", "failed"]

BACKTEST, CLOSEUP = "backtest", "closeup"
NOT_IN_LEDGER = ("payload", EFFECTS, BACKTEST, CLOSEUP)
"""Columns of a training result that go elsewhere than into the ledger."""


class Trained(Protocol):
    """What training made of a group, whatever its shape."""

    @property
    def payload(self) -> bytes:
        """The pickled model."""
        ...

    def columns(self, use_case: Any) -> Mapping[str, object]:
        """What the columns of the training result hold of it."""
        ...


AnyTrained = TypeVar("AnyTrained", bound=Trained)


@dataclass(frozen=True, slots=True)
class GroupOutcome(Generic[AnyTrained]):
    """How one group ended: trained (with ``training``), or skipped or failed (with ``problem``).

    ``observations`` are rows with a target. A trained group may carry a problem too: the candidates
    that failed on it.
    """

    key: tuple[str, ...]
    status: Status
    observations: int
    first_time: np.datetime64 | None
    last_time: np.datetime64 | None
    statics: tuple[str, ...] = ()
    cost: Cost = NO_COST
    problem: Problem | None = None
    training: AnyTrained | None = None


def make_training_schema(
    use_case: AnyUseCase, figures: Sequence[tuple[str, pa.DataType]]
) -> pa.Schema:
    """Columns of a shard's training result: the ledger's with these figures, the payload, why."""
    time = pa.timestamp("us")
    return pa.schema(
        [
            ("partition", pa.string()),
            ("group_key", pa.string()),
            *((name, pa.string()) for name in use_case.keys),
            *((name, pa.string()) for name in use_case.static_columns),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("error", pa.string()),
            ("traceback", pa.string()),
            ("observations", pa.int64()),
            ("first_time", time),
            ("last_time", time),
            ("trained_through", time),
            ("candidate", pa.string()),
            ("score", pa.float64()),
            ("baseline_score", pa.float64()),
            ("candidate_scores", pa.string()),
            *figures,
            ("evaluated_from", time),
            ("seconds", pa.float64()),
            ("core_seconds", pa.float64()),
            ("payload_sha256", pa.string()),
            ("payload_bytes", pa.int64()),
            ("payload", pa.binary()),
            (EFFECTS, EFFECTS_TYPE),
        ]
    )


def make_training_table(
    outcomes: Iterable[GroupOutcome[Any]],
    use_case: AnyUseCase,
    schema: pa.Schema,
    *,
    partition: str,
    trained_through: np.datetime64,
) -> pa.Table:
    """Outcomes as a table in ``schema``, which is that of the use case's shape."""
    rows = [
        {
            **_columns(outcome.training, use_case),
            **dict(zip(use_case.keys, outcome.key, strict=True)),
            **dict(zip(use_case.static_columns, outcome.statics, strict=True)),
            "partition": partition,
            "group_key": group_key(use_case.keys, outcome.key),
            "status": outcome.status,
            "reason": outcome.problem.reason if outcome.problem else None,
            "error": outcome.problem.error if outcome.problem else None,
            "traceback": outcome.problem.traceback if outcome.problem else None,
            "observations": outcome.observations,
            "first_time": outcome.first_time,
            "last_time": outcome.last_time,
            "trained_through": trained_through,
            "seconds": outcome.cost.seconds,
            "core_seconds": outcome.cost.core_seconds,
        }
        for outcome in outcomes
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _columns(training: Trained | None, use_case: AnyUseCase) -> Mapping[str, object]:
    if training is None:
        return {}
    return {**training.columns(use_case), "payload_bytes": len(training.payload)}
