"""The leaderboard: which kinds of models win, in how many groups, and how good they are there."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from many_models.core.skill import skill_sql
from many_models.steps.pages.reader import Reader, Row, median_sql

SAMPLE = 2_000
"""Groups whose backtest is looked at in full: each has a score of every candidate, as JSON."""

PARTITIONS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate in the sampled groups: in how many it was tried, its median score and rank."""

    name: str
    groups: int
    score: float
    rank: float


def winners(reader: Reader) -> list[Row]:
    """Candidates that won: ``name``, ``groups``, ``share``, median ``skill``, ``core_seconds``."""
    value = skill_sql(reader.use_case)
    medians = median_sql(
        value, f"{{groups}} WHERE status = 'trained' AND {value} IS NOT NULL", by="candidate"
    )
    rows = reader.rows(
        "SELECT counted.name, groups, core_seconds, medians.median AS skill FROM ("
        "SELECT candidate AS name, COUNT(*) AS groups, AVG(core_seconds) AS core_seconds "
        "FROM {latest_ledger} WHERE status = 'trained' GROUP BY candidate) counted "
        f"LEFT JOIN ({medians}) medians ON medians.name = counted.name ORDER BY groups DESC, 1"
    )
    total = sum(row["groups"] for row in rows)
    return [{**row, "share": row["groups"] / total} for row in rows]


def tried(reader: Reader) -> list[Tried]:
    """All candidates of a sample of groups, the best median rank first."""
    rows = reader.rows(
        "SELECT candidate_scores FROM {latest_ledger} WHERE candidate_scores IS NOT NULL "
        f"ORDER BY payload_sha256 LIMIT {SAMPLE}"  # a digest: as good as drawn by chance
    )
    better = reader.use_case.higher_is_better
    scores: dict[str, list[float]] = defaultdict(list)
    ranks: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        found: dict[str, float] = json.loads(row["candidate_scores"])
        order = sorted(found, key=lambda name: found[name], reverse=better)
        for place, name in enumerate(order, start=1):
            scores[name].append(found[name])
            ranks[name].append(place)
    every = [Tried(n, len(s), median(s), sum(ranks[n]) / len(s)) for n, s in scores.items()]
    return sorted(every, key=lambda one: one.rank)


def winners_by_partition(reader: Reader) -> Sequence[Row]:
    """Wins in the largest partitions: ``partition``, ``candidate``, ``groups``."""
    return reader.rows(
        'SELECT "partition", candidate, COUNT(*) AS groups FROM {groups} '
        'WHERE status = \'trained\' AND "partition" IN (SELECT "partition" FROM {groups} '
        "WHERE status = 'trained' GROUP BY \"partition\" ORDER BY COUNT(*) DESC "
        f'LIMIT {PARTITIONS_SHOWN}) GROUP BY "partition", candidate ORDER BY "partition", candidate'
    )
