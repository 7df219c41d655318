"""The commands about the result store: on an old store, without Spark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from many_models.adapters.results.store import ResultStore
from many_models.cli import main
from many_models_tests.adapters.results.old_stores import make_old_store, old_use_case


@pytest.fixture
def url(home: Path) -> str:
    home.mkdir()
    made = f"sqlite:///{home}/results.db"
    make_old_store(made)
    return made


def run(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["store", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_an_old_store_is_told_upgraded_and_told_again(url: str, tmp_path: Path) -> None:
    content = old_use_case().model_dump(mode="json", exclude_unset=True)
    (tmp_path / "bread.yaml").write_text(yaml.safe_dump(content))
    assert json.loads(run("status", "--json"))["version"].startswith("none")

    told = run("upgrade", str(tmp_path / "bread.yaml"))

    assert "ran revisions 0001, 0002" in told
    assert "bread: tables and views are there" in told
    assert "has this version already" in run("upgrade")
    found = json.loads(run("status", "--json"))
    assert found["version"] == found["version_of_this_code"]
    assert [row["name"] for row in found["use_cases"]] == ["bread"]
    assert "bread                   forecast" in run("status")
    assert ResultStore(url).query("SELECT * FROM bread_forecast_vs_actual").num_rows == 56


def test_a_store_that_is_missing_is_named_and_not_made(home: Path) -> None:
    done = CliRunner().invoke(main, ["store", "status"])
    assert done.exit_code == 1
    assert "there is no result store at" in done.stderr
    assert not (home / "results.db").exists()


def test_a_role_of_sqlite_is_refused_with_a_remedy(url: str) -> None:
    done = CliRunner().invoke(main, ["store", "grant", "reader"])
    assert done.exit_code == 1
    assert "has no roles; open it read-only" in done.stderr


@pytest.mark.postgres
def test_the_sql_of_a_reader_is_printed(
    postgres_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home
    monkeypatch.setenv("MANY_MODELS_STORE", postgres_url)
    make_old_store(postgres_url)
    done = CliRunner().invoke(main, ["store", "grant", "postgres", "--print"])
    assert "no results yet" in done.stderr
    run("upgrade")
    assert "no results yet" in CliRunner().invoke(main, ["store", "grant", "postgres"]).stderr
