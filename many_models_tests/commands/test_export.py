from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from many_models import settings
from many_models.adapters.results.store import ResultStore
from many_models.cli import main
from many_models.core.result_tables.shared import USE_CASES
from many_models.core.use_case_file import load_use_case
from many_models.steps.results import open_results


@pytest.fixture
def stored(home: Path) -> None:
    use_case = load_use_case(settings.PACKAGED_USE_CASES / "grocery.yaml")
    open_results(os.environ[settings.STORE], use_case)


def export(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", "grocery", *arguments])


def test_a_view_is_printed_as_csv(stored: None) -> None:
    result = export("dates", "--from", "2017-12-31", "--to", "2017-12-31")
    assert result.exit_code == 0, result.output
    names, row = result.stdout.splitlines()
    assert names.startswith('"date","year"')
    assert row.startswith("2017-12-31,2017,4,12,31,31")


@pytest.mark.parametrize("flags", [[], ["--format", "parquet"]])
def test_the_format_follows_the_files_name(stored: None, tmp_path: Path, flags: list[str]) -> None:
    name = tmp_path / ("x" if flags else "x.parquet")
    result = export("dates", "--output", str(name), *flags)
    assert result.exit_code == 0, result.output
    rows = pyarrow.parquet.read_table(name).num_rows
    assert result.output == f"{rows:,} rows in {name}\n"
    assert rows % 365 < 4


def test_an_unknown_view_names_those_that_there_are(stored: None) -> None:
    result = export("sales")
    assert result.exit_code == 1
    assert "grocery has no table or view 'sales'; there are: accuracy, " in result.output


def test_to_read_what_was_never_run_makes_no_tables(home: Path) -> None:
    result = export("ledger")
    assert result.exit_code == 1
    assert "Nothing has been run yet" in result.output
    assert not ResultStore(os.environ[settings.STORE]).columns(USE_CASES)
