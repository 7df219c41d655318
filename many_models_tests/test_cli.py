"""The command line without Spark: what it asks for, what it answers, and its exit codes."""

from __future__ import annotations

import json
import socket
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from many_models import settings
from many_models.cli import main
from many_models.defs.instance import open_instance
from many_models.defs.launch import FailedCheck, Launcher, RunReport

DAYS = [str(date(2024, 1, 1) + timedelta(days=day)) for day in range(91)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder; what a command adds to the environment goes after the test."""
    environ = {settings.HOME: str(tmp_path / "home")}
    settings.fill_environment(environ)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", "to be restored after the test")
    return tmp_path / "home"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def error_of(result: Result) -> str:
    """The one message of a command that failed as it should."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    assert result.stderr.startswith("Error: ")
    return result.stderr.removeprefix("Error: ")


def write_use_case(folder: Path, **fields: Any) -> Path:
    content = {
        "name": "sales",
        "source": {
            "url": f"sqlite:///{folder}/shop.db",
            "table": "sales",
            "window": "monthly",
            "start": "2024-01-01",
            "end": "2024-03-31",
        },
        "keys": ["store"],
        "partitioning": {"by": "store"},
        "time": {"column": "date", "frequency": "D"},
        "target": "sold",
        "horizon": 7,
        "gaps": "zero",
    }
    (folder / "sales.yaml").write_text(yaml.safe_dump(content | fields))
    return folder / "sales.yaml"


def write_shop(folder: Path, rows: list[tuple[str, str, object]]) -> None:
    with closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE sales (store, date TEXT, sold)")
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)


@pytest.fixture
def use_case(tmp_path: Path) -> Path:
    """One store that sells every day of the first quarter of 2024."""
    write_shop(tmp_path, [("a", day, 5.0) for day in DAYS])
    return write_use_case(tmp_path)


def test_a_column_that_is_not_there_is_named_with_the_nearest_one(
    use_case: Path, tmp_path: Path
) -> None:
    message = error_of(call("run", write_use_case(tmp_path, target="sould")))
    assert "sould" in message
    assert "'sold'" in message


def test_text_in_the_target_is_named_with_its_value(use_case: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("UPDATE sales SET sold = 'n/a' WHERE date = '2024-02-03'")
    message = error_of(call("run", use_case))
    assert "sold" in message
    assert "n/a" in message


def test_an_empty_source_says_where_to_look(tmp_path: Path) -> None:
    write_shop(tmp_path, [])
    message = error_of(call("run", write_use_case(tmp_path)))
    assert "gave no rows from 2024-01-01 to 2024-03-31" in message


@pytest.mark.parametrize("url", ["sqlite:////no/such.db", "postgresql://ann:secret@127.0.0.1:9/a"])
def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    tmp_path: Path, url: str
) -> None:
    source = {"url": url, "table": "sales", "start": "2024-01-01", "end": "2024-01-31"}
    message = error_of(call("run", write_use_case(tmp_path, source=source)))
    assert "cannot reach the source database" in message
    assert "secret" not in message


def test_a_table_that_is_not_there_is_named(use_case: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    source = {"url": url, "table": "sals", "start": "2024-01-01", "end": "2024-01-31"}
    message = error_of(call("run", write_use_case(tmp_path, source=source)))
    assert "sals" in message
    assert "sales" in message


def test_a_query_that_the_database_refuses_is_shown_with_its_words(
    use_case: Path, tmp_path: Path
) -> None:
    query = "SELEKT * FROM sales WHERE date >= :window_start AND date < :window_end"
    url, days = f"sqlite:///{tmp_path}/shop.db", {"start": "2024-01-01", "end": "2024-01-31"}
    source = {"url": url, "query": query, **days}
    assert 'near "*": syntax error' in error_of(
        call("run", write_use_case(tmp_path, source=source))
    )


@pytest.mark.parametrize("command", ["run", "status", "models", "check"])
def test_a_wrong_use_case_file_is_answered_with_the_field(tmp_path: Path, command: str) -> None:
    message = error_of(call(command, write_use_case(tmp_path, horizont=7)))
    assert "horizont: unknown field; did you mean 'horizon'?" in message


@pytest.mark.parametrize("command", ["run", "status", "models", "check"])
def test_a_use_case_file_that_is_not_there_is_named(command: str) -> None:
    assert "'no/such.yaml' cannot be read" in error_of(call(command, "no/such.yaml"))


def test_a_missing_java_is_said_before_anything_starts(
    use_case: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert "install one" in error_of(call("run", use_case))
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "grocery", "--no-such"],
        ["demo", "no-such"],
        ["simulate", "--days", "0"],
        ["no-such"],
    ],
)
def test_a_misused_command_ends_with_two(arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2


def test_help_names_every_command() -> None:
    text = call("--help").output
    commands = "run demo new simulate status models history rollback check ui"
    for command in commands.split():
        assert f"\n  {command} " in text


def finish_with(monkeypatch: pytest.MonkeyPatch, *failed: FailedCheck) -> None:
    monkeypatch.setattr(Launcher, "run", lambda *_, **__: RunReport(failed))


@pytest.mark.mlflow
def test_a_run_with_withheld_promotions_only_is_done(
    use_case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [FailedCheck("promotion_rules", f"p{number:02}", "") for number in range(12)]
    finish_with(monkeypatch, *checks)
    result = call("run", use_case)
    assert result.exit_code == 0, result.output
    assert "qualify: p00, p01" in result.stdout
    assert "p09 and 2 more." in result.stdout


@pytest.mark.mlflow
def test_a_run_with_a_broken_check_ends_with_three(
    use_case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish_with(monkeypatch, FailedCheck("no_duplicates", "2024-02-01", "2 rows repeat a key"))
    result = call("run", use_case)
    assert result.exit_code == 3
    assert "Check no_duplicates failed on 2024-02-01: 2 rows repeat a key." in result.stderr


@pytest.mark.mlflow
def test_a_run_with_a_warning_tells_of_it_and_is_done(
    use_case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish_with(monkeypatch, FailedCheck("up_to_date", "", "3 periods are missing", True))
    result = call("run", use_case)
    assert result.exit_code == 0, result.output
    assert "Check up_to_date warns: 3 periods are missing." in result.stderr


@pytest.mark.mlflow
def test_a_use_case_that_never_ran_has_a_status_of_zeros(use_case: Path) -> None:
    status = json.loads(call("status", use_case, "--json").stdout)
    assert status.pop("seconds") == {}
    for name in ("last_origin", "with_safety_stock", "to_be_ordered"):
        assert status.pop(name) is None
    assert set(status.values()) == {0}
    assert "none yet" in call("status", use_case).stdout


@pytest.mark.mlflow
def test_a_use_case_that_never_ran_has_no_models(use_case: Path) -> None:
    assert call("models", use_case).stdout == "0 of 0 champions, with mase\n"
    assert json.loads(call("models", use_case, "--json").stdout) == []


@pytest.mark.mlflow
def test_check_lists_what_is_fine_and_what_is_not(
    use_case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("many_models.prerequisites._run_spark", lambda _: None)
    fine = call("check", use_case)
    assert fine.exit_code == 0, fine.output
    assert [line[:7] for line in fine.stdout.splitlines()] == [*["ok     "] * 8, "note   "]
    assert "sales has no sensor of new data: give source.loaded_at" in fine.stdout
    (tmp_path / "shop.db").unlink()
    broken = call("check", use_case)
    assert broken.exit_code == 1
    (line,) = [line for line in broken.stdout.splitlines() if line.startswith("FAILED")]
    assert line.startswith("FAILED source of sales: cannot reach the source database")


def test_simulate_fills_a_table_of_the_size_asked_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/other.db"
    arguments = ["--stores", "2", "--items", "3", "--days", "40", "--seed", "7", "--url", url]
    result = call("simulate", *arguments)
    assert result.exit_code == 0, result.output
    assert "240 rows of 6 groups" in result.stdout
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        count, first, last = connection.execute(
            "SELECT COUNT(*), MIN(date), MAX(date) FROM sales"
        ).fetchone()
    assert (count, first, last) == (240, "2023-01-01", "2023-02-09")


def test_simulate_refuses_days_that_have_not_come_yet() -> None:
    result = call("simulate", "--days", "100000")
    assert result.exit_code == 2
    assert "at most" in result.stderr


def test_simulate_says_why_a_database_cannot_be_filled() -> None:
    assert "mysql" in error_of(call("simulate", "--days", "9", "--url", "mysql://host/shop"))


def test_the_ui_says_that_its_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = call("ui", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "is taken" in result.stderr


def test_the_ui_opens_dagster_with_the_home_and_the_files(
    use_case: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, command: started.append(command))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    result = call("ui", use_case, "--port", port)
    assert result.exit_code == 0, result.output
    assert started[0][-7:] == [
        "dev",
        "-w",
        f"{home}/dagster/workspace.yaml",
        "-h",
        "127.0.0.1",
        "-p",
        port,
    ]
    with open_instance(home) as instance:
        assert instance.root_directory == f"{home}/dagster"


def test_the_ui_refuses_a_broken_file_before_it_opens(tmp_path: Path) -> None:
    assert "horizon" in error_of(call("ui", write_use_case(tmp_path, horizon=0)))
