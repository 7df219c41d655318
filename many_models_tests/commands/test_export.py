from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from many_models.cli import main


def export(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", "grocery", *arguments])


def test_a_view_is_printed_as_csv(home: Path) -> None:
    result = export("dates", "--from", "2017-12-31", "--to", "2017-12-31")
    assert result.exit_code == 0, result.output
    names, row = result.stdout.splitlines()
    assert names.startswith('"date","year"')
    assert row.startswith("2017-12-31,2017,4,12,31,31")


@pytest.mark.parametrize("flags", [[], ["--format", "parquet"]])
def test_the_format_follows_the_files_name(home: Path, tmp_path: Path, flags: list[str]) -> None:
    name = tmp_path / ("x" if flags else "x.parquet")
    result = export("dates", "--output", str(name), *flags)
    assert result.exit_code == 0, result.output
    rows = pyarrow.parquet.read_table(name).num_rows
    assert result.output == f"{rows:,} rows in {name}\n"
    assert rows % 365 < 4


def test_an_unknown_view_names_those_that_there_are(home: Path) -> None:
    result = export("sales")
    assert result.exit_code == 1
    assert "grocery has no table or view 'sales'; there are: accuracy, " in result.output
