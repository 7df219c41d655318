"""One group: how its last training ended, what served it and why, what its model goes by.

From the result store alone. Its history, which the lake has, is ``group_history``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from many_models.core.forecast.use_case import UseCase
from many_models.core.skill import skill_sql
from many_models.steps.pages.reader import Reader, Row

RUNS_SHOWN = 20
ORIGINS_SHOWN = 8
EFFECTS_SHOWN = 12
ROWS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Group:
    """A group's rows: the last of the ledger, of ``scoring`` and of its champion's drift.

    Empty where there is none; ``ledger`` and ``champions`` have the latest first.
    """

    key: str
    partition: str
    last: Row
    served: Row
    drift: Row
    verdict: Row
    ledger: Sequence[Row]
    champions: Sequence[Row]
    effects: Sequence[Row]


def read_group(reader: Reader, key: str) -> Group | None:
    """All about one group; None where no run has ever met it."""
    ledger = reader.rows(
        f"SELECT *, {skill_sql(reader.use_case)} AS skill FROM {{ledger}} "
        f"WHERE group_key = :key ORDER BY trained_at DESC LIMIT {RUNS_SHOWN}",
        key=key,
    )
    served = reader.row(
        "SELECT * FROM {scoring} WHERE group_key = :key ORDER BY origin DESC LIMIT 1", key=key
    )
    if not ledger and not served:
        return None
    return Group(
        key=key,
        partition=str((ledger[0] if ledger else served)["partition"]),
        last=ledger[0] if ledger else {},
        served=served,
        drift=reader.row("SELECT * FROM {drift} WHERE group_key = :key", key=key),
        verdict=reader.row(
            "SELECT * FROM {verdicts} WHERE group_key = :key ORDER BY decided_at DESC LIMIT 1",
            key=key,
        ),
        ledger=ledger,
        champions=reader.rows(
            "SELECT * FROM {champion_history} WHERE group_key = :key "
            f"ORDER BY promoted_at DESC LIMIT {RUNS_SHOWN}",
            key=key,
        ),
        effects=read_effects(reader, key),
    )


def read_effects(reader: Reader, key: str) -> list[Row]:
    """What matters most in the model of its last training: ``member``, ``feature``, ``share``."""
    return reader.rows(
        "SELECT candidate, member, effect, feature, class_name, value, share FROM {explanations} "
        "WHERE group_key = :key AND share IS NOT NULL ORDER BY share DESC, feature "
        f"LIMIT {EFFECTS_SHOWN}",
        key=key,
    )


def read_predictions(reader: Reader, key: str) -> list[Row]:
    """Predictions of the last origin, in the order of time; the first rows where there are many."""
    limit = "" if isinstance(reader.use_case, UseCase) else f" LIMIT {ROWS_SHOWN}"
    return reader.rows(
        "SELECT * FROM {predictions} WHERE group_key = :key AND origin = "
        f'(SELECT MAX(origin) FROM {{predictions}} WHERE group_key = :key) ORDER BY "time"{limit}',
        key=key,
    )


def read_backtest(reader: Reader, key: str) -> list[Row]:
    """What its model forecast in each fold of its last training, by origin and time."""
    if not reader.has("backtests"):
        return []
    return reader.rows(
        'SELECT origin, "time", prediction, actual FROM {backtests} WHERE group_key = :key '
        'ORDER BY origin, "time"',
        key=key,
    )


def read_judged(reader: Reader, key: str) -> list[Row]:
    """Predictions of the last few origins beside what happened, in the order of origin and time."""
    return reader.rows(
        "SELECT * FROM {accuracy} WHERE group_key = :key AND origin IN "
        "(SELECT DISTINCT origin FROM {accuracy} WHERE group_key = :key "
        f'ORDER BY origin DESC LIMIT {ORIGINS_SHOWN}) ORDER BY origin, "time" LIMIT 2000',
        key=key,
    )
