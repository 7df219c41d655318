"""Who is served by a stand-in, and why: from the scoring ledger of one origin, in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from many_models.core.prediction_rules import Fallbacks
from many_models.steps.results import Results

WORST_SHOWN = 10
FALLBACK = "source IN ('pooled', 'baseline')"
SERVED = "source <> 'none'"


@dataclass(frozen=True, slots=True)
class FallbackReview:
    """Fallbacks of one origin; their reasons, commonest first; the partitions that have most."""

    fallbacks: Fallbacks
    reasons: tuple[dict[str, Any], ...]
    partitions: tuple[dict[str, Any], ...]


def review_fallbacks(origin: datetime, results: Results) -> FallbackReview:
    """What serves the groups at one origin, beside the origin before."""
    name, at = results.name("scoring"), {"origin": origin}
    earlier = results.store.query(
        f'SELECT origin FROM "{name}" WHERE origin < :origin ORDER BY origin DESC LIMIT 1', at
    )["origin"].to_pylist()
    before = _count(earlier[0], results) if earlier else None
    served, fallback = _count(origin, results)
    reasons = results.store.query(
        'SELECT source, reason, COUNT(*) AS "groups", MIN(error) AS example '
        f'FROM "{name}" WHERE origin = :origin AND {FALLBACK} '
        f"GROUP BY source, reason ORDER BY COUNT(*) DESC LIMIT {WORST_SHOWN}",
        at,
    ).to_pylist()
    partitions = results.store.query(
        'SELECT "partition", COUNT(*) AS served, '
        f"SUM(CASE WHEN {FALLBACK} THEN 1 ELSE 0 END) AS by_stand_in "
        f'FROM "{name}" WHERE origin = :origin AND {SERVED} GROUP BY "partition" '
        f"HAVING SUM(CASE WHEN {FALLBACK} THEN 1 ELSE 0 END) > 0 "
        f'ORDER BY 3 DESC, "partition" LIMIT {WORST_SHOWN}',
        at,
    ).to_pylist()
    return FallbackReview(
        Fallbacks(served, fallback, before[1] / before[0] if before and before[0] else None),
        tuple(reasons),
        tuple(partitions),
    )


def _count(origin: datetime, results: Results) -> tuple[int, int]:
    """Groups that were served at an origin, and those of them by a stand-in."""
    row = results.store.query(
        "SELECT COUNT(*) AS served, "
        f"SUM(CASE WHEN {FALLBACK} THEN 1 ELSE 0 END) AS fallback "
        f'FROM "{results.name("scoring")}" WHERE origin = :origin AND {SERVED}',
        {"origin": origin},
    ).to_pylist()[0]
    return int(row["served"]), int(row["fallback"] or 0)
