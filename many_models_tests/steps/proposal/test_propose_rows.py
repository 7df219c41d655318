from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from many_models.core.tabular.use_case import TabularUseCase
from many_models.core.use_case_file import parse_use_case
from many_models.steps.proposal.choices import Choices
from many_models.steps.proposal.file import write_use_case
from many_models.steps.proposal.propose_rows import RowProposal, build_row_proposal
from many_models_tests.tables import flights_table, probe_table

MADE = Choices(
    problem="classification", name="flights", time="departs", target="late",
    keys=("origin_airport", "dest"), row_id="flight", numeric=("hour", "wind"),
    categorical=("carrier",), horizon=7, partitioning="dest",
)  # fmt: skip


def propose(
    folder: Path, choices: Choices = MADE, *, today: date = date(2025, 1, 1)
) -> RowProposal:
    probe = probe_table(folder / "flights.db", flights_table(), table="flights")
    return build_row_proposal(choices, probe, url="sqlite:///flights.db", today=today)


def test_a_past_that_is_over_is_read_by_months(tmp_path: Path) -> None:
    found = propose(tmp_path)
    assert (found.rows, found.groups, found.partitions, found.query) == (800, 4, 2, None)
    assert (found.start, found.end, found.window) == (
        date(2024, 1, 1),
        date(2024, 2, 20),
        "monthly",
    )


def test_a_table_that_still_grows_has_no_end_and_daily_windows(tmp_path: Path) -> None:
    found = propose(tmp_path, today=date(2024, 2, 25))
    assert (found.end, found.window) == (None, "daily")


@pytest.mark.parametrize(
    ("choices", "metric", "baseline"),
    [
        (MADE, "accuracy", "majority_class"),
        (replace(MADE, problem="regression", target="delay"), "mae", "mean"),
    ],
)
def test_its_file_is_a_use_case(
    tmp_path: Path, choices: Choices, metric: str, baseline: str
) -> None:
    text = write_use_case(propose(tmp_path, choices))
    found = parse_use_case(text, name="text")
    assert isinstance(found, TabularUseCase)
    assert (found.metric, found.baseline, found.days_ahead) == (metric, baseline, 7)
    assert found.features.numeric == ("hour", "wind")
    assert found.partitioning.by == "dest"
    assert "one Dagster partition for each value, 2 by now" in text
