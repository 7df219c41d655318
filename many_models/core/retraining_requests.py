"""Requests to train partitions again: the audit's rows, and what became of the run of each.

One request is for one partition; those of one tick share their ``request_id`` and their run. What
is requested, and when, is ``retraining``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from many_models.core.retraining_rules import Reason

Outcome = Literal["requested", "trained", "no_better", "failed", "canceled", "lost"]
"""``requested`` until the run has ended; ``no_better``: no model of it was promoted;
``lost``: no run came of it, or it is not there any more."""

LOST_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Request:
    """One row of the audit; times are UTC without a zone.

    ``attempt`` counts the requests in a row for this partition, reason and ``subject`` that did not
    help. ``gone_since`` is when the reason was found to be there no more. ``champions_through`` is
    the last time of data that any champion that had drifted had seen.
    """

    request_id: str
    partition: str
    reason: Reason
    subject: str
    detail: str
    value: float
    estimated_core_seconds: float
    attempt: int
    requested_at: datetime
    champions_through: datetime | None = None
    run_id: str | None = None
    outcome: Outcome = "requested"
    ended_at: datetime | None = None
    trained: int | None = None
    promoted: int | None = None
    kept: int | None = None
    core_seconds: float | None = None
    gone_since: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.outcome == "requested"

    @property
    def did_not_finish(self) -> bool:
        """Whether it ended so that somebody may try its run again."""
        return self.outcome in ("failed", "canceled", "lost")

    @property
    def charge(self) -> float:
        """Core-seconds that count against the budget: what was spent, or else what was expected."""
        known = None if self.is_open else self.core_seconds
        return self.estimated_core_seconds if known is None else known


@dataclass(frozen=True, slots=True)
class SeenRun:
    """The run of a request; ``ended_at`` is None as long as it has not ended.

    ``retried`` are the runs that it tries again, if any. ``promoted`` are the partitions that it
    came to promote though it did not succeed: others of them have failed.
    """

    run_id: str
    ending: Literal["success", "failure", "canceled"] | None = None
    ended_at: datetime | None = None
    retried: frozenset[str] = frozenset()
    promoted: frozenset[str] = frozenset()

    @property
    def lineage(self) -> frozenset[str]:
        """All runs whose models are this one's."""
        return self.retried | {self.run_id}


@dataclass(frozen=True, slots=True)
class TrainedCounts:
    """What a run left in the ledger, and in the verdicts, of one partition."""

    trained: int
    promoted: int
    core_seconds: float


def settle(
    requests: Sequence[Request],
    runs: Mapping[str, SeenRun],
    counts: Mapping[tuple[str, str], TrainedCounts],
    now: datetime,
) -> list[Request]:
    """The requests with what became of those that were open, or whose run was tried again since.

    ``runs`` are by request, ``counts`` by run and partition.
    """
    found = [(request, runs.get(request.request_id)) for request in requests]
    return [
        _settle(request, run, counts, now) if request.is_open or is_news(request, run) else request
        for request, run in found
    ]


def is_news(request: Request, run: SeenRun | None) -> bool:
    """Whether a run is another than that which the outcome of a request speaks of."""
    return run is not None and request.did_not_finish and run.run_id != request.run_id


def find_unlaunched(
    requests: Sequence[Request], runs: Mapping[str, SeenRun]
) -> dict[str, list[str]]:
    """Partitions of the open requests without a run: whoever wrote them was stopped before it."""
    found: dict[str, list[str]] = {}
    for request in requests:
        if request.is_open and request.request_id not in runs:
            found.setdefault(request.request_id, []).append(request.partition)
    return found


def _settle(
    request: Request,
    run: SeenRun | None,
    counts: Mapping[tuple[str, str], TrainedCounts],
    now: datetime,
) -> Request:
    if run is None:
        overdue = request.run_id is not None or now - request.requested_at > LOST_AFTER
        return replace(request, outcome="lost", ended_at=now) if overdue else request
    if run.ending is None:
        return replace(request, run_id=run.run_id, outcome="requested", ended_at=None)
    keys = ((run_id, request.partition) for run_id in sorted(run.lineage))
    found = next((counts[key] for key in keys if key in counts), None)
    ended = replace(request, run_id=run.run_id, ended_at=run.ended_at or now)
    if found is not None:
        ended = replace(ended, trained=found.trained, core_seconds=found.core_seconds)
    if found is None or not (run.ending == "success" or request.partition in run.promoted):
        return replace(ended, outcome="canceled" if run.ending == "canceled" else "failed")
    return replace(
        ended,
        outcome="trained" if found.promoted else "no_better",
        promoted=found.promoted,
        kept=found.trained - found.promoted,
    )
