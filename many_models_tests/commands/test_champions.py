"""The commands about production, on a real registry without Spark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.results.store import ResultStore
from many_models.cli import main
from many_models_tests.fakes import make_use_case
from many_models_tests.fakes_models import constant_record

pytestmark = [pytest.mark.mlflow, pytest.mark.usefixtures("home")]

KEY = "store=s1,item=tea"


@pytest.fixture
def use_case(tmp_path: Path) -> Path:
    content = make_use_case().model_dump(mode="json", exclude_unset=True)
    (tmp_path / "sales.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "sales.yaml"


@pytest.fixture
def production(home: Path, empty_registry_database: Path) -> MlflowRegistry:
    """Tea was promoted by runs r1 and r2, rye by r1 only."""
    folder = home / "registry" / "production"
    folder.mkdir(parents=True)
    (folder / "mlflow.db").write_bytes(empty_registry_database.read_bytes())
    registry = MlflowRegistry(f"sqlite:///{folder}/mlflow.db", str(folder / "artifacts"), "sales")
    for day, items in (("1", ["rye", "tea"]), ("2", ["tea"])):
        tags = {"promoted_at": f"2026-01-0{day}T08:00:00.000+00:00", "promoted_by": f"r{day}"}
        tags |= {"use_case": "sales", "partition": "s1", "candidate": "ridge", "score": "0.5"}
        records = [
            constant_record(f"sales.s1.{i}", 1.0, partition_key=f"store=s1,item={i}", **tags)
            for i in items
        ]
        list(registry.register(records, alias="champion"))
    return registry


def call(*arguments: str | Path, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=answer)


def champions(production: MlflowRegistry) -> dict[str, int]:
    return {c.name.removeprefix("sales.s1."): c.version for c in production.champions("sales")}


def history_of(use_case: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        call("history", use_case, "--key", KEY, "--json").stdout
    )
    return found


def test_a_history_lists_the_versions_and_the_champion(
    use_case: Path, production: MlflowRegistry
) -> None:
    lines = call("history", use_case, "--key", KEY).stdout.splitlines()
    assert lines[0] == "sales.s1.tea"
    assert [line.split() for line in lines[2:]] == [
        ["v2", "2026-01-02", "08:00", "r2", "ridge", "0.500", "v1", "champion"],
        ["v1", "2026-01-01", "08:00", "r1", "ridge", "0.500"],
    ]


@pytest.mark.usefixtures("production")
def test_a_history_tells_what_was_rolled_back_and_why(use_case: Path) -> None:
    for _ in range(2):
        done = call("rollback", use_case, "--key", KEY, "--reason", "bad prices", "--yes")
        assert done.exit_code == 0, done.output
    text = call("history", use_case, "--key", KEY).stdout
    assert (
        text.splitlines()[-1]
        == "No version is champion: the pooled model or the baseline stands in."
    )
    assert ": bad prices" in text
    new, old = history_of(use_case)
    assert (new["rolled_back_to"], old["rolled_back_to"]) == ("1", "baseline")
    assert {new["champion"], old["champion"]} == {False}
    assert (new["replaces"], old["replaces"]) == (1, None)
    assert new["rollback_id"] != old["rollback_id"]


def test_a_rollback_shows_what_changes_and_asks(
    use_case: Path, production: MlflowRegistry, home: Path
) -> None:
    command = ["rollback", str(use_case), "--run", "r1", "--reason", "bad prices"]
    refused = call(*command, answer="n\n")
    assert refused.exit_code == 1
    assert champions(production) == {"rye": 1, "tea": 2}

    done = call(*command, answer="y\n")

    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[1].split() == ["sales.s1.rye", "v1", "baseline"]
    assert lines[2] == "1 model, of which 1 to the baseline"
    assert lines[3] == "not of 1 model: another version is champion by now"
    assert "Rolled back 1 model; rollback " in lines[-1]
    assert champions(production) == {"tea": 2}
    (row,) = (
        ResultStore(f"sqlite:///{home}/results.db")
        .query('SELECT * FROM "sales_rollbacks"')
        .to_pylist()
    )
    assert (row["group_key"], row["reason"]) == ("store=s1,item=rye", "bad prices")


def test_a_partition_goes_back_by_its_latest_promotion(
    use_case: Path, production: MlflowRegistry
) -> None:
    done = call("rollback", use_case, "--partition", "s1", "--reason", "bad prices", "--yes")
    assert done.exit_code == 0, done.output
    assert champions(production) == {"rye": 1, "tea": 1}


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["history", "--key", "store=s1,item=nut"], "was ever promoted"),
        (["history", "--key", "tea"], "write store=...,item=..."),
        (["rollback", "--key", "store=s1,item=nut", "--reason", "x"], "was ever promoted"),
        (["rollback", "--partition", "s9", "--reason", "x"], "there are champions in s1"),
        (["rollback", "--run", "r9", "--reason", "x"], "the champions are of runs r1, r2"),
        (["rollback", "--run", "r1", "--reason", ""], "needs a reason"),
    ],
)
def test_what_is_not_there_is_told_with_the_remedy(
    use_case: Path, arguments: list[str], message: str
) -> None:
    result = call(arguments[0], use_case, *arguments[1:])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr


@pytest.mark.parametrize("selection", [[], ["--key", KEY, "--run", "r1"]])
def test_a_rollback_of_none_or_of_two_things_is_misuse(
    use_case: Path, selection: list[str]
) -> None:
    assert call("rollback", use_case, *selection, "--reason", "x").exit_code == 2
    assert call("rollback", use_case, "--key", KEY).exit_code == 2
